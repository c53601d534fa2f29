/** Bounds per minute, exact at any moment: the times of the last minute are kept. */

const WINDOW_MS = 60_000;

/** Those of the last minute. What lies further ahead was before the clock was set back. */
export function lastMinute(times: readonly number[], nowMs: number): readonly number[] {
  return times.filter((timeMs) => Math.abs(timeMs - nowMs) < WINDOW_MS);
}

/** One bound for one thing that is counted, such as a client's frames. */
export class MinuteBound {
  readonly #max: number;
  #times: readonly number[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** False: beyond the bound. */
  take(nowMs: number): boolean {
    if (!this.allows(nowMs)) return false;
    this.#times = [...lastMinute(this.#times, nowMs), nowMs];
    return true;
  }

  allows(nowMs: number): boolean {
    return lastMinute(this.#times, nowMs).length < this.#max;
  }
}
