/**
 * Many channels, few in each: `npx bun bench/many-channels.ts`, about three minutes.
 * 10,000 connections, each alone in a channel of its own; 64 publishes in flight, each to one of the channels by chance.
 */
import { startCarillon } from "./harness/carillon.ts";
import { compare, peer, type Contender, type Taken } from "./harness/compare.ts";
import { inTurn } from "./harness/fan-out.ts";
import { startTopics } from "./harness/floors.ts";
import { PublishersProcess, SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, type BenchResult } from "./harness/report.ts";
import { payload, type Target } from "./harness/targets.ts";

const CHANNELS = 10_000;
const LANES = 64;
const WARM_UP_SECONDS = 2;
/** 1.5 times Centrifugo's rate for the same processor time. */
const OF_CENTRIFUGO_MAX = 1 / 1.5;

export async function benchManyChannels({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const { peers, notes } = peer();
  const contenders: Contender[] = [
    { name: "Carillon", start: () => startCarillon() },
    { name: "bare Bun topics", start: startTopics, part: "floor" },
    ...peers,
  ];
  const seconds = quick ? 3 : 8;
  const results = await inTurn(runs, contenders, (target) => measure(target, seconds));
  const text = `${OF_CENTRIFUGO_MAX.toFixed(2)} × Centrifugo`;
  const measurements = compare("64 in flight", "deliveries/s", contenders, results, (row) =>
    row.ofPeer === undefined ? undefined : atMost(text, row.ofPeer, OF_CENTRIFUGO_MAX),
  );
  return { title: "10,000 channels with one subscriber each, 128 B", measurements, notes };
}

async function measure(target: Target, seconds: number): Promise<Taken> {
  const { publishing, process } = target;
  if (publishing === undefined) throw new Error(`${target.name} takes no publishes`);
  // As wide as the publishers' hole, so that every number is a channel's.
  const joining = await target.join("c%07d");
  await using subscribers = await SubscribersProcess.start(target, {
    ...joining,
    ...{ channel: "c%07d", connections: CHANNELS, complete: false },
  });
  await using publishers = new PublishersProcess();
  const body = publishing.body("c@cccccc", payload(128));
  const pace = { lanes: LANES, channels: CHANNELS };
  await publishers.run(publishing, body, { ...pace, seconds: WARM_UP_SECONDS });
  await Bun.sleep(500);
  await subscribers.measure();
  const before = process.cpuSeconds();
  const published = await publishers.run(publishing, body, { ...pace, seconds });
  await subscribers.drained(published.publications);
  const cpuSeconds = process.cpuSeconds() - before;
  const { messages, misordered, cpu } = await subscribers.report();
  return {
    cpuUs: (cpuSeconds * 1e6) / published.publications,
    perSecond: published.publications / published.seconds,
    generatorCpu: cpu + published.cpu,
    missing: published.publications - messages,
    misordered,
  };
}

if (import.meta.main) await main(benchManyChannels);
