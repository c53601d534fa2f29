/**
 * HTTP publish over Redis: `npx bun bench/redis.ts`; needs `redis-server`.
 * What a publish to a channel that nobody is in costs the server, of whose time what Redis spends is no part.
 */
import { startCarillon } from "./harness/carillon.ts";
import { startHttpAnswer } from "./harness/floors.ts";
import { main } from "./harness/main.ts";
import { startRedis } from "./harness/redis.ts";
import { centrifugo, type Bench, type Contender } from "./harness/round.ts";
import { CALLS, publish, warmUp } from "./http-publish.ts";

const KEPT = { name: "kept", history_size: 100, history_ttl: "300s" };
const CASES = [
  // The load has time to spare beside Redis.
  ...CALLS.map(({ what, lanes, batch }) => ({ what, lanes, batch, channel: "bench" })),
  { what: "64 in flight, history", lanes: 64, batch: 1, channel: "kept:bench" },
  { what: "1 in flight, history", lanes: 1, batch: 1, channel: "kept:bench" },
];

export const benchRedis: Bench = {
  name: "redis",
  floor: "`node:http` that reads the same requests, has Redis publish them one by one, and answers",
  async take(round) {
    await using redis = await startRedis();
    const options = { redisUrl: redis.url, namespaces: [KEPT] };
    const contenders: readonly Contender[] = [
      { name: "Carillon", side: "own", start: () => startCarillon(options) },
      ...centrifugo(options),
      { name: "bare node:http", side: "floor", start: () => startHttpAnswer(redis.url) },
    ];
    await round.each(contenders, async (target, { side }) => {
      await warmUp(round, target);
      for (const { what, ...call } of CASES) {
        const row = { name: `publish over Redis, ${what}`, unit: "publishes/s" };
        const budget = { ofPeer: 1 };
        round.add({ ...row, budget }, side, await publish(round, [target], call));
      }
    });
  },
};

if (import.meta.main) await main([benchRedis]);
