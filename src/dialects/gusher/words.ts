/** The dialect's own words for refusals and ends, explained, and what its wire shows for each: it has no error codes (§2, §5). */
import { shownOf, type ErrorsPart } from "../words.ts";
import { CLOSES, IDLE } from "./errors.ts";

const REFUSED_COMMANDS = ["permission_denied", "unknown_channel", "channel_limit", "bad_request"];

export const GUSHER_ERRORS: ErrorsPart = {
  words: {
    idle: {
      means: "The connection had no subscription when its ping was due.",
      cause: "The client connected and did not subscribe, or left its last channel.",
      remedy: "Subscribe soon after the connect, or set `drop_idle = false`.",
    },
  },
  shown: [
    ...shownOf("close", CLOSES, ({ code, reason: text }) => ({ code, text })),
    { word: "idle", as: "close", code: `${IDLE.code}`, text: IDLE.reason },
    ...REFUSED_COMMANDS.map((word) => ({ word, as: "answer", code: "gusher.…_error" })),
    { word: "invalid_token", as: "login", code: "401", text: "jwt decode fail" },
    { word: "token_expired", as: "login", code: "401", text: "jwt decode fail" },
    { word: "unauthorized", as: "handshake", code: "401", text: "app_key is nil" },
    { word: "invalid_token", as: "handshake", code: "401", text: "token error" },
    { word: "invalid_token", as: "handshake", code: "401", text: "appkey error" },
    { word: "connection_limit", as: "handshake", code: "503", text: "connection limit" },
    { word: "unavailable", as: "handshake", code: "503", text: "unavailable" },
    { word: "bad_request", as: "HTTP", code: "400" },
    { word: "unavailable", as: "HTTP", code: "400" },
    { word: "unauthorized", as: "HTTP", code: "401" },
    { word: "forbidden", as: "HTTP", code: "403" },
    { word: "too_large", as: "HTTP", code: "413" },
    { word: "unsupported_media_type", as: "HTTP", code: "415" },
    { word: "too_many_requests", as: "HTTP", code: "429" },
  ],
};
