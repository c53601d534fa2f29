/** Jobs of one order key: one at a time, in the order they were added, whatever becomes of the first. */
import { expect, test } from "bun:test";
import type { TakenJob } from "../../../src/core/engine.ts";
import { createTestRuntime } from "../../support/runtime.ts";
import { ALL_DUE, FAR_MS, LEASE_MS, nowMs, payloads, Q, takeOne } from "./queue.ts";
import { type Create, setUp } from "./under-test.ts";

export function testQueueOrder(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);

  test("of an order key one job is out at a time, other keys and jobs without one pass", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (const [payload, orderKey] of [
      ["k1", "k"],
      ["k2", "k"],
      ["l1", "l"],
      ["free", undefined],
      ["k3", "k"],
      ["l2", "l"],
    ] as const) {
      await queue.add(Q, { payload, ...(orderKey === undefined ? {} : { orderKey }) });
    }
    const [k1, l1, free] = await queue.take(Q, ALL_DUE);
    expect([k1, l1, free].map((job) => job?.payload)).toEqual(["k1", "l1", "free"]);
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
    expect(await queue.counts(Q)).toEqual({ waiting: 3, leased: 3 });
    if (k1 === undefined || free === undefined) throw new Error("Too few");
    await queue.done(Q, free);
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
    await queue.done(Q, k1);
    const k2 = await takeOne(queue);
    expect(k2.payload).toBe("k2");
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
    await queue.done(Q, k2);
    expect(payloads(await queue.take(Q, ALL_DUE))).toEqual(["k3"]);
  });

  test("a limit counts what is given out, not what is held back", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (let count = 0; count < 20; count += 1) {
      await queue.add(Q, { payload: "held", orderKey: "k" });
    }
    await queue.add(Q, { payload: "free" });
    const jobs = await queue.take(Q, { limit: 2, leaseMs: LEASE_MS });
    expect(payloads(jobs)).toEqual(["held", "free"]);
  });

  test("a job that waits for its time holds back those added behind it", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const later = (await nowMs(queue)) + FAR_MS;
    await queue.add(Q, { payload: "k1", orderKey: "k" });
    await queue.add(Q, { payload: "k2", orderKey: "k", notBeforeMs: 0 });
    await queue.add(Q, { payload: "l1", orderKey: "l", notBeforeMs: later });
    await queue.add(Q, { payload: "l2", orderKey: "l" });
    const k1 = await takeOne(queue);
    expect(k1.payload).toBe("k1");
    await queue.retry(Q, k1, later);
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
  });

  timed("a retry keeps its place before the later ones of its key", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (const payload of ["k1", "k2"]) await queue.add(Q, { payload, orderKey: "k" });
    await queue.retry(Q, await takeOne(queue), (await nowMs(queue)) + 1000);
    await at.under.advance(999);
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
    await at.under.advance(1);
    const again = await takeOne(queue);
    expect([again.payload, again.attempt]).toEqual(["k1", 2]);
    await queue.done(Q, again);
    expect((await takeOne(queue)).payload).toBe("k2");
  });

  timed("the end of a lease gives out the same job, not the one behind it", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (const payload of ["k1", "k2"]) await queue.add(Q, { payload, orderKey: "k" });
    const lost = await takeOne(queue);
    await at.under.advance(LEASE_MS);
    const again = await queue.take(Q, ALL_DUE);
    expect(again.map(({ payload, attempt }) => [payload, attempt])).toEqual([["k1", 2]]);
    expect(await queue.done(Q, lost)).toBe(false);
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
  });

  timed("a job that is held back is given out at its own time at the earliest", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    await queue.add(Q, { payload: "k1", orderKey: "k" });
    await queue.add(Q, {
      payload: "k2",
      orderKey: "k",
      notBeforeMs: (await nowMs(queue)) + 1000,
    });
    await queue.done(Q, await takeOne(queue));
    await at.under.advance(999);
    expect(await queue.take(Q, ALL_DUE)).toEqual([]);
    await at.under.advance(1);
    expect((await takeOne(queue)).payload).toBe("k2");
  });

  test("a key begins anew once its jobs are done", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (let round = 0; round < 3; round += 1) {
      await queue.add(Q, { payload: `${round}`, orderKey: "k" });
      const job = await takeOne(queue);
      expect(job.payload).toBe(`${round}`);
      await queue.done(Q, job);
    }
  });

  test.each([1, 2, 3, 4, 5])(
    "racing takers that fail at random keep each key's order (seed %d)",
    async (seed) => {
      await using at = await setUp(create);
      const { queue } = at.app;
      const { random } = createTestRuntime(seed);
      const keys = ["a", "b", "c", "d"];
      const jobs = Array.from({ length: 120 }, (_, index) => ({
        payload: `${index}`,
        orderKey: keys[Math.floor(random.fraction() * keys.length)] ?? "a",
      }));
      const added = Promise.all(jobs.map((job) => queue.add(Q, job)));
      const finished = new Map<string, string[]>(keys.map((key) => [key, []]));
      const out = new Set<string>();
      let left = jobs.length;

      async function work(job: TakenJob): Promise<void> {
        const key = job.orderKey ?? "";
        expect(out.has(key)).toBe(false);
        out.add(key);
        await nowMs(queue);
        // From here on another may be given out, before this worker hears of its own answer.
        out.delete(key);
        if (random.fraction() < 0.3) {
          expect(await queue.retry(Q, job, 0)).toBe(true);
          return;
        }
        finished.get(key)?.push(job.payload);
        left -= 1;
        expect(await queue.done(Q, job)).toBe(true);
      }

      async function worker(): Promise<void> {
        while (left > 0) {
          await Promise.all((await queue.take(Q, { limit: 3, leaseMs: FAR_MS })).map(work));
        }
      }

      await Promise.all([added, worker(), worker(), worker()]);
      for (const key of keys) {
        const expected = jobs.filter(({ orderKey }) => orderKey === key);
        expect(finished.get(key)).toEqual(expected.map(({ payload }) => payload));
      }
    },
  );
}
