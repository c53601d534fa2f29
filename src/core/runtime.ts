/** Time, timers and randomness as the core sees them: passed in, so that tests move time and replay chance from a seed. */

export interface Clock {
  /** Milliseconds since the Unix epoch: expiry, publication times, jobs. May jump. */
  epochMs(): number;
  /** Milliseconds since an arbitrary moment: intervals and deadlines. Never goes back. */
  monotonicMs(): number;
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
