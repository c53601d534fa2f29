/** Times of which many are taken, and a few are told. */

/** What a report holds of them: quantiles of several processes' are found well enough in these. */
const TOLD = 2_000;

/** Microseconds. Beyond `max` of them no more are kept. */
export class Times {
  readonly #us: Uint32Array;
  #count = 0;

  constructor(max: number) {
    this.#us = new Uint32Array(max);
  }

  add(us: number): void {
    if (this.#count < this.#us.length) this.#us[this.#count++] = Math.max(0, us);
  }

  restart(): void {
    this.#count = 0;
  }

  sorted(): Uint32Array {
    return this.#us.subarray(0, this.#count).toSorted();
  }

  /** In their order, the least and the most among them. */
  report(): number[] {
    return thinned(this.sorted());
  }
}

export function thinned(sorted: Uint32Array): number[] {
  if (sorted.length <= TOLD) return [...sorted];
  const step = (sorted.length - 1) / (TOLD - 1);
  return Array.from({ length: TOLD }, (_, at) => sorted[Math.round(at * step)] ?? 0);
}

/** Of what is in order. 0 of nothing. */
export function quantile(sorted: ArrayLike<number>, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
