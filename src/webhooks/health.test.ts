import { expect, test } from "bun:test";
import { afterFailure, healthOf, type Failures, type FailureVerdict } from "./health.ts";

const START_MS = Date.UTC(2026, 0, 5);

/** Failures at these hours, in a row; the verdict of the last. */
function failing(...hours: readonly number[]): FailureVerdict {
  let failures: Failures | undefined;
  let verdict: FailureVerdict | undefined;
  for (const hour of hours) {
    verdict = afterFailure(failures, START_MS + hour * 3_600_000);
    ({ failures } = verdict);
  }
  if (verdict === undefined) throw new Error("Nothing failed");
  return verdict;
}

test("one failure never disables, nor do many within 12 hours", () => {
  expect(failing(0).disable).toBe(false);
  const { disable, notice, failures } = failing(0, 1, 5, 11.99);
  expect([disable, notice]).toEqual([false, undefined]);
  expect(healthOf({ failures, succeeded: true })).toEqual({
    ...{ state: "healthy", failingSinceMs: null, consecutiveFailures: 4 },
  });
});

test("the clock counts from the first of two failures 12 hours apart", () => {
  expect(healthOf({ failures: failing(0, 12).failures, succeeded: true })).toEqual({
    ...{ state: "healthy", failingSinceMs: START_MS, consecutiveFailures: 2 },
  });
});

test("a notice at 24 and at 96 hours, each once, and the end at 120", () => {
  expect(failing(0, 12, 23.9).notice).toBeUndefined();
  const first = failing(0, 12, 24);
  expect(first.notice).toEqual({ disableAtMs: START_MS + 120 * 3_600_000 });
  expect(healthOf({ failures: first.failures, succeeded: false }).state).toBe("failing");
  expect(failing(0, 12, 24, 25, 95).notice).toBeUndefined();
  expect(failing(0, 12, 24, 96).notice).toBeDefined();
  expect(failing(0, 12, 24, 96, 97).notice).toBeUndefined();
  expect(failing(0, 12, 24, 96, 119.9).disable).toBe(false);
  const last = failing(0, 12, 24, 96, 120);
  expect([last.disable, last.notice]).toEqual([true, undefined]);
});

test("a notice that had no failure to be judged at is made up for, once", () => {
  expect(failing(0, 100).notice).toBeDefined();
  expect(failing(0, 100, 101).notice).toBeUndefined();
  expect(failing(0, 130).disable).toBe(true);
});

test("240 hours without an attempt forget what was", () => {
  const { disable, failures } = failing(0, 100, 340);
  expect(disable).toBe(false);
  expect(failures.count).toBe(1);
  expect(failing(0, 100, 339.9).disable).toBe(true);
});

test("an endpoint without failures is healthy", () => {
  for (const succeeded of [true, false]) {
    expect(healthOf({ failures: undefined, succeeded })).toEqual({
      ...{ state: "healthy", failingSinceMs: null, consecutiveFailures: 0 },
    });
  }
});

test("an endpoint that failed and never succeeded is unproven", () => {
  expect(healthOf({ failures: failing(0).failures, succeeded: false })).toEqual({
    ...{ state: "unproven", failingSinceMs: null, consecutiveFailures: 1 },
  });
});

test("a clock that is set back two hours keeps what has run", () => {
  const { failures } = failing(0, 12, 119);
  const set = afterFailure(failures, START_MS + 117.5 * 3_600_000);
  expect([set.disable, set.failures.firstMs]).toEqual([false, START_MS - 1.5 * 3_600_000]);
  expect(afterFailure(set.failures, START_MS + 118.5 * 3_600_000).disable).toBe(true);
});
