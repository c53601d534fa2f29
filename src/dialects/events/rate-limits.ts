/** Bounds on how often one caller may do one thing, on this node (event-streaming.md §10.4): token buckets by name and key. */
import type { Clock } from "../../core/runtime.ts";
import { rateLimited } from "./errors.ts";

/** Buckets that are held; beyond it those that are full again are dropped. */
export const BUCKETS_MAX = 10_000;

export interface Rate {
  /** Of this many at a time. 0: any number. */
  readonly count: number;
  readonly perMs: number;
}

export interface RateLimits {
  /** Takes `amount`, default 1, of the key's bucket. Throws `rate_limited`, and takes nothing, when it does not hold as much. */
  take(key: string, rate: Rate, amount?: number): void;
  /** Throws as `take`, but takes nothing. */
  require(key: string, rate: Rate, amount?: number): void;
  /** Takes without asking: for what is known only behind the deed. */
  charge(key: string, rate: Rate, amount?: number): void;
}

interface Bucket {
  readonly rate: Rate;
  tokens: number;
  filledAtMs: number;
}

export function createRateLimits({ clock }: { readonly clock: Clock }): RateLimits {
  const buckets = new Map<string, Bucket>();

  function filled(key: string, rate: Rate): Bucket {
    const nowMs = clock.monotonicMs();
    let bucket = buckets.get(key);
    if (bucket === undefined) {
      if (buckets.size >= BUCKETS_MAX) sweep(nowMs);
      buckets.set(key, (bucket = { rate, tokens: rate.count, filledAtMs: nowMs }));
    }
    refill(bucket, nowMs);
    return bucket;
  }

  function sweep(nowMs: number): void {
    for (const [key, bucket] of buckets) {
      refill(bucket, nowMs);
      if (bucket.tokens >= bucket.rate.count) buckets.delete(key);
    }
  }

  function require(key: string, rate: Rate, amount = 1): void {
    if (rate.count === 0) return;
    // More than a bucket ever holds is let through from a full one.
    const missing = Math.min(amount, rate.count) - filled(key, rate).tokens;
    if (missing > 0) throw rateLimited((missing * rate.perMs) / rate.count);
  }

  function charge(key: string, rate: Rate, amount = 1): void {
    if (rate.count > 0) filled(key, rate).tokens -= amount;
  }

  return {
    require,
    charge,
    take(key, rate, amount) {
      require(key, rate, amount);
      charge(key, rate, amount);
    },
  };
}

function refill(bucket: Bucket, nowMs: number): void {
  const { rate, tokens, filledAtMs } = bucket;
  const grown = tokens + ((nowMs - filledAtMs) * rate.count) / rate.perMs;
  bucket.tokens = Math.min(rate.count, grown);
  bucket.filledAtMs = nowMs;
}
