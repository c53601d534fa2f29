/** What the protocol says for the core's words: there are no error codes, only refusals and closes (§5.1, §5.9, D7, D9). */
import type { DisconnectCode, HubErrorCode } from "../../core/errors.ts";
import type { Close } from "../session.ts";

/**
 * What a failed subscribe comes to: the answer that refuses it, or the end of the connection, whose client comes back and
 * asks again. Total: a new core code does not compile until it has an answer here.
 */
export const SUBSCRIBE_FAILURES = {
  unavailable: "internal_error",
  already_subscribed: "refused",
  limit_exceeded: "refused",
  bad_request: "refused",
  not_available: "refused",
  token_expired: "refused",
  invalid_token: "refused",
  unrecoverable_position: "missed",
} as const satisfies Record<HubErrorCode, "refused" | DisconnectCode>;

/**
 * Close codes of RFC 6455 and its registry. gusher-js 1.1.6 (connection-manager.js) reconnects after any of them when
 * told to reconnect at all, so they say why and nothing more.
 */
export const CLOSES = {
  shutdown: { code: 1001, reason: "shutdown" },
  internal_error: { code: 1011, reason: "internal error" },
  slow: { code: 1013, reason: "slow" },
  no_pong: { code: 1001, reason: "no pong" },
  too_many_requests: { code: 1008, reason: "too many requests" },
  bad_request: { code: 1008, reason: "bad request" },
  missed: { code: 1012, reason: "insufficient state" },
  uncarriable: { code: 1003, reason: "inappropriate protocol" },
  connection_limit: { code: 1008, reason: "connection limit" },
  ended: { code: 1008, reason: "force disconnect" },
  sent_back: { code: 1012, reason: "force reconnect" },
} as const satisfies Record<DisconnectCode, Close>;

/** The idle rule (§5.9). */
export const IDLE: Close = { code: 1001, reason: "no subscription" };
