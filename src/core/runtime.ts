/** Time, timers and randomness as the core sees them: passed in, so that tests move time and replay chance from a seed. */

export interface Clock {
  /** Milliseconds since the Unix epoch: what others can compare with their own clocks, such as a token's `exp`. May jump. */
  epochMs(): number;
  /**
   * The same, for what this server itself lets expire or happen later: a clock that is set back does not turn it back. It follows a
   * jump forward, which is also what a machine that slept looks like.
   */
  steadyMs(): number;
  /** Milliseconds since an arbitrary moment: intervals and deadlines. Never goes back. */
  monotonicMs(): number;
}

/** The one place that decides what a clock that was set means for deadlines. */
export function steadyClock({
  epochMs,
  monotonicMs,
}: Pick<Clock, "epochMs" | "monotonicMs">): Clock {
  let beganMs = -Infinity;
  const steadyMs = () => {
    const passedMs = monotonicMs();
    beganMs = Math.max(beganMs, epochMs() - passedMs);
    return Math.floor(beganMs + passedMs);
  };
  return { epochMs, monotonicMs, steadyMs };
}

export interface Timer {
  /** After this the callback does not run. May be called any number of times. */
  cancel(): void;
}

export interface Timers {
  /** Runs `callback` once, not before `delayMs` have passed on the monotonic clock. */
  after(delayMs: number, callback: () => void): Timer;
  /** Runs `callback` once, behind all input that this turn of the event loop still delivers. */
  soon(callback: () => void): void;
}

export interface Random {
  /** A version 4 UUID. */
  uuid(): string;
  /** Uniform in [0, 1). */
  fraction(): number;
}

export interface Runtime {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}
