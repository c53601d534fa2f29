/**
 * Connect rate: `npx bun bench/connects.ts`, about a minute.
 * 10,000 connections, 100 under way at a time: TCP, upgrade, connect with a signed token, subscribe to one channel.
 * Beside it a bare upgrade and subscribe.
 */
import { startCarillon } from "./harness/carillon.ts";
import { compare, peer, type Contender, type Taken } from "./harness/compare.ts";
import { inTurn } from "./harness/fan-out.ts";
import { startTopics } from "./harness/floors.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, type BenchResult } from "./harness/report.ts";
import type { Target } from "./harness/targets.ts";

const OF_CENTRIFUGO_MAX = 0.8;
/** Before what is measured: a server that just started compiles its code meanwhile. */
const WARM_UP_CONNECTIONS = 2000;

export async function benchConnects({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const { peers, notes } = peer();
  const contenders: Contender[] = [
    { name: "Carillon", start: () => startCarillon() },
    { name: "bare upgrade and subscribe", start: startTopics, part: "floor" },
    ...peers,
  ];
  const connections = quick ? 5000 : 10_000;
  const results = await inTurn(runs, contenders, (target) => connect(target, connections));
  const what = `${connections.toLocaleString("en")}, 100 at a time`;
  const measurements = compare(what, "connects/s", contenders, results, ({ ofPeer }) =>
    ofPeer === undefined
      ? undefined
      : atMost(`${OF_CENTRIFUGO_MAX} × Centrifugo`, ofPeer, OF_CENTRIFUGO_MAX),
  );
  return { title: "Connects with a signed token and a subscribe", measurements, notes };
}

async function connect(target: Target, connections: number): Promise<Taken> {
  const channel = "bench";
  {
    const options = { channel, connections: WARM_UP_CONNECTIONS };
    await using _warmUp = await SubscribersProcess.start(target, options);
  }
  const before = target.process.cpuSeconds();
  await using subscribers = await SubscribersProcess.start(target, { channel, connections });
  const { ready, seconds, cpu } = subscribers.ready;
  return {
    cpuUs: ((target.process.cpuSeconds() - before) * 1e6) / ready,
    perSecond: ready / seconds,
    generatorCpu: cpu,
  };
}

if (import.meta.main) await main(benchConnects);
