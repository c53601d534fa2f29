/**
 * Many channels, few in each: `npx bun bench/many-channels.ts`.
 * 10,000 connections, each alone in a channel of its own; 64 publishes in flight, each to one of the channels by chance.
 */
import { startCarillon } from "./harness/carillon.ts";
import { startTopics } from "./harness/floors.ts";
import { PublishersProcess, SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { Sample } from "./harness/records.ts";
import { centrifugo, type Bench, type Contender, type Round } from "./harness/round.ts";
import { payload, type Target } from "./harness/targets.ts";

const CHANNELS = 10_000;
const LANES = 64;
/** As fast as it goes, the load would take as much of its core as what it measures. */
const TIMES_PER_SECOND = 100;
/** 1.5 times Centrifugo's deliveries for the same processor time. */
const BUDGET = { ofPeer: 1 / 1.5 };
const ROW = { name: "10,000 channels × 1, 64 in flight", unit: "deliveries/s", budget: BUDGET };

export const benchManyChannels: Bench = {
  name: "many-channels",
  floor: "bare `Bun.serve` topics",
  async take(round) {
    const contenders: readonly Contender[] = [
      { name: "Carillon", side: "own", start: () => startCarillon() },
      ...centrifugo(),
      { name: "topics", side: "floor", start: startTopics },
    ];
    await round.each(contenders, async (target, { side }) => {
      round.add(ROW, side, await measure(round, target));
    });
  },
};

async function measure(round: Round, target: Target): Promise<Sample> {
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
  const lanes = { lanes: LANES, channels: CHANNELS };
  // At the pace of what is measured a server's code would still be compiled meanwhile.
  const warmUp = await publishers.run(publishing, body, { ...lanes, seconds: round.seconds(3) });
  await subscribers.drained(warmUp.publications);
  await subscribers.measure();
  const pace = { ...lanes, perSecond: LANES * TIMES_PER_SECOND, together: LANES };
  const before = process.cpuSeconds();
  const published = await publishers.run(publishing, body, { ...pace, seconds: round.seconds(2) });
  await subscribers.drained(published.publications);
  const cpuSeconds = process.cpuSeconds() - before;
  const { messages, misordered, cpu } = await subscribers.report();
  return {
    cpuUs: (cpuSeconds * 1e6) / published.publications,
    value: published.publications / published.seconds,
    generator: cpu + published.cpu,
    missing: published.publications - messages,
    misordered,
  };
}

if (import.meta.main) await main([benchManyChannels]);
