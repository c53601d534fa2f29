/** The rate of a connection's messages (messaging.md §12). */
import { describe, expect, test } from "bun:test";
import { MessageRate, type Taken } from "./message-rate.ts";

const times = (count: number, take: () => Taken) => Array.from({ length: count }, take);

describe("500 messages a second", () => {
  test("take 2,000 at once, and one more when it is due", () => {
    const rate = new MessageRate(500, 0);
    expect(new Set(times(2000, () => rate.take(0)))).toEqual(new Set(["taken"]));
    expect(rate.take(0)).toEqual({ retryAfterMs: 2 });
    expect(rate.take(2)).toBe("taken");
  });

  test("end what goes on beyond them for ten seconds", () => {
    const rate = new MessageRate(500, 0);
    times(2000, () => rate.take(0));
    for (let nowMs = 0; nowMs < 10_000; nowMs += 500) {
      expect(times(300, () => rate.take(nowMs))).not.toContain("flooded");
    }
    times(250, () => rate.take(10_000));
    expect(rate.take(10_000)).toBe("flooded");
  });

  test("forget an excess that paused for more than a second", () => {
    const rate = new MessageRate(500, 0);
    const flood = (nowMs: number) => times(2500, () => rate.take(nowMs)).includes("flooded");
    for (let nowMs = 0; nowMs <= 5000; nowMs += 500) expect(flood(nowMs)).toBe(false);
    for (let nowMs = 6001; nowMs < 16_001; nowMs += 500) expect(flood(nowMs)).toBe(false);
    expect(flood(16_001)).toBe(true);
  });
});
