/** The embedded engine's jobs: what a restart and a kill leave of them, refused writes, and the timers of watches. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TakenJob } from "../../core/engine.ts";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { systemRuntime } from "../../system-runtime.ts";
import { ALL, LIMITS, ROOM, start, useDirs } from "./test-engine.ts";
import { killMidQueueing } from "./test-kill.ts";
import { compactJson } from "../../core/json-text.ts";

const newDir = useDirs();

const HOUR_MS = 3_600_000;
const Q = "queue";
const LEASE_MS = 60_000;
const ALL_DUE = { limit: 1_000_000, leaseMs: LEASE_MS };
/** What the child that is killed leases for, and how many at a time. */
const CHILD_LEASE_MS = 3_600_000;
const CHILD_TAKES = 12;

describe("a restart", () => {
  test("keeps jobs in their order, with their keys, times, attempts and ids", async () => {
    const dataDir = newDir();
    const at = systemRuntime.clock.epochMs() + 1_000_000;
    let addedMs;
    {
      await using run = await start({ dataDir, runtime: systemRuntime });
      for (const payload of ["a", "b"]) await run.queue.add(Q, { payload });
      for (const payload of ["k1", "k2"]) await run.queue.add(Q, { payload, orderKey: "k" });
      await run.queue.add(Q, { payload: "c", id: "own" });
      await run.queue.add(Q, { payload: "later", notBeforeMs: at });
      const [a] = await run.queue.take(Q, { limit: 1, leaseMs: LEASE_MS });
      if (a === undefined) throw new Error("Nothing was given out");
      await run.queue.retry(Q, a, 0);
      addedMs = a.addedMs;
    }
    await using run = await start({ dataDir, runtime: systemRuntime });
    await run.queue.add(Q, { payload: "new" });
    await run.queue.add(Q, { payload: "again", id: "own" });
    const jobs = await run.queue.take(Q, ALL_DUE);
    expect(jobs.map(({ payload }) => payload)).toEqual(["a", "b", "k1", "c", "new"]);
    expect(jobs[0]).toMatchObject({ attempt: 2, addedMs });
    expect(jobs[2]).toMatchObject({ orderKey: "k", attempt: 1 });
    expect(await run.queue.counts(Q)).toEqual({ waiting: 2, leased: 5 });
  });

  test("frees what was leased, in its old place; who took it may still finish it, until it is given out again", async () => {
    const dataDir = newDir();
    let taken: readonly TakenJob[];
    {
      await using run = await start({ dataDir });
      for (const payload of ["a", "b"]) await run.queue.add(Q, { payload, orderKey: payload });
      await run.queue.add(Q, { payload: "a behind", orderKey: "a" });
      taken = await run.queue.take(Q, ALL_DUE);
      await run.queue.add(Q, { payload: "new" });
    }
    await using run = await start({ dataDir });
    const [a, b] = taken;
    if (a === undefined || b === undefined) throw new Error("Nothing was given out");
    expect(await run.queue.counts(Q)).toEqual({ waiting: 4, leased: 0 });
    expect(await run.queue.done(Q, b)).toBe(true);
    const again = await run.queue.take(Q, ALL_DUE);
    expect(again.map(({ payload, attempt }) => [payload, attempt])).toEqual([
      ["a", 2],
      ["new", 1],
    ]);
    expect(await run.queue.done(Q, a)).toBe(false);
  });

  test("with the same chance makes up other ids for new jobs", async () => {
    const dataDir = newDir();
    for (const payload of ["a", "b"]) {
      await using run = await start({ dataDir, runtime: createTestRuntime(7) });
      await run.queue.add(Q, { payload });
    }
    await using run = await start({ dataDir, runtime: createTestRuntime(7) });
    expect((await run.queue.take(Q, ALL_DUE)).map(({ payload }) => payload)).toEqual(["a", "b"]);
  });

  test("after a kill finds every acknowledged job as it was answered", async () => {
    const dataDir = newDir();
    const answers = await killMidQueueing(dataDir, { answers: 2000 });
    expect(answers.length).toBeGreaterThanOrEqual(2000);
    const states = new Map(answers.map(({ answer, payload }) => [payload, answer]));
    const inState = (state: string) =>
      [...states].filter(([, answer]) => answer === state).map(([payload]) => payload);

    await using run = await start({ dataDir, runtime: systemRuntime });
    const waiting = (await run.queue.take(Q, ALL_DUE)).map(({ payload }) => payload);
    const numbers = waiting.map(Number);
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    // The kill may have cut off the answers to one take and to what came of it.
    const missed = [...inState("added"), ...inState("taken")].filter(
      (payload) => !waiting.includes(payload),
    );
    expect(missed.length).toBeLessThanOrEqual(2 * CHILD_TAKES);
    for (const state of ["taken", "retried", "done"]) {
      expect(inState(state).length).toBeGreaterThan(0);
      const found = inState(state).filter((payload) => waiting.includes(payload));
      if (state !== "taken") expect(found).toEqual([]);
    }

    // The rest comes when its time has come, leases and retries alike, and never what was done.
    const epochMs = () => systemRuntime.clock.epochMs() + 2 * CHILD_LEASE_MS;
    const clock = { ...systemRuntime.clock, epochMs };
    await run.engine[Symbol.asyncDispose]();
    await using late = await start({ dataDir, runtime: { ...systemRuntime, clock } });
    const left = new Set((await late.queue.take(Q, ALL_DUE)).map(({ payload }) => payload));
    for (const state of ["added", "retried"]) {
      expect(inState(state).filter((payload) => !left.has(payload))).toEqual([]);
    }
    // Likewise, jobs of the last take may have been done.
    const finished = inState("taken").filter((payload) => !left.has(payload));
    expect(inState("taken").slice(-CHILD_TAKES)).toEqual(expect.arrayContaining(finished));
    expect(inState("done").filter((payload) => left.has(payload))).toEqual([]);
  });

  test("on a file of schema 1 keeps what is in it and takes jobs", async () => {
    const dataDir = newDir();
    mkdirSync(dataDir);
    const fixture = join(import.meta.dir, "../../../test/fixtures/embedded/schema-1.sql");
    {
      using db = new Database(join(dataDir, "carillon.db"));
      db.run(readFileSync(fixture, "utf8"));
    }
    for (const payload of ["a", "b"]) {
      await using run = await start({ dataDir });
      const page = await run.broker.history(ROOM, ALL, LIMITS.metaTtlMs);
      expect(page.publications.map(({ data }) => data)).toEqual([
        { json: compactJson('"first"') },
        { json: compactJson('"second"') },
      ]);
      expect((await run.records.get("key"))?.value).toBe("value");
      await run.queue.add(Q, { payload });
    }
    await using run = await start({ dataDir });
    expect((await run.queue.take(Q, ALL_DUE)).map(({ payload }) => payload)).toEqual(["a", "b"]);
  });
});

describe("jobs", () => {
  test("that the disk refuses are not added, and nobody is called for them", async () => {
    await using run = await start({ dataDir: newDir(), fileBytesMax: 40 * 4096 });
    let calls = 0;
    await run.queue.watch(Q, () => (calls += 1));
    const large = run.queue.add(Q, { payload: "x".repeat(60 * 4096) });
    expect(await large.catch((error: unknown) => error)).toMatchObject({ code: "unavailable" });
    expect(calls).toBe(0);
    expect(await run.queue.counts(Q)).toEqual({ waiting: 0, leased: 0 });
    await run.queue.add(Q, { payload: "small" });
    expect(calls).toBe(1);
  });

  test("of one turn call a watcher once", async () => {
    await using run = await start();
    let calls = 0;
    await run.queue.watch(Q, () => (calls += 1));
    await Promise.all(Array.from({ length: 50 }, () => run.queue.add(Q, { payload: "" })));
    expect(calls).toBe(1);
  });

  test("leave no row of their queue once a sweep has passed", async () => {
    const dataDir = newDir();
    {
      await using run = await start({ dataDir });
      await run.queue.add("used", { payload: "" });
      for (const name of ["one", "two"]) {
        await run.queue.add(name, { payload: "" });
        const [job] = await run.queue.take(name, ALL_DUE);
        if (job !== undefined) await run.queue.done(name, job);
      }
      await run.runtime.advance(20_000);
    }
    using db = new Database(join(dataDir, "carillon.db"));
    expect(db.query("SELECT name, jobs FROM job_queue").all()).toEqual([{ name: "used", jobs: 1 }]);
  });
});

describe("a watch", () => {
  test("leaves no timer behind, neither at its end nor at a close", async () => {
    const run = await start();
    const notBeforeMs = run.runtime.clock.epochMs() + 1000;
    await run.queue.add(Q, { payload: "", notBeforeMs });
    const idle = run.runtime.pendingTimers;
    const unwatch = await run.queue.watch(Q, () => {});
    expect(run.runtime.pendingTimers).toBe(idle + 1);
    unwatch();
    expect(run.runtime.pendingTimers).toBe(idle);
    await run.queue.watch(Q, () => {});
    await run.queue.add(Q, { payload: "" });
    await run.engine[Symbol.asyncDispose]();
    expect(run.runtime.pendingTimers).toBe(0);
  });

  test("whose watcher throws reports it, and the others are called", async () => {
    await using run = await start();
    const bug = new Error("watcher's own");
    let calls = 0;
    await run.queue.watch(Q, () => {
      throw bug;
    });
    await run.queue.watch(Q, () => (calls += 1));
    await run.queue.add(Q, { payload: "" });
    expect(run.bugs).toEqual([bug]);
    expect(calls).toBe(1);
  });

  test("tells of a due job within a minute of a clock that was set forward", async () => {
    const runtime = createTestRuntime();
    await using run = await start({ runtime });
    let calls = 0;
    await run.queue.watch(Q, () => (calls += 1));
    await run.queue.add(Q, { payload: "", notBeforeMs: runtime.clock.epochMs() + 2 * HOUR_MS });
    runtime.setClock(HOUR_MS);
    await runtime.advance(HOUR_MS - 1);
    expect(calls).toBe(0);
    await runtime.advance(60_000);
    expect(calls).toBe(1);
  });
});

test("a take that ends two leases and leaves one of the jobs has the watcher called for it", async () => {
  const runtime = createTestRuntime();
  await using run = await start({ runtime });
  for (const payload of ["a", "b"]) await run.queue.add(Q, { payload });
  const taken: string[] = [];
  // Set before the watch's own timer of that moment, so that it runs first.
  runtime.timers.after(LEASE_MS, () => {
    void run.queue
      .take(Q, { limit: 1, leaseMs: 10 * LEASE_MS })
      .then((jobs) => taken.push(...jobs.map(({ payload }) => payload)));
  });
  await run.queue.take(Q, ALL_DUE);
  let calls = 0;
  await run.queue.watch(Q, () => (calls += 1));
  calls = 0;
  await runtime.advance(LEASE_MS);
  expect([taken, calls]).toEqual([["a"], 1]);
});
