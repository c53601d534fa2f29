/** Moments of the wall clock that nobody has to wait for longer because that clock was set back. */
import type { Clock } from "./runtime.ts";

export interface Deadline {
  /** Epoch milliseconds, as the one who set it said. */
  readonly atMs: number;
  /** The same moment on the monotonic clock, as the wall clock stood when it was set. */
  readonly monotonicMs: number;
}

export function deadlineAt(clock: Clock, atMs: number): Deadline {
  return { atMs, monotonicMs: clock.monotonicMs() + atMs - clock.epochMs() };
}

/** Milliseconds, 0 or less from the deadline on, which has come as soon as one of the clocks has come to it. */
export function leftOf(clock: Clock, { atMs, monotonicMs }: Deadline): number {
  return Math.min(atMs - clock.epochMs(), monotonicMs - clock.monotonicMs());
}
