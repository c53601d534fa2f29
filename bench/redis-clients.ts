/**
 * The Redis clients beside each other, and the engine on top: `npx bun bench/redis-clients.ts`; needs
 * `redis-server`. One process publishes on one connection and receives on another, with so many calls under way at a time.
 */
import { RedisClient } from "bun";
import { Redis } from "ioredis";
import { createRedisEngine } from "../src/engines/redis/index.ts";
import { systemRuntime } from "../src/system-runtime.ts";
import { main } from "./harness/main.ts";
import { startRedis } from "./harness/redis.ts";
import type { Bench } from "./harness/round.ts";
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

export const benchRedisClients: Bench = {
  name: "redis-clients",
  async take(round) {
    await using redis = await startRedis();
    const calls = round.quick ? CALLS_QUICK : CALLS;
    for (const [name, open] of Object.entries(LANES)) {
      await round.attempt(name, async () => {
        await using lane = await open(redis.url);
        for (const [what, call] of [
          ["publish and receive", () => lane.publish()],
          ["append, publish and receive", () => lane.append()],
        ] as const) {
          const startUs = process.cpuUsage();
          const value = await rate(lane, call, calls);
          const { user, system } = process.cpuUsage(startUs);
          const row = { name: `${name}, ${what}`, unit: "messages/s" };
          round.add(row, "own", { value, cpuUs: (user + system) / calls });
        }
      });
    }
  },
};

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

if (import.meta.main) await main([benchRedisClients]);
