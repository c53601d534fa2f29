/** Records on Redis: what is left of expired ones, lists of several pages, and versions after a loss of data. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { startRedis, type RedisServer } from "../../../test/support/redis.ts";
import { EXPIRED_KEPT_MS, FORGET_PER_PUT_MAX, LIST_PAGE_RECORDS } from "./records.ts";
import { PREFIX, start } from "./test-records-queue.ts";

const TTL_MS = 1000;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

const keyOf = (app: string, part: string) => `${PREFIX}:{${app}:records}:${part}`;
const count = (app: string, part: string) => redis.command("ZCARD", keyOf(app, part));

test("the server drops a record some time after its expiry, and none that stays", async () => {
  await using run = await start({ url: redis.url });
  const { records, appId } = run;
  const left = async () => Number(await redis.command("PTTL", keyOf(appId, "record:k")));
  await records.put("k", "a", { ttlMs: TTL_MS });
  expect(await left()).toBeGreaterThan(EXPIRED_KEPT_MS);
  expect(await left()).toBeLessThanOrEqual(EXPIRED_KEPT_MS + TTL_MS);
  await records.put("k", "b");
  expect(await left()).toBe(-1);
  await records.put("k", "c", { ttlMs: Number.MAX_SAFE_INTEGER });
  expect((await records.get("k"))?.value).toBe("c");
});

test("a put forgets a bounded number of keys that expired long enough ago", async () => {
  await using run = await start({ url: redis.url });
  const { records, runtime, appId } = run;
  const keys = Array.from({ length: 3 * FORGET_PER_PUT_MAX }, (_, index) => `old:${index}`);
  await Promise.all(keys.map((key) => records.put(key, "", { ttlMs: TTL_MS })));
  const again = () => records.put("new", "");
  await runtime.advance(TTL_MS + EXPIRED_KEPT_MS - 1);
  await again();
  expect(await count(appId, "expiry")).toBe(keys.length);
  await runtime.advance(1);
  for (let left = keys.length - FORGET_PER_PUT_MAX; left >= 0; left -= FORGET_PER_PUT_MAX) {
    await again();
    expect(await count(appId, "expiry")).toBe(left);
    expect(await count(appId, "index")).toBe(left + 1);
  }
});

test("a record that was deleted or put for ever leaves no expiry behind", async () => {
  await using run = await start({ url: redis.url });
  const { records, appId } = run;
  for (const key of ["a", "b"]) await records.put(key, "", { ttlMs: TTL_MS });
  await records.put("a", "");
  await records.delete("b");
  expect(await count(appId, "expiry")).toBe(0);
  expect(await count(appId, "index")).toBe(1);
});

test("a list goes over pages, also where a page has nothing but expired ones", async () => {
  await using run = await start({ url: redis.url });
  const { records, runtime } = run;
  const total = 3 * LIST_PAGE_RECORDS;
  const keys = Array.from({ length: total }, (_, index) => `p:${String(index).padStart(5, "0")}`);
  const expires = (index: number) => index >= 10 && index < 10 + LIST_PAGE_RECORDS;
  await Promise.all(
    keys.map((key, index) => records.put(key, key, expires(index) ? { ttlMs: TTL_MS } : {})),
  );
  await records.put("p", "");
  await records.put("q", "");
  await runtime.advance(TTL_MS);
  const listed = keys.filter((_, index) => !expires(index));
  const list = async (limit: number) =>
    (await records.list("p:", { limit })).map(({ value }) => value);
  expect(await list(2 * total)).toEqual(listed);
  expect(await list(listed.length)).toEqual(listed);
  expect(await list(11)).toEqual(listed.slice(0, 11));
  expect(await list(LIST_PAGE_RECORDS + 1)).toEqual(listed.slice(0, LIST_PAGE_RECORDS + 1));
});

test("a version does not come back after the server has lost its data", async () => {
  await using run = await start({ url: redis.url });
  const { records, runtime } = run;
  const versions = new Set<number>();
  for (let round = 0; round < 3; round += 1) {
    for (let puts = 0; puts < 5; puts += 1) versions.add((await records.put("k", "")) ?? 0);
    await redis.command("FLUSHALL");
    await runtime.advance(1);
  }
  expect(versions.size).toBe(15);
  expect(Math.min(...versions)).toBeGreaterThan(0);
  expect([...versions].every(Number.isSafeInteger)).toBe(true);
});

test("keys that look like the engine's own are records like others", async () => {
  await using run = await start({ url: redis.url });
  const keys = ["", "index", "version", "{x}", "a}b", "record:a", "a\0"];
  for (const key of keys) await run.records.put(key, key);
  for (const key of keys) expect((await run.records.get(key))?.value).toBe(key);
  expect((await run.records.list("", { limit: 100 })).length).toBe(keys.length);
});

test("nodes whose clocks differ see one another's records", async () => {
  await using run = await start({ url: redis.url });
  await using other = await start({ url: redis.url, app: run.appId });
  await other.runtime.advance(EXPIRED_KEPT_MS - 1);
  await run.records.put("k", "a", { ttlMs: TTL_MS });
  await other.records.put("l", "b");
  // Expired for one of them only, and not forgotten by either.
  expect(await other.records.get("k")).toBeUndefined();
  expect((await run.records.list("", { limit: 9 })).map(({ key }) => key)).toEqual(["k", "l"]);
});
