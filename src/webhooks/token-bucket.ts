/** An endpoint's `rate_limit` (webhooks.md §7.4): in any second no more than the rate and the bucket's few. */

/** How much of a second's worth may go out at once: one message, up to the rate of 100. */
const BURST_S = 0.01;

/** Times are monotonic milliseconds. */
export class TokenBucket {
  #tokens = 1;
  #filledMs: number;

  constructor(nowMs: number) {
    this.#filledMs = nowMs;
  }

  /** Whole messages that may go out now. */
  available(perSecond: number, nowMs: number): number {
    const burst = Math.max(1, perSecond * BURST_S);
    const filled = this.#tokens + ((nowMs - this.#filledMs) * perSecond) / 1000;
    this.#tokens = Math.min(burst, filled);
    this.#filledMs = nowMs;
    return Math.floor(this.#tokens + EPSILON);
  }

  /** Of those that are available. */
  take(count: number): void {
    this.#tokens -= count;
  }

  /** Milliseconds until one more is available. */
  waitMs(perSecond: number): number {
    return Math.max(0, ((1 - this.#tokens) * 1000) / perSecond);
  }
}

/** Sums of parts of a token come out short of it. */
const EPSILON = 1e-6;
