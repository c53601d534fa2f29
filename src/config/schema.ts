/**
 * The configuration: one schema from which validation, defaults, environment names and the reference page come.
 * What one key alone cannot tell is in `rules.ts`.
 */
import { z } from "zod";
import { isNetwork } from "../core/networks.ts";
import { apiKey, appOf, HMAC_ALGORITHMS, signingKeyOf, type Algorithm } from "./apps.ts";
import { namespaceOf, withoutNamespaceOf, type Joiner } from "./channel-options.ts";
import { duration, TIMER_MS_MAX } from "./durations.ts";
import { redis } from "./redis.ts";

const PORT_MAX = 65_535;
/** Longer names would be a cost in every index that holds them. */
const CHANNEL_NAME_BYTES_MAX = 4096;
/** Far above any machine's cores; each is a process. */
const WORKERS_MAX = 256;

/** 32 bytes. */
const masterKey = () =>
  z
    .string()
    .regex(
      /^(?:[0-9a-fA-F]{64}|[-A-Za-z0-9+/_]{43}=?)$/,
      "must be 32 bytes in hexadecimal or base64",
    );

const file = (description: string) => z.string().min(1).optional().describe(description);

const address = (port: number) =>
  z.strictObject({
    host: z
      .string()
      .min(1)
      .default("127.0.0.1")
      .describe("Address to listen on; `0.0.0.0` or `::` for all."),
    port: z
      .int()
      .min(0)
      .max(PORT_MAX)
      .default(port)
      .describe("Port to listen on; 0: any free one."),
    tls: z
      .strictObject({
        cert: file("Paths of the certificate chain and its private key, in PEM."),
        key: file("Paths of the certificate chain and its private key, in PEM."),
      })
      .prefault({})
      .describe("With both files the listener speaks TLS."),
  });

/** Above the 60 s for which common balancers keep a connection, so that it is they who close it. */
const KEEP_ALIVE = "75s";

/** What the dialects' parts say beside their tables. */
export interface Names {
  readonly reserved: ReadonlySet<string>;
  readonly uses: readonly string[];
  readonly joiners: readonly Joiner[];
}

/** The tables that hold for all dialects. */
export const baseOf = ({ reserved, uses, joiners }: Names) =>
  z.strictObject({
    development: z
      .boolean()
      .default(false)
      .describe("Development mode, on loopback addresses only."),
    data_dir: z
      .string()
      .min(1)
      .default("./data")
      .describe("Directory of the embedded engine's database and the server's own keys."),
    master_key: masterKey()
      .optional()
      .describe(
        "32 bytes in hexadecimal or base64, for sealing and ids. Redis needs it, the same on every node; otherwise the server makes it once, in `data_dir`.",
      ),
    previous_master_keys: z
      .array(masterKey())
      .default([])
      .describe(
        "Former master keys, newest first: they open what they sealed, and the oldest still makes ids.",
      ),
    engine: z
      .enum(["embedded", "redis"])
      .default("embedded")
      .describe("`embedded` serves one process, `redis` any number."),
    workers: z
      .int()
      .min(1)
      .max(WORKERS_MAX)
      .default(1)
      .describe("Processes that share the ports, one per core. More than one needs Redis."),
    embedded: z
      .strictObject({
        durability: z
          .enum(["normal", "full"])
          .default("normal")
          .describe(
            "What was acknowledged survives a killed process; with `full` also a power loss, at a fifth of the throughput.",
          ),
      })
      .prefault({})
      .describe("Live state in memory, the rest in one SQLite file."),
    redis: redis
      .prefault({})
      .describe("Redis 7 or later, or Valkey: [how to set it up](redis.md)."),
    clients: address(8000)
      .extend({
        trusted_proxies: z
          .array(
            z.string().refine(isNetwork, "must be an IP address or a range such as 10.0.0.0/8"),
          )
          .default([])
          .describe("Addresses and ranges of proxies whose `X-Forwarded-For` is believed."),
      })
      .prefault({})
      .describe("For browsers and devices."),
    api: address(9000)
      .extend({
        on_clients: z
          .boolean()
          .default(false)
          .describe(
            "Answer API calls on `clients` too. Every call then needs its credential, on loopback as well; bodies there have at most 1 MiB.",
          ),
        keep_alive_timeout: duration({ minMs: 1000, maxMs: TIMER_MS_MAX })
          .prefault(KEEP_ALIVE)
          .describe("How long a connection may idle; longer than balancers in front allow."),
        publishes_in_flight_max: z
          .int()
          .min(1)
          .default(1000)
          .describe("Publishing calls of one app under way on a node. A batch is one call."),
      })
      .prefault({})
      .describe("For your servers and operators: keep it private."),
    log: z
      .strictObject({
        level: z
          .enum(["trace", "debug", "info", "warn", "error", "fatal"])
          .default("info")
          .describe("Least level that is logged."),
        format: z
          .enum(["auto", "json", "pretty"])
          .default("auto")
          .describe("`auto` is pretty on a terminal, JSON elsewhere."),
      })
      .prefault({})
      .describe("One line per event, on the standard output."),
    shutdown: z
      .strictObject({
        timeout: duration({ maxMs: TIMER_MS_MAX })
          .prefault("30s")
          .describe("Time for connections and queued work to end."),
      })
      .prefault({})
      .describe("On SIGTERM and SIGINT."),
    apps: z
      .array(appOf(reserved))
      .min(1)
      .prefault([{ id: "default" }])
      .describe(
        "Apps share nothing but the process. `hosts` or `path_prefix` tell whose a request is; one app may have neither. By default there is one, `default`.",
      ),
    api_keys: z.array(apiKey).default([]).describe("Keys of your servers that call the API."),
    signing_keys: z
      .array(signingKeyOf(uses))
      .default([])
      .describe("Keys that verify clients' tokens."),
    channel: z
      .strictObject({
        max_length: z
          .int()
          .min(1)
          .max(CHANNEL_NAME_BYTES_MAX)
          .default(255)
          .describe("Bytes of a channel's name."),
        history_meta_ttl: duration()
          .prefault("720h")
          .describe("How long a stream's epoch and top offset outlive its last publication."),
        without_namespace: withoutNamespaceOf(joiners)
          .prefault({})
          .describe("Channels whose name has no namespace."),
        namespaces: z
          .array(namespaceOf(joiners))
          .default([])
          .describe("Channels `<name>:…`. Namespaces inherit nothing."),
      })
      .prefault({})
      .describe("Of all channels."),
  });

/** As the schema gives it; `resolve` fills in what depends on other keys. */
export type ParsedBase = z.output<ReturnType<typeof baseOf>>;

export type App = ParsedBase["apps"][number];
export type ApiKey = ParsedBase["api_keys"][number] & { app: string };
/** `until` is in milliseconds since the Unix epoch. `public_key` is PEM text once loaded. */
export type SigningKey = ParsedBase["signing_keys"][number] & {
  app: string;
  algorithms: Algorithm[];
};

/** A checked configuration in the file's own names, less the dialects' tables. Durations are in milliseconds, sizes in bytes. */
export type BaseConfig = Omit<ParsedBase, "api_keys" | "signing_keys"> & {
  api_keys: ApiKey[];
  signing_keys: SigningKey[];
};

/** Fills in the only app, and HMAC's default algorithm. Takes what passed the rules. */
export function resolve(parsed: ParsedBase): BaseConfig {
  const only = parsed.apps[0]?.id ?? "";
  return {
    ...parsed,
    api_keys: parsed.api_keys.map((key) => ({ ...key, app: key.app ?? only })),
    signing_keys: parsed.signing_keys.map((key) => ({
      ...key,
      app: key.app ?? only,
      algorithms: key.algorithms ?? [HMAC_ALGORITHMS[0]],
    })),
  };
}
