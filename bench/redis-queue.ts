/**
 * Jobs through the queue on one Redis, beside the embedded engine: `npx bun bench/redis-queue.ts`; needs
 * `redis-server`. Each job is added, taken under a lease and done, by one process that has up to 64 of each under way.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine, JobQueue } from "../src/core/engine.ts";
import { createEmbeddedEngine } from "../src/engines/embedded/index.ts";
import { createRedisEngine } from "../src/engines/redis/index.ts";
import { systemRuntime } from "../src/system-runtime.ts";
import { main } from "./harness/main.ts";
import { startRedis } from "./harness/redis.ts";
import type { Bench } from "./harness/round.ts";

const JOBS = 50_000;
const JOBS_QUICK = 10_000;
const IN_FLIGHT = 64;
/** Jobs that wait in the queue all the time, each for a far time. */
const BACKLOG = 50_000;
const LEASE_MS = 60_000;
const FAR_MS = 86_400_000;
const PAYLOAD = JSON.stringify({ text: "x".repeat(115) });

interface Load {
  readonly what: string;
  readonly inFlight: number;
  readonly keys: number;
  readonly backlog: number;
}

const LOADS: readonly Load[] = [
  { what: "jobs, 64 in flight", inFlight: IN_FLIGHT, keys: 0, backlog: 0 },
  { what: "the same over 50,000 that wait", inFlight: IN_FLIGHT, keys: 0, backlog: BACKLOG },
  { what: "the same with 100 order keys", inFlight: IN_FLIGHT, keys: 100, backlog: 0 },
  { what: "one job after the other", inFlight: 1, keys: 0, backlog: 0 },
];

export const benchRedisQueue: Bench = {
  name: "redis-queue",
  floor: "the embedded engine, which has one process to serve",
  async take(round) {
    await using redis = await startRedis();
    const jobs = round.quick ? JOBS_QUICK : JOBS;
    for (const load of LOADS) {
      await round.attempt(load.what, async () => {
        const { url } = redis;
        const prefix = `bench-${LOADS.indexOf(load)}`;
        const engine = createRedisEngine({ url, prefix, runtime: systemRuntime });
        const spent = () => redis.process.cpuSeconds();
        const { seconds, cpuSeconds } = await work(engine, { load, jobs, spent });
        const each = (of: number) => ({ value: (of * 1e6) / jobs });
        round.add({ name: load.what, unit: "µs/job" }, "own", each(seconds));
        round.add(
          { name: load.what, unit: "µs/job" },
          "floor",
          each(await workEmbedded(load, jobs)),
        );
        round.add({ name: `${load.what}, Redis's time`, unit: "µs/job" }, "own", each(cpuSeconds));
      });
    }
  },
};

/** Seconds. */
async function workEmbedded(load: Load, jobs: number): Promise<number> {
  const dataDir = mkdtempSync(join(tmpdir(), "carillon-bench-"));
  try {
    const engine = createEmbeddedEngine({ dataDir, durability: "normal", runtime: systemRuntime });
    return (await work(engine, { load, jobs, spent: () => 0 })).seconds;
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

interface Work {
  readonly load: Load;
  readonly jobs: number;
  /** The server's seconds of processor so far. */
  readonly spent: () => number;
}

async function work(engine: Engine, { load, jobs, spent }: Work) {
  await using opened = engine;
  await opened.start();
  const { queue } = opened.app("bench");
  await fill(queue, load.backlog);
  // Compiles and connects.
  await pass(queue, load, 1_000);
  const [startMs, before] = [performance.now(), spent()];
  await pass(queue, load, jobs);
  return { seconds: (performance.now() - startMs) / 1000, cpuSeconds: spent() - before };
}

async function fill(queue: JobQueue, backlog: number): Promise<void> {
  const notBeforeMs = Date.now() + FAR_MS;
  for (let added = 0; added < backlog; added += 1_000) {
    const adds = Array.from({ length: 1_000 }, () =>
      queue.add("q", { payload: PAYLOAD, notBeforeMs }),
    );
    await Promise.all(adds);
  }
}

/** One side adds, the other takes and finishes, both at once. */
async function pass(queue: JobQueue, { inFlight, keys }: Load, jobs: number): Promise<void> {
  let added = 0;
  let done = 0;
  async function add(): Promise<void> {
    while (added < jobs) {
      const number = (added += 1);
      const order = keys === 0 ? {} : { orderKey: `k${number % keys}` };
      await queue.add("q", { payload: PAYLOAD, ...order });
      if (inFlight === 1) await takeSome();
    }
  }
  async function takeSome(): Promise<void> {
    const taken = await queue.take("q", { limit: inFlight, leaseMs: LEASE_MS });
    const results = await Promise.all(taken.map((job) => queue.done("q", job)));
    if (!results.every(Boolean)) throw new Error("A lease was lost");
    done += taken.length;
  }
  async function take(): Promise<void> {
    while (done < jobs) await takeSome();
  }
  if (inFlight === 1) await add();
  else await Promise.all([...Array.from({ length: inFlight }, add), take()]);
}

if (import.meta.main) await main([benchRedisQueue]);
