/** What has expired leaves the data file, by the sweep and by the publishes before it. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { EMPTY_STREAMS_MAX } from "./store.ts";
import { data, LIMITS, ROOM, start, useDirs } from "./test-engine.ts";

const newDir = useDirs();

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
