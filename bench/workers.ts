/**
 * Several processes on one Redis: `npx bun bench/workers.ts`; needs `redis-server`.
 * One and two workers, beside as many processes of Centrifugo's; both cores are theirs, the load's and Redis's. Publishes with 64 in
 * flight to an empty channel, and rounds of 64 to 1,000 subscribers at a pace that all of them can keep.
 */
import { createCredentials, startCarillon } from "./harness/carillon.ts";
import { FanOutLoad, sampleOf } from "./harness/fan-out.ts";
import { findCentrifugo, startHttpAnswer, startTopics } from "./harness/floors.ts";
import { main } from "./harness/main.ts";
import { startRedis } from "./harness/redis.ts";
import type { Side } from "./harness/records.ts";
import type { Bench, Round } from "./harness/round.ts";
import type { StartTarget, Target } from "./harness/targets.ts";
import { publish } from "./http-publish.ts";

const WORKERS = [1, 2];
const LANES = 64;
const TIMES_PER_SECOND = 6;
const PACE = { lanes: LANES, perSecond: LANES * TIMES_PER_SECOND, together: LANES };

interface Nodes {
  readonly name: string;
  readonly side: Side;
  readonly start: readonly StartTarget[];
  /** Which of the two rows it is in. Default: both. */
  readonly only?: "publish" | "fan-out";
}

export const benchWorkers: Bench = {
  name: "workers",
  roundsMax: 3,
  floor: "as of `redis` for publishes; bare `Bun.serve` topics, without Redis, for fan-out",
  async take(round) {
    await using redis = await startRedis();
    for (const workers of WORKERS) {
      const shared = { redisUrl: redis.url, on: "both" as const };
      const credentials = createCredentials();
      const centrifugo = findCentrifugo({ ...shared, credentials });
      const config = { workers };
      const all: readonly Nodes[] = [
        { name: "Carillon", side: "own", start: [() => startCarillon({ ...shared, config })] },
        ...(typeof centrifugo === "string"
          ? []
          : [
              { name: "Centrifugo", side: "peer", start: Array(workers).fill(centrifugo) } as const,
            ]),
        {
          ...{ name: "bare node:http", side: "floor", only: "publish" },
          start: [() => startHttpAnswer(redis.url)],
        },
        { name: "topics", side: "floor", start: [startTopics], only: "fan-out" },
      ];
      for (const nodes of all) {
        await round.attempt(`${nodes.name}, ${workers}`, () => measure(round, nodes, workers));
      }
    }
  },
};

async function measure(round: Round, { start, side, only }: Nodes, workers: number): Promise<void> {
  await using started = new AsyncDisposableStack();
  const targets: Target[] = [];
  for (const each of start) targets.push(started.use(await each()));
  const many = `workers ${workers} on Redis`;
  if (only !== "fan-out") {
    await publish(round, targets, { lanes: LANES, batch: 1 });
    const sample = await publish(round, targets, { lanes: LANES, batch: 1 });
    const row = { name: `${many}, publish, ${LANES} in flight`, unit: "publishes/s" };
    round.add(row, side, sample);
  }
  if (only !== "publish") {
    const options = { subscribers: 1000, payloadBytes: 128 };
    await using load = await FanOutLoad.open(options, ...targets);
    const found = await load.run({ ...PACE, seconds: round.seconds(1.5) }, round.seconds(0.6));
    const row = { name: `${many}, fan-out to 1,000, ${LANES} in flight`, unit: "deliveries/s" };
    round.add(row, side, sampleOf(found));
  }
}

if (import.meta.main) await main([benchWorkers]);
