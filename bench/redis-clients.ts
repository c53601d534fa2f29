/**
 * The Redis clients beside each other, and the engine on top: `npx bun bench/redis-clients.ts`, about a minute; needs
 * `redis-server`. One process publishes on one connection and receives on another, with so many calls under way at a time.
 */
import { RedisClient } from "bun";
import { Redis } from "ioredis";
import { createRedisEngine } from "../src/engines/redis/index.ts";
import { systemRuntime } from "../src/system-runtime.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { startRedis } from "./harness/redis.ts";
import type { BenchResult, Measurement } from "./harness/report.ts";
import { jsonOf } from "../src/core/json-text.ts";

const CALLS = 200_000;
const CALLS_QUICK = 40_000;
const IN_FLIGHT = 512;
const PAYLOAD = "x".repeat(128);
const HISTORY = { size: 100, ttlMs: 300_000, metaTtlMs: 3_600_000 };
const APPEND =
  "redis.call('XADD', KEYS[1], 'MAXLEN', '=', 100, '*', 'd', ARGV[1]) return redis.call('PUBLISH', ARGV[2], ARGV[1])";

/** One way to publish and to receive. */
interface Lane extends AsyncDisposable {
  /** Messages received so far. */
  received(): number;
  publish(): Promise<unknown>;
  /** Appends to a stream and publishes, as one step. */
  append(): Promise<unknown>;
}

async function bunLane(url: string): Promise<Lane> {
  const [commands, bus] = [new RedisClient(url), new RedisClient(url)];
  await Promise.all([commands.connect(), bus.connect()]);
  let received = 0;
  await bus.subscribe("bun", () => (received += 1));
  const digest = String(await commands.send("SCRIPT", ["LOAD", APPEND]));
  return {
    received: () => received,
    publish: () => commands.send("PUBLISH", ["bun", PAYLOAD]),
    append: () => commands.send("EVALSHA", [digest, "1", "stream:bun", PAYLOAD, "bun"]),
    async [Symbol.asyncDispose]() {
      commands.close();
      bus.close();
    },
  };
}

/** `autoPipelining`: what ioredis offers for many calls in one turn. */
async function ioredisLane(url: string, enableAutoPipelining: boolean): Promise<Lane> {
  const [commands, bus] = [new Redis(url, { enableAutoPipelining }), new Redis(url)];
  const topic = `ioredis ${enableAutoPipelining}`;
  let received = 0;
  bus.on("message", () => (received += 1));
  await bus.subscribe(topic);
  const digest = String(await commands.script("LOAD", APPEND));
  return {
    received: () => received,
    publish: () => commands.publish(topic, PAYLOAD),
    append: () => commands.evalsha(digest, 1, `stream:${topic}`, PAYLOAD, topic),
    async [Symbol.asyncDispose]() {
      commands.disconnect();
      bus.disconnect();
    },
  };
}

async function engineLane(url: string): Promise<Lane> {
  const engine = createRedisEngine({ url, prefix: "bench", runtime: systemRuntime });
  await engine.start();
  const { broker } = engine.app("bench");
  const channel = { space: "channels", name: "room" };
  let received = 0;
  await broker.listen(channel, { onEvent: () => (received += 1) });
  const publication = { data: { json: jsonOf(PAYLOAD) } };
  return {
    received: () => received,
    publish: () => broker.publish(channel, publication),
    append: () => broker.publish(channel, publication, { history: HISTORY }),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

const LANES: Readonly<Record<string, (url: string) => Promise<Lane>>> = {
  "Bun's client": bunLane,
  ioredis: (url) => ioredisLane(url, false),
  "ioredis, auto-pipelining": (url) => ioredisLane(url, true),
  "this engine, on Bun's client": engineLane,
};

export async function benchRedisClients({ runs, quick }: BenchOptions): Promise<BenchResult> {
  await using redis = await startRedis();
  const calls = quick ? CALLS_QUICK : CALLS;
  const found = new Map<string, number[]>();
  // Lanes take turns, so that a slow moment of the machine meets them all.
  for (let run = 0; run < runs; run += 1) {
    for (const [name, open] of Object.entries(LANES)) {
      await using lane = await open(redis.url);
      const rates = [
        ["publish and receive", await rate(lane, () => lane.publish(), calls)],
        ["append, publish and receive", await rate(lane, () => lane.append(), calls)],
      ] as const;
      for (const [what, perSecond] of rates) {
        const key = `${what}: ${name}`;
        found.set(key, [...(found.get(key) ?? []), perSecond]);
      }
    }
  }
  const measurements: Measurement[] = [...found]
    .sort(([a], [b]) => (a.startsWith("append") ? 1 : 0) - (b.startsWith("append") ? 1 : 0))
    .map(([what, perSecond]) => ({ what, unit: "messages/s", runs: perSecond }));
  const note = `Redis ${await redis.version()}, nothing kept on disk; ${IN_FLIGHT} calls in flight, ${PAYLOAD.length}-byte messages, one topic. The sender and the receiver are one process, so each message costs it a call and a message.`;
  return { title: "Redis clients", measurements, notes: [note] };
}

/** Messages per second, from the first call to the last message received. */
async function rate(lane: Lane, call: () => Promise<unknown>, calls: number): Promise<number> {
  await pass(lane, call, 2_000);
  const startMs = performance.now();
  await pass(lane, call, calls);
  return (calls / (performance.now() - startMs)) * 1_000;
}

async function pass(lane: Lane, call: () => Promise<unknown>, calls: number): Promise<void> {
  const expected = lane.received() + calls;
  let sent = 0;
  async function send(): Promise<void> {
    while (sent < calls) {
      sent += 1;
      await call();
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, send));
  while (lane.received() < expected) {
    await new Promise<void>((resolve) => systemRuntime.timers.soon(resolve));
  }
}

if (import.meta.main) await main(benchRedisClients);
