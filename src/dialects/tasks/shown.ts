/** What the dialect's wire shows for each word (task-tokens.md §4.4, §5.6). */
import { shownAs, shownOf, type ErrorsPart } from "../shown.ts";
import { RPC_ERRORS } from "./errors.ts";
import { DISCONNECT_ENDS, ENDS, type End } from "./frames.ts";
import { TASKS_WORDS } from "./words.ts";

export const TASKS_SHOWN: ErrorsPart = {
  words: TASKS_WORDS,
  shown: [
    ...shownOf("error", RPC_ERRORS, ({ code, message: text, word }) => ({ code, text, word })),
    ...shownOf("close", ENDS, ({ code, word, error }: End) => ({ code, text: error, word })),
    ...shownOf("close", DISCONNECT_ENDS, (end) => ({ code: ENDS[end].code })),
    ...shownAs("error", [
      [-32603, "unavailable"],
      [-32603, "not_available"],
      [-32001, "invalid_token"],
      [-32001, "token_expired"],
      [-32005, "too_large"],
      [-32700, "unsupported_media_type"],
    ]),
    ...shownAs("handshake", [[404, "no_app"]]),
  ],
};
