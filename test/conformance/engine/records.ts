/** Records: versions and conditions, ages, and lists by prefix. */
import { expect, test } from "bun:test";
import { RECORD_CHANGES_MAX } from "../../../src/core/engine.ts";
import { type Create, setUp } from "./under-test.ts";

export function testRecords(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);

  test("get() gives what put() stored, with its version", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    expect(await records.get("k")).toBeUndefined();
    const values = ["", '{"a":"é😀"}', "a\0b", "x".repeat(100_000)];
    for (const text of values) {
      const version = await records.put("k", text);
      expect(await records.get("k")).toEqual({ key: "k", value: text, version: version ?? 0 });
    }
  });

  test("a version never comes back, also after a delete", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const versions = new Set<number | undefined>();
    for (let round = 0; round < 5; round += 1) {
      versions.add(await records.put("k", "same"));
      versions.add(await records.put("k", "same"));
      await records.delete("k");
    }
    expect(versions.size).toBe(10);
    expect(versions.has(undefined)).toBe(false);
    expect(versions.has(0)).toBe(false);
  });

  test("put() with a version replaces only that version", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    expect(await records.put("k", "a", { ifVersion: 12_345 })).toBeUndefined();
    const first = await records.put("k", "a");
    const second = await records.put("k", "b", { ifVersion: first ?? 0 });
    expect(second).toBeDefined();
    expect(await records.put("k", "c", { ifVersion: first ?? 0 })).toBeUndefined();
    expect((await records.get("k"))?.value).toBe("b");
  });

  test("put() with version 0 puts only where there is none", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    expect(await records.put("k", "a", { ifVersion: 0 })).toBeDefined();
    expect(await records.put("k", "b", { ifVersion: 0 })).toBeUndefined();
    await records.delete("k");
    expect(await records.put("k", "c", { ifVersion: 0 })).toBeDefined();
  });

  test("of racing puts under one condition the first wins alone", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => records.put("k", `${index}`, { ifVersion: 0 })),
    );
    expect(answers.filter((answer) => answer !== undefined)).toHaveLength(1);
    const winner = answers.findIndex((answer) => answer !== undefined);
    expect((await records.get("k"))?.value).toBe(`${winner}`);
  });

  test("delete() tells whether it deleted, and honours a version", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    expect(await records.delete("k")).toBe(false);
    const version = (await records.put("k", "a")) ?? 0;
    expect(await records.delete("k", { ifVersion: version + 1 })).toBe(false);
    expect(await records.delete("k", { ifVersion: 0 })).toBe(false);
    expect(await records.get("k")).toBeDefined();
    expect(await records.delete("k", { ifVersion: version })).toBe(true);
    expect(await records.get("k")).toBeUndefined();
    expect(await records.delete("k", { ifVersion: 0 })).toBe(false);
  });

  timed("a record is absent once its TTL has passed, for every call", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const version = (await records.put("k", "a", { ttlMs: 1000 })) ?? 0;
    await records.put("stays", "b");
    await at.under.advance(999);
    expect(await records.get("k")).toBeDefined();
    await at.under.advance(1);
    expect(await records.get("k")).toBeUndefined();
    expect((await records.list("", { limit: 9 })).map(({ key }) => key)).toEqual(["stays"]);
    expect(await records.put("k", "c", { ifVersion: version })).toBeUndefined();
    expect(await records.delete("k")).toBe(false);
    const next = await records.put("k", "c", { ifVersion: 0 });
    expect(next).toBeDefined();
    expect(next).not.toBe(version);
  });

  timed("put() sets the TTL anew, and none keeps it for ever", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    await records.put("k", "a", { ttlMs: 1000 });
    await records.put("k", "b");
    await at.under.advance(60_000);
    expect((await records.get("k"))?.value).toBe("b");
  });

  test("list() gives the prefix's keys in byte order, whatever signs they hold", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    // U+FFFF sorts below U+10000 by bytes, and above it by UTF-16 units.
    const keys = [
      "a",
      "a%",
      "a%b",
      "a%\u{ffff}",
      "a%\u{10000}",
      "a%\u{10ffff}z",
      "a_",
      "aé",
      "b",
      "B",
    ];
    for (const key of [...keys].reverse()) await records.put(key, "v");
    const list = async (prefix: string) =>
      (await records.list(prefix, { limit: 100 })).map(({ key }) => key);
    expect(await list("a%")).toEqual(["a%", "a%b", "a%\u{ffff}", "a%\u{10000}", "a%\u{10ffff}z"]);
    expect(await list("a_")).toEqual(["a_"]);
    expect(await list("A")).toEqual([]);
    expect(await list("")).toEqual(["B", ...keys.filter((key) => key !== "B")]);
  });

  test("list() goes on behind `after`, up to the limit", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    for (const key of ["p:1", "p:2", "p:3", "p:4", "q:1"]) await records.put(key, key);
    const list = async (options: { after?: string; limit: number }) =>
      (await records.list("p:", options)).map(({ value: text }) => text);
    expect(await list({ limit: 2 })).toEqual(["p:1", "p:2"]);
    expect(await list({ limit: 2, after: "p:2" })).toEqual(["p:3", "p:4"]);
    expect(await list({ limit: 2, after: "p:4" })).toEqual([]);
    expect(await list({ limit: 2, after: "p:25" })).toEqual(["p:3", "p:4"]);
    expect(await list({ limit: 2, after: "a" })).toEqual(["p:1", "p:2"]);
    expect(await list({ limit: 2, after: "z" })).toEqual([]);
  });

  test("change() puts, deletes and compares in one step", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const [a = 0, b = 0] = [await records.put("a", "1"), await records.put("b", "1")];
    const done = await records.change([
      { key: "a", put: "2", ifVersion: a },
      { key: "b", delete: true },
      { key: "gone", delete: true },
      { key: "new", put: "1", ifVersion: 0 },
    ]);
    const [putA = 0, deleted, missing, putNew = 0] = done ?? [];
    expect([deleted, missing]).toEqual([1, 0]);
    expect(new Set([a, b, putA, putNew]).size).toBe(4);
    expect(await records.get("a")).toEqual({ key: "a", value: "2", version: putA });
    expect(await records.get("b")).toBeUndefined();
    expect(await records.get("new")).toEqual({ key: "new", value: "1", version: putNew });
    expect(await records.change([{ key: "a", ifVersion: putA }])).toEqual([0]);
    expect(await records.change([])).toEqual([]);
  });

  test("change() does nothing when one version of many is another", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const a = (await records.put("a", "1")) ?? 0;
    const changes = [
      { key: "a", put: "2" },
      { key: "n", put: "2" },
    ];
    const wrong = [
      { key: "b", ifVersion: a },
      { key: "b", put: "3", ifVersion: a },
      { key: "b", delete: true as const, ifVersion: a },
    ];
    for (const refused of wrong) {
      expect(await records.change([...changes, refused])).toBeUndefined();
      expect(await records.change([refused, ...changes])).toBeUndefined();
    }
    expect(await records.list("", { limit: 9 })).toEqual([{ key: "a", value: "1", version: a }]);
  });

  test("of racing changes that share a record one wins, whole", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        records.change([
          { key: "shared", put: `${index}`, ifVersion: 0 },
          { key: `own ${index}`, put: "1" },
        ]),
      ),
    );
    const winners = answers.flatMap((answer, index) => (answer === undefined ? [] : [index]));
    expect(winners).toHaveLength(1);
    const kept = await records.list("", { limit: 99 });
    expect(kept.map(({ key, value: text }) => `${key}=${text}`)).toEqual([
      `own ${winners[0]}=1`,
      `shared=${winners[0]}`,
    ]);
  });

  timed("change() takes an expired record for none, and gives each its own TTL", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const old = (await records.put("old", "1", { ttlMs: 1000 })) ?? 0;
    await at.under.advance(1000);
    expect(await records.change([{ key: "old", ifVersion: old }])).toBeUndefined();
    const changes = [
      { key: "old", put: "2", ifVersion: 0, ttlMs: 1000 },
      { key: "stays", put: "2" },
    ];
    expect(await records.change(changes)).toHaveLength(2);
    await at.under.advance(1000);
    expect((await records.list("", { limit: 9 })).map(({ key }) => key)).toEqual(["stays"]);
  });

  test("change() takes RECORD_CHANGES_MAX records, and not one more", async () => {
    await using at = await setUp(create);
    const { records } = at.app;
    const many = Array.from({ length: RECORD_CHANGES_MAX }, (_, index) => ({
      key: `k${index}`,
      put: "1",
    }));
    expect(await records.change(many)).toHaveLength(RECORD_CHANGES_MAX);
    const refused = records.change([...many, { key: "more", put: "1" }]);
    expect(refused).rejects.toMatchObject({ code: "limit_exceeded" });
    await refused.catch(() => {});
    expect(await records.get("more")).toBeUndefined();
  });

  test("records of apps are kept apart", async () => {
    await using at = await setUp(create);
    const other = at.under.engine.app(`${at.appId}-other`);
    await at.app.records.put("k", "here");
    expect(await other.records.get("k")).toBeUndefined();
    expect(await other.records.list("", { limit: 9 })).toEqual([]);
    expect(await other.records.delete("k")).toBe(false);
    expect(await other.records.put("k", "there", { ifVersion: 0 })).toBeDefined();
    expect((await at.app.records.get("k"))?.value).toBe("here");
  });
}
