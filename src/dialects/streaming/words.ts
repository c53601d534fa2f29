/** The dialect's own words for refusals and ends, explained. */
import type { Words } from "../../core/words.ts";

export const STREAMING_WORDS = {
  expired: {
    means: "The token is good, and what it grants has ended already.",
    cause: "Its claim `expire_at` is past.",
    remedy: "Issue tokens whose `expire_at` lies ahead, or leave the claim out.",
  },
  connection_closed: {
    means: "The connection is over because its connect was refused.",
    cause: "The connect was answered with an error a moment before.",
    remedy: "Read that error: it says why.",
  },
  connection_expired: {
    means: "The connection's token ended and was not replaced in time.",
    cause: "The client has no `getToken`, or the backend did not give a new token.",
    remedy: "Give the client a `getToken` that fetches a fresh token.",
  },
  subscription_expired: {
    means: "The subscription's token ended and was not replaced in time.",
    cause: "The client's subscription has no `getToken`, or the backend gave none.",
    remedy: "Give the subscription a `getToken` that fetches a fresh token.",
  },
  other_channels: {
    means: "A refreshed token names other channels than the connection has.",
    cause: "The claims `channels` or `subs` changed between two tokens.",
    remedy: "Nothing: the client reconnects with the new token and gets the new channels.",
  },
  stale: {
    means: "The client opened a socket and sent no connect in time.",
    cause: "The client hangs before it connects, or something else than a client opened it.",
    remedy: "Send the connect at once; raise `stale_close_delay` for slow links.",
  },
} as const satisfies Words;
