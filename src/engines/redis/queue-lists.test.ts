/** Lists for workers of other make: their keys, their bounds, and where they lie. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { startRedis, type RedisServer } from "../../../test/support/redis.ts";
import { JOB_PAYLOAD_BYTES_MAX, QUEUE_JOBS_MAX } from "../../core/limits.ts";
import { startEngine } from "./test-engine.ts";

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

const refusal = (pushed: Promise<void>) =>
  pushed.then(
    () => "pushed",
    (error: { code?: string }) => error.code,
  );

async function listsOf(urls: readonly string[]) {
  const engine = await startEngine(urls);
  const { lists } = engine.engine.app("app");
  if (lists === undefined) throw new Error("The engine has no lists");
  return { lists, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
}

test("push() appends, exactly, under the app's own key", async () => {
  await using at = await listsOf([redis.url]);
  const texts = ["", "é\0😀", "{}"];
  for (const text of texts) await at.lists.push("x{y}@z", text);
  expect(await redis.command("LRANGE", "app@x{y}@z", "0", "-1")).toEqual(texts);
});

test("push() refuses a text beyond its bytes", async () => {
  await using at = await listsOf([redis.url]);
  const most = "é".repeat(JOB_PAYLOAD_BYTES_MAX / 2);
  expect(await refusal(at.lists.push("long", most))).toBe("pushed");
  expect(await refusal(at.lists.push("long", `${most}x`))).toBe("limit_exceeded");
  expect(await redis.command("LLEN", "app@long")).toBe(1);
});

test("push() refuses what is beyond a list's entries, until one is popped", async () => {
  await using at = await listsOf([redis.url]);
  const entries = Array.from({ length: 1_000 }, () => "x");
  for (let count = 1_000; count < QUEUE_JOBS_MAX; count += 1_000) {
    await redis.command("RPUSH", "app@full", ...entries);
  }
  await redis.command("RPUSH", "app@full", ...entries.slice(1));
  expect(await refusal(at.lists.push("full", "last"))).toBe("pushed");
  expect(await refusal(at.lists.push("full", "beyond"))).toBe("limit_exceeded");
  await redis.command("LPOP", "app@full");
  expect(await refusal(at.lists.push("full", "next"))).toBe("pushed");
  expect(await redis.command("LLEN", "app@full")).toBe(QUEUE_JOBS_MAX);
});

test("among several servers, lists are on the first that is named", async () => {
  await using other = await startRedis();
  for (const urls of [
    [redis.url, other.url],
    [other.url, redis.url],
  ]) {
    await using at = await listsOf(urls);
    for (let list = 0; list < 20; list += 1) await at.lists.push(`list-${list}`, "");
  }
  for (const server of [redis, other]) {
    expect(await server.command("KEYS", "app@list-*")).toHaveLength(20);
  }
});
