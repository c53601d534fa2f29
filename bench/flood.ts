/**
 * A flood by one app: `npx bun bench/flood.ts`, about two minutes.
 * An app publishes 50 times a second to 1,000 subscribers, alone and while another app has 64 publishes in flight to as many.
 */
import { CHANNEL, fanOut, type FanOut } from "./harness/fan-out.ts";
import { PublishersProcess, SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, median, type BenchResult } from "./harness/report.ts";
import { payload, type Target } from "./harness/targets.ts";
import { startTwoApps } from "./harness/two-apps.ts";
import { watched } from "./harness/watched.ts";
import type { WatchedTurns } from "./load/watched-server.ts";

const SUBSCRIBERS = 1000;
const PAYLOAD_BYTES = 128;
const PER_SECOND = 50;
const WARM_UP_SECONDS = 2;
const FLOOD_LANES = 64;
/** Longer than what is measured: the opening of its connections, and what is late. */
const FLOOD_MORE_SECONDS = 4;
/** Milliseconds that the other app's flood may add. */
const ADDED_MS_MAX = 10;

interface Phase extends FanOut {
  readonly turns: WatchedTurns;
}

export async function benchFlood({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const seconds = quick ? 4 : 15;
  const alone: Phase[] = [];
  const beside: Phase[] = [];
  const floods: number[] = [];
  for (let run = 0; run < runs; run++) {
    const { one, other } = await startTwoApps();
    await using _server = one;
    alone.push(await measured(one, seconds));
    await using subscribers = await SubscribersProcess.start(other, {
      ...{ channel: CHANNEL, connections: SUBSCRIBERS, sampleEvery: 1000 },
    });
    const flooding = flood(other, seconds + WARM_UP_SECONDS + FLOOD_MORE_SECONDS);
    beside.push(await measured(one, seconds));
    floods.push(await flooding);
    await subscribers.report();
  }
  const added = beside.map((within, run) => p99(within) - p99(alone[run]));
  const cpu = (phases: readonly Phase[]) => phases.map(({ generatorCpu }) => generatorCpu);
  const turn = (phases: readonly Phase[]) => phases.map(({ turns }) => turns.cpuMs.p99);
  const unit = "ms";
  return {
    title: "A flood by another app: 64 publishes in flight × 1,000, beside 50/s × 1,000",
    measurements: [
      { what: "p99 alone", unit, runs: alone.map(p99), generatorCpu: cpu(alone) },
      { what: "p99 beside the flood", unit, runs: beside.map(p99), generatorCpu: cpu(beside) },
      {
        ...{ what: "what the flood adds to p99", unit, runs: added },
        budget: atMost(`${ADDED_MS_MAX} ms`, median(added), ADDED_MS_MAX),
      },
      { what: "p99 turn of the loop alone, CPU", unit, runs: turn(alone) },
      { what: "p99 turn of the loop beside the flood, CPU", unit, runs: turn(beside) },
      { what: "the flood meanwhile", unit: "publishes/s", runs: floods },
    ],
    notes: [
      "The flood's publishers and subscribers share the load's core, and their share is not counted: where it is busy, both latencies beside the flood contain it. The turns of the loop do not.",
    ],
  };
}

async function measured(target: Target, seconds: number): Promise<Phase> {
  let turns: WatchedTurns | undefined;
  const found = await fanOut(target, {
    ...{ subscribers: SUBSCRIBERS, payloadBytes: PAYLOAD_BYTES, warmUpSeconds: WARM_UP_SECONDS },
    pace: { lanes: 8, perSecond: PER_SECOND, seconds },
    async around(part) {
      const { result, ...seen } = await watched(target.process, part);
      turns = seen.turns;
      return result;
    },
  });
  if (turns === undefined) throw new Error("Nothing was watched");
  return { ...found, turns };
}

/** Its publishes per second. */
async function flood({ name, publishing }: Target, seconds: number): Promise<number> {
  if (publishing === undefined) throw new Error(`${name} takes no publishes`);
  await using publishers = new PublishersProcess();
  const body = publishing.body(CHANNEL, payload(PAYLOAD_BYTES));
  const report = await publishers.run(publishing, body, { lanes: FLOOD_LANES, seconds });
  return report.publications / report.seconds;
}

function p99(phase: FanOut | undefined): number {
  return (phase?.received.latencyUs?.p99 ?? Number.NaN) / 1000;
}

if (import.meta.main) await main(benchFlood);
