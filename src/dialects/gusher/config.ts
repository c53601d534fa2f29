/** The gusher dialect's settings: gusher.md §10 where it names them, and a switch for each strict behaviour of §15.3. */
import { z } from "zod";
import type { ParsedSigningKey } from "../../config/apps.ts";
import { isLoopback } from "../../core/networks.ts";
import { duration, formatDuration } from "../../config/durations.ts";
import type { Parsed } from "../../config/part.ts";
import type { Path, Problem } from "../../config/problem.ts";
import type { BaseConfig } from "../../config/schema.ts";
import {
  BODY_BYTES_MAX,
  bodySizeLimit,
  count,
  flag,
  path,
  positive,
  timer,
} from "../../config/kinds.ts";

const asOriginal = flag(
  false,
  "Bring back the original's behaviour: [what each changes](gusher.md).",
);

export const gusherSection = z.strictObject({
  enabled: flag(false, "Serve it."),
  prefix: path.default("/gusher").describe("Begins its paths, on both listeners."),
  http_auth: z
    .enum(["key", "none"])
    .default("key")
    .describe(
      "With `none`, the master API asks for no API key, like the original. On loopback without `api.on_clients` it never does.",
    ),
  token_ttl: duration({ minMs: 1 })
    .prefault("60s")
    .describe("How long a token from `/auth` opens connections; gusher-js reconnects with it."),
  message_size_limit: positive(4096, "Bytes of a client's message; the original takes 512."),
  body_size_limit: bodySizeLimit(
    131_072,
    "Bytes of a call's body on `api`, or characters of a batch's item. The default holds everybody up for at most 10 ms, more for longer.",
  ),
  batch_size_limit: bodySizeLimit(
    BODY_BYTES_MAX,
    "Bytes of a form with `batch_data`; it holds up nobody.",
  ),
  queue_max_size: positive(1_048_576, "Bytes that may wait for a slow client."),
  channel_limit: positive(1024, "Subscriptions per connection."),
  user_connection_limit: count(0, "Connections per user and node, of all dialects; 0: unlimited."),
  connection_limit: count(0, "Connections per app and node, of all dialects; 0: unlimited."),
  commands_per_second_max: count(1000, "Commands per second and connection; 0: unlimited."),
  ping_interval: timer("54s", "Time between pings."),
  pong_timeout: timer(
    "60s",
    "Time without an answer until a connection is closed; longer than `ping_interval`.",
  ),
  drop_idle: z
    .boolean()
    .default(true)
    .describe("Close connections without subscriptions at their next ping, like the original."),
  remote_jobs: z
    .enum(["pull", "redis_list"])
    .default("pull")
    .describe(
      "Where `gusher.remote` puts jobs: a durable queue that workers read by `/jobs`, or the original's Redis list `<app_key>@<remote>`, which needs Redis.",
    ),
  grant_star_empty: asOriginal,
  strict_ping: asOriginal,
  strict_multi_subscribe: asOriginal,
  strict_reload: asOriginal,
  strict_binary: asOriginal,
  strict_close: asOriginal,
});

/** The configuration as far as this dialect looks at it. */
export type GusherConfig = BaseConfig & {
  readonly gusher: z.output<typeof gusherSection>;
  /** Its master's routes lie below streaming's as well. */
  readonly streaming: { readonly api_path: string };
};

export function* gusherProblems({ engine, gusher }: Parsed<GusherConfig>): Iterable<Problem> {
  if (gusher.remote_jobs === "redis_list" && engine !== "redis") {
    yield { path: ["gusher", "remote_jobs"], message: '"redis_list" needs engine = "redis"' };
  }
  if (gusher.pong_timeout <= gusher.ping_interval) {
    yield {
      path: ["gusher", "pong_timeout"],
      message: `must be more than "ping_interval" (${formatDuration(gusher.ping_interval)})`,
    };
  }
}

export function* gusherWarnings(config: GusherConfig): Iterable<Problem> {
  const { gusher, clients, api, development } = config;
  const reached = api.on_clients || !isLoopback(api.host);
  if ((gusher.enabled || development) && gusher.http_auth === "none" && reached) {
    const message = `lets everybody push who can reach "${api.on_clients ? clients.host : api.host}": ask for a key, or listen on a private address`;
    yield { path: ["gusher", "http_auth"], message };
  }
}

/** gusher.md §4: RSA; HMAC only where the app's owner configured a secret. */
const ALGORITHMS = /^[RH]S/;

export function* gusherKeyProblems(key: ParsedSigningKey, path: Path): Iterable<Problem> {
  for (const algorithm of key.algorithms ?? []) {
    if (ALGORITHMS.test(algorithm)) continue;
    const message = `"${algorithm}" is not for gusher's tokens: use RS256, RS384, RS512 or HMAC`;
    yield { path: [...path, "algorithms"], message };
  }
}
