/** The pace of sweeps, on a clock on which every step takes a millisecond. */
import { expect, test } from "bun:test";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { SLICE_MS } from "../../core/limits.ts";
import type { Job } from "./commit-queue.ts";
import { SLICE_PAUSE_MS, startSweeper, SWEEP_INTERVAL_MS } from "./sweeper.ts";

function startCounting(steps: number, { fails = false } = {}) {
  const runtime = createTestRuntime();
  let workMs = 0;
  const slices: number[] = [];
  const seen = { sweeps: 0, noted: 0 };
  const sweeper = startSweeper({
    store: {
      *sweep() {
        seen.sweeps += 1;
        for (let step = 1; step < steps; step += 1) {
          workMs += 1;
          yield;
        }
      },
      database: { nowMs: () => 0, noteTime: () => (seen.noted += 1) },
    },
    queue: {
      async submit<Result>(job: Job<Result>) {
        const before = workMs;
        job.write(0);
        slices.push(workMs - before);
        if (fails) throw new Error("The disk is full");
        return job.result(0);
      },
    },
    runtime: {
      clock: { ...runtime.clock, monotonicMs: () => runtime.clock.monotonicMs() + workMs },
      timers: runtime.timers,
    },
  });
  return { runtime, sweeper, slices, seen };
}

test("a sweep is done in slices of a few milliseconds with pauses between, until it has ended", async () => {
  const { runtime, slices, seen } = startCounting(5 * SLICE_MS);
  await runtime.advance(SWEEP_INTERVAL_MS - 1);
  expect(slices).toEqual([]);
  await runtime.advance(1);
  expect(slices).toEqual([SLICE_MS]);
  await runtime.advance(SLICE_PAUSE_MS - 1);
  expect(slices).toHaveLength(1);
  await runtime.advance(1 + 3 * SLICE_PAUSE_MS);
  expect(slices).toEqual([SLICE_MS, SLICE_MS, SLICE_MS, SLICE_MS, SLICE_MS - 1]);
  expect(seen).toEqual({ sweeps: 1, noted: 1 });
  await runtime.advance(SWEEP_INTERVAL_MS);
  expect(seen.sweeps).toBe(2);
});

test("a slice that the database refuses is followed by another sweep, not by the rest of this one", async () => {
  const { runtime, sweeper, slices, seen } = startCounting(5 * SLICE_MS, { fails: true });
  await runtime.advance(2 * SWEEP_INTERVAL_MS);
  expect(slices).toEqual([SLICE_MS, SLICE_MS]);
  expect(seen).toEqual({ sweeps: 2, noted: 0 });
  sweeper.close();
  expect(runtime.pendingTimers).toBe(0);
});
