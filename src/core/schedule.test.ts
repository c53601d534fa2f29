import { expect, test } from "bun:test";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { createSchedule, type Scheduled } from "./schedule.ts";

function entry(fired: number[], also?: (nowMs: number) => void): Scheduled {
  return {
    scheduledPlace: 0,
    due(nowMs) {
      fired.push(nowMs);
      also?.(nowMs);
    },
  };
}

test("a deadline fires once, not early and at most a tick late", async () => {
  const runtime = createTestRuntime();
  const schedule = createSchedule(runtime);
  const fired: number[] = [];
  schedule.set(entry(fired), 1234);
  await runtime.advance(1233);
  expect(fired).toEqual([]);
  await runtime.advance(100_000);
  expect(fired).toEqual([1300]);
  expect(schedule.size).toBe(0);
});

test("a new deadline replaces the former, a cleared one does not fire", async () => {
  const runtime = createTestRuntime();
  const schedule = createSchedule(runtime);
  const [moved, cleared]: number[][] = [[], []];
  const [one, two] = [entry(moved ?? []), entry(cleared ?? [])];
  schedule.set(one, 500);
  schedule.set(one, 2000);
  schedule.set(two, 500);
  schedule.clear(two);
  schedule.clear(two);
  await runtime.advance(5000);
  expect([moved, cleared]).toEqual([[2000], []]);
});

test("an entry may set and clear others while it fires", async () => {
  const runtime = createTestRuntime();
  const schedule = createSchedule(runtime);
  const [first, second, third]: number[][] = [[], [], []];
  const two = entry(second ?? []);
  const three = entry(third ?? []);
  const one = entry(first ?? [], (nowMs) => {
    schedule.clear(two);
    schedule.set(three, nowMs + 300);
    if (first?.length === 1) schedule.set(one, nowMs + 100);
  });
  schedule.set(one, 100);
  schedule.set(two, 100);
  schedule.set(three, 100);
  await runtime.advance(2000);
  expect([first, second, third]).toEqual([[100, 200], [], [500]]);
});

test("far deadlines cost no bucket each and still fire in time", async () => {
  const runtime = createTestRuntime();
  const schedule = createSchedule(runtime);
  const fired: number[] = [];
  for (let index = 0; index < 1000; index++) schedule.set(entry(fired), 3_600_000 + index * 100);
  expect(runtime.pendingTimers).toBe(1);
  await runtime.advance(3_600_000 + 100_000);
  expect(fired).toHaveLength(1000);
  expect(fired[0]).toBe(3_600_000);
  expect(runtime.pendingTimers).toBe(0);
});

test("close() leaves no timer and takes nothing more", () => {
  const runtime = createTestRuntime();
  const schedule = createSchedule(runtime);
  schedule.set(entry([]), 100);
  schedule.close();
  schedule.set(entry([]), 100);
  expect([schedule.size, runtime.pendingTimers]).toEqual([0, 0]);
});
