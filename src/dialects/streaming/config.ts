/** The streaming dialect's settings: Centrifugo's `client.*` in its own names and with its defaults (centrifugo-protocol.md §3, §16). */
import { z } from "zod";
import { duration, formatDuration, TIMER_MS_MAX } from "../../config/durations.ts";
import { bodySizeLimit, count, flag, path, positive, timer } from "../../config/kinds.ts";
import type { Parsed } from "../../config/part.ts";
import type { Problem } from "../../config/problem.ts";
import type { BaseConfig } from "../../config/schema.ts";

/** A token that is refreshed much earlier would be fetched much more often. */
const TTL_SPREAD_PERCENT_MAX = 10;

export const streamingSection = z.strictObject({
  websocket_path: path
    .default("/connection/websocket")
    .describe("Where websockets connect, on `clients`."),
  api_path: path.default("/api").describe("Where the HTTP API's methods lie, on `api`."),
  http_auth: z
    .enum(["key", "none"])
    .default("key")
    .describe(
      "Whether the HTTP API asks for an API key. `none`: whoever reaches it may do everything, as with Centrifugo's `http_api.insecure`; pages of other sites may not.",
    ),
  allow_anonymous_connect_without_token: flag(
    false,
    "A client without a token connects as the anonymous user.",
  ),
  insecure: flag(
    false,
    "Development only: clients need no token, tokens do not expire, and every permission is given but those of `$` channels and of the events catalogue.",
  ),
  disallow_anonymous_connection_tokens: flag(false, "Refuse connection tokens without a user."),
  user_id_http_header: z
    .string()
    .toLowerCase()
    .regex(/^[-!#$%&'*+.^_`|~a-z0-9]*$/, "must be a header's name")
    .default("")
    .describe(
      "A request header that a trusted proxy sets to the user's id, taken when nothing else says who connects. Empty: none.",
    ),
  user_id_claim: z
    .string()
    .min(1)
    .default("sub")
    .describe("The claim of a connection token that holds the user's id."),
  channel_limit: positive(128, "Subscriptions per connection."),
  user_connection_limit: count(0, "Connections per user and node; 0: any number."),
  connection_limit: count(
    0,
    "Connections per app and node, beyond which an upgrade is answered 503; 0: any number.",
  ),
  commands_per_second_max: count(
    1000,
    "Commands per second and connection, beyond which they are answered with error 111, and beyond twice as many the connection is closed; 0: any number.",
  ),
  ping_interval: duration({ maxMs: TIMER_MS_MAX })
    .prefault("25s")
    .describe("Time between the server's pings; 0: none."),
  pong_timeout: timer(
    "8s",
    "Time within which a client answers a ping; shorter than `ping_interval`.",
  ),
  stale_close_delay: timer("10s", "Time within which a new connection must have connected."),
  expired_close_delay: timer("25s", "Time that an expired connection has left to refresh."),
  expired_sub_close_delay: timer("25s", "Time that an expired subscription has left to refresh."),
  ttl_spread: z
    .int()
    .min(0)
    .max(TTL_SPREAD_PERCENT_MAX)
    .default(0)
    .describe(
      "Percent by which the `ttl` that a client is told is shorter at the most, by chance for each: clients whose tokens end together refresh them one by one. Tokens are good for as long as they say. 0: the `ttl` is what is left.",
    ),
  history_max_publication_limit: positive(300, "Publications per history answer to a client."),
  recovery_max_publication_limit: positive(
    300,
    "Publications that are recovered at most; a client that missed more is told so.",
  ),
  queue_max_size: positive(
    1_048_576,
    "Bytes that may wait for a slow client, beyond which it is closed.",
  ),
  message_size_limit: positive(65_536, "Bytes of one message from a client."),
  body_size_limit: bodySizeLimit(
    524_288,
    "Bytes of a call's body on `api`, beyond which it is answered 413. A body is read in one go: one of the default's size holds everybody else up for 20 ms at the most, a larger one for accordingly longer.",
  ),
  connect_include_server_time: flag(false, "Put the server's time into the connect answer."),
  subscribe_to_user_personal_channel: z
    .strictObject({
      enabled: flag(false, "Subscribe each connection of a user to the channel `#<user>`."),
      personal_channel_namespace: z
        .string()
        .default("")
        .describe("The namespace of that channel; empty: none."),
      single_connection: flag(false, "A new connection of a user closes the earlier ones."),
    })
    .prefault({})
    .describe("A channel of its own for every user."),
  rpc_ping: z
    .strictObject({
      enabled: flag(false, "Answer the method below with an empty result."),
      method: z.string().min(1).default("ping").describe("The method's name."),
    })
    .prefault({})
    .describe("An RPC method for measuring round trips."),
});

/** The configuration as far as this dialect looks at it. */
export type StreamingConfig = BaseConfig & {
  readonly streaming: z.output<typeof streamingSection>;
};

export function* streamingProblems({
  streaming,
  channel,
}: Parsed<StreamingConfig>): Iterable<Problem> {
  if (streaming.ping_interval > 0 && streaming.pong_timeout >= streaming.ping_interval) {
    yield {
      path: ["streaming", "pong_timeout"],
      message: `must be less than "ping_interval" (${formatDuration(streaming.ping_interval)})`,
    };
  }
  const personal = streaming.subscribe_to_user_personal_channel;
  const { personal_channel_namespace: name } = personal;
  if (personal.enabled && name !== "" && !channel.namespaces.some((known) => known.name === name)) {
    yield {
      path: ["streaming", "subscribe_to_user_personal_channel", "personal_channel_namespace"],
      message: `namespace "${name}" is not configured: add it to [[channel.namespaces]]`,
    };
  }
}

export function* streamingWarnings({ streaming }: StreamingConfig): Iterable<Problem> {
  if (streaming.http_auth === "none") {
    const message = "lets everybody publish and disconnect who reaches the API: ask for a key";
    yield { path: ["streaming", "http_auth"], message };
  }
  if (streaming.allow_anonymous_connect_without_token) {
    const message = "lets everybody connect, without a token";
    yield { path: ["streaming", "allow_anonymous_connect_without_token"], message };
  }
  if (streaming.insecure) {
    const message = "gives every permission to everybody: for trying things out alone";
    yield { path: ["streaming", "insecure"], message };
  }
}
