/** Bounds on how often one caller may do one thing, on this node (event-streaming.md §10.4). */
import { KeyedBuckets, type Rate } from "../../core/rates.ts";
import type { Clock } from "../../core/runtime.ts";
import { limitHit, type LimitName, type DialectMetrics } from "../dialect.ts";
import { rateLimited } from "./errors.ts";

/** Callers and things that are remembered; beyond it those that did nothing lately are forgotten. */
export const BUCKETS_MAX = 10_000;

export interface NamedRate extends Rate {
  /** Absent: no setting, and so not counted. */
  readonly limit?: LimitName;
}

/** A rate of 0 is none. */
export interface RateLimits {
  /** Takes `amount`, default 1. Throws `rate_limited`, and takes nothing, when that is more than may be. */
  take(key: string, rate: NamedRate, amount?: number): void;
  /** Throws as `take`, but takes nothing. */
  require(key: string, rate: NamedRate, amount?: number): void;
  /** Takes without asking: for what is known only behind the deed. */
  charge(key: string, rate: NamedRate, amount?: number): void;
}

export function createRateLimits(
  { clock }: { readonly clock: Clock },
  metrics?: DialectMetrics,
): RateLimits {
  const buckets = new KeyedBuckets(BUCKETS_MAX);

  function require(key: string, rate: NamedRate, amount = 1): void {
    if (rate.count === 0) return;
    const nowMs = clock.monotonicMs();
    const waitMs = buckets.of(key, rate, nowMs).waitMs(nowMs, amount);
    if (waitMs <= 0) return;
    if (rate.limit !== undefined && metrics !== undefined) limitHit(metrics, rate.limit);
    throw rateLimited(waitMs);
  }

  function charge(key: string, rate: NamedRate, amount = 1): void {
    if (rate.count === 0) return;
    const nowMs = clock.monotonicMs();
    buckets.of(key, rate, nowMs).charge(nowMs, amount);
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
