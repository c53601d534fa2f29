/** The clock that is set back two hours, while the engine runs and between two runs: nothing comes or goes later for it. */
import { expect, test } from "bun:test";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { IDEMPOTENCY_TTL_MS } from "../../core/engine.ts";
import { data, LIMITS, ROOM, start, useDirs } from "./test-engine.ts";
import { SWEEP_INTERVAL_MS } from "./sweeper.ts";

const newDir = useDirs();
const BACK_MS = -2 * 3_600_000;
const Q = "queue";

test("jobs come at their time, leases end, records and publications expire at theirs", async () => {
  const runtime = createTestRuntime();
  await using run = await start({ runtime });
  const { queue, records, broker } = run;
  await queue.add(Q, { payload: "leased" });
  await queue.take(Q, { limit: 1, leaseMs: 60_000 });
  await queue.add(Q, { payload: "later", notBeforeMs: runtime.clock.epochMs() + 60_000 });
  await records.put("k", "v", { ttlMs: 60_000 });
  const history = { ...LIMITS, ttlMs: 60_000 };
  const first = await broker.publish(ROOM, data(1), { history, idempotencyKey: "k" });
  let calls = 0;
  await queue.watch(Q, () => (calls += 1));
  runtime.setClock(BACK_MS);
  await runtime.advance(59_999);
  expect([calls, (await records.get("k"))?.value]).toEqual([0, "v"]);
  expect(await queue.take(Q, { limit: 9, leaseMs: 1 })).toEqual([]);
  await runtime.advance(1);
  expect(calls).toBe(1);
  expect((await queue.take(Q, { limit: 9, leaseMs: 1 })).map(({ payload }) => payload)).toEqual([
    ...["leased", "later"],
  ]);
  expect(await records.get("k")).toBeUndefined();
  const page = await broker.history(ROOM, { limit: 9 }, LIMITS.metaTtlMs);
  expect(page).toEqual({ publications: [], position: first ?? { epoch: "", offset: 0 } });
  await runtime.advance(IDEMPOTENCY_TTL_MS - 60_000);
  const again = await broker.publish(ROOM, data(1), { history, idempotencyKey: "k" });
  expect(again?.offset).toBe(2);
});

test("a job that is added or put back behind it comes as much later as the clock of then says", async () => {
  const runtime = createTestRuntime();
  await using run = await start({ runtime });
  const { queue } = run;
  await queue.add(Q, { payload: "a" });
  const [job] = await queue.take(Q, { limit: 1, leaseMs: 60_000 });
  runtime.setClock(BACK_MS);
  if (job !== undefined) await queue.retry(Q, job, runtime.clock.epochMs() + 1_000);
  await queue.add(Q, { payload: "b", notBeforeMs: runtime.clock.epochMs() + 1_000 });
  await runtime.advance(999);
  expect(await queue.take(Q, { limit: 9, leaseMs: 1 })).toEqual([]);
  await runtime.advance(1);
  expect(await queue.take(Q, { limit: 9, leaseMs: 1 })).toHaveLength(2);
});

test("a publication says the time of the clock, whatever that is", async () => {
  const runtime = createTestRuntime();
  await using run = await start({ runtime });
  await run.broker.publish(ROOM, data(1), { history: LIMITS });
  runtime.setClock(BACK_MS);
  await run.broker.publish(ROOM, data(2), { history: LIMITS });
  const { publications } = await run.broker.history(ROOM, { limit: 9 }, LIMITS.metaTtlMs);
  const nowMs = runtime.clock.epochMs();
  expect(publications.map(({ timeMs }) => timeMs)).toEqual([nowMs - BACK_MS, nowMs]);
});

test("between two runs it costs no more than what went by since the file was last told the time", async () => {
  const dataDir = newDir();
  const before = createTestRuntime();
  const run = await start({ dataDir, runtime: before });
  await run.queue.add(Q, { payload: "", notBeforeMs: before.clock.epochMs() + 60_000 });
  await run.records.put("k", "v", { ttlMs: 60_000 });
  await before.advance(SWEEP_INTERVAL_MS);
  await run[Symbol.asyncDispose]();
  const after = createTestRuntime(2);
  after.setClock(BACK_MS);
  await using later = await start({ dataDir, runtime: after });
  await after.advance(60_000 - SWEEP_INTERVAL_MS - 1);
  expect([
    await later.queue.take(Q, { limit: 1, leaseMs: 1 }),
    (await later.records.get("k"))?.value,
  ]).toEqual([[], "v"]);
  await after.advance(1);
  expect(await later.queue.take(Q, { limit: 1, leaseMs: 1 })).toHaveLength(1);
  expect(await later.records.get("k")).toBeUndefined();
});
