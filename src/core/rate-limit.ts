/** A bound on one connection's commands per second, with a burst of one second's worth. */
export class RateLimit {
  readonly #perSecond: number;
  #tokens: number;
  #filledAtMs: number;

  /** `perSecond` 0: no limit. */
  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledAtMs = nowMs;
  }

  /** `limited`: over the rate; `flooded`: over it by another second's worth. */
  take(nowMs: number): "taken" | "limited" | "flooded" {
    const perSecond = this.#perSecond;
    if (perSecond === 0) return "taken";
    const filled = this.#tokens + ((nowMs - this.#filledAtMs) * perSecond) / 1000;
    this.#tokens = Math.min(perSecond, filled) - 1;
    this.#filledAtMs = nowMs;
    if (this.#tokens >= 0) return "taken";
    return this.#tokens < -perSecond ? "flooded" : "limited";
  }
}
