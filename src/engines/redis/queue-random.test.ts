/**
 * Workers on several nodes that take, finish, fail, forget their jobs and go away, in random order, with wake-ups that
 * get lost. They take only when their watch calls, so a job that nobody is told of would stay for ever.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomFrom, createRandom, type Random } from "../../../test/support/random.ts";
import { startRedis, type RedisServer } from "../../../test/support/redis.ts";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import type { TakenJob } from "../../core/engine.ts";
import { LOOK_INTERVAL_MS } from "./queue-watchers.ts";
import type { RedisServers } from "./client/contract.ts";
import { start } from "./test-records-queue.ts";

const Q = "queue";
const NODES = 4;
const JOBS = 150;
/** Empty: none. */
const KEYS = ["", "", "a", "b", "c", "d"];
const LEASE_MS_MAX = 40_000;
const LATER_MS_MAX = 60_000;
/** A run needs a tenth of it. */
const STEPS_MAX = 3_000;
const RUNS = process.env["CARILLON_SOAK"] === undefined ? 20 : 1_000;
const LOST_WAKE_UPS = 0.3;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

/** What was promised of the jobs, checked with each answer. */
class Ledger {
  readonly added: { readonly id: string; readonly orderKey: string }[] = [];
  readonly done = new Set<string>();
  /** Ends of leases that were not given up. */
  readonly #out = new Map<string, number>();
  readonly #attempts = new Map<string, number>();

  take(
    job: TakenJob,
    { nowMs, endsMs }: { readonly nowMs: number; readonly endsMs: number },
  ): void {
    const { id, attempt } = job;
    if ((this.#out.get(id) ?? nowMs) > nowMs) throw new Error(`${id} was given to two`);
    if (this.done.has(id)) throw new Error(`${id} was given out after it was done`);
    if (attempt !== (this.#attempts.get(id) ?? 0) + 1) throw new Error(`${id}: attempt ${attempt}`);
    const place = this.added.findIndex((each) => each.id === id);
    const orderKey = this.added[place]?.orderKey;
    expect(job.orderKey ?? "").toBe(orderKey ?? "none");
    for (const before of orderKey === "" ? [] : this.added.slice(0, place)) {
      if (before.orderKey !== orderKey || this.done.has(before.id)) continue;
      throw new Error(`${id} was given out before ${before.id} of its key was done`);
    }
    this.#attempts.set(id, attempt);
    this.#out.set(id, endsMs);
  }

  settle({ id }: TakenJob, state: "waiting" | "done"): void {
    if (state === "done" && this.done.has(id)) throw new Error(`${id} was done twice`);
    if (state === "done") this.done.add(id);
    this.#out.delete(id);
  }

  /** Whether the lease must still count, also when it has ended: nobody was given the job since. */
  counts({ id, attempt }: TakenJob): boolean {
    return this.#attempts.get(id) === attempt;
  }
}

function lossy(random: Random): (servers: RedisServers) => RedisServers {
  return (servers) => ({
    ...servers,
    shardOf(name) {
      const shard = servers.shardOf(name);
      return {
        ...shard,
        subscribe: (topic, onMessage) =>
          shard.subscribe(topic, (message) => {
            if (!random.chance(LOST_WAKE_UPS)) onMessage(message);
          }),
      };
    },
  });
}

async function run(seed: number): Promise<void> {
  const random = randomFrom(seed);
  const time = createTestRuntime(seed);
  const app = `random-${seed}`;
  const ledger = new Ledger();
  let chances = seed;

  async function startWorker() {
    // Chance of its own, the same time.
    const { random: own } = createTestRuntime((chances += 1));
    const runtime = { ...time, random: own };
    const node = await start({ url: redis.url, runtime, app, wrap: lossy(random) });
    const worker = { node, jobs: [] as TakenJob[], called: true };
    await node.queue.watch(Q, () => (worker.called = true));
    return worker;
  }
  type Worker = Awaited<ReturnType<typeof startWorker>>;

  async function add(queue: Worker["node"]["queue"]): Promise<void> {
    const id = `${ledger.added.length}`;
    const orderKey = random.pick(KEYS);
    const notBeforeMs = time.clock.epochMs() + random.integer(LATER_MS_MAX) - LATER_MS_MAX / 2;
    ledger.added.push({ id, orderKey });
    const order = orderKey === "" ? {} : { orderKey };
    const when = random.chance(0.5) ? {} : { notBeforeMs };
    await queue.add(Q, { payload: id, id, ...order, ...when });
  }

  async function take(worker: Worker): Promise<void> {
    worker.called = false;
    const limit = 1 + random.integer(4);
    const leaseMs = 1 + random.integer(LEASE_MS_MAX);
    const nowMs = time.clock.epochMs();
    const jobs = await worker.node.queue.take(Q, { limit, leaseMs });
    for (const job of jobs) ledger.take(job, { nowMs, endsMs: nowMs + leaseMs });
    worker.jobs.push(...jobs);
    if (jobs.length === limit) worker.called = true;
  }

  async function settle(worker: Worker): Promise<void> {
    const [job] = worker.jobs.splice(random.integer(worker.jobs.length), 1);
    // Forgotten: its lease's end gives it to another.
    if (job === undefined || random.chance(0.2)) return;
    const counts = ledger.counts(job);
    const fails = random.chance(0.3);
    const { queue } = worker.node;
    const atMs = time.clock.epochMs() + random.integer(LATER_MS_MAX) - LATER_MS_MAX / 2;
    const held = await (fails ? queue.retry(Q, job, atMs) : queue.done(Q, job));
    if (held !== counts) throw new Error(`${job.id}: attempt ${job.attempt} counts: ${held}`);
    if (held) ledger.settle(job, fails ? "waiting" : "done");
  }

  const workers: Worker[] = await Promise.all(Array.from({ length: NODES }, startWorker));
  for (let step = 0; ledger.done.size < JOBS; step += 1) {
    if (step === STEPS_MAX) throw new Error(`${JOBS - ledger.done.size} jobs are left`);
    // Adds one by one, so that their order is known; what the workers do races.
    const adder = random.pick(workers).node.queue;
    if (ledger.added.length < JOBS && random.chance(0.5)) await add(adder);
    // Takes and settlings race among themselves, not with each other: so it is known which leases must count.
    await Promise.all(workers.filter(({ called }) => called).map(take));
    await Promise.all(
      workers.filter(({ jobs }) => jobs.length > 0 && random.chance(0.7)).map(settle),
    );
    if (random.chance(0.02)) {
      const index = random.integer(NODES);
      await workers[index]?.node[Symbol.asyncDispose]();
      workers[index] = await startWorker();
    }
    if (random.chance(0.5)) await time.advance(random.integer(LOOK_INTERVAL_MS));
    // Behind the looks that time began.
    await Promise.all(workers.map(({ node }) => node.queue.counts(Q)));
  }
  expect(ledger.done).toEqual(new Set(ledger.added.map(({ id }) => id)));
  const [last] = workers;
  expect(await last?.node.queue.counts(Q)).toEqual({ waiting: 0, leased: 0 });
  for (const { node } of workers) {
    expect(node.bugs).toEqual([]);
    await node[Symbol.asyncDispose]();
  }
}

test("random workers lose no job, share none, and keep each key's order", async () => {
  const { seed } = createRandom("queue on Redis");
  for (let index = 0; index < RUNS; index += 1) {
    try {
      await run(seed + index);
    } catch (error) {
      throw new Error(`With SEED=${seed + index}`, { cause: error });
    }
  }
}, 600_000);
