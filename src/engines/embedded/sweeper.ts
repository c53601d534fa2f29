/** Takes out of the database what has expired, as fast as it expires, in slices between which everything else runs. */
import { SLICE_MS } from "../../core/limits.ts";
import type { Runtime, Timer } from "../../core/runtime.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { Store } from "./store.ts";

/** From the end of one sweep to the next, milliseconds. */
export const SWEEP_INTERVAL_MS = 10_000;
/** Between two slices: leaves four fifths of the time to others. */
export const SLICE_PAUSE_MS = 4 * SLICE_MS;
/** Bounds a slice also where the clock stands still. */
const SLICE_STEPS_MAX = 1_000;

export interface Sweeper {
  close(): void;
}

export function startSweeper(options: {
  readonly store: {
    readonly sweep: Store["sweep"];
    readonly database: Pick<Store["database"], "nowMs" | "noteTime">;
  };
  readonly queue: Pick<CommitQueue, "submit">;
  readonly runtime: Pick<Runtime, "clock" | "timers">;
}): Sweeper {
  const { store, queue } = options;
  const { clock, timers } = options.runtime;
  let timer: Timer | undefined;
  let closed = false;

  /** Whether the sweep has ended. */
  function slice(steps: Iterator<void>): Promise<boolean> {
    let ended = false;
    return queue.submit({
      writes: () => true,
      write() {
        const endMs = clock.monotonicMs() + SLICE_MS;
        for (let step = 0; step < SLICE_STEPS_MAX && !ended; step += 1) {
          ended = steps.next().done === true;
          if (clock.monotonicMs() >= endMs) break;
        }
        if (ended) store.database.noteTime();
      },
      result: () => ended,
    });
  }

  function sweepAfter(delayMs: number, known?: Iterator<void>): void {
    if (closed) return;
    timer = timers.after(delayMs, () => {
      const steps = known ?? store.sweep(store.database.nowMs());
      slice(steps).then(
        (ended) => (ended ? sweepAfter(SWEEP_INTERVAL_MS) : sweepAfter(SLICE_PAUSE_MS, steps)),
        // The failure is the queue's to remember, for `health`. What was undone with it is for the next sweep.
        () => sweepAfter(SWEEP_INTERVAL_MS),
      );
    });
  }

  sweepAfter(SWEEP_INTERVAL_MS);
  return {
    close() {
      closed = true;
      timer?.cancel();
    },
  };
}
