/** What the protocol says for the core's words: there are no error codes, only refusals and closes (§5.1, §5.9, D7, D9). */
import type { DisconnectCode, HubErrorCode } from "../../core/errors.ts";

/**
 * What a failed subscribe comes to: the answer that refuses it, or the end of the connection, whose client comes back and
 * asks again. Total: a new core code does not compile until it has an answer here.
 */
export const SUBSCRIBE_FAILURES = {
  internal: "internal_error",
  unavailable: "internal_error",
  unauthorized: "refused",
  unknown_channel: "refused",
  permission_denied: "refused",
  method_not_found: "refused",
  already_subscribed: "refused",
  limit_exceeded: "refused",
  bad_request: "refused",
  not_available: "refused",
  token_expired: "refused",
  token_invalid: "refused",
  expired: "refused",
  too_many_requests: "refused",
  unrecoverable_position: "insufficient_state",
  conflict: "internal_error",
} as const satisfies Record<HubErrorCode, "refused" | DisconnectCode>;

/**
 * Close codes of RFC 6455 and its registry. gusher-js 1.1.6 (connection-manager.js) reconnects after any of them when
 * told to reconnect at all, so they say why and nothing more.
 */
export const CLOSES = {
  connection_closed: { code: 1000, reason: "connection closed" },
  shutdown: { code: 1001, reason: "shutdown" },
  internal_error: { code: 1011, reason: "internal error" },
  connection_expired: { code: 1008, reason: "connection expired" },
  subscription_expired: { code: 1008, reason: "subscription expired" },
  slow: { code: 1013, reason: "slow" },
  write_error: { code: 1011, reason: "write error" },
  insufficient_state: { code: 1012, reason: "insufficient state" },
  force_reconnect: { code: 1012, reason: "force reconnect" },
  no_pong: { code: 1001, reason: "no pong" },
  too_many_requests: { code: 1008, reason: "too many requests" },
  invalid_token: { code: 1008, reason: "invalid token" },
  bad_request: { code: 1008, reason: "bad request" },
  /** The idle rule (§5.9). */
  stale: { code: 1001, reason: "no subscription" },
  force_disconnect: { code: 1008, reason: "force disconnect" },
  connection_limit: { code: 1008, reason: "connection limit" },
  channel_limit: { code: 1008, reason: "channel limit" },
  inappropriate_protocol: { code: 1003, reason: "inappropriate protocol" },
  permission_denied: { code: 1008, reason: "permission denied" },
  not_available: { code: 1008, reason: "not available" },
  too_many_errors: { code: 1008, reason: "too many errors" },
} as const satisfies Record<DisconnectCode, { code: number; reason: string }>;
