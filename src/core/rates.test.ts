import { expect, test } from "bun:test";
import { KeyedBuckets, lastMinute, MinuteBound, perSecond, TokenBucket } from "./rates.ts";

test("lastMinute() keeps what is less than a minute old", () => {
  const times = [1000, 2000, 3000];
  expect(lastMinute(times, 60_999)).toEqual(times);
  expect(lastMinute(times, 61_000)).toEqual([2000, 3000]);
  expect(lastMinute(times, 63_000)).toEqual([]);
  expect(lastMinute([], 0)).toEqual([]);
  // The clock was set back by two hours, or differs by less than a minute from another node's.
  expect(lastMinute(times, 1500 - 7_200_000)).toEqual([]);
  expect(lastMinute(times, 500)).toEqual(times);
});

test("a bound holds for every minute, not only for those on the clock", () => {
  const bound = new MinuteBound(3);
  expect([0, 50_000, 50_000, 50_001].map((nowMs) => bound.take(nowMs))).toEqual([
    ...[true, true, true, false],
  ]);
  // The first is a minute old; what was refused does not count.
  expect([60_000, 60_000].map((nowMs) => bound.take(nowMs))).toEqual([true, false]);
  expect(bound.allows(110_000)).toBe(true);
});

test("a bucket gives its burst at once, then the rate, and tells when the next is there", () => {
  const bucket = new TokenBucket(perSecond(10, 3), 0);
  expect([0, 0, 0, 0].map((nowMs) => bucket.take(nowMs))).toEqual([0, 0, 0, 100]);
  expect(bucket.take(99)).toBe(1);
  expect(bucket.take(100)).toBe(0);
  // However long it was quiet.
  expect(bucket.level(3_600_000)).toBe(3);
  expect(bucket.whole(3_600_000)).toBe(3);
});

test("an amount beyond the burst waits for a full bucket, and leaves a debt", () => {
  const bucket = new TokenBucket(perSecond(10), 0);
  expect(bucket.take(0, 25)).toBe(0);
  expect(bucket.level(0)).toBe(-15);
  expect(bucket.whole(0)).toBe(0);
  expect(bucket.take(0)).toBe(1600);
});

test("keys have buckets of their own, and full ones are forgotten when there are too many", () => {
  const buckets = new KeyedBuckets(2);
  const rate = perSecond(1);
  const spent = buckets.of("spent", rate, 0);
  spent.take(0);
  const full = buckets.of("full", rate, 0);
  buckets.of("third", rate, 0);
  expect(buckets.of("spent", rate, 0)).toBe(spent);
  expect(buckets.of("full", rate, 0)).not.toBe(full);
});
