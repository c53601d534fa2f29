/** What has expired leaves the data file, by the sweep and by the publishes before it. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
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
