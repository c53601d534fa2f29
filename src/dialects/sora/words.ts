/** The dialect's own words for refusals and ends, explained. */
import type { Words } from "../../core/words.ts";

export const SORA_WORDS = {
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
} as const satisfies Words;
