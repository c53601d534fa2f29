/** What a restart finds again after a close and after a kill, and when it renews a channel's epoch. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemRuntime } from "../../system-runtime.ts";
import type { EmbeddedEngineOptions } from "./index.ts";
import { keepsEveryCommit } from "./run-mark.ts";
import { ALL, data, LIMITS, ROOM, start, useDirs } from "./test-engine.ts";
import { killMidPublishing } from "./test-kill.ts";
import { compactJson } from "../../core/json-text.ts";

const newDir = useDirs();

describe("a restart", () => {
  async function publishOnce(options: Partial<EmbeddedEngineOptions>) {
    await using run = await start(options);
    const position = await run.broker.publish(ROOM, data("kept"), { history: LIMITS });
    return position?.epoch ?? "";
  }

  async function readOnce(options: Partial<EmbeddedEngineOptions>) {
    await using run = await start(options);
    const page = await run.broker.history(ROOM, ALL, LIMITS.metaTtlMs);
    return {
      epoch: page.position.epoch,
      offset: page.position.offset,
      count: page.publications.length,
    };
  }

  test("keeps history, epoch, records and idempotency keys", async () => {
    const dataDir = newDir();
    const options = { history: LIMITS, idempotencyKey: "k" };
    let first, version;
    {
      await using run = await start({ dataDir });
      first = await run.broker.publish(ROOM, data("once"), options);
      version = await run.records.put("key", "value");
      await run.records.put("gone", "value");
      await run.records.delete("gone");
    }
    await using run = await start({ dataDir });
    expect(await run.broker.publish(ROOM, data("retried"), options)).toEqual(first);
    const page = await run.broker.history(ROOM, ALL, LIMITS.metaTtlMs);
    expect(page.position).toEqual({ epoch: first?.epoch ?? "", offset: 1 });
    expect(page.publications.map((publication) => publication.data)).toEqual([
      { json: compactJson('"once"') },
    ]);
    expect(await run.records.get("key")).toEqual({
      key: "key",
      value: "value",
      version: version ?? 0,
    });
    expect(await run.records.put("gone", "again")).toBeGreaterThan((version ?? 0) + 1);
  });

  test("forgets claims, whose process is gone, unless something was put in their place", async () => {
    const dataDir = newDir();
    {
      await using run = await start({ dataDir });
      await run.records.put("claimed", "", { claim: true, ttlMs: 60_000 });
      const version = await run.records.put("finished", "", { claim: true });
      await run.records.put("finished", "answer", { ifVersion: version ?? 0 });
    }
    await using run = await start({ dataDir });
    expect(await run.records.get("claimed")).toBeUndefined();
    expect((await run.records.get("finished"))?.value).toBe("answer");
  });

  test("after a clean close keeps the epoch across boots", async () => {
    const dataDir = newDir();
    const epoch = await publishOnce({ dataDir, bootId: () => "one" });
    expect(await readOnce({ dataDir, bootId: () => "two" })).toEqual({
      epoch,
      offset: 1,
      count: 1,
    });
    expect(await readOnce({ dataDir, bootId: () => undefined })).toMatchObject({ epoch });
  });

  test.each([
    ["in the same boot keeps the epoch", "normal", "one", "one", true],
    ["in another boot renews it", "normal", "one", "two", false],
    ["in an unknown boot renews it", "normal", "one", undefined, false],
    ["after an unknown boot renews it", "normal", undefined, undefined, false],
    ["in another boot keeps it where every commit was synced", "full", "one", "two", true],
  ] as const)("after a kill %s", async (_, durability, before, after, kept) => {
    const dataDir = newDir();
    const [acknowledged] = await killMidPublishing(dataDir, { durability, bootId: before });
    const read = await readOnce({ dataDir, bootId: () => after });
    expect(read.offset).toBeGreaterThan(0);
    expect(read.epoch === acknowledged?.epoch).toBe(kept);
    expect((await readOnce({ dataDir, bootId: () => "three" })).epoch).toBe(read.epoch);
  });

  test("after a kill of a publishing process finds every acknowledged publication and record", async () => {
    const dataDir = newDir();
    const acknowledged = await killMidPublishing(dataDir, { acknowledged: 2000, bootId: "one" });
    expect(acknowledged.length).toBeGreaterThanOrEqual(2000);
    await using run = await start({ dataDir, bootId: () => "one", runtime: systemRuntime });
    const page = await run.broker.history(ROOM, ALL, LIMITS.metaTtlMs);
    const stored = new Map(
      page.publications.map(({ position, data: payload }) => [position?.offset, payload]),
    );
    expect(page.position.offset).toBe(page.publications.length);
    for (const { epoch, offset, text } of acknowledged) {
      expect(epoch).toBe(page.position.epoch);
      expect(stored.get(offset)).toEqual({ json: compactJson(text) });
    }
    const record = await run.records.get("last");
    expect(Number(record?.value)).toBeGreaterThanOrEqual(Number(acknowledged.at(-1)?.text));
    const next = await run.broker.publish(ROOM, data("next"), { history: LIMITS });
    expect(next).toEqual({ epoch: page.position.epoch, offset: page.position.offset + 1 });
  });

  test("on a file that was put in the place of another, with its inode, renews the epoch", () => {
    const now = { bootId: "boot", file: "1:2", durability: "normal" } as const;
    const last = { ...now, clean: true, born: "5" };
    expect(keepsEveryCommit(last, { ...now, born: "5" })).toBe(true);
    expect(keepsEveryCommit(last, { ...now, born: "6" })).toBe(false);
    // Of a version that did not note it.
    expect(keepsEveryCommit({ ...now, clean: true }, { ...now, born: "6" })).toBe(true);
  });

  test("on a copy of the file renews the epoch", async () => {
    const dataDir = newDir();
    const epoch = await publishOnce({ dataDir });
    const copyDir = newDir();
    mkdirSync(copyDir);
    copyFileSync(join(dataDir, "carillon.db"), join(copyDir, "carillon.db"));
    const copy = await readOnce({ dataDir: copyDir });
    expect(copy).toMatchObject({ offset: 1, count: 1 });
    expect(copy.epoch).not.toBe(epoch);
    expect(await readOnce({ dataDir: copyDir })).toEqual(copy);
    expect((await readOnce({ dataDir })).epoch).toBe(epoch);
  });
});
