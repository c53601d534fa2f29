/**
 * Connect rate: `npx bun bench/connects.ts`, about a minute.
 * 10,000 connections, 100 under way at a time: TCP, upgrade, connect with a signed token, subscribe to one channel.
 * Beside it a bare upgrade and subscribe.
 */
import { inTurn } from "./harness/fan-out.ts";
import { findCentrifugo, startTopics } from "./harness/floors.ts";
import { startCarillon } from "./harness/carillon.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atLeast, median, ratio, type BenchResult, type Measurement } from "./harness/report.ts";
import type { Target } from "./harness/targets.ts";

const CONNECTS_PER_SECOND_MIN = 5000;
/** Before what is measured: a server that just started compiles its code meanwhile. */
const WARM_UP_CONNECTIONS = 2000;

interface Connected {
  readonly perSecond: number;
  /** Of the server. */
  readonly cpuUs: number;
  readonly generatorCpu: number;
}

export async function benchConnects({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const centrifugo = findCentrifugo();
  const targets = [
    { name: "Carillon", start: () => startCarillon() },
    { name: "bare upgrade and subscribe", start: startTopics },
    ...(typeof centrifugo === "string" ? [] : [{ name: "Centrifugo", start: centrifugo }]),
  ];
  const connections = quick ? 5000 : 10_000;
  const results = await inTurn(runs, targets, (target) => connect(target, connections));
  const rates = results.map((found) => found.map(({ perSecond }) => perSecond));
  const rows = targets.map(({ name }, index): Measurement => {
    const own = rates[index] ?? [];
    return {
      ...{ what: name, unit: "connects/s", runs: own },
      generatorCpu: results[index]?.map(({ generatorCpu }) => generatorCpu) ?? [],
      ...(index === 1 ? {} : { ofFloor: ratio(own, rates[1] ?? []) }),
      ...(index === 0 ? { budget: atLeast("5,000", median(own), CONNECTS_PER_SECOND_MIN) } : {}),
    };
  });
  const costs = targets.map(({ name }, index): Measurement => ({
    what: `${name}, server's processor time`,
    unit: "µs/connect",
    runs: results[index]?.map(({ cpuUs }) => cpuUs) ?? [],
  }));
  return {
    title: "Connects with a signed token and a subscribe",
    measurements: [...rows, ...costs],
    notes: typeof centrifugo === "string" ? [centrifugo] : [],
  };
}

async function connect(target: Target, connections: number): Promise<Connected> {
  const channel = "bench";
  {
    const options = { channel, connections: WARM_UP_CONNECTIONS };
    await using _warmUp = await SubscribersProcess.start(target, options);
  }
  const before = target.process.cpuSeconds();
  await using subscribers = await SubscribersProcess.start(target, { channel, connections });
  const { ready, seconds, cpu } = subscribers.ready;
  return {
    perSecond: ready / seconds,
    cpuUs: ((target.process.cpuSeconds() - before) * 1e6) / ready,
    generatorCpu: cpu,
  };
}

if (import.meta.main) await main(benchConnects);
