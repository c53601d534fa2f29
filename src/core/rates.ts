/** Bounds on how often something may happen: token buckets, and exact bounds per minute. All times are monotonic milliseconds unless said otherwise. */

export interface Rate {
  /** So many within `perMs`, evenly. */
  readonly count: number;
  readonly perMs: number;
  /** So many at once. Default: `count`. */
  readonly burst?: number;
}

export function perSecond(count: number, burst = count): Rate {
  return { count, perMs: 1000, burst };
}

/** Sums of parts of a token come out a little short of it. */
const EPSILON = 1e-6;

/** Full at first. */
export class TokenBucket {
  #rate: Rate;
  #tokens: number;
  #filledAtMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = capacityOf(rate);
    this.#filledAtMs = nowMs;
  }

  /** From here on; what it holds beyond the new burst is lost. */
  set rate(rate: Rate) {
    this.#rate = rate;
  }

  /** Tokens in it, with fractions; below 0 when more were charged than it held. */
  level(nowMs: number): number {
    const { count, perMs } = this.#rate;
    const filled = this.#tokens + ((nowMs - this.#filledAtMs) * count) / perMs;
    this.#tokens = Math.min(capacityOf(this.#rate), filled);
    this.#filledAtMs = nowMs;
    return this.#tokens;
  }

  /** Whole tokens in it. */
  whole(nowMs: number): number {
    return Math.max(0, Math.floor(this.level(nowMs) + EPSILON));
  }

  isFull(nowMs: number): boolean {
    return this.level(nowMs) >= capacityOf(this.#rate) - EPSILON;
  }

  /** Whole milliseconds until it holds `amount`, or is full; 0: it does. Takes nothing. */
  waitMs(nowMs: number, amount = 1): number {
    const missing = Math.min(amount, capacityOf(this.#rate)) - this.level(nowMs);
    const { count, perMs } = this.#rate;
    return missing <= EPSILON ? 0 : Math.ceil((missing * perMs) / count - EPSILON);
  }

  /** Takes whether or not it holds as much: for what is known only behind the deed. */
  charge(nowMs: number, amount = 1): void {
    this.#tokens = this.level(nowMs) - amount;
  }

  /** 0: taken. Else nothing was, and so many milliseconds are to be waited. */
  take(nowMs: number, amount = 1): number {
    const waitMs = this.waitMs(nowMs, amount);
    if (waitMs === 0) this.charge(nowMs, amount);
    return waitMs;
  }
}

function capacityOf({ count, burst = count }: Rate): number {
  return burst;
}

/** One bucket for each key, such as a user or a task. */
export class KeyedBuckets {
  readonly #max: number;
  readonly #buckets = new Map<string, TokenBucket>();

  /** `max`: when there are as many, those that are full again are forgotten. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Made, full, when it is not known. One key always comes with one rate. */
  of(key: string, rate: Rate, nowMs: number): TokenBucket {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= this.#max) this.#forgetFull(nowMs);
      this.#buckets.set(key, (bucket = new TokenBucket(rate, nowMs)));
    }
    return bucket;
  }

  #forgetFull(nowMs: number): void {
    for (const [key, bucket] of this.#buckets) {
      if (bucket.isFull(nowMs)) this.#buckets.delete(key);
    }
  }
}

const WINDOW_MS = 60_000;

/** Those of the last minute, on whichever clock. What lies further ahead was before the clock was set back. */
export function lastMinute(times: readonly number[], nowMs: number): readonly number[] {
  return times.filter((timeMs) => Math.abs(timeMs - nowMs) < WINDOW_MS);
}

/** Exact at any moment: the times of the last minute are kept. */
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
