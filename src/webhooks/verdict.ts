/** What an attempt's outcome means for its delivery and its endpoint (webhooks.md §7.1, §7.2). */
import type { WebhookAttemptError, WebhookDeadLetter } from "./contract.ts";

export interface Outcome {
  /** When the request began, epoch milliseconds. */
  readonly atMs: number;
  readonly durationMs: number;
  /** Null: there was no complete response. */
  readonly status: number | null;
  readonly error: WebhookAttemptError | null;
  /** The start of the response's body; null without a response. */
  readonly responseBody: string | null;
  readonly responseTruncated: boolean;
  /** `Retry-After` as it came. */
  readonly retryAfter: string | undefined;
  /** `webhook-delivery` as it came. */
  readonly control: string | undefined;
}

export interface Attempted {
  /** Attempts of this run through the schedule, this one included. */
  readonly run: number;
  /** Of them, those that ended with a blocked address, this one included. */
  readonly blocked: number;
  /** Milliseconds between attempts: one entry fewer than there are attempts. */
  readonly scheduleMs: readonly number[];
  readonly nowMs: number;
  /** In [0, 1). */
  readonly chance: number;
}

export type Verdict = {
  /** The endpoint is to be disabled, whatever became of the delivery. */
  readonly disable?: "gone" | "receiver";
} & (
  | { readonly state: "succeeded" }
  | { readonly state: "retry"; readonly atMs: number }
  | { readonly state: "failed"; readonly reason: WebhookDeadLetter["reason"] }
);

/** Now, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: the example schedule of the standard. */
export const SCHEDULE_MS: readonly number[] = [
  5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000,
];

const JITTER = 0.2;
/** After an answer that means "too much", and after none in time. */
const SLOW_DOWN_MS = 60_000;
const SLOW_DOWN_STATUSES = [429, 502, 503, 504];
/** What `Retry-After` may add to the planned delay. */
const RETRY_AFTER_MS_MAX = 86_400_000;
/** A blocked address needs a change of configuration: more than two retries will not bring it. */
const BLOCKED_ATTEMPTS_MAX = 3;

export function isSuccess({ status, error }: Pick<Outcome, "status" | "error">): boolean {
  return error === null && status !== null && status >= 200 && status <= 299;
}

export function judge(outcome: Outcome, attempted: Attempted): Verdict {
  const disable =
    outcome.control === "disable" ? "receiver" : outcome.status === 410 ? "gone" : undefined;
  return { ...stateAfter(outcome, attempted), ...(disable === undefined ? {} : { disable }) };
}

function stateAfter(outcome: Outcome, attempted: Attempted): Verdict {
  if (isSuccess(outcome)) return { state: "succeeded" };
  if (outcome.status === 410) return { state: "failed", reason: "gone" };
  if (outcome.control === "abort-message") return { state: "failed", reason: "aborted" };
  if (outcome.error === "blocked_address" && attempted.blocked >= BLOCKED_ATTEMPTS_MAX) {
    return { state: "failed", reason: "blocked_address" };
  }
  const plannedMs = attempted.scheduleMs[attempted.run - 1];
  if (plannedMs === undefined) return { state: "failed", reason: "exhausted" };
  return { state: "retry", atMs: attempted.nowMs + delayMs(outcome, plannedMs, attempted) };
}

function delayMs(outcome: Outcome, plannedMs: number, { nowMs, chance }: Attempted): number {
  const slowDown =
    outcome.error === "timeout" || SLOW_DOWN_STATUSES.includes(outcome.status ?? 0)
      ? SLOW_DOWN_MS
      : 0;
  const baseMs = Math.max(plannedMs, slowDown);
  const jittered = baseMs * (1 - JITTER + 2 * JITTER * chance);
  // Jitter never undercuts the minute that such an answer asks for.
  const ownMs = Math.round(Math.max(jittered, slowDown));
  const askedMs = Math.min(retryAfterMs(outcome.retryAfter, nowMs), ownMs + RETRY_AFTER_MS_MAX);
  return Math.max(ownMs, askedMs);
}

/** RFC 9110 §10.2.3: seconds, or a date. 0 for anything else. */
function retryAfterMs(value: string | undefined, nowMs: number): number {
  if (value === undefined) return 0;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const atMs = /[a-z]/i.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - nowMs);
}
