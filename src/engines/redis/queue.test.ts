/** Jobs on Redis: large takes in slices, a server that is full, and what an empty queue leaves. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startRedis, type RedisServer } from "../../../test/support/redis.ts";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { HubError } from "../../core/errors.ts";
import { TAKE_SLICE_BYTES, TAKE_SLICE_ENDED, TAKE_SLICE_JOBS } from "./queue.ts";
import { PREFIX, start } from "./test-records-queue.ts";

const Q = "queue";
const LEASE_MS = 60_000;
const ALL_DUE = { limit: 1_000_000, leaseMs: LEASE_MS };

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);

describe("take()", () => {
  test("gives out more than a script's jobs, in their order, up to the limit", async () => {
    await using run = await start({ url: redis.url });
    const texts = numbers(2 * TAKE_SLICE_JOBS + 1);
    await Promise.all(texts.map((payload) => run.queue.add(Q, { payload })));
    const limit = TAKE_SLICE_JOBS + 1;
    const first = await run.queue.take(Q, { limit, leaseMs: LEASE_MS });
    const rest = await run.queue.take(Q, ALL_DUE);
    expect(first.map(({ payload }) => payload)).toEqual(texts.slice(0, limit));
    expect(rest.map(({ payload }) => payload)).toEqual(texts.slice(limit));
  });

  test("gives out more than a script's bytes, in their order", async () => {
    await using run = await start({ url: redis.url });
    const large = "x".repeat(TAKE_SLICE_BYTES / 4 - 10);
    const texts = numbers(11).map((number) => `${number} ${large}`);
    for (const payload of texts) await run.queue.add(Q, { payload });
    const jobs = await run.queue.take(Q, ALL_DUE);
    expect(jobs.map(({ payload }) => payload)).toEqual(texts);
  });

  test("gives ended leases their places back before it gives anything out, however many", async () => {
    await using run = await start({ url: redis.url });
    const texts = numbers(2 * TAKE_SLICE_ENDED);
    await Promise.all(texts.map((payload) => run.queue.add(Q, { payload })));
    // The later one was added, the earlier its lease ends: the first job is the last one that is looked at.
    for (let left = texts.length; left > 0; left -= TAKE_SLICE_JOBS) {
      await run.queue.take(Q, { limit: TAKE_SLICE_JOBS, leaseMs: left });
    }
    await run.queue.add(Q, { payload: "late" });
    await run.runtime.advance(LEASE_MS);
    const [first] = await run.queue.take(Q, { limit: 1, leaseMs: LEASE_MS });
    expect(first?.payload).toBe("0");
    const rest = await run.queue.take(Q, ALL_DUE);
    expect(rest.map(({ payload }) => payload)).toEqual([...texts.slice(1), "late"]);
  });

  test("that fails half-way gives what it has leased", async () => {
    let calls = 0;
    await using run = await start({
      url: redis.url,
      wrap: (servers) => ({
        ...servers,
        shardOf(name) {
          const shard = servers.shardOf(name);
          return {
            ...shard,
            run(script, ...rest) {
              if (script.name === "queue-take" && (calls += 1) === 2) {
                return Promise.reject(new HubError("unavailable", "Away"));
              }
              return shard.run(script, ...rest);
            },
          };
        },
      }),
    });
    const texts = numbers(TAKE_SLICE_JOBS + 1);
    await Promise.all(texts.map((payload) => run.queue.add(Q, { payload })));
    const jobs = await run.queue.take(Q, ALL_DUE);
    expect(jobs.map(({ payload }) => payload)).toEqual(texts.slice(0, TAKE_SLICE_JOBS));
    expect((await run.queue.take(Q, ALL_DUE)).length).toBe(1);
  });
});

test("nodes with the same chance make up different ids", async () => {
  await using run = await start({ url: redis.url, runtime: createTestRuntime(7) });
  await using other = await start({
    url: redis.url,
    runtime: createTestRuntime(7),
    app: run.appId,
  });
  const ids = [];
  for (const node of [run, other, run, other])
    ids.push(await node.queue.add(Q, { payload: node === run ? "one" : "other" }));
  expect(new Set(ids).size).toBe(4);
  const jobs = await run.queue.take(Q, ALL_DUE);
  expect(jobs.map(({ payload }) => payload)).toEqual(["one", "other", "one", "other"]);
});

test("an empty queue leaves nothing but a revision that expires, and its next job stays", async () => {
  await using run = await start({ url: redis.url });
  const { queue, appId } = run;
  const keys = async () => (await redis.command("KEYS", `${PREFIX}:{${appId}:*`)) as string[];
  for (const orderKey of ["k", "k", undefined]) {
    await queue.add(Q, { payload: "", ...(orderKey === undefined ? {} : { orderKey }) });
  }
  for (let jobs = await queue.take(Q, ALL_DUE); jobs.length > 0;) {
    for (const job of jobs) await queue.done(Q, job);
    jobs = await queue.take(Q, ALL_DUE);
  }
  const state = `${PREFIX}:{${appId}:queue:${Q}}:state`;
  expect(await keys()).toEqual([state]);
  expect(Number(await redis.command("PTTL", state))).toBeGreaterThan(0);
  await queue.add(Q, { payload: "" });
  expect(await redis.command("PTTL", state)).toBe(-1);
});

test("a full server refuses new jobs as unavailable, and lets those it has be worked off", async () => {
  await using full = await startRedis({ maxMemory: "4mb" });
  await using run = await start({ url: full.url });
  const { queue, records } = run;
  const payload = "x".repeat(10_000);
  await records.put("k", "");
  let added = 0;
  let refused: unknown;
  while (refused === undefined) {
    const orderKey = added % 2 === 0 ? {} : { orderKey: "k" };
    await queue.add(Q, { payload, ...orderKey }).then(
      () => (added += 1),
      (error: unknown) => (refused = error),
    );
  }
  expect(refused).toMatchObject({ code: "unavailable" });
  expect(await records.put("l", payload).catch((error: unknown) => error)).toMatchObject({
    code: "unavailable",
  });
  expect(await queue.counts(Q)).toEqual({ waiting: added, leased: 0 });
  let done = 0;
  for (let jobs = await queue.take(Q, ALL_DUE); jobs.length > 0;) {
    const [again, ...rest] = jobs;
    if (again !== undefined && again.attempt === 1) {
      expect(await queue.retry(Q, again, 0)).toBe(true);
    } else if (again !== undefined) rest.push(again);
    for (const job of rest) if (await queue.done(Q, job)) done += 1;
    jobs = await queue.take(Q, ALL_DUE);
  }
  expect(done).toBe(added);
  expect(await queue.add(Q, { payload })).not.toBe("");
  expect(await records.delete("k")).toBe(true);
});
