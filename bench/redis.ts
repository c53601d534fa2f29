/**
 * Two processes on one Redis: `npx bun bench/redis.ts`, about ten minutes; needs `redis-server`.
 * Publishes on one node, 1,000 subscribers on the other, beside one node with the embedded engine: deliveries/s, latency,
 * and what Redis spends. Then storms: 10,000 channels joined at once, 1,000 clients that recover 100 publications each.
 */
import { startCarillon } from "./harness/carillon.ts";
import { compare, peer, type Contender } from "./harness/compare.ts";
import { CHANNEL, fanOut, inTurn, type FanOut } from "./harness/fan-out.ts";
import { PublishersProcess, SubscribersProcess } from "./harness/load.ts";
import { publish } from "./http-publish.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { startRedis, startTwoNodes, type BenchRedis } from "./harness/redis.ts";
import { atMost, ratio, type BenchResult, type Measurement } from "./harness/report.ts";
import { payload, type Target } from "./harness/targets.ts";

const SUBSCRIBERS = 1000;
const PUBLISHES_PER_SECOND = 50;
const STORM_CONNECTIONS = 100;
const STORM_CHANNELS_EACH = 100;
const RECOVERED_EACH = 100;

interface WithRedis extends FanOut {
  /** Of one core. */
  readonly redisCpu: number;
}

export async function benchRedis(options: BenchOptions): Promise<BenchResult> {
  await using redis = await startRedis();
  const measurements = [
    ...(await publishes(redis, options)),
    ...(await fanOuts(redis, options)),
    ...(await latencies(redis, options)),
    ...(await subscribeStorm(redis, options)),
    ...(await recoveryStorm(redis, options)),
  ];
  return {
    title: "Two nodes on one Redis",
    measurements,
    notes: [
      ...peer().notes,
      `Redis ${await redis.version()}, nothing kept on disk, on the load's core; both nodes share the server's core.`,
    ],
  };
}

const KEPT = { history_size: 100, history_ttl: "300s" };
const PUBLISHES = [
  { what: "64 in flight", lanes: 64, batch: 1, channel: {} },
  { what: "64 in flight, history", lanes: 64, batch: 1, channel: KEPT },
  { what: "1 in flight", lanes: 1, batch: 1, channel: {} },
  { what: "1 in flight, history", lanes: 1, batch: 1, channel: KEPT },
  { what: "batch of 10", lanes: 8, batch: 10, channel: {} },
  { what: "batch of 100", lanes: 8, batch: 100, channel: {} },
];

/** Processor time of the server alone, to a channel that nobody is in: what Redis spends is not counted, for nobody. */
async function publishes(redis: BenchRedis, { runs, quick }: BenchOptions): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const { what, lanes, batch, channel } of PUBLISHES) {
    const given = { redisUrl: redis.url, channel };
    const contenders: Contender[] = [
      { name: "Carillon on Redis", start: () => startCarillon(given) },
      ...peer(given).peers,
    ];
    const pace = { lanes, seconds: quick ? 2 : 5 };
    const results = await inTurn(runs, contenders, (target) => publish(target, pace, batch));
    measurements.push(
      ...compare(what, "publishes/s", contenders, results, ({ ofPeer }) =>
        ofPeer === undefined ? undefined : atMost("1.0 × Centrifugo", ofPeer, 1),
      ),
    );
  }
  return measurements;
}

function sides(redis: BenchRedis) {
  return [
    { name: "two nodes on Redis", start: () => startTwoNodes(redis, {}) },
    { name: "one node, embedded", start: () => startCarillon() },
  ];
}

async function both(
  redis: BenchRedis,
  runs: number,
  options: Parameters<typeof fanOut>[1],
): Promise<[WithRedis[], WithRedis[]]> {
  const [two = [], one = []] = await inTurn(runs, sides(redis), async (target) => {
    const before = redis.process.cpuSeconds();
    const startMs = performance.now();
    const found = await fanOut(target, options);
    const seconds = (performance.now() - startMs) / 1000;
    return { ...found, redisCpu: (redis.process.cpuSeconds() - before) / seconds };
  });
  return [two, one];
}

async function fanOuts(redis: BenchRedis, { runs, quick }: BenchOptions): Promise<Measurement[]> {
  const [two, one] = await both(redis, runs, {
    ...{ subscribers: SUBSCRIBERS, payloadBytes: 128, warmUpSeconds: quick ? 1 : 2 },
    pace: { lanes: 64, seconds: quick ? 3 : 8 },
  });
  const rates = (found: readonly FanOut[]) => found.map((each) => each.deliveriesPerSecond);
  return [
    {
      ...row("two nodes, 64 in flight", "deliveries/s", two, rates(two)),
      ofFloor: ratio(rates(two), rates(one)),
    },
    row("one node, embedded, 64 in flight", "deliveries/s", one, rates(one)),
    share("Redis, 64 in flight", two),
  ];
}

async function latencies(redis: BenchRedis, { runs, quick }: BenchOptions): Promise<Measurement[]> {
  const [two, one] = await both(redis, runs, {
    ...{ subscribers: SUBSCRIBERS, payloadBytes: 128, warmUpSeconds: 2 },
    pace: { lanes: 8, perSecond: PUBLISHES_PER_SECOND, seconds: quick ? 4 : 15 },
  });
  const parts = (["p50", "p99"] as const).flatMap((part): Measurement[] => {
    const times = (found: readonly FanOut[]) =>
      found.map(({ received }) => (received.latencyUs?.[part] ?? Number.NaN) / 1000);
    return [
      {
        ...row(`two nodes, 50/s, ${part}`, "ms", two, times(two)),
        ofFloor: ratio(times(two), times(one)),
      },
      row(`one node, embedded, 50/s, ${part}`, "ms", one, times(one)),
    ];
  });
  return [...parts, share("Redis, 50/s", two)];
}

/** Every connection joins channels of its own, all at once. */
async function subscribeStorm(redis: BenchRedis, { runs }: BenchOptions): Promise<Measurement[]> {
  const starts = [
    () => startTwoNodes(redis, { channelsPerConnection: STORM_CHANNELS_EACH + 1 }),
    () => startCarillon({ channelsPerConnection: STORM_CHANNELS_EACH + 1 }),
  ];
  const channels = STORM_CONNECTIONS * STORM_CHANNELS_EACH;
  const [two = [], one = []] = await inTurn(
    runs,
    starts.map((start) => ({ start })),
    async (target) => {
      await using storm = await SubscribersProcess.start(target, {
        ...{ channel: "c%d", connections: STORM_CONNECTIONS, opening: STORM_CONNECTIONS },
        replies: 2 + STORM_CHANNELS_EACH,
        bulk: {
          line: '{"id":1%07d,"subscribe":{"channel":"s%07d"}}',
          ...{ lines: STORM_CHANNELS_EACH, linesPerFrame: STORM_CHANNELS_EACH },
        },
      });
      return channels / storm.ready.seconds;
    },
  );
  const what = `${channels.toLocaleString("en")} channels joined at once`;
  return [
    { what: `two nodes, ${what}`, unit: "subscribes/s", runs: two, ofFloor: ratio(two, one) },
    { what: `one node, embedded, ${what}`, unit: "subscribes/s", runs: one },
  ];
}

/** Every client of a node that fell comes back at once, and has missed the same publications. */
async function recoveryStorm(redis: BenchRedis, { runs }: BenchOptions): Promise<Measurement[]> {
  const kept = {
    channel: { history_size: RECOVERED_EACH, history_ttl: "600s", allow_recovery: true },
  };
  const starts = [() => startTwoNodes(redis, kept), () => startCarillon(kept)];
  const [two = [], one = []] = await inTurn(
    runs,
    starts.map((start) => ({ start })),
    async (target) => {
      const { epoch, offset } = await publishSome(target);
      const recover = `"recover":true,"offset":${offset - RECOVERED_EACH},"epoch":"${epoch}"`;
      const { init, ...rest } = await target.join(CHANNEL);
      const joining = init.map((line) =>
        line.replace(`"channel":"${CHANNEL}"`, `"channel":"${CHANNEL}",${recover}`),
      );
      await using storm = await SubscribersProcess.start(target, {
        ...{ ...rest, init: joining, channel: CHANNEL },
        ...{ connections: SUBSCRIBERS, opening: SUBSCRIBERS },
      });
      return SUBSCRIBERS / storm.ready.seconds;
    },
  );
  const what = `${SUBSCRIBERS.toLocaleString("en")} clients recover ${RECOVERED_EACH} publications each`;
  return [
    { what: `two nodes, ${what}`, unit: "recoveries/s", runs: two, ofFloor: ratio(two, one) },
    { what: `one node, embedded, ${what}`, unit: "recoveries/s", runs: one },
  ];
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

function row(
  what: string,
  unit: string,
  found: readonly FanOut[],
  runs: readonly number[],
): Measurement {
  return {
    ...{ what, unit, runs },
    missing: found.reduce((sum, { missing }) => sum + missing, 0),
    misordered: found.reduce((sum, { misordered }) => sum + misordered, 0),
    generatorCpu: found.map(({ generatorCpu }) => generatorCpu),
  };
}

function share(what: string, found: readonly WithRedis[]): Measurement {
  return { what, unit: "% of a core", runs: found.map(({ redisCpu }) => redisCpu * 100) };
}

if (import.meta.main) await main(benchRedis);
