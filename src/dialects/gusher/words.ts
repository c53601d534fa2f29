/** The dialect's own words for refusals and ends, explained. */
import type { Words } from "../../core/words.ts";

export const GUSHER_WORDS = {
  idle: {
    means: "The connection had no subscription when its ping was due.",
    cause: "The client connected and did not subscribe, or left its last channel.",
    remedy: "Subscribe soon after the connect, or set `drop_idle = false`.",
  },
} as const satisfies Words;
