import { expect, test } from "bun:test";
import { deadlineAt, leftOf, steadyTime } from "./deadline.ts";

const HOUR_MS = 3_600_000;

test("a deadline comes with its time, no later when the wall clock is set back, and at once when it is set behind it", () => {
  let epochMs = 1_800_000_000_000;
  let monotonicMs = 5_000;
  const clock = { epochMs: () => epochMs, monotonicMs: () => monotonicMs };
  const pass = (ms: number) => {
    epochMs += ms;
    monotonicMs += ms;
  };
  const deadline = deadlineAt(clock, epochMs + 60_000);
  expect(leftOf(clock, deadline)).toBe(60_000);
  epochMs -= 2 * HOUR_MS;
  expect(leftOf(clock, deadline)).toBe(60_000);
  pass(59_999);
  expect(leftOf(clock, deadline)).toBe(1);
  pass(1);
  expect(leftOf(clock, deadline)).toBe(0);
  const later = deadlineAt(clock, epochMs + HOUR_MS);
  epochMs += 2 * HOUR_MS;
  expect(leftOf(clock, later)).toBe(-HOUR_MS);
  expect(leftOf(clock, deadlineAt(clock, Infinity))).toBe(Infinity);
});

test("a steady time goes on where the wall clock is set back, and with it where it is set forward", () => {
  let epochMs = 1_800_000_000_000;
  let monotonicMs = 5_000.25;
  const nowMs = steadyTime({ epochMs: () => epochMs, monotonicMs: () => monotonicMs });
  expect(nowMs()).toBe(epochMs);
  // Nobody asked for the time meanwhile.
  monotonicMs += 60_000;
  epochMs += 60_000 - 2 * HOUR_MS;
  expect(nowMs()).toBe(1_800_000_060_000);
  monotonicMs += HOUR_MS;
  epochMs += HOUR_MS;
  expect(nowMs()).toBe(1_800_003_660_000);
  epochMs += 3 * HOUR_MS;
  expect(nowMs()).toBe(epochMs);
  expect(Number.isInteger(nowMs())).toBe(true);
});
