/** The dialect's own words for refusals and ends, explained. */
import type { Words } from "../../core/words.ts";

export const MESSAGING_WORDS = {
  unsupported_grant_type: {
    means: "The login asks for a kind of grant that there is not.",
    cause: "`grant_type` is missing or another.",
    remedy: "Log in with `grant_type=password`.",
  },
  invalid_grant: {
    means: "The login's name or password is wrong.",
    cause: "They do not fit together, or the subscriber is not active.",
    remedy: "Ask for the password again; look whether the subscriber is active.",
  },
  invalid_field: {
    means: "A field of the message is missing or not valid.",
    cause: "The ack's `field` names it.",
    remedy: "Correct the field.",
  },
  not_administrator: {
    means: "Only an administrator of the channel may do this.",
    cause: "The subscriber is a plain member.",
    remedy: "Have an administrator do it, or make the subscriber one.",
  },
  token_in_use: {
    means: "The channel's token is taken.",
    cause: "Another channel has it.",
    remedy: "Choose another one.",
  },
  last_administrator: {
    means: "The channel would be left without an administrator.",
    cause: "The last one leaves or is made a plain member.",
    remedy: "Make another member administrator first.",
  },
  blocked: {
    means: "The other subscriber has blocked the sender.",
    cause: "A block list.",
    remedy: "Nothing: it is the other's choice.",
  },
} as const satisfies Words;
