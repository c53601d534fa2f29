/** What has expired leaves the data file, by the sweep and by the publishes before it. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { IDEMPOTENCY_TTL_MS } from "../../core/engine.ts";
import { makeShrinkable } from "./database.ts";
import { EMPTY_STREAMS_MAX } from "./store.ts";
import { SWEEP_INTERVAL_MS } from "./sweeper.ts";
import { data, LIMITS, ROOM, start, useDirs } from "./test-engine.ts";

const newDir = useDirs();
const SCHEMA_1 = join(import.meta.dir, "../../../test/fixtures/embedded/schema-1.sql");

test("a sweep deletes what has expired, so that the file does not grow", async () => {
  const dataDir = newDir();
  {
    await using run = await start({ dataDir });
    for (let number = 0; number < 50; number += 1) {
      await run.broker.publish({ ...ROOM, name: `room ${number}` }, data(number), {
        history: LIMITS,
        idempotencyKey: "k",
      });
      await run.records.put(`k${number}`, "v", { ttlMs: 1000 });
    }
    await run.runtime.advance(LIMITS.metaTtlMs + 20_000);
  }
  using db = new Database(join(dataDir, "carillon.db"));
  for (const table of ["stream", "publication", "idempotency", "record"]) {
    expect(db.query(`SELECT count(*) AS rows FROM ${table}`).get()).toEqual({ rows: 0 });
  }
});

/** What is left of a directory's file. */
function rowsIn(dataDir: string, table: string): number {
  using db = new Database(join(dataDir, "carillon.db"));
  return db.query<{ rows: number }, []>(`SELECT count(*) AS rows FROM ${table}`).get()?.rows ?? -1;
}

test("a sweep goes on until all that has expired is gone, however much that is", async () => {
  const dataDir = newDir();
  const count = 12_000;
  {
    await using run = await start({ dataDir });
    const history = { size: 1, ttlMs: 1_000, metaTtlMs: 1_000 };
    await Promise.all(
      Array.from({ length: count }, async (_, number) => {
        await run.records.put(`k${number}`, "v", { ttlMs: 1_000 });
        const name = `room ${number}`;
        await run.broker.publish({ ...ROOM, name }, data(1), { history, idempotencyKey: "k" });
      }),
    );
    await run.runtime.advance(SWEEP_INTERVAL_MS);
    await run.runtime.advance(IDEMPOTENCY_TTL_MS);
  }
  for (const table of ["stream", "publication", "idempotency", "record"]) {
    expect([table, rowsIn(dataDir, table)]).toEqual([table, 0]);
  }
});

test("pages that are freed go back to the disk", async () => {
  const dataDir = newDir();
  const path = join(dataDir, "carillon.db");
  let before: number;
  {
    await using run = await start({ dataDir });
    const keys = Array.from({ length: 2_000 }, (_, number) => `k${number}`);
    await Promise.all(keys.map((key) => run.records.put(key, "x".repeat(2_000), { ttlMs: 1_000 })));
    await run.records.put("kept", "v");
  }
  before = statSync(path).size;
  {
    await using run = await start({ dataDir });
    await run.runtime.advance(2 * SWEEP_INTERVAL_MS);
    expect((await run.records.get("kept"))?.value).toBe("v");
  }
  expect(before).toBeGreaterThan(4_000_000);
  expect(statSync(path).size).toBeLessThan(before / 8);
});

test.each([
  ["up to the bound is rewritten once, and can shrink", 0, 2],
  ["beyond it stays as it is", -1, 0],
])("a file of before %s", (_, more, mode) => {
  using db = new Database(":memory:");
  db.run("CREATE TABLE t (a TEXT)");
  db.run("INSERT INTO t VALUES (hex(zeroblob(10000)))");
  const read = <Row>(sql: string) => db.query<Row, []>(sql).get();
  const pages = read<{ page_count: number }>("PRAGMA page_count")?.page_count ?? 0;
  makeShrinkable(db, pages * 4096 + more);
  expect(read<object>("PRAGMA auto_vacuum")).toEqual({ auto_vacuum: mode });
  expect(read<object>("SELECT length(a) AS length FROM t")).toEqual({ length: 20_000 });
});

test("a file of an earlier schema can shrink from the first start on", async () => {
  const dataDir = newDir();
  mkdirSync(dataDir);
  {
    using db = new Database(join(dataDir, "carillon.db"));
    db.run(readFileSync(SCHEMA_1, "utf8"));
    expect(db.query("PRAGMA auto_vacuum").get()).toEqual({ auto_vacuum: 0 });
  }
  {
    await using run = await start({ dataDir });
    expect((await run.records.get("key"))?.value).toBe("value");
  }
  using db = new Database(join(dataDir, "carillon.db"));
  expect(db.query("PRAGMA auto_vacuum").get()).toEqual({ auto_vacuum: 2 });
});

test("a publish deletes what has expired before the sweep comes to it", async () => {
  const dataDir = newDir();
  {
    await using run = await start({ dataDir });
    const history = { ...LIMITS, ttlMs: 1000 };
    for (const name of ["one", "two"])
      await run.broker.publish({ ...ROOM, name }, data(1), { history });
    await run.runtime.advance(1000);
    await run.broker.publish(ROOM, data(2), { history });
  }
  using db = new Database(join(dataDir, "carillon.db"));
  expect(db.query("SELECT count(*) AS rows FROM publication").get()).toEqual({ rows: 1 });
});

test("of streams that nothing was published to the oldest go, beyond their bound", async () => {
  await using run = await start({ dataDir: undefined });
  const epochOf = async (name: string) =>
    (await run.broker.history({ ...ROOM, name }, { limit: 0 }, LIMITS.metaTtlMs)).position.epoch;
  await run.broker.publish({ ...ROOM, name: "published" }, data(1), { history: LIMITS });
  const published = await epochOf("published");
  const names = Array.from({ length: EMPTY_STREAMS_MAX }, (_, index) => `empty ${index}`);
  const epochs = await Promise.all(names.map(epochOf));
  await run.runtime.advance(10_000);
  expect(await epochOf("empty 0")).toBe(epochs[0] ?? "");
  await epochOf("one beyond");
  await run.runtime.advance(10_000);
  expect(await epochOf("empty 0")).not.toBe(epochs[0] ?? "");
  expect(await epochOf("empty 1")).toBe(epochs[1] ?? "");
  expect(await epochOf("published")).toBe(published);
});
