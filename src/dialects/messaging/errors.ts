/** Refusals of messages (messaging.md §10) and close codes (§4.4). */
import type { DisconnectCode, HubErrorCode } from "../../core/errors.ts";
import type { Word } from "../every-word.ts";
import type { Close } from "../session.ts";

export const ERRORS = [
  ...["invalid-field", "not-found", "not-administrator", "token-in-use", "last-administrator"],
  ...["blocked", "too-large", "limit-reached", "rate-limited", "unavailable"],
] as const;

export type ErrorCode = (typeof ERRORS)[number];

/** By which the log and the metrics tell of it. */
export function wordOf<Code extends ErrorCode>(code: Code): WordOf<Code> {
  return code.replaceAll("-", "_") as WordOf<Code>;
}

type WordOf<Code extends string> = Code extends `${infer First}-${infer Rest}`
  ? `${First}_${WordOf<Rest>}`
  : Code;

export interface RefusalDetails {
  /** The field, or the id in it, that it is about. */
  readonly field?: string;
  readonly retryAfterSeconds?: number;
}

/** A client message that was not carried out: its ack says why. */
export class Refusal extends Error {
  readonly error: ErrorCode;
  readonly details: RefusalDetails;
  /** By which the log and the metrics tell of it. */
  readonly word: Word;

  /** `reason`: a sentence for developers. `word`: the core's, where it is what the core threw. */
  constructor(
    error: ErrorCode,
    reason: string,
    details: RefusalDetails = {},
    word: Word = wordOf(error),
  ) {
    super(reason);
    this.word = word;
    this.name = "Refusal";
    this.error = error;
    this.details = details;
  }
}

/** The hub's refusals in this dialect's words. */
export const HUB_ERRORS = {
  already_subscribed: "unavailable",
  limit_exceeded: "limit-reached",
  bad_request: "invalid-field",
  not_available: "unavailable",
  token_expired: "unavailable",
  invalid_token: "unavailable",
  unrecoverable_position: "unavailable",
  unavailable: "unavailable",
} as const satisfies Record<HubErrorCode, ErrorCode>;

/** §4.4. Other reasons send the client elsewhere, where the backlog repairs the gap, or end it. */
export const CLOSES = {
  shutdown: { code: 1001, reason: "Going away" },
  internal_error: { code: 1011, reason: "Internal error" },
  slow: { code: 4408, reason: "Slow consumer" },
  // §4.5: the peer is gone, and hears no code.
  no_pong: { code: 1001, reason: "Going away" },
  too_many_requests: { code: 4429, reason: "Rate limit exceeded" },
  // Nothing in this protocol is answered by a close: such frames are passed over (§6.1).
  bad_request: { code: 1000, reason: "Normal closure" },
  missed: { code: 1001, reason: "Going away" },
  uncarriable: { code: 1011, reason: "Internal error" },
  connection_limit: { code: 4409, reason: "Too many connections" },
  ended: { code: 1000, reason: "Normal closure" },
  sent_back: { code: 1001, reason: "Going away" },
} as const satisfies Record<DisconnectCode, Close>;

/** §4.3. */
export const UNAUTHORIZED: Close = { code: 4401, reason: "Unauthorized" };
