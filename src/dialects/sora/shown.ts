/** What the dialect's wire shows for each word (§1.3, §3.6). */
import { shownAs, shownOf, type ErrorsPart } from "../shown.ts";
import { CLOSES, LIFETIME_EXPIRED, TIMEOUT, TYPE_DISCONNECT } from "./ends.ts";
import { ERROR_TYPES } from "./errors.ts";
import { SORA_WORDS } from "./words.ts";

export const SORA_SHOWN: ErrorsPart = {
  words: SORA_WORDS,
  shown: [
    ...shownOf("close", CLOSES, ({ code, reason: text }) => ({ code, text })),
    ...shownAs("close", [
      [TIMEOUT.code, "timeout", TIMEOUT.reason],
      [TYPE_DISCONNECT.code, "closed", TYPE_DISCONNECT.reason],
      [LIFETIME_EXPIRED.code, "lifetime_expired", LIFETIME_EXPIRED.reason],
      [4490, "refused_by_hook", "the webhook's reason"],
    ]),
    ...shownOf("HTTP", ERROR_TYPES, ({ status, word }, code) => ({
      ...{ code, text: `${status}`, word },
    })),
    ...shownAs("HTTP", [["HandlerException", "unavailable", "500"]]),
    ...shownAs("handshake", [
      [404, "no_app"],
      [403, "origin_refused"],
      [503, "connection_limit"],
    ]),
  ],
};
