/** How often something may be asked for an endpoint, counted on this node (webhooks.md §10). */
import type { Clock } from "../core/runtime.ts";
import { WebhookError } from "./contract.ts";

export interface Allowance {
  readonly count: number;
  readonly withinMs: number;
}

/** Beyond it those that ended are dropped: endpoints come and go. */
const SUBJECTS_MAX = 10_000;

export class Allowances {
  readonly #clock: Clock;
  readonly #allowance: Allowance;
  /** Moments within the time, the oldest first. */
  readonly #taken = new Map<string, number[]>();

  constructor(clock: Clock, allowance: Allowance) {
    this.#clock = clock;
    this.#allowance = allowance;
  }

  /** Throws `rate_limited`. */
  take(subject: string): void {
    const { count, withinMs } = this.#allowance;
    const nowMs = this.#clock.monotonicMs();
    const recent = (this.#taken.get(subject) ?? []).filter((ms) => nowMs - ms < withinMs);
    const [oldest] = recent;
    if (recent.length >= count && oldest !== undefined) {
      throw new WebhookError("rate_limited", "Too many requests for this endpoint.", {
        retryAfterMs: withinMs - (nowMs - oldest),
      });
    }
    this.#taken.delete(subject);
    this.#taken.set(subject, [...recent, nowMs]);
    if (this.#taken.size > SUBJECTS_MAX) this.#drop(nowMs - withinMs);
  }

  #drop(untilMs: number): void {
    for (const [subject, taken] of this.#taken) {
      if ((taken.at(-1) ?? 0) > untilMs) return;
      this.#taken.delete(subject);
    }
  }
}
