/** The protocol's error and close codes: for the core's words, and for those that this dialect adds (centrifugo-protocol.md §8). */
import { HubError, type DisconnectCode, type HubErrorCode } from "../../core/errors.ts";
import { explainedText, type Explaining } from "../explaining.ts";
import type { Close } from "../session.ts";
import type { WireError } from "./protocol.ts";

/** §8.1. Total: a new core code does not compile until it has an answer here. */
export const WIRE_ERRORS = {
  unavailable: { code: 100, message: "internal server error", temporary: true },
  unknown_channel: { code: 102, message: "unknown channel" },
  permission_denied: { code: 103, message: "permission denied" },
  invalid_token: { code: 103, message: "permission denied" },
  method_not_found: { code: 104, message: "method not found" },
  already_subscribed: { code: 105, message: "already subscribed" },
  limit_exceeded: { code: 106, message: "limit exceeded" },
  bad_request: { code: 107, message: "bad request" },
  not_available: { code: 108, message: "not available" },
  token_expired: { code: 109, message: "token expired" },
  /** A valid token grants what has ended already. */
  expired: { code: 110, message: "expired" },
  too_many_requests: { code: 111, message: "too many requests", temporary: true },
  unrecoverable_position: { code: 112, message: "unrecoverable position" },
} as const satisfies Record<HubErrorCode, WireError> & Record<string, WireError>;

/** An expected failure that this dialect itself has a code for. */
export class StreamingError extends Error {
  readonly code: keyof typeof WIRE_ERRORS;
  /** For the log: more than the message where that leaves something open. */
  readonly detail: string;

  constructor(code: keyof typeof WIRE_ERRORS, message: string, detail = message) {
    super(message);
    this.detail = detail;
    this.code = code;
  }
}

/** What a command is answered with an error for. */
export type Refusal = HubError | StreamingError;

export function isRefusal(error: unknown): error is Refusal {
  return error instanceof HubError || error instanceof StreamingError;
}

/**
 * §8.2, total like the errors. Clients come back after 3000 to 3499. Reasons are not empty and not JSON: centrifuge-js tries to
 * parse them first (§3.5).
 */
export const CLOSES = {
  /** Its connect was refused. */
  connection_closed: { code: 3000, reason: "connection closed" },
  shutdown: { code: 3001, reason: "shutdown" },
  internal_error: { code: 3004, reason: "internal server error" },
  connection_expired: { code: 3005, reason: "connection expired" },
  subscription_expired: { code: 3006, reason: "subscription expired" },
  slow: { code: 3008, reason: "slow" },
  missed: { code: 3010, reason: "insufficient state" },
  /** A new token's channels cannot become the connection's. */
  other_channels: { code: 3010, reason: "insufficient state" },
  sent_back: { code: 3011, reason: "force reconnect" },
  no_pong: { code: 3012, reason: "no pong" },
  too_many_requests: { code: 3013, reason: "too many requests" },
  invalid_token: { code: 3500, reason: "invalid token" },
  bad_request: { code: 3501, reason: "bad request" },
  stale: { code: 3502, reason: "stale" },
  ended: { code: 3503, reason: "force disconnect" },
  connection_limit: { code: 3504, reason: "connection limit" },
  channel_limit: { code: 3505, reason: "channel limit" },
  uncarriable: { code: 3506, reason: "inappropriate protocol" },
  permission_denied: { code: 3507, reason: "permission denied" },
  not_available: { code: 3508, reason: "not available" },
} as const satisfies Record<DisconnectCode, Close> & Record<string, Close>;

export type CloseName = keyof typeof CLOSES;

/** Thrown where a command is to end its connection rather than be answered. */
export class CloseError extends Error {
  readonly close: CloseName;
  /** For the log: what the close's reason leaves open. */
  readonly detail: string | undefined;

  /** `because`: the detail, or the error that says it. */
  constructor(close: CloseName, because?: string | Refusal) {
    super(CLOSES[close].reason, { cause: because });
    this.close = close;
    this.detail = typeof because === "string" ? because : because?.detail;
  }
}

/** §8.3. */
export const UNSUBSCRIBE_CODES = {
  server: { code: 2000, reason: "server unsubscribe" },
  insufficientState: { code: 2500, reason: "insufficient state" },
  expired: { code: 2501, reason: "subscription expired" },
} as const;

/** What development mode adds to these: a wrong member, and which claim a token lacks. */
const EXPLAINED: readonly Refusal["code"][] = [
  "bad_request",
  "permission_denied",
  "invalid_token",
  "token_expired",
  "expired",
];

export function wireErrorOf(error: Refusal, context: Explaining): WireError {
  const wire = WIRE_ERRORS[error.code];
  if (!EXPLAINED.includes(error.code)) return wire;
  return { ...wire, message: explainedText(context, wire.message, error.detail) };
}
