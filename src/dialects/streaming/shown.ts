/** What the dialect's wire shows for each word (centrifugo-protocol.md §8). */
import { shownAs, shownOf, type ErrorsPart } from "../shown.ts";
import { CLOSES, UNSUBSCRIBE_CODES, WIRE_ERRORS } from "./errors.ts";
import { STREAMING_WORDS } from "./words.ts";

export const STREAMING_SHOWN: ErrorsPart = {
  words: STREAMING_WORDS,
  shown: [
    ...shownOf("error", WIRE_ERRORS, ({ code, message: text }) => ({ code, text })),
    ...shownOf("close", CLOSES, ({ code, reason: text }) => ({ code, text })),
    ...shownAs("unsubscribe", [
      [UNSUBSCRIBE_CODES.server.code, "ended", UNSUBSCRIBE_CODES.server.reason],
      [UNSUBSCRIBE_CODES.insufficientState.code, "missed", "insufficient state"],
      [UNSUBSCRIBE_CODES.expired.code, "subscription_expired", UNSUBSCRIBE_CODES.expired.reason],
    ]),
    ...shownAs("HTTP", [
      [401, "unauthorized"],
      [404, "method_not_found"],
      [400, "bad_request"],
      [413, "too_large"],
      [415, "unsupported_media_type"],
      [429, "too_many_requests"],
      [503, "unavailable"],
    ]),
    ...shownAs("handshake", [
      [404, "no_app"],
      [403, "origin_refused"],
      [503, "connection_limit"],
    ]),
  ],
};
