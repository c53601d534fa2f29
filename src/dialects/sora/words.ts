/** The dialect's own words for refusals and ends, explained, and what its wire shows for each (§1.3, §3.6). */
import { shownOf, type ErrorsPart } from "../words.ts";
import { CLOSES, LIFETIME_EXPIRED, TIMEOUT, TYPE_DISCONNECT } from "./ends.ts";
import { ERROR_TYPES } from "./errors.ts";

export const SORA_ERRORS: ErrorsPart = {
  words: {
    refused_by_hook: {
      means: "The application's authentication webhook refused the connection.",
      cause: 'It answered `"allowed": false`; the close reason is its own.',
      remedy: "Ask the webhook's log why; the client needs other credentials.",
    },
    lifetime_expired: {
      means: "The connection lasted as long as it may.",
      cause: "The webhook or the configuration bounds a connection's life.",
      remedy: "Connect anew, or raise the lifetime.",
    },
  },
  shown: [
    ...shownOf("close", CLOSES, ({ code, reason: text }) => ({ code, text })),
    { word: "timeout", as: "close", code: `${TIMEOUT.code}`, text: TIMEOUT.reason },
    { word: "closed", as: "close", code: `${TYPE_DISCONNECT.code}`, text: TYPE_DISCONNECT.reason },
    ...[{ word: "lifetime_expired", as: "close", code: `${LIFETIME_EXPIRED.code}` }].map((row) => ({
      ...row,
      text: LIFETIME_EXPIRED.reason,
    })),
    { word: "refused_by_hook", as: "close", code: "4490", text: "the webhook's reason" },
    ...shownOf("HTTP", ERROR_TYPES, ({ status, word }, type) => ({
      code: type,
      text: `${status}`,
      word,
    })),
    { word: "unavailable", as: "HTTP", code: "HandlerException", text: "500" },
    { word: "no_app", as: "handshake", code: "404" },
    { word: "origin_refused", as: "handshake", code: "403" },
    { word: "connection_limit", as: "handshake", code: "503" },
  ],
};
