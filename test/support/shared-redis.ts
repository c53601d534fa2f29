/**
 * One `redis-server` for all tests of a run with `CARILLON_TEST_ENGINE=redis`. Preloaded: it ends behind the last test, and a test that
 * runs out of time does not end it, as it does every process that a test started.
 */
import { afterAll } from "bun:test";
import { startRedis, type RedisServer } from "./redis.ts";

export const sharedRedis: RedisServer | undefined =
  process.env["CARILLON_TEST_ENGINE"] === "redis" ? await startRedis() : undefined;

afterAll(() => sharedRedis?.[Symbol.asyncDispose]());
