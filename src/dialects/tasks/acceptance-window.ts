/** Bounds per minute, exact at any moment: the times of the last minute are kept. */

const WINDOW_MS = 60_000;

/** Those of the last minute. `times` ascend. */
export function lastMinute(times: readonly number[], nowMs: number): readonly number[] {
  const first = times.findIndex((timeMs) => timeMs > nowMs - WINDOW_MS);
  return first < 0 ? [] : times.slice(first);
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
