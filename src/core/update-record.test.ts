import { expect, test } from "bun:test";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { createEmbeddedEngine } from "../engines/embedded/index.ts";
import type { Records } from "./engine.ts";
import { RECORD_ATTEMPTS_MAX, updateRecord } from "./update-record.ts";

async function withRecords(use: (records: Records) => Promise<void>): Promise<void> {
  const runtime = createTestRuntime();
  await using engine = createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime });
  await engine.start();
  await use(engine.app("a").records);
}

const count = (records: Pick<Records, "get" | "put">) =>
  updateRecord(records, "n", (record) => {
    const result = Number(record?.value ?? 0) + 1;
    return { put: `${result}`, result };
  });

test("changes that race are all made, each on what the one before left", () =>
  withRecords(async (records) => {
    const results = await Promise.all(Array.from({ length: 50 }, () => count(records)));
    expect(results.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n + 1));
  }));

test("a change of nothing leaves the record alone and answers", () =>
  withRecords(async (records) => {
    await count(records);
    const before = await records.get("n");
    expect(await updateRecord(records, "n", (found) => ({ result: found }))).toEqual(before);
    expect(await records.get("n")).toEqual(before);
  }));

test("a record that is gone meanwhile is made anew", () =>
  withRecords(async (records) => {
    await count(records);
    let asked = 0;
    await updateRecord(records, "n", async (record) => {
      if (asked++ === 0) await records.delete("n");
      return { put: `${record?.value}`, result: undefined };
    });
    expect([asked, (await records.get("n"))?.value]).toEqual([2, "undefined"]);
  }));

test("the last attempt counts, and one more is not made", () =>
  withRecords(async (records) => {
    let failures = RECORD_ATTEMPTS_MAX - 1;
    const contested: Pick<Records, "get" | "put"> = {
      get: (key) => records.get(key),
      put: async (...put) => (failures-- > 0 ? undefined : records.put(...put)),
    };
    expect(await count(contested)).toBe(1);
    failures = RECORD_ATTEMPTS_MAX;
    expect(await count(contested).catch((error: unknown) => error)).toMatchObject({
      code: "unavailable",
    });
    expect(failures).toBe(0);
  }));
