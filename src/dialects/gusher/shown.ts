/** What the dialect's wire shows for each word: it has no error codes (§2, §5). */
import { shownAs, shownOf, type ErrorsPart } from "../shown.ts";
import { CLOSES, IDLE } from "./errors.ts";
import { GUSHER_WORDS } from "./words.ts";

export const GUSHER_SHOWN: ErrorsPart = {
  words: GUSHER_WORDS,
  shown: [
    ...shownOf("close", CLOSES, ({ code, reason: text }) => ({ code, text })),
    ...shownAs("close", [[IDLE.code, "idle", IDLE.reason]]),
    ...shownAs("answer", [
      ["gusher.…_error", "permission_denied"],
      ["gusher.…_error", "unknown_channel"],
      ["gusher.…_error", "channel_limit"],
      ["gusher.…_error", "bad_request"],
    ]),
    ...shownAs("login", [
      [401, "unauthorized", "jwt decode fail"],
      [401, "invalid_token", "jwt decode fail"],
      [401, "token_expired", "jwt decode fail"],
      [401, "unavailable", "jwt decode fail"],
    ]),
    ...shownAs("handshake", [
      [401, "unauthorized", "app_key is nil"],
      [401, "invalid_token", "token error"],
      [401, "invalid_token", "appkey error"],
      [503, "connection_limit", "connection limit"],
      [503, "unavailable", "unavailable"],
    ]),
    ...shownAs("HTTP", [
      [400, "bad_request"],
      [400, "unavailable"],
      [401, "unauthorized"],
      [403, "forbidden"],
      [413, "too_large"],
      [415, "unsupported_media_type"],
      [429, "too_many_requests"],
    ]),
  ],
};
