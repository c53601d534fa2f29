/** What the core's words for refusals and ends mean to who meets them. Other folders explain their own in the same form. */
import type { DisconnectCode, HubErrorCode } from "./errors.ts";

/** Of one word: sentences for the page of errors and the command line. */
export interface Explained {
  /** What happened. */
  readonly means: string;
  /** Why it happens. */
  readonly cause: string;
  /** What to do. */
  readonly remedy: string;
}

/** A table of them. */
export type Words = Readonly<Record<string, Explained>>;

export type CoreWord = HubErrorCode | DisconnectCode;

/** Total: a new word does not compile until it is explained. */
export const CORE_WORDS = {
  already_subscribed: {
    means: "The connection is subscribed to the channel already.",
    cause: "A client subscribes twice, or to a channel that the server subscribed it to.",
    remedy: "Keep one subscription per channel in the client, and let all its listeners share it.",
  },
  limit_exceeded: {
    means: "A limit is reached: of names, subscriptions, sizes or queued work.",
    cause: "The client or backend asks for more than the configuration allows.",
    remedy:
      "Look which limit it was in `carillon_limits_hit_total`, then ask for less or raise the key of that name.",
  },
  bad_request: {
    means: "The command, call or frame is not of the protocol's form.",
    cause: "A member is missing or of another type, or the JSON is broken.",
    remedy: "Read `detail` in the log line: it names what is wrong. Correct the caller.",
  },
  not_available: {
    means: "The channel or server does not offer what was asked for.",
    cause: "History, presence or another option is off for the namespace, or not built.",
    remedy: "Turn the option on for the namespace in the configuration, or do without.",
  },
  token_expired: {
    means: "The token's time has passed, or has not come yet.",
    cause: "`exp` is past, `nbf` or `iat` is ahead, or a clock is wrong.",
    remedy:
      "Fetch a new token from the backend when the client is told so; compare the clocks of issuer and server.",
  },
  invalid_token: {
    means: "The token is not accepted.",
    cause:
      "No configured key has signed it, it is malformed, or its issuer, audience, kind, user or channel is another.",
    remedy:
      "Read `detail` in the log line: it names the claim that is wrong. Compare the issuer's key with `[[signing_keys]]`.",
  },
  unrecoverable_position: {
    means: "What the client missed cannot be given back.",
    cause: "History has expired or was trimmed beyond the client's position, or was removed.",
    remedy:
      "Load the state anew from the backend. Raise `history_size` or `history_ttl` when it happens after short cuts.",
  },
  unavailable: {
    means: "The server cannot do it now; the same call may succeed later.",
    cause: "The engine, a key set or a hook is out of reach, or too much is under way.",
    remedy: "Try again after a moment. Look at `/ready` and at the log's errors.",
  },
  shutdown: {
    means: "The server stops or restarts.",
    cause: "A deployment or a stop.",
    remedy: "Reconnect: clients of the protocols do by themselves.",
  },
  internal_error: {
    means: "The server failed.",
    cause: "A bug, or an engine that is away.",
    remedy: "Look for the line at level error of the same moment, and report it if it is a bug.",
  },
  slow: {
    means: "The client took what it was sent too slowly.",
    cause: "Its network or its code is slower than the channel; its send buffer was full.",
    remedy: "Send less to it, or raise `queue_max_size` of the dialect if bursts are short.",
  },
  no_pong: {
    means: "The client did not answer pings.",
    cause: "Its network is gone, the device sleeps, or its program hangs.",
    remedy:
      "Nothing, if it comes back. If many end so at once, look at the proxy between: it may drop idle connections.",
  },
  too_many_requests: {
    means: "More was sent in a time than allowed.",
    cause: "A client's loop sends commands without pause, or many calls are under way at a time.",
    remedy: "Slow down and try again; `carillon_limits_hit_total` names the limit.",
  },
  missed: {
    means: "Publications passed the connection by, so it is to come back and catch up.",
    cause: "The link between nodes lost messages, or a channel's stream began anew.",
    remedy: "Reconnect: clients do, and recover. Look at Redis if it happens often.",
  },
  uncarriable: {
    means: "The connection's format cannot carry a payload.",
    cause: "Bytes that are no JSON were published to a client that speaks JSON.",
    remedy:
      'Publish JSON, connect with a binary format, or set `publication_data_format = "json"` for the namespace.',
  },
  connection_limit: {
    means: "As many connections are open as may be.",
    cause: "The limit for the server, the user or the key is reached.",
    remedy:
      "Close what is not needed, or raise `connection_limit` or `user_connection_limit` of the dialect.",
  },
  ended: {
    means: "The application ended the connection, and the client is not to come back.",
    cause: "A backend or operator disconnected it, or its token was revoked.",
    remedy: "Nothing, if it was meant. To connect again the user needs a new login.",
  },
  sent_back: {
    means: "The application ended the connection so that the client comes back anew.",
    cause: "A backend or operator asked for it, as after a change of rights.",
    remedy: "Reconnect: clients do by themselves.",
  },
} as const satisfies Record<CoreWord, Explained>;
