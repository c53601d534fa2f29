import { expect, test } from "bun:test";
import { duration, formatDuration, parseDuration } from "./durations.ts";

test.each([
  ["300s", 300_000],
  ["720h", 2_592_000_000],
  ["1m30s", 90_000],
  ["500ms", 500],
  ["1.5h", 5_400_000],
  ["1h2m3s4ms", 3_723_004],
  ["30", 30_000],
  [30, 30_000],
  [0.5, 500],
  [0, 0],
  ["0s", 0],
])("parseDuration(%p) is %p ms", (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

test.each(["", "s", "-1s", "1 s", "1d", "1s 2", "s1", "1..5s", -1, Number.NaN, Infinity])(
  "parseDuration(%p) is no duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

test.each([0, 1, 999, 1000, 90_000, 3_600_000, 2_592_000_000, 3_723_004])(
  "formatDuration(%p) is read back as the same",
  (durationMs) => {
    expect(parseDuration(formatDuration(durationMs))).toBe(durationMs);
  },
);

test("duration() holds its bounds, both included", () => {
  const bounded = duration({ minMs: 1000, maxMs: 60_000 });
  expect(bounded.parse("1s")).toBe(1000);
  expect(bounded.parse("1m")).toBe(60_000);
  expect(bounded.safeParse("999ms").error?.issues[0]?.message).toBe('must be at least "1s"');
  expect(bounded.safeParse("61s").error?.issues[0]?.message).toBe('must be at most "1m"');
  expect(bounded.safeParse(true).error?.issues[0]?.message).toStartWith("must be a duration");
});
