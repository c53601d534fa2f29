/** Watching a queue: every reason for which a job may be due calls, nothing else's does. */
import { expect, test } from "bun:test";
import type { JobQueue } from "../../../src/core/engine.ts";
import { ALL_DUE, LEASE_MS, nowMs, payloads, Q, takeOne } from "./queue.ts";
import { type Create, setUp } from "./under-test.ts";

/** `next` resolves with the first call after what was asked before, however long the engine takes to tell. */
async function watched(queue: JobQueue, name = Q) {
  let calls = 0;
  let heard = () => {};
  const unwatch = await queue.watch(name, () => {
    calls += 1;
    heard();
  });
  return {
    unwatch,
    get calls() {
      return calls;
    },
    async next(after: () => Promise<unknown>): Promise<void> {
      const before = calls;
      const { promise, resolve } = Promise.withResolvers<void>();
      heard = resolve;
      await after();
      if (calls === before) await promise;
    },
  };
}

export function testQueueWatch(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);

  test("a watcher is called for a job that was added", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const watch = await watched(queue);
    for (const payload of ["a", "b"]) {
      await watch.next(() => queue.add(Q, { payload }));
      expect(payloads(await queue.take(Q, ALL_DUE))).toEqual([payload]);
    }
  });

  test("every watcher of the queue is called", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const [one, two] = [await watched(queue), await watched(queue)];
    await one.next(() => two.next(() => queue.add(Q, { payload: "a" })));
  });

  test("a watcher is called for a job that was put back", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    await queue.add(Q, { payload: "a" });
    const job = await takeOne(queue);
    const watch = await watched(queue);
    await watch.next(() => queue.retry(Q, job, 0));
    expect((await takeOne(queue)).attempt).toBe(2);
  });

  test("a watcher is called when the job before it in its order is done", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    for (const payload of ["k1", "k2"]) await queue.add(Q, { payload, orderKey: "k" });
    const k1 = await takeOne(queue);
    const watch = await watched(queue);
    await watch.next(() => queue.done(Q, k1));
    expect((await takeOne(queue)).payload).toBe("k2");
  });

  test("calls come for the own queue and app only, and none once the watch has ended", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const other = at.under.engine.app(`${at.appId}-other`).queue;
    const watch = await watched(queue);
    const ended = await watched(queue);
    ended.unwatch();
    ended.unwatch();
    const elsewhere = await watched(queue, "elsewhere");
    const abroad = await watched(other);
    await watch.next(() => queue.add(Q, { payload: "a" }));
    await elsewhere.next(() => queue.add("elsewhere", { payload: "b" }));
    await abroad.next(() => other.add(Q, { payload: "c" }));
    expect([ended.calls, elsewhere.calls, abroad.calls]).toEqual([0, 1, 1]);
  });

  timed(
    "a watcher is called when a job's time comes, added before the watch or within",
    async () => {
      await using at = await setUp(create);
      const { queue } = at.app;
      const start = await nowMs(queue);
      await queue.add(Q, { payload: "before", notBeforeMs: start + 1000 });
      await queue.add(Q, { payload: "much later", notBeforeMs: start + 86_400_000 });
      const watch = await watched(queue);
      await queue.add(Q, { payload: "within", notBeforeMs: start + 2000 });
      await at.under.advance(999);
      expect(watch.calls).toBe(0);
      for (const [ms, payload] of [
        [1, "before"],
        [1000, "within"],
        [86_398_000, "much later"],
      ] as const) {
        await watch.next(() => at.under.advance(ms));
        const job = await takeOne(queue);
        expect(job.payload).toBe(payload);
        await queue.done(Q, job);
      }
    },
  );

  timed("a watcher is called when a retry's time comes", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const watch = await watched(queue);
    await watch.next(() => queue.add(Q, { payload: "a" }));
    await queue.retry(Q, await takeOne(queue), (await nowMs(queue)) + 5000);
    await watch.next(() => at.under.advance(5000));
    expect((await takeOne(queue)).attempt).toBe(2);
  });

  timed.each(["before the watch", "within it"])(
    "a watcher is called when a lease taken %s ends",
    async (when) => {
      await using at = await setUp(create);
      const { queue } = at.app;
      await queue.add(Q, { payload: "a" });
      if (when === "before the watch") await takeOne(queue);
      const watch = await watched(queue);
      if (when === "within it") await takeOne(queue);
      await at.under.advance(LEASE_MS - 1);
      expect(watch.calls).toBe(0);
      await watch.next(() => at.under.advance(1));
      expect((await takeOne(queue)).attempt).toBe(2);
    },
  );

  test("a call finds its job, and a watcher may add, take and end its watch from within", async () => {
    await using at = await setUp(create);
    const { queue } = at.app;
    const { promise: found, resolve, reject } = Promise.withResolvers<string[]>();
    const texts: string[] = [];
    const unwatch = await queue.watch(Q, () => {
      void (async () => {
        const jobs = await queue.take(Q, ALL_DUE);
        texts.push(...payloads(jobs));
        if (texts.includes("last")) {
          unwatch();
          resolve(texts);
        } else if (jobs.length > 0) await queue.add(Q, { payload: "last" });
      })().catch(reject);
    });
    await queue.add(Q, { payload: "first" });
    expect(await found).toEqual(["first", "last"]);
  });
}
