import { expect, test } from "bun:test";
import { lastMinute, MinuteBound } from "./acceptance-window.ts";

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
