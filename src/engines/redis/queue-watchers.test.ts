/** Watching a queue on Redis: across nodes, over lost wake-ups and lost servers, and on clocks that jump. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { startRedis, until, type RedisServer } from "../../../test/support/redis.ts";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { LOOK_AGAIN_MS, LOOK_INTERVAL_MS } from "./queue-watchers.ts";
import type { RedisServers } from "./client/contract.ts";
import { start, watcher } from "./test-records-queue.ts";

const Q = "queue";
const LEASE_MS = 20_000;
const HOUR_MS = 3_600_000;
const ONE = { limit: 1, leaseMs: LEASE_MS };

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

/** Two nodes of one app on one time. */
async function startPair(wrap?: (servers: RedisServers) => RedisServers) {
  const here = await start({ url: redis.url, ...(wrap === undefined ? {} : { wrap }) });
  const { runtime, appId } = here;
  const there = await start({ url: redis.url, runtime, app: appId });
  return {
    ...{ here, there, runtime },
    async [Symbol.asyncDispose]() {
      await there[Symbol.asyncDispose]();
      await here[Symbol.asyncDispose]();
    },
  };
}

/** Servers whose wake-ups reach nobody. */
function deaf(servers: RedisServers): RedisServers {
  return {
    ...servers,
    shardOf(name) {
      const shard = servers.shardOf(name);
      return { ...shard, subscribe: (topic) => shard.subscribe(topic, () => {}) };
    },
  };
}

test("a watcher is called for what another node does: add, retry, done, and the end of its lease", async () => {
  await using at = await startPair();
  const { here, there, runtime } = at;
  const watch = watcher();
  await here.queue.watch(Q, watch.onDue);
  await watch.next(() => there.queue.add(Q, { payload: "a", orderKey: "k" }));
  await there.queue.add(Q, { payload: "b", orderKey: "k" });
  const [a] = await there.queue.take(Q, ONE);
  if (a === undefined) throw new Error("Nothing was given out");
  await watch.next(() => there.queue.retry(Q, a, 0));
  const [again] = await there.queue.take(Q, ONE);
  if (again === undefined) throw new Error("Nothing was given out");
  await watch.next(() => there.queue.done(Q, again));
  await there.queue.take(Q, ONE);
  await watch.next(() => runtime.advance(LEASE_MS));
  await watch.next(() =>
    there.queue
      .add(Q, { payload: "c", notBeforeMs: runtime.clock.epochMs() + 1000 })
      .then(() => runtime.advance(1000)),
  );
});

test("jobs that one take gives back and leaves are called out, whoever watches", async () => {
  const time = createTestRuntime();
  const { clock } = time;
  await using taker = await start({ url: redis.url, runtime: { ...createTestRuntime(11), clock } });
  // The watcher's own timers do not run: nothing but the take can tell it.
  const held = { ...createTestRuntime(12), clock };
  await using here = await start({ url: redis.url, runtime: held, app: taker.appId });
  for (const payload of ["a", "b"]) await taker.queue.add(Q, { payload });
  await taker.queue.take(Q, { limit: 2, leaseMs: LEASE_MS });
  const watch = watcher();
  await here.queue.watch(Q, watch.onDue);
  await time.advance(LEASE_MS);
  await watch.next(() => taker.queue.take(Q, ONE));
  expect(await here.queue.take(Q, ONE)).toMatchObject([{ payload: "b", attempt: 2 }]);
});

test.each([
  ["of a job that is due", 0, 0],
  ["of a job for later", 1000, 0],
  ["of a retry", 0, 1],
])("a lost wake-up %s is made up for by the next look", async (_, delayMs, retries) => {
  await using at = await startPair(deaf);
  const { here, there, runtime } = at;
  if (retries > 0) await there.queue.add(Q, { payload: "r" });
  const [taken] = await there.queue.take(Q, { limit: 1, leaseMs: 10 * LOOK_INTERVAL_MS });
  const watch = watcher();
  await here.queue.watch(Q, watch.onDue);
  const notBeforeMs = runtime.clock.epochMs() + delayMs;
  if (taken === undefined) await there.queue.add(Q, { payload: "a", notBeforeMs });
  else await there.queue.retry(Q, taken, notBeforeMs);
  await runtime.advance(LOOK_INTERVAL_MS - 1);
  expect(watch.calls).toBe(0);
  await watch.next(() => runtime.advance(1));
  expect(await here.queue.take(Q, ONE)).toHaveLength(1);
});

test("a lost wake-up of the queue's first job after it was empty is made up for too", async () => {
  await using at = await startPair(deaf);
  const { here, there, runtime } = at;
  const watch = watcher();
  await here.queue.watch(Q, watch.onDue);
  for (let round = 0; round < 3; round += 1) {
    await there.queue.add(Q, { payload: "" });
    await watch.next(() => runtime.advance(LOOK_INTERVAL_MS));
    const [job] = await here.queue.take(Q, ONE);
    expect(job !== undefined && (await here.queue.done(Q, job))).toBe(true);
  }
});

test("looks at a queue in which nothing happens call nobody", async () => {
  await using at = await startPair();
  const { here, there, runtime } = at;
  await there.queue.add(Q, { payload: "due already" });
  await there.queue.add(Q, { payload: "later", notBeforeMs: runtime.clock.epochMs() + 1e9 });
  const watch = watcher();
  await here.queue.watch(Q, watch.onDue);
  for (let looks = 0; looks < 5; looks += 1) {
    await runtime.advance(LOOK_INTERVAL_MS);
    // Behind the look, on the same connection.
    await here.queue.counts(Q);
  }
  expect(watch.calls).toBe(0);
});

test("a watcher is called after its bus connection was cut, for what happened meanwhile", async () => {
  await using at = await startPair();
  const { here, there } = at;
  const watch = watcher();
  await here.queue.watch(Q, watch.onDue);
  await watch.next(async () => {
    await redis.command("CLIENT", "KILL", "TYPE", "pubsub");
    await there.queue.add(Q, { payload: "a" });
  });
  await watch.next(() => there.queue.add(Q, { payload: "b" }));
});

test("a watch outlives a server that was killed and comes back empty", async () => {
  await using own = await startRedis();
  await using run = await start({ url: own.url });
  const watch = watcher();
  await run.queue.watch(Q, watch.onDue);
  await watch.next(() => run.queue.add(Q, { payload: "a" }));
  const before = watch.calls;
  await own.restart({ empty: true });
  await until("the watcher is called", async () => {
    await run.runtime.advance(LOOK_AGAIN_MS);
    return watch.calls > before;
  });
  // A revision that begins anew, at the number it had.
  await watch.next(() => run.queue.add(Q, { payload: "b" }));
});

test("watches end without a timer or a subscription, each alone and all at a close", async () => {
  await using run = await start({ url: redis.url });
  const { queue, runtime, appId } = run;
  const topics = async () =>
    ((await redis.command("PUBSUB", "CHANNELS", `*${appId}:*`)) as string[]).length;
  const idle = runtime.pendingTimers;
  const one = await queue.watch(Q, () => {});
  const two = await queue.watch(Q, () => {});
  one();
  expect(runtime.pendingTimers).toBe(idle + 1);
  two();
  expect(runtime.pendingTimers).toBe(idle);
  const watch = watcher();
  await queue.watch(Q, watch.onDue);
  // Came back in one breath: still subscribed.
  await watch.next(() => queue.add(Q, { payload: "" }));
  expect(await topics()).toBe(1);
  await queue.watch("other", () => {});
  run.watchers.close();
  expect(runtime.pendingTimers).toBe(idle);
});

test("watch() of a server that is away is refused as unavailable, and leaves nothing", async () => {
  await using own = await startRedis();
  await using run = await start({ url: own.url });
  await own.kill();
  const refused = await run.queue.watch(Q, () => {}).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "unavailable" });
  expect(run.runtime.pendingTimers).toBe(0);
});

test("a watcher that throws is reported, and the others are called", async () => {
  await using run = await start({ url: redis.url });
  const bug = new Error("watcher's own");
  const watch = watcher();
  await run.queue.watch(Q, () => {
    throw bug;
  });
  await run.queue.watch(Q, watch.onDue);
  await watch.next(() => run.queue.add(Q, { payload: "" }));
  expect(run.bugs).toEqual([bug]);
});

test("tells of a due job within a look of a clock that was set forward", async () => {
  await using run = await start({ url: redis.url });
  const { queue, runtime } = run;
  const watch = watcher();
  await queue.watch(Q, watch.onDue);
  await queue.add(Q, { payload: "", notBeforeMs: runtime.clock.epochMs() + 2 * HOUR_MS });
  runtime.setClock(HOUR_MS);
  await runtime.advance(HOUR_MS - 1);
  await queue.counts(Q);
  expect(watch.calls).toBe(0);
  await watch.next(() => runtime.advance(LOOK_INTERVAL_MS));
});

test("a clock that is set back delays no job and no lease's end by more than a look, also of nodes that come later", async () => {
  await using at = await startPair();
  const { here, there, runtime } = at;
  const watch = watcher();
  await here.queue.watch(Q, watch.onDue);
  await there.queue.add(Q, { payload: "leased" });
  await there.queue.take(Q, { limit: 1, leaseMs: 10 * 60_000 });
  const notBeforeMs = runtime.clock.epochMs() + 10 * 60_000;
  await there.queue.add(Q, { payload: "later", notBeforeMs });
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += LOOK_INTERVAL_MS) {
      await runtime.advance(Math.min(LOOK_INTERVAL_MS, ms - passed));
      // Behind the look, on the same connection.
      await here.queue.counts(Q);
    }
  };
  await pass(5 * 60_000);
  runtime.setClock(-2 * HOUR_MS);
  await using late = await start({ url: redis.url, runtime, app: here.appId });
  const calls = watch.calls;
  await pass(5 * 60_000 - 1);
  expect(watch.calls).toBe(calls);
  expect(await late.queue.take(Q, ONE)).toEqual([]);
  await pass(LOOK_INTERVAL_MS + 1);
  expect(watch.calls).toBe(calls + 1);
  expect((await late.queue.take(Q, { ...ONE, limit: 9 })).map(({ payload }) => payload)).toEqual([
    ...["leased", "later"],
  ]);
  // Later by the clock as it is now.
  await late.queue.add(Q, { payload: "new", notBeforeMs: runtime.clock.epochMs() + 1_000 });
  await runtime.advance(999);
  expect(await there.queue.take(Q, ONE)).toEqual([]);
  await runtime.advance(1);
  expect(await there.queue.take(Q, ONE)).toMatchObject([{ payload: "new" }]);
});
