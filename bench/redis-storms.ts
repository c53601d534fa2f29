/**
 * Two nodes on one Redis: `npx bun bench/redis-storms.ts`; needs `redis-server`.
 * 10,000 channels joined at once, and 1,000 clients that recover 100 publications each, beside one node with the embedded engine.
 */
import { startCarillon } from "./harness/carillon.ts";
import { CHANNEL } from "./harness/fan-out.ts";
import { PublishersProcess, SubscribersProcess, type SubscribersOptions } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import { startRedis, startTwoNodes } from "./harness/redis.ts";
import type { Bench, Contender } from "./harness/round.ts";
import { cpuOf, payload, type Target } from "./harness/targets.ts";

const CLIENTS = 1000;
const STORM_CONNECTIONS = 100;
const STORM_CHANNELS_EACH = 100;
const RECOVERED_EACH = 100;

const STORMS = [
  {
    ...{ name: "10,000 channels joined at once", unit: "subscribes/s" },
    operations: STORM_CONNECTIONS * STORM_CHANNELS_EACH,
    options: { channelsPerConnection: STORM_CHANNELS_EACH + 1 },
    joining: async () => JOINING,
  },
  {
    ...{ name: "1,000 clients recover 100 publications each", unit: "recoveries/s" },
    operations: CLIENTS,
    options: {
      channel: { history_size: RECOVERED_EACH, history_ttl: "600s", allow_recovery: true },
    },
    joining: recovering,
  },
] as const;

/** Every connection joins channels of its own, all at once. */
const JOINING: SubscribersOptions = {
  ...{ channel: "c%d", connections: STORM_CONNECTIONS, opening: STORM_CONNECTIONS },
  replies: 2 + STORM_CHANNELS_EACH,
  bulk: {
    line: '{"id":1%07d,"subscribe":{"channel":"s%07d"}}',
    ...{ lines: STORM_CHANNELS_EACH, linesPerFrame: STORM_CHANNELS_EACH },
  },
};

export const benchRedisStorms: Bench = {
  name: "redis-storms",
  floor: "one node with the embedded engine",
  async take(round) {
    await using redis = await startRedis();
    for (const { name, unit, operations, options, joining } of STORMS) {
      const contenders: readonly Contender[] = [
        { name: "two nodes", side: "own", start: () => startTwoNodes(redis, options) },
        { name: "one node, embedded", side: "floor", start: () => startCarillon(options) },
      ];
      await round.each(contenders, async (target, { side }) => {
        const spec = await joining(target);
        const before = cpuOf(target);
        await using storm = await SubscribersProcess.start(target, spec);
        const { seconds, cpu: generator } = storm.ready;
        const cpuUs = ((cpuOf(target) - before) * 1e6) / operations;
        round.add({ name, unit }, side, { value: operations / seconds, cpuUs, generator });
      });
    }
  },
};

/** Every client of a node that fell comes back at once, and has missed the same publications. */
async function recovering(target: Target): Promise<SubscribersOptions> {
  const { epoch, offset } = await publishSome(target);
  const recover = `"recover":true,"offset":${offset - RECOVERED_EACH},"epoch":"${epoch}"`;
  const { init, ...rest } = await target.join(CHANNEL);
  const joining = init.map((line) =>
    line.replace(`"channel":"${CHANNEL}"`, `"channel":"${CHANNEL}",${recover}`),
  );
  return {
    ...{ ...rest, init: joining, channel: CHANNEL },
    ...{ connections: CLIENTS, opening: CLIENTS },
  };
}

/** Fills the channel's history; its position. */
async function publishSome({ publishing }: Target): Promise<{ epoch: string; offset: number }> {
  if (publishing === undefined) throw new Error("The target takes no publishes");
  const { host, port, headers } = publishing;
  await using publishers = new PublishersProcess();
  const pace = { lanes: 1, perSecond: RECOVERED_EACH * 2, seconds: 1 };
  await publishers.run(publishing, publishing.body(CHANNEL, payload(128)), pace);
  const answer = await fetch(`http://${host}:${port}/api/history`, {
    ...{ method: "POST", headers },
    body: JSON.stringify({ channel: CHANNEL, limit: 0 }),
  });
  const { result = {} } = (await answer.json()) as {
    result?: { epoch?: string; offset?: number };
  };
  const { epoch, offset = 0 } = result;
  if (epoch === undefined || offset < RECOVERED_EACH) throw new Error("The history is not full");
  return { epoch, offset };
}

if (import.meta.main) await main([benchRedisStorms]);
