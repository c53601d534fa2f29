import { describe, expect, test } from "bun:test";
import { noteOnIssue, taskClock } from "./timetable.ts";
import type { TaskMessage } from "./task-record.ts";

const NOW = 1_000_000;
const message = (seq: number, newTimeoutMs: number): TaskMessage => ({
  ...{ seq, message: '""', sentMs: NOW, newTimeoutMs, keptUntilMs: 0 },
});
const after = (top: number, newTimeoutMs: number) => ({ top, last: message(top, newTimeoutMs) });
const note = (afterSeq: number, deadlineMs: number | null) => ({ afterSeq, deadlineMs });

describe("the task clock", () => {
  test("is what the newest message says", () => {
    expect(taskClock(after(3, 5000), null)).toBe(NOW + 5000);
    expect(taskClock(after(3, 0), null)).toBeUndefined();
    expect(taskClock({ top: 0 }, null)).toBeUndefined();
  });

  test("of a message of the future is no longer than it lasts", () => {
    const HOURS_MS = 2 * 3_600_000;
    expect(taskClock(after(3, 5000), null, NOW - HOURS_MS)).toBe(NOW - HOURS_MS + 5000);
    expect(taskClock(after(3, 5000), null, NOW + 4000)).toBe(NOW + 5000);
  });

  test("is what was noted behind the newest message, and not behind an earlier one", () => {
    expect(taskClock(after(3, 5000), note(3, NOW + 1))).toBe(NOW + 1);
    expect(taskClock(after(3, 5000), note(3, null))).toBeUndefined();
    expect(taskClock(after(3, 5000), note(2, NOW + 1))).toBe(NOW + 5000);
    expect(taskClock(after(3, 0), note(2, NOW + 1))).toBeUndefined();
    // The message has expired, its clock has not.
    expect(taskClock({ top: 3 }, note(3, NOW + 1))).toBe(NOW + 1);
  });
});

describe("a new token", () => {
  test("notes a running clock, so that it outlives its message", () => {
    expect(noteOnIssue(after(3, 5000), null, NOW)).toEqual(note(3, NOW + 5000));
  });

  test("clears one that has run out, at its very end too", () => {
    expect(noteOnIssue(after(3, 5000), null, NOW + 5000)).toEqual(note(3, null));
    expect(noteOnIssue({ top: 0 }, note(0, NOW - 1), NOW)).toEqual(note(0, null));
  });

  test("notes nothing where there is no clock, nor over what is noted behind a later message", () => {
    expect(noteOnIssue(after(3, 0), null, NOW)).toBeNull();
    expect(noteOnIssue({ top: 0 }, null, NOW)).toBeNull();
    expect(noteOnIssue(after(3, 5000), note(4, NOW + 1), NOW)).toEqual(note(4, NOW + 1));
  });
});
