import { expect, test } from "bun:test";
import { TokenBucket } from "../core/rates.ts";
import { endpointRate } from "./lane.ts";

/** Moments at which messages go out when there is always one to send, over so many seconds. */
function sent(perSecond: number, seconds: number): number[] {
  const bucket = new TokenBucket(endpointRate(1), 0);
  bucket.rate = endpointRate(perSecond);
  const moments: number[] = [];
  for (let nowMs = 0; nowMs < seconds * 1000;) {
    const available = bucket.whole(nowMs);
    for (let index = 0; index < available; index += 1) moments.push(nowMs);
    bucket.charge(nowMs, available);
    nowMs += Math.max(0.001, bucket.waitMs(nowMs));
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
  const bucket = new TokenBucket(endpointRate(1), 0);
  bucket.rate = endpointRate(5);
  expect(bucket.whole(3_600_000)).toBe(1);
  bucket.rate = endpointRate(1000);
  expect(bucket.whole(3_600_000 + 10)).toBe(10);
  expect(bucket.whole(7_200_000)).toBe(10);
});
