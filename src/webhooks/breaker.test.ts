import { expect, test } from "bun:test";
import { Breaker } from "./breaker.ts";

/** Ten failures, this far apart. */
function tripped(apartMs: number): Breaker {
  const breaker = new Breaker();
  for (let index = 0; index < 10; index += 1) breaker.failed(index * apartMs);
  return breaker;
}

test("opens at the tenth failure in a row within 5 minutes, for a minute", () => {
  const breaker = new Breaker();
  for (let index = 0; index < 9; index += 1) breaker.failed(index);
  expect(breaker.isOpen).toBe(false);
  breaker.failed(9);
  expect([breaker.isOpen, breaker.untilMs]).toEqual([true, 60_009]);
});

test("counts only what lies within 5 minutes", () => {
  expect(tripped(33_333).isOpen).toBe(true);
  expect(tripped(33_334).isOpen).toBe(false);
});

test("a success between begins anew", () => {
  const breaker = new Breaker();
  for (let index = 0; index < 9; index += 1) breaker.failed(index);
  breaker.succeeded();
  for (let index = 0; index < 9; index += 1) breaker.failed(index);
  expect(breaker.isOpen).toBe(false);
});

test("a failed probe doubles the wait, to ten minutes; a good one closes", () => {
  const breaker = tripped(0);
  const waits: number[] = [];
  for (let round = 0; round < 6; round += 1) {
    const nowMs = breaker.untilMs;
    breaker.failed(nowMs);
    waits.push(breaker.untilMs - nowMs);
  }
  expect(waits).toEqual([120_000, 240_000, 480_000, 600_000, 600_000, 600_000]);
  breaker.succeeded();
  expect([breaker.isOpen, breaker.untilMs]).toEqual([false, 0]);
  breaker.failed(breaker.untilMs);
  expect(breaker.isOpen).toBe(false);
});

test("requests that were under way when it opened change nothing", () => {
  const breaker = tripped(0);
  breaker.failed(10_000);
  expect(breaker.untilMs).toBe(60_000);
});
