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
    .describe("Where WebSockets connect, on `clients`."),
  api_path: path.default("/api").describe("Where the HTTP API lies, on `api`."),
  http_auth: z
    .enum(["key", "none"])
    .default("key")
    .describe(
      "With `none`, whoever reaches the HTTP API may do everything without a key, save pages of other sites.",
    ),
  allow_anonymous_connect_without_token: flag(
    false,
    "Clients without a token connect, as the anonymous user.",
  ),
  insecure: flag(
    false,
    "Development only: no tokens needed, none expires, and every permission is given save for `$` channels and the events catalogue.",
  ),
  disallow_anonymous_connection_tokens: flag(false, "Refuse connection tokens without a user."),
  user_id_http_header: z
    .string()
    .toLowerCase()
    .regex(/^[-!#$%&'*+.^_`|~a-z0-9]*$/, "must be a header's name")
    .default("")
    .describe("Header in which a trusted proxy gives the user's id, if nothing else does."),
  user_id_claim: z
    .string()
    .min(1)
    .default("sub")
    .describe("Claim of a connection token with the user's id."),
  channel_limit: positive(128, "Subscriptions per connection."),
  user_connection_limit: count(0, "Connections per user and node, of all dialects; 0: unlimited."),
  connection_limit: count(0, "Connections per app and node, of all dialects; 0: unlimited."),
  commands_per_second_max: count(
    1000,
    "Commands per second and connection; twice as many close it. 0: unlimited.",
  ),
  ping_interval: duration({ maxMs: TIMER_MS_MAX })
    .prefault("25s")
    .describe("Time between pings; 0: none."),
  pong_timeout: timer("8s", "Time to answer one; shorter than `ping_interval`."),
  stale_close_delay: timer("10s", "Time for a new connection to send `connect`."),
  expired_close_delay: timer("25s", "Time for an expired connection or subscription to refresh."),
  expired_sub_close_delay: timer(
    "25s",
    "Time for an expired connection or subscription to refresh.",
  ),
  ttl_spread: z
    .int()
    .min(0)
    .max(TTL_SPREAD_PERCENT_MAX)
    .default(0)
    .describe(
      "Percent, up to 10, by which the `ttl` told to a client is shorter, by chance, so that not all refresh at once. Tokens live as long as they say.",
    ),
  history_max_publication_limit: positive(300, "Publications per history answer to a client."),
  recovery_max_publication_limit: positive(
    300,
    "Publications recovered at most; a client that missed more is told.",
  ),
  queue_max_size: positive(1_048_576, "Bytes that may wait for a slow client."),
  message_size_limit: positive(65_536, "Bytes of a client's message."),
  body_size_limit: bodySizeLimit(
    524_288,
    "Bytes of a call's body on `api`. The default holds everybody up for at most 20 ms, more for longer.",
  ),
  connect_include_server_time: flag(false, "Put the server's time into the connect answer."),
  subscribe_to_user_personal_channel: z
    .strictObject({
      enabled: flag(false, "Subscribe each connection of a user to `#<user>`."),
      personal_channel_namespace: z.string().default("").describe("Namespace of that channel."),
      single_connection: flag(false, "A user's new connection closes the earlier ones."),
    })
    .prefault({})
    .describe("A channel of its own for every user."),
  rpc_ping: z
    .strictObject({
      enabled: flag(false, "Answer it with an empty result."),
      method: z.string().min(1).default("ping").describe("Its name."),
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
