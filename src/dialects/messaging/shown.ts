/** What the dialect's wire shows for each word (messaging.md §4.2, §4.4, §10). */
import { shownAs, shownOf, type ErrorsPart } from "../shown.ts";
import { AUTH_ERRORS } from "./auth/errors.ts";
import { CLOSES, ERRORS, UNAUTHORIZED, wordOf } from "./errors.ts";
import { MESSAGING_WORDS } from "./words.ts";

export const MESSAGING_SHOWN: ErrorsPart = {
  words: MESSAGING_WORDS,
  shown: [
    ...ERRORS.map((code) => ({ word: wordOf(code), as: "ack", code })),
    ...shownOf("close", CLOSES, ({ code, reason: text }) => ({ code, text })),
    ...shownAs("close", [
      [UNAUTHORIZED.code, "invalid_token", UNAUTHORIZED.reason],
      [UNAUTHORIZED.code, "token_expired", UNAUTHORIZED.reason],
      [UNAUTHORIZED.code, "ended", UNAUTHORIZED.reason],
    ]),
    ...shownOf("HTTP", AUTH_ERRORS, (status, code) => ({ code, text: `${status}` })),
  ],
};
