import { describe, expect, test } from "bun:test";
import { judge, SCHEDULE_MS, type Attempted, type Outcome } from "./verdict.ts";

const NOW_MS = Date.UTC(2026, 0, 5, 10, 0, 0);
const HOUR_MS = 3_600_000;

const outcome = (changes: Partial<Outcome>): Outcome => ({
  ...{ atMs: NOW_MS, durationMs: 1, status: null, error: null },
  ...{ responseBody: null, responseTruncated: false, retryAfter: undefined, control: undefined },
  ...changes,
});

const attempted = (changes: Partial<Attempted> = {}): Attempted => ({
  ...{ run: 1, blocked: 0, scheduleMs: SCHEDULE_MS, nowMs: NOW_MS, chance: 0.5 },
  ...changes,
});

const verdict = (changes: Partial<Outcome>, about: Partial<Attempted> = {}) =>
  judge(outcome(changes), attempted(about));

function delay(changes: Partial<Outcome>, about: Partial<Attempted> = {}): number {
  const judged = verdict(changes, about);
  if (judged.state !== "retry") throw new Error(`Expected a retry, got ${judged.state}`);
  return judged.atMs - NOW_MS;
}

test.each([200, 201, 204, 299])("%d succeeds", (status) => {
  expect(verdict({ status })).toEqual({ state: "succeeded" });
});

test.each([100, 199, 300, 301, 400, 404, 500])("%d is retried as planned", (status) => {
  expect(delay({ status })).toBe(5_000);
});

test.each(["dns", "connect", "tls", "redirect", "response_too_large"] as const)(
  "%s is retried as planned",
  (error) => {
    expect(delay({ error, status: error === "redirect" ? 302 : null })).toBe(5_000);
  },
);

test("an error fails, whatever the status", () => {
  expect(verdict({ status: 200, error: "timeout" }).state).toBe("retry");
});

test("the schedule: ten attempts, the last after 75:35:05", () => {
  const delays = SCHEDULE_MS.map((_, index) => delay({ status: 500 }, { run: index + 1 }));
  expect(delays).toEqual([...SCHEDULE_MS]);
  expect(delays.reduce((sum, ms) => sum + ms, 0)).toBe(((75 * 60 + 35) * 60 + 5) * 1000);
  expect(verdict({ status: 500 }, { run: 10 })).toEqual({ state: "failed", reason: "exhausted" });
});

test("a schedule without delays is one attempt", () => {
  expect(verdict({ status: 500 }, { scheduleMs: [] }).state).toBe("failed");
});

test("jitter is a fifth, either way", () => {
  expect(delay({ status: 500 }, { run: 2, chance: 0 })).toBe(240_000);
  expect(delay({ status: 500 }, { run: 2, chance: 1 - 1e-12 })).toBe(360_000);
});

describe("too much", () => {
  test.each([429, 502, 503, 504])("%d waits a minute at least, also with jitter", (status) => {
    expect(delay({ status })).toBe(60_000);
    expect(delay({ status }, { chance: 0 })).toBe(60_000);
    expect(delay({ status }, { chance: 1 - 1e-12 })).toBe(72_000);
    expect(delay({ status }, { run: 2 })).toBe(300_000);
  });

  test("so does a timeout", () => {
    expect(delay({ error: "timeout" })).toBe(60_000);
  });
});

describe("Retry-After", () => {
  test.each([
    ["3600", 3_600_000],
    ["0", 5_000],
    ["1", 5_000],
    ["Mon, 05 Jan 2026 12:00:00 GMT", 2 * HOUR_MS],
    ["Mon, 05 Jan 2026 09:00:00 GMT", 5_000],
    ["-5", 5_000],
    ["soon", 5_000],
    ["1.5", 5_000],
    ["", 5_000],
    ["86405", 86_405_000],
    ["86406", 86_405_000],
    ["9".repeat(400), 86_405_000],
    ["Fri, 31 Dec 9999 23:59:59 GMT", 86_405_000],
  ])("'%s' waits %d ms", (retryAfter, ms) => {
    expect(delay({ status: 500, retryAfter })).toBe(ms);
  });

  test("never makes an attempt earlier, or one more", () => {
    expect(delay({ status: 500, retryAfter: "60" }, { run: 2, chance: 0.5 })).toBe(300_000);
    expect(verdict({ status: 500, retryAfter: "60" }, { run: 10 }).state).toBe("failed");
  });
});

describe("what ends a delivery early", () => {
  test("410 ends it and disables the endpoint", () => {
    expect(verdict({ status: 410 })).toEqual({ state: "failed", reason: "gone", disable: "gone" });
  });

  test("abort-message ends it; with a success it is one", () => {
    const control = "abort-message";
    expect(verdict({ status: 500, control })).toEqual({ state: "failed", reason: "aborted" });
    expect(verdict({ status: 200, control })).toEqual({ state: "succeeded" });
  });

  test("disable disables, whatever the status", () => {
    const control = "disable";
    expect(verdict({ status: 200, control })).toEqual({ state: "succeeded", disable: "receiver" });
    expect(verdict({ status: 500, control })).toMatchObject({
      state: "retry",
      disable: "receiver",
    });
  });

  test("other values of the header mean nothing", () => {
    expect(verdict({ status: 500, control: "explode" })).toEqual(verdict({ status: 500 }));
  });

  test("a blocked address is retried twice", () => {
    const error = "blocked_address" as const;
    expect(delay({ error }, { blocked: 1, run: 1 })).toBe(5_000);
    expect(delay({ error }, { blocked: 2, run: 2 })).toBe(300_000);
    expect(verdict({ error }, { blocked: 3, run: 3 })).toEqual({
      state: "failed",
      reason: "blocked_address",
    });
  });
});
