import { expect, test } from "bun:test";
import { TokenBucket } from "./token-bucket.ts";

/** Moments at which messages go out when there is always one to send, over so many seconds. */
function sent(perSecond: number, seconds: number): number[] {
  const bucket = new TokenBucket(0);
  const moments: number[] = [];
  for (let nowMs = 0; nowMs < seconds * 1000;) {
    const available = bucket.available(perSecond, nowMs);
    for (let index = 0; index < available; index += 1) moments.push(nowMs);
    bucket.take(available);
    nowMs += Math.max(0.001, bucket.waitMs(perSecond));
  }
  return moments;
}

function mostInASecond(moments: readonly number[]): number {
  return Math.max(
    ...moments.map((from) => moments.filter((ms) => ms >= from && ms < from + 1000).length),
  );
}

test.each([
  [1, 2],
  [5, 6],
  [50, 51],
  [1000, 1010],
])("a rate of %d is kept: at most %d in any second, and on the whole the rate", (rate, most) => {
  const moments = sent(rate, 3);
  expect(mostInASecond(moments)).toBeLessThanOrEqual(most);
  expect(moments.length).toBeGreaterThanOrEqual(3 * rate);
});

test("time without messages saves up no more than the burst", () => {
  const bucket = new TokenBucket(0);
  expect(bucket.available(5, 3_600_000)).toBe(1);
  expect(bucket.available(1000, 3_600_000 + 10)).toBe(10);
  expect(bucket.available(1000, 7_200_000)).toBe(10);
});
