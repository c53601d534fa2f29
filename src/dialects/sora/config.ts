/** The Sora dialect's settings: the values of sora-push.md §2.7 and §2.9 as defaults, and settings that it leaves to a server (OURS). */
import { z } from "zod";
import { duration, formatDuration, TIMER_MS_MAX } from "../../config/durations.ts";
import { bodySizeLimit, count, flag, path, positive, timer } from "../../config/kinds.ts";
import type { Parsed } from "../../config/part.ts";
import type { Problem } from "../../config/problem.ts";
import type { BaseConfig } from "../../config/schema.ts";
import { webrtc, webrtcProblems } from "../../config/webrtc.ts";
import { isLoopback } from "../../core/networks.ts";

const PORT_MAX = 65_535;

/** A URL of these schemes, as `carillon config` can tell it. */
const url = (schemes: RegExp, what: string) =>
  z
    .string()
    .refine((text) => schemes.test(URL.parse(text)?.protocol ?? ""), `must be a URL of ${what}`)
    .optional();

/** Of keys that belong together, which the reference page tells of once. */
const STATISTICS =
  "Ask for WebRTC statistics with each ping, or so often over a DataChannel (0: never). They are dropped.";
const UNSAID =
  "For clients that do not say: signaling by DataChannel, and connections that outlive their WebSocket.";
const OWN_LISTENER =
  "The API's own plain HTTP listener, beside `POST /` on `api`: keep it private. Port 0: off; 3000 in development mode. A taken port is only warned of.";
export const soraSection = z.strictObject({
  enabled: flag(false, "Serve it."),
  host: z.string().min(1).default("127.0.0.1").describe(OWN_LISTENER),
  port: z.int().min(0).max(PORT_MAX).default(0).describe(OWN_LISTENER),
  http_auth: z
    .enum(["key", "none"])
    .default("key")
    .describe(
      "With `none`, the API asks for no API key, like the original. On loopback without `api.on_clients` it never does.",
    ),
  cors_origin: z
    .string()
    .regex(/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/, "must be one origin, such as http://127.0.0.1:5000")
    .optional()
    .describe("The one origin whose pages may call the API."),
  unknown_target: z
    .enum(["ok", "error"])
    .default("ok")
    .describe(
      "Answer of a push or disconnect that finds nobody. `error`: 400 with `CHANNEL-NOT-FOUND`, `CLIENT-NOT-FOUND` or `CONNECTION-NOT-FOUND`, once every node has answered.",
    ),
  body_size_limit: bodySizeLimit(8_000_000, "Bytes of a call's body."),
  signaling_path: path.default("/signaling").describe("Where clients connect, on `clients`."),
  redirect_url: url(/^wss?:$/, "ws: or wss:").describe(
    "Where every first `connect` is sent on to; it comes back with `redirect`.",
  ),
  auth_url: url(/^https?:$/, "http: or https:").describe(
    "Your hook, asked by POST about each `connect`. Absent: everybody may connect.",
  ),
  auth_timeout: timer("5s", "Time for the hook's whole answer; then the connect is refused."),
  connect_timeout: timer("10s", "Time for a client's first message, `connect`."),
  answer_timeout: timer("30s", "Time for its `answer` to the offer."),
  webrtc_timeout: timer("60s", "Time from the offer until WebRTC connects."),
  ping_interval: timer("5s", "Time between pings on the WebSocket."),
  pong_timeout: timer("60s", "Time without a pong until a connection ends."),
  ping_stats: flag(false, STATISTICS),
  stats_interval: duration({ maxMs: TIMER_MS_MAX }).prefault("0s").describe(STATISTICS),
  connection_lifetime: duration({ maxMs: TIMER_MS_MAX })
    .prefault("0s")
    .describe("How long a connection may live; 0: for ever."),
  data_channel_signaling: flag(false, UNSAID),
  ignore_disconnect_websocket: flag(false, UNSAID),
  re_offer: flag(
    false,
    "Offer anew to all in a channel when somebody comes or goes, like the original. Nothing here needs it.",
  ),
  compress: flag(true, "Signaling on DataChannels is compressed by zlib."),
  message_size_limit: positive(131_072, "Bytes of a client's message, decompressed."),
  notify_metadata_size_limit: positive(
    4096,
    "Bytes of `signaling_notify_metadata`, the client's or the hook's.",
  ),
  queue_max_size: positive(1_048_576, "Bytes that may wait for a slow client, on each transport."),
  connection_limit: count(10_000, "Connections per app and node; 0: unlimited."),
  data_channel_limit: positive(16, "Messaging labels (`#…`) per connection."),
  commands_per_second_max: count(
    1000,
    "Messages per second and connection, on all transports; 0: unlimited.",
  ),
  webrtc: webrtc
    .prefault({})
    .describe("Peers of Sora's clients. [For the firewall](operations.md#webrtc)."),
});

/** The configuration as far as this dialect looks at it. */
export type SoraConfig = BaseConfig & { readonly sora: SoraSettings };
export type SoraSettings = z.output<typeof soraSection>;

export function* soraProblems({ sora }: Parsed<SoraConfig>): Iterable<Problem> {
  if (sora.pong_timeout <= sora.ping_interval) {
    const message = `must be more than "ping_interval" (${formatDuration(sora.ping_interval)})`;
    yield { path: ["sora", "pong_timeout"], message };
  }
  yield* webrtcProblems(sora.webrtc, ["sora", "webrtc"]);
}

export function* soraWarnings({ sora, clients, api, development }: SoraConfig): Iterable<Problem> {
  if (!(sora.enabled || development) || sora.http_auth === "key") return;
  const hosts = sora.port === 0 ? [api.host] : [api.host, sora.host];
  const open = api.on_clients ? clients.host : hosts.find((host) => !isLoopback(host));
  if (open === undefined) return;
  yield { path: ["sora", "http_auth"], message: `lets everybody push who reaches "${open}"` };
}
