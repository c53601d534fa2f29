/** Removing jobs: one by its id, or all, in whatever state, and what that means for leases and for those held behind. */
import { expect, test } from "bun:test";
import { ALL_DUE, FAR_MS, LEASE_MS, nowMs, payloads, Q, takeOne } from "./queue.ts";
import { type Create, setUp } from "./under-test.ts";

export function testQueueRemove(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);

  test("remove() takes out the job of the id, waiting, delayed or leased, and tells whether there was one", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const notBeforeMs = (await nowMs(queue)) + FAR_MS;
    await queue.add(Q, { payload: "leased", id: "leased" });
    const leased = await takeOne(queue);
    await queue.add(Q, { payload: "waiting", id: "waiting" });
    await queue.add(Q, { payload: "delayed", id: "delayed", notBeforeMs });
    await queue.add(Q, { payload: "other", id: "other" });
    for (const id of ["leased", "waiting", "delayed"]) {
      expect(await Promise.all([queue.remove(Q, id), queue.remove(Q, id)])).toEqual([1, 0]);
    }
    expect(await queue.remove(Q, "unknown")).toBe(0);
    expect(await queue.remove("elsewhere", "other")).toBe(0);
    expect(await queue.done(Q, leased)).toBe(false);
    expect(await queue.retry(Q, leased, 0)).toBe(false);
    expect(await queue.counts(Q)).toEqual({ waiting: 1, leased: 0 });
    expect(payloads(await queue.take(Q, ALL_DUE))).toEqual(["other"]);
  });

  test("an id is free again once its job is removed", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    await queue.add(Q, { payload: "old", id: "id" });
    const old = await takeOne(queue);
    await queue.remove(Q, "id");
    await queue.add(Q, { payload: "new", id: "id" });
    const job = await takeOne(queue);
    expect([job.payload, job.attempt]).toEqual(["new", 1]);
    expect(await queue.done(Q, old)).toBe(false);
    expect(await queue.done(Q, job)).toBe(true);
  });

  test("remove() of the first of an order key lets the next one come, and of another one closes the gap", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const texts = ["a", "b", "c", "d"];
    for (const payload of texts) await queue.add(Q, { payload, id: payload, orderKey: "k" });
    const a = await takeOne(queue);
    await queue.remove(Q, "c");
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
    expect(await queue.remove(Q, "a")).toBe(1);
    const b = await takeOne(queue);
    expect(b.payload).toBe("b");
    expect(await queue.done(Q, a)).toBe(false);
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
    await queue.done(Q, b);
    expect((await takeOne(queue)).payload).toBe("d");
  });

  timed("a job behind a removed one keeps its own time", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const start = await nowMs(queue);
    await queue.add(Q, { payload: "a", id: "a", orderKey: "k" });
    await queue.add(Q, { payload: "b", orderKey: "k", notBeforeMs: start + 5000 });
    await queue.remove(Q, "a");
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
    await at.under.advance(5000);
    expect((await takeOne(queue)).payload).toBe("b");
  });

  test("a watcher is called when the job before it in its order is removed", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (const payload of ["k1", "k2"]) {
      await queue.add(Q, { payload, id: payload, orderKey: "k" });
    }
    await takeOne(queue);
    const { promise: called, resolve } = Promise.withResolvers<void>();
    await queue.watch(Q, resolve);
    await queue.remove(Q, "k1");
    await called;
    expect((await takeOne(queue)).payload).toBe("k2");
  });

  test("remove() without an id empties the queue, and no other", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const other = at.under.engine.app(`${at.appId}-other`).queue;
    const notBeforeMs = (await nowMs(queue)) + FAR_MS;
    for (const payload of ["leased", "k1", "k2", "k3"]) {
      await queue.add(Q, { payload, ...(payload === "leased" ? {} : { orderKey: "k" }) });
    }
    const [leased, k1] = await queue.take(Q, { limit: 2, leaseMs: LEASE_MS });
    if (leased === undefined || k1 === undefined) throw new Error("Too few");
    await queue.add(Q, { payload: "delayed", notBeforeMs });
    await queue.add("elsewhere", { payload: "stays" });
    await other.add(Q, { payload: "stays" });
    expect(await queue.remove(Q)).toBe(5);
    expect(await queue.remove(Q)).toBe(0);
    expect(await queue.remove("never")).toBe(0);
    expect(await queue.counts(Q)).toEqual({ waiting: 0, leased: 0 });
    expect(await queue.done(Q, leased)).toBe(false);
    expect(await queue.done(Q, k1)).toBe(false);
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
    expect((await takeOne(queue, "elsewhere")).payload).toBe("stays");
    expect((await takeOne(other)).payload).toBe("stays");
    // Nothing of an order is left either.
    await queue.add(Q, { payload: "k4", orderKey: "k" });
    expect((await takeOne(queue)).payload).toBe("k4");
  });
}
