/** How fast a connection may send (messaging.md §12): messages beyond the rate are refused, a connection that does not stop is ended. */
import { perSecond, TokenBucket } from "../../core/rates.ts";

/** Times the rate that may come at once. */
const BURST_SECONDS = 4;
/** How long the excess goes on until the connection is closed, milliseconds. */
const EXCESS_MS = 10_000;
/** An excess is over when nothing was refused for so long, milliseconds. */
const EXCESS_PAUSE_MS = 1000;

export type Taken = "taken" | "flooded" | { readonly retryAfterMs: number };

export class MessageRate {
  readonly #bucket: TokenBucket;
  #excessFromMs = 0;
  #refusedAtMs = -Infinity;

  /** `perSecondMax` > 0. */
  constructor(perSecondMax: number, nowMs: number) {
    this.#bucket = new TokenBucket(perSecond(perSecondMax, perSecondMax * BURST_SECONDS), nowMs);
  }

  take(nowMs: number): Taken {
    const retryAfterMs = this.#bucket.take(nowMs);
    if (retryAfterMs === 0) return "taken";
    if (nowMs - this.#refusedAtMs > EXCESS_PAUSE_MS) this.#excessFromMs = nowMs;
    this.#refusedAtMs = nowMs;
    return nowMs - this.#excessFromMs >= EXCESS_MS ? "flooded" : { retryAfterMs };
  }
}
