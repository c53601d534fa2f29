/** Moments of the wall clock that nobody has to wait for longer because that clock was set back. */
import type { Clock } from "./runtime.ts";

/**
 * Epoch milliseconds for what a store lets expire or gives out later: they go on where the clock was set back. They follow a
 * clock forward, which is also what a machine that slept looks like.
 */
export function steadyTime({ epochMs, monotonicMs }: Pick<Clock, "epochMs" | "monotonicMs">) {
  let beganMs = -Infinity;
  return (): number => {
    const passedMs = monotonicMs();
    beganMs = Math.max(beganMs, epochMs() - passedMs);
    return Math.floor(beganMs + passedMs);
  };
}

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
