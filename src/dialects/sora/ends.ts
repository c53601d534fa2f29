/** How connections end (§2.9, §3.6): close codes of the WebSocket, which a `close` message on a DataChannel carries as well. */
import type { DisconnectCode } from "../../core/errors.ts";
import type { PeerEnd } from "../../transports/data-channels.ts";
import type { Close } from "../session.ts";

/** Every error but those that an application is to come back from at once. */
const ERROR = 4490;

/** The client asked for it. */
export const TYPE_DISCONNECT: Close = { code: 1000, reason: "TYPE-DISCONNECT" };
export const LIFETIME_EXPIRED: Close = { code: 1000, reason: "LIFETIME-EXPIRED" };
export const TIMEOUT: Close = { code: ERROR, reason: "TIMEOUT" };
/** A refused message, malformed or out of place; the log has the reason. */
export const INVALID_MESSAGE: Close = { code: ERROR, reason: "INVALID-MESSAGE" };
/** Also junk on a DataChannel (§2.9). */
export const INTERNAL_ERROR: Close = { code: ERROR, reason: "INTERNAL-ERROR" };

/** `reason`: the hook's own words. */
export function refusedByHook(reason: string): Close {
  return { code: ERROR, reason };
}

/** The SDK never reconnects by itself: all but `ended` it reports as an abnormal end, from which an application connects anew. */
export const CLOSES = {
  shutdown: { code: 1001, reason: "SHUTDOWN" },
  internal_error: INTERNAL_ERROR,
  slow: { code: ERROR, reason: "TOO-SLOW" },
  no_pong: TIMEOUT,
  too_many_requests: { code: ERROR, reason: "TOO-MANY-MESSAGES" },
  bad_request: INVALID_MESSAGE,
  missed: { code: 1012, reason: "MISSED-MESSAGES" },
  uncarriable: { code: ERROR, reason: "UNSUPPORTED-DATA" },
  connection_limit: { code: ERROR, reason: "CONNECTION-LIMIT" },
  ended: { code: 1000, reason: "DISCONNECTED-API" },
  sent_back: { code: 1012, reason: "RECONNECT" },
} as const satisfies Record<DisconnectCode, Close>;

/** By how its WebRTC peer ended; `word`: for log and metric. */
export const PEER_ENDS = {
  timeout: { word: "timeout", close: TIMEOUT },
  left: { word: "closed", close: TYPE_DISCONNECT },
  closed: { word: "shutdown", close: CLOSES.shutdown },
  failed: { word: "internal_error", close: INTERNAL_ERROR },
  bug: { word: "internal_error", close: INTERNAL_ERROR },
} as const satisfies Record<PeerEnd, { word: string; close: Close }>;
