/** Jobs: what is given out when, leases and their ends, ids, bounds, and what queues and apps share: nothing. */
import { expect, test } from "bun:test";
import type { JobQueue, TakenJob } from "../../../src/core/engine.ts";
import { HubError } from "../../../src/core/errors.ts";
import { JOB_PAYLOAD_BYTES_MAX, QUEUE_JOBS_MAX } from "../../../src/core/limits.ts";
import { type Create, setUp } from "./under-test.ts";

export const Q = "queue";
// No round number, as with the other times under test.
export const LEASE_MS = 31_234;
export const ALL_DUE = { limit: 1000, leaseMs: LEASE_MS };
/** Longer than any case lasts. */
export const FAR_MS = 3_600_000;

const LIMIT_TEST_TIMEOUT_MS = 120_000;

export function payloads(jobs: readonly TakenJob[]): string[] {
  return jobs.map(({ payload }) => payload);
}

export async function takeOne(queue: JobQueue, name = Q): Promise<TakenJob> {
  const [job] = await queue.take(name, { limit: 1, leaseMs: LEASE_MS });
  if (job === undefined) throw new Error("Nothing was given out");
  return job;
}

/** The engine's own time. */
export async function nowMs(queue: JobQueue): Promise<number> {
  await queue.add("time", { payload: "" });
  const job = await takeOne(queue, "time");
  await queue.done("time", job);
  return job.addedMs;
}

export async function limitCode(promise: Promise<unknown>): Promise<unknown> {
  const error: unknown = await promise.then(
    () => "added",
    (reason: unknown) => reason,
  );
  return error instanceof HubError ? error.code : error;
}

export function testQueue(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);

  test("take() gives out what add() took, exactly", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const texts = ["", '{"big":9007199254740993,"a":"\u2028 é 😀"}', "a\0b", "x".repeat(100_000)];
    for (const payload of texts) {
      const before = await nowMs(queue);
      const id = await queue.add(Q, { payload });
      expect(id).not.toBe("");
      const job = await takeOne(queue);
      const { lease, addedMs, dueMs } = job;
      expect(job).toEqual({ id, payload, attempt: 1, lease, addedMs, dueMs });
      expect(dueMs).toBe(addedMs);
      expect(job.lease).not.toBe("");
      expect(job.addedMs).toBeGreaterThanOrEqual(before);
      await queue.done(Q, job);
    }
    const id = await queue.add(Q, { payload: "p", id: "own", orderKey: "key", notBeforeMs: 0 });
    expect(id).toBe("own");
    expect(await takeOne(queue)).toMatchObject({ id: "own", payload: "p", orderKey: "key" });
  });

  test("take() of a queue without jobs gives nothing", async () => {
    await using at = await setUp(create);
    expect(await at.app.queue.take(Q, ALL_DUE)).toEqual([]);
    expect(await at.app.queue.counts(Q)).toEqual({ waiting: 0, leased: 0 });
  });

  test("jobs come in the order they were added, up to the limit", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const texts = Array.from({ length: 200 }, (_, index) => `${index}`);
    await Promise.all(texts.map((payload) => queue.add(Q, { payload })));
    const first = await queue.take(Q, { limit: 1, leaseMs: LEASE_MS });
    const second = await queue.take(Q, { limit: 150, leaseMs: LEASE_MS });
    const rest = await queue.take(Q, ALL_DUE);
    expect([first, second, rest].map((jobs) => jobs.length)).toEqual([1, 150, 49]);
    expect(payloads([...first, ...second, ...rest])).toEqual(texts);
  });

  test("the one to be given out earliest comes first, of one moment the one added first", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (const [payload, notBeforeMs] of [
      ["late", undefined],
      ["b", 20],
      ["a", 10.5],
      ["c", 20],
      ["earliest", -1],
    ] as const) {
      await queue.add(Q, { payload, ...(notBeforeMs === undefined ? {} : { notBeforeMs }) });
    }
    expect(payloads(await queue.take(Q, ALL_DUE))).toEqual(["earliest", "a", "b", "c", "late"]);
  });

  timed("a delayed job is given out at its time, not before", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    await queue.add(Q, { payload: "later", notBeforeMs: (await nowMs(queue)) + 1234 });
    await at.under.advance(1233);
    await queue.add(Q, { payload: "now" });
    expect(payloads(await queue.take(Q, ALL_DUE))).toEqual(["now"]);
    await at.under.advance(1);
    expect(payloads(await queue.take(Q, ALL_DUE))).toEqual(["later"]);
  });

  timed(
    "a job is due at the same moment when its lease ended, and at another one when it was put back",
    async () => {
      await using at = await setUp(create);
      const { queue } = at.app;
      await queue.add(Q, { payload: "a" });
      const first = await takeOne(queue);
      await at.under.advance(LEASE_MS);
      const again = await takeOne(queue);
      expect(again.dueMs).toBe(first.dueMs);
      await queue.retry(Q, again, await nowMs(queue));
      expect((await takeOne(queue)).dueMs).toBe(first.dueMs + LEASE_MS);
    },
  );

  test("a job is leased to one of many takers", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const texts = Array.from({ length: 50 }, (_, index) => `${index}`);
    await Promise.all(texts.map((payload) => queue.add(Q, { payload })));
    const takes = Array.from({ length: 20 }, () => queue.take(Q, { limit: 3, leaseMs: LEASE_MS }));
    const taken = (await Promise.all(takes)).flat();
    expect(payloads(taken).toSorted()).toEqual(texts.toSorted());
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
  });

  test("done() removes the job and tells whether it did", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (const payload of ["a", "b"]) await queue.add(Q, { payload });
    const [a, b] = await queue.take(Q, ALL_DUE);
    if (a === undefined || b === undefined) throw new Error("Nothing was given out");
    expect(await queue.done(Q, { id: a.id, lease: `${a.lease}x` })).toBe(false);
    expect(await queue.done(Q, { id: "unknown", lease: a.lease })).toBe(false);
    expect(await queue.done("other", a)).toBe(false);
    expect(await queue.counts(Q)).toEqual({ waiting: 0, leased: 2 });
    const both = await Promise.all([queue.done(Q, a), queue.done(Q, a)]);
    expect(both).toEqual([true, false]);
    expect(await queue.retry(Q, a, 0)).toBe(false);
    expect(await queue.counts(Q)).toEqual({ waiting: 0, leased: 1 });
    expect(await queue.done(Q, b)).toBe(true);
  });

  timed("the end of a lease gives the job out again, in its old place", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (const payload of ["a", "b", "c"]) await queue.add(Q, { payload });
    const first = await takeOne(queue);
    await at.under.advance(LEASE_MS - 1);
    expect(payloads(await queue.take(Q, { limit: 1, leaseMs: 1 }))).toEqual(["b"]);
    await at.under.advance(1);
    const again = await queue.take(Q, ALL_DUE);
    expect(again.map(({ payload, attempt }) => [payload, attempt])).toEqual([
      ["a", 2],
      ["b", 2],
      ["c", 1],
    ]);
    expect(again[0]?.id).toBe(first.id);
    expect(again[0]?.addedMs).toBe(first.addedMs);
    expect(again[0]?.lease).not.toBe(first.lease);
    expect(await queue.done(Q, first)).toBe(false);
    expect(await queue.retry(Q, first, 0)).toBe(false);
    expect(await queue.done(Q, again[0] ?? first)).toBe(true);
  });

  timed("a lease that ended counts until the job is given out again", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (const payload of ["a", "b", "c"]) await queue.add(Q, { payload });
    const [a, b, c] = await queue.take(Q, ALL_DUE);
    if (a === undefined || b === undefined || c === undefined) throw new Error("Too few");
    await at.under.advance(LEASE_MS);
    expect(await queue.counts(Q)).toEqual({ waiting: 3, leased: 0 });
    expect(await queue.done(Q, a)).toBe(true);
    expect((await takeOne(queue)).payload).toBe("b");
    expect(await queue.done(Q, b)).toBe(false);
    expect(await queue.retry(Q, c, 0)).toBe(true);
    expect((await takeOne(queue)).attempt).toBe(2);
  });

  test("retry() gives the job out again, and takes the lease", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    await queue.add(Q, { payload: "a" });
    const first = await takeOne(queue);
    expect(await queue.retry(Q, first, (await nowMs(queue)) - 1)).toBe(true);
    expect(await queue.retry(Q, first, 0)).toBe(false);
    expect(await queue.done(Q, first)).toBe(false);
    const second = await takeOne(queue);
    const { lease, dueMs } = second;
    expect(second).toEqual({ ...first, attempt: 2, lease, dueMs });
    expect(await queue.retry(Q, second, (await nowMs(queue)) + FAR_MS)).toBe(true);
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
    expect(await queue.counts(Q)).toEqual({ waiting: 1, leased: 0 });
  });

  timed("retry() puts the job behind what is to be given out before its new time", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const start = await nowMs(queue);
    await queue.add(Q, { payload: "a" });
    const job = await takeOne(queue);
    await queue.add(Q, { payload: "before", notBeforeMs: start + 999 });
    await queue.add(Q, { payload: "behind", notBeforeMs: start + 1001 });
    await queue.retry(Q, job, start + 1000);
    await at.under.advance(999);
    expect(payloads(await queue.take(Q, ALL_DUE))).toEqual(["before"]);
    await at.under.advance(LEASE_MS);
    expect(payloads(await queue.take(Q, ALL_DUE))).toEqual(["before", "a", "behind"]);
  });

  test("an id is in a queue once, while its job waits and while it is leased", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const add = (payload: string, name = Q) => queue.add(name, { payload, id: "same" });
    expect(await Promise.all([add("first"), add("again"), add("again")])).toEqual([
      "same",
      "same",
      "same",
    ]);
    await add("elsewhere", "other");
    const job = await takeOne(queue);
    expect(job.payload).toBe("first");
    await add("leased");
    expect(await queue.counts(Q)).toEqual({ waiting: 0, leased: 1 });
    await queue.done(Q, job);
    await add("new");
    const next = await takeOne(queue);
    expect([next.payload, next.attempt]).toEqual(["new", 1]);
    expect(await queue.done(Q, job)).toBe(false);
    expect((await takeOne(queue, "other")).payload).toBe("elsewhere");
    const made = await Promise.all([1, 2, 3].map(() => queue.add(Q, { payload: "" })));
    expect(new Set(made).size).toBe(3);
  });

  test("names of queues, ids and order keys are taken literally", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const names = ["", "a%", "a", "A", "a\0", "é", "e\u0301", "a:b", "{a}", "'", "app@chat"];
    for (const name of names) {
      await queue.add(name, { payload: name });
      await queue.add("ids", { payload: name, id: name });
      await queue.add("keys", { payload: name, orderKey: name });
    }
    for (const name of names) expect(payloads(await queue.take(name, ALL_DUE))).toEqual([name]);
    const ids = await queue.take("ids", ALL_DUE);
    expect(ids.map(({ id }) => id)).toEqual(names);
    const keys = await queue.take("keys", ALL_DUE);
    expect(keys.map(({ orderKey }) => orderKey)).toEqual(names);
  });

  test("queues of apps are kept apart", async () => {
    await using at = await setUp(create);
    const other = at.under.engine.app(`${at.appId}-other`).queue;
    const { queue } = at.app;
    await queue.add(Q, { payload: "here", id: "id", orderKey: "key" });
    expect(await other.take(Q, ALL_DUE)).toEqual([]);
    expect(await other.counts(Q)).toEqual({ waiting: 0, leased: 0 });
    await other.add(Q, { payload: "there", id: "id", orderKey: "key" });
    const job = await takeOne(queue);
    expect(job.payload).toBe("here");
    expect(await other.done(Q, job)).toBe(false);
    expect((await takeOne(other)).payload).toBe("there");
  });

  test("add() refuses a payload beyond its bytes", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const most = "é".repeat(JOB_PAYLOAD_BYTES_MAX / 2);
    expect(await limitCode(queue.add(Q, { payload: `${most}x` }))).toBe("limit_exceeded");
    expect(await limitCode(queue.add(Q, { payload: most }))).toBe("added");
    expect(payloads(await queue.take(Q, ALL_DUE))).toEqual([most]);
  });

  // One test, since filling the queue is most of it.
  test(
    "add() refuses what is beyond the jobs of a queue, until one is done or removed, or all are",
    async () => {
      await using at = await setUp(create);
      const { queue } = at.app;
      const add = (id: number) => queue.add(Q, { payload: "", id: `${id}` });
      const fill = Array.from({ length: QUEUE_JOBS_MAX - 1 }, (_, index) => add(index + 1));
      await Promise.all(fill);
      const codes = Promise.all([limitCode(add(0)), limitCode(add(-1)), limitCode(add(1))]);
      expect(await codes).toEqual(["added", "limit_exceeded", "added"]);
      expect(await limitCode(queue.add("other", { payload: "" }))).toBe("added");
      const job = await takeOne(queue);
      expect(await limitCode(add(-1))).toBe("limit_exceeded");
      await queue.done(Q, job);
      expect(await limitCode(add(-1))).toBe("added");
      expect(await queue.counts(Q)).toEqual({ waiting: QUEUE_JOBS_MAX, leased: 0 });
      expect(await limitCode(add(-2))).toBe("limit_exceeded");
      expect(await queue.remove(Q, "-1")).toBe(1);
      expect(await limitCode(add(-2))).toBe("added");
      expect(await limitCode(add(-3))).toBe("limit_exceeded");
      expect(await queue.remove(Q)).toBe(QUEUE_JOBS_MAX);
      expect(await limitCode(add(-3))).toBe("added");
    },
    LIMIT_TEST_TIMEOUT_MS,
  );
}
