import { expect, test } from "bun:test";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { EventsError } from "./errors.ts";
import type { Rate } from "../../core/rates.ts";
import { BUCKETS_MAX, createRateLimits } from "./rate-limits.ts";

const RATE: Rate = { count: 3, perMs: 60_000 };

function create() {
  const runtime = createTestRuntime();
  const limits = createRateLimits(runtime);
  /** 0: taken; else the seconds after which to come again. */
  const take = (key: string, amount?: number, rate = RATE): number => {
    try {
      limits.take(key, rate, amount);
      return 0;
    } catch (error) {
      if (!(error instanceof EventsError)) throw error;
      expect(error.code).toBe("rate_limited");
      return Number(error.headers["Retry-After"]);
    }
  };
  return { limits, take, advance: (ms: number) => runtime.advance(ms) };
}

test("a key has its count at once, then as time goes by", async () => {
  const { take, advance } = create();
  expect([take("a"), take("a"), take("a"), take("a"), take("a")]).toEqual([0, 0, 0, 20, 20]);
  expect(take("b")).toBe(0);
  await advance(19_999);
  expect(take("a")).toBe(1);
  await advance(1);
  expect([take("a"), take("a")]).toEqual([0, 20]);
  await advance(3_600_000);
  expect([take("a"), take("a"), take("a"), take("a")]).toEqual([0, 0, 0, 20]);
});

test("an amount is taken whole or not at all; more than a bucket holds, from a full one", () => {
  const { take } = create();
  expect([take("a", 2), take("a", 2), take("a", 1)]).toEqual([0, 20, 0]);
  expect([take("b", 9), take("b", 1)]).toEqual([0, 140]);
});

test("asking takes nothing, charging does not ask, and 0 is no limit", () => {
  const { limits, take } = create();
  limits.require("a", RATE);
  limits.charge("a", RATE, 5);
  expect(() => limits.require("a", RATE)).toThrow(EventsError);
  expect(take("a")).toBe(60);
  for (let count = 0; count < 100; count++) {
    expect(take("c", 1, { count: 0, perMs: 1 })).toBe(0);
  }
});

test("full buckets are dropped when there are too many, others are not", async () => {
  const { take, advance } = create();
  for (let key = 0; key < BUCKETS_MAX; key++) take(`${key}`);
  await advance(60_000);
  take("spent", 3);
  expect(take("spent")).toBe(20);
  for (let key = 0; key < BUCKETS_MAX; key++) take(`again ${key}`);
  expect(take("spent")).toBe(20);
});
