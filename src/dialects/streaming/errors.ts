/** The protocol's error and close codes for the core's words (centrifugo-protocol.md §8). */
import type { DisconnectCode, HubError, HubErrorCode } from "../../core/errors.ts";
import type { WireError } from "./protocol.ts";

/** §8.1. Total: a new core code does not compile until it has an answer here. */
export const WIRE_ERRORS = {
  internal: { code: 100, message: "internal server error", temporary: true },
  unavailable: { code: 100, message: "internal server error", temporary: true },
  unauthorized: { code: 101, message: "unauthorized" },
  unknown_channel: { code: 102, message: "unknown channel" },
  permission_denied: { code: 103, message: "permission denied" },
  token_invalid: { code: 103, message: "permission denied" },
  method_not_found: { code: 104, message: "method not found" },
  already_subscribed: { code: 105, message: "already subscribed" },
  limit_exceeded: { code: 106, message: "limit exceeded" },
  bad_request: { code: 107, message: "bad request" },
  not_available: { code: 108, message: "not available" },
  token_expired: { code: 109, message: "token expired" },
  expired: { code: 110, message: "expired" },
  too_many_requests: { code: 111, message: "too many requests", temporary: true },
  unrecoverable_position: { code: 112, message: "unrecoverable position" },
  conflict: { code: 113, message: "concurrent pagination", temporary: true },
} as const satisfies Record<HubErrorCode, WireError>;

/** §8.2. Reasons are not empty and not JSON: centrifuge-js tries to parse them first (§3.5). */
export const DISCONNECTS = {
  connection_closed: { code: 3000, reason: "connection closed" },
  shutdown: { code: 3001, reason: "shutdown" },
  internal_error: { code: 3004, reason: "internal server error" },
  connection_expired: { code: 3005, reason: "connection expired" },
  subscription_expired: { code: 3006, reason: "subscription expired" },
  slow: { code: 3008, reason: "slow" },
  write_error: { code: 3009, reason: "write error" },
  insufficient_state: { code: 3010, reason: "insufficient state" },
  force_reconnect: { code: 3011, reason: "force reconnect" },
  no_pong: { code: 3012, reason: "no pong" },
  too_many_requests: { code: 3013, reason: "too many requests" },
  invalid_token: { code: 3500, reason: "invalid token" },
  bad_request: { code: 3501, reason: "bad request" },
  stale: { code: 3502, reason: "stale" },
  force_disconnect: { code: 3503, reason: "force disconnect" },
  connection_limit: { code: 3504, reason: "connection limit" },
  channel_limit: { code: 3505, reason: "channel limit" },
  inappropriate_protocol: { code: 3506, reason: "inappropriate protocol" },
  permission_denied: { code: 3507, reason: "permission denied" },
  not_available: { code: 3508, reason: "not available" },
  too_many_errors: { code: 3509, reason: "too many errors" },
} as const satisfies Record<DisconnectCode, { code: number; reason: string }>;

/** §8.3. */
export const UNSUBSCRIBE_CODES = {
  server: { code: 2000, reason: "server unsubscribe" },
  insufficientState: { code: 2500, reason: "insufficient state" },
  expired: { code: 2501, reason: "subscription expired" },
} as const;

/** `explainsBadRequests`: 107 says what is bad. */
export function wireErrorOf(
  error: HubError,
  { explainsBadRequests }: { readonly explainsBadRequests: boolean },
): WireError {
  const wire = WIRE_ERRORS[error.code];
  if (error.code !== "bad_request" || !explainsBadRequests) return wire;
  return { ...wire, message: `${wire.message}: ${error.message}` };
}
