import { describe, expect, test } from "bun:test";
import { READ_CHARACTERS_MAX, RecordsRead } from "./records-read.ts";
import { start, useDirs } from "./test-engine.ts";

const newDir = useDirs();

/** What is asked for, and how often of the file. */
function counting() {
  const known = new RecordsRead();
  let reads = 0;
  return {
    known,
    get reads() {
      return reads;
    },
    get(key: string, { value = "v", expiresMs = Infinity, nowMs = 0 } = {}) {
      return known.get(key, nowMs, () => {
        reads += 1;
        return value === "" ? undefined : { key, value, version: reads, expiresMs };
      });
    },
  };
}

describe("records read lately", () => {
  test("are read once, and so is that there is none, until they change", () => {
    const records = counting();
    expect(records.get("k")).toEqual({ key: "k", value: "v", version: 1 });
    expect(records.get("k")).toEqual({ key: "k", value: "v", version: 1 });
    expect(records.get("none", { value: "" })).toBeUndefined();
    expect(records.get("none")).toBeUndefined();
    expect(records.reads).toBe(2);
    records.known.forget("k");
    records.known.forget("none");
    expect(records.get("k")?.version).toBe(3);
    expect(records.get("none")?.version).toBe(4);
  });

  test("are there until they expire", () => {
    const records = counting();
    expect(records.get("k", { expiresMs: 10, nowMs: 9 })).toBeDefined();
    expect(records.get("k", { nowMs: 9 })).toBeDefined();
    expect(records.get("k", { nowMs: 10 })).toBeUndefined();
    expect(records.reads).toBe(1);
  });

  test("are forgotten beyond the bound, those asked for since excepted", () => {
    const records = counting();
    const half = "x".repeat(READ_CHARACTERS_MAX / 2);
    records.get("often");
    for (const key of ["1", "2", "3", "4", "5", "6"]) {
      records.get(key, { value: half });
      records.get("often");
    }
    expect(records.reads).toBe(7);
    records.get("1", { value: half });
    expect(records.reads).toBe(8);
  });

  test("are as they were after a change that the disk did not take", async () => {
    const fileBytesMax = 40 * 4096;
    await using run = await start({ dataDir: newDir(), fileBytesMax });
    await run.records.put("k", "before");
    expect((await run.records.get("k"))?.value).toBe("before");
    const put = run.records.put("k", "x".repeat(fileBytesMax));
    expect((await run.records.get("k"))?.value).toBe("before");
    await expect(put).rejects.toMatchObject({ code: "unavailable" });
    expect((await run.records.get("k"))?.value).toBe("before");
    await run.records.put("k", "after");
    expect((await run.records.get("k"))?.value).toBe("after");
    await run.records.delete("k");
    expect(await run.records.get("k")).toBeUndefined();
  });
});
