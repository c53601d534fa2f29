/** The events dialect's settings: event-streaming.md §3 in its own names, §4.1 and §10.4 with their defaults. */
import { z } from "zod";
import type { ParsedSigningKey } from "../../config/apps.ts";
import { duration } from "../../config/durations.ts";
import { bodySizeLimit, flag } from "../../config/kinds.ts";
import type { BroughtNamespace, Parsed } from "../../config/part.ts";
import type { Path, Problem } from "../../config/problem.ts";
import { duplicates } from "../../config/rules.ts";
import type { BaseConfig } from "../../config/schema.ts";
import type { WebhooksConfig } from "../../webhooks/config.ts";

/** Of one token: a connection may not hold more channels than these (event-streaming.md §3). */
export const AUTOMATIC_CHANNELS_MAX = 128;
/** Where the server itself tells an organisation of its webhooks (webhooks.md §7.3). */
const NOTICES_NAMESPACE = "webhooks";
/** As publishing takes them (event-streaming.md §10.1). */
const EVENT_TYPE_CHARACTERS_MAX = 128;
/** What the server itself sends to webhook endpoints (webhooks.md §5.1, §7.3). */
export const SERVER_EVENT_TYPES: readonly string[] = [
  ...["webhook.test", "endpoint.created", "endpoint.updated", "endpoint.deleted"],
  ...["endpoint.secret_rotated", "endpoint.failing", "endpoint.disabled"],
  ...["message.failing", "message.exhausted", "message.recovered"],
];

const rate = (fallback: number, description: string) =>
  z.int().min(0).default(fallback).describe(`${description}; 0: unlimited.`);
const text = () => z.string().min(1);

export const eventsNamespace = z.strictObject({
  name: z
    .string()
    .regex(/^[-A-Za-z0-9_]{2,64}$/, "must be 2 to 64 letters, digits, `-` and `_`")
    .refine((name) => name !== NOTICES_NAMESPACE, `"${NOTICES_NAMESPACE}" is the server's own`)
    .describe("The resource, and its channels' part before the `:`."),
  visibility: z
    .enum(["private", "public"])
    .default("private")
    .describe("Connected clients may join a `public` one without a token."),
  scopes: z
    .array(text())
    .min(1)
    .optional()
    .describe("Any of these opens it. Default: `<name>:read`, `<name>:manage`, `<name>:admin`."),
  organisation_channel: flag(true, "There is a channel for the whole organisation."),
  user_channel: flag(true, "Connection tokens also open the user's own channel."),
  auto_subscribe: flag(true, "Connection tokens open these channels by themselves."),
  multi_user: flag(false, "A channel may name up to ten users."),
  private_prefix: flag(false, "A channel may begin with `$`."),
  history_size: z
    .int()
    .min(0)
    .default(100)
    .describe("Publications kept per channel, and for how many seconds; 0: none."),
  history_ttl_s: z
    .int()
    .min(0)
    .default(300)
    .describe("Publications kept per channel, and for how many seconds; 0: none."),
  recover: flag(true, "Subscriptions recover what they missed. Needs history."),
});

/** A JSON Schema: a table of the file, or JSON text, which unlike TOML can say `null`. Checked to be an object, no further. */
const jsonSchema = z
  .codec(
    z.custom<string | object>((value) => objectOf(value) !== undefined, "must be a JSON object"),
    // zod's record would drop a member called `__proto__`.
    z.custom<Readonly<Record<string, unknown>>>(),
    { decode: (value) => objectOf(value) ?? {}, encode: (value) => JSON.stringify(value) },
  )
  .meta({ type: "json" });

/** As JSON has it: a date of TOML becomes a text. */
function objectOf(given: unknown): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(typeof given === "string" ? given : JSON.stringify(given));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const eventType = z.strictObject({
  name: z
    .string()
    .max(EVENT_TYPE_CHARACTERS_MAX)
    .regex(/^\w+(\.\w+)*$/, "must be words of letters, digits and `_` with dots between them")
    .refine((name) => !SERVER_EVENT_TYPES.includes(name), "is the server's own")
    .describe("As in an event's `type`."),
  description: text().describe("What it tells of."),
  schema: jsonSchema
    .optional()
    .describe(
      "JSON Schema of the whole body, with `id`, `type`, `timestamp` and `data`. Default: any `data`.",
    ),
});

export const eventsSection = z.strictObject({
  enabled: flag(false, "Serve it."),
  issuer: text()
    .optional()
    .describe("`iss` of issued tokens: this API's public address. Required once enabled."),
  audience: text().default("events").describe("`aud` of issued tokens."),
  organisation_claim: text()
    .default("org_id")
    .describe(
      "Claim of access tokens that names the organisation; `organisation_id` and `org` are read as well.",
    ),
  token_ttl: duration({ minMs: 60_000, maxMs: 43_200_000 })
    .prefault("15m")
    .describe("How long issued tokens are valid, 1 minute to 12 hours."),
  endpoint: z
    .url({ protocol: /^wss?$/, error: "must be a ws or wss address" })
    .optional()
    .describe(
      "Where clients are told to connect. Default: the address of `clients`, with streaming's path.",
    ),
  connection_tokens_per_minute: rate(60, "Tokens of each kind per minute and user"),
  subscription_tokens_per_minute: rate(300, "Tokens of each kind per minute and user"),
  provisions_per_minute: rate(10, "Provisionings and deprovisionings per minute and organisation"),
  publishes_per_second: rate(500, "Events per second and key"),
  body_size_limit: bodySizeLimit(
    524_288,
    "Bytes of a publishing call's body; see `streaming.body_size_limit`.",
  ),
  user_connection_limit: rate(20, "Connections per user and node, of all dialects"),
  namespaces: z
    .array(eventsNamespace)
    .default([])
    .describe(
      "Resources with events, each a channel namespace. Only a `public` one may also stand in `channel.namespaces`, whose options it then has.",
    ),
  event_types: z
    .array(eventType)
    .default([])
    .describe(
      "Types offered where webhook endpoints are set up; others may be published all the same.",
    ),
});

type Configured = z.output<typeof eventsNamespace>;

/** With its scopes, said or implied. */
export type EventsNamespace = Configured & { readonly scopes: readonly string[] };

/** Those configured, and the server's own. */
export function eventsNamespaces(configured: readonly Configured[]): readonly EventsNamespace[] {
  const named = configured.map((entry) => ({
    ...entry,
    scopes: entry.scopes ?? ["read", "manage", "admin"].map((level) => `${entry.name}:${level}`),
  }));
  return [...named, NOTICES];
}

const NOTICES: EventsNamespace = {
  ...eventsNamespace.omit({ name: true, scopes: true }).parse({ auto_subscribe: false }),
  name: NOTICES_NAMESPACE,
  scopes: ["webhooks:read", "webhooks:admin", "platform:admin"],
  user_channel: false,
};

/** How many channels a connection token can open by itself. */
export function automaticChannels(namespaces: readonly Configured[]): number {
  return namespaces
    .filter(({ visibility, auto_subscribe }) => visibility === "private" && auto_subscribe)
    .reduce(
      (sum, entry) => sum + Number(entry.organisation_channel) + Number(entry.user_channel),
      0,
    );
}

/** The configuration as far as this dialect and its webhooks look at it. */
export type EventsConfig = BaseConfig &
  WebhooksConfig & {
    readonly events: z.output<typeof eventsSection>;
    /** Its sockets are streaming's. */
    readonly streaming: { readonly websocket_path: string; readonly channel_limit: number };
  };

export function* eventsProblems(config: Parsed<EventsConfig>): Iterable<Problem> {
  const { events, channel, signing_keys } = config;
  if (!events.enabled && !config.development) return;
  const path = ["events", "namespaces"];
  yield* duplicates(events.namespaces, "name", path);
  yield* duplicates(events.event_types, "name", ["events", "event_types"]);
  const closed = eventsNamespaces(events.namespaces).filter(
    ({ visibility }) => visibility === "private",
  );
  for (const [index, { name }] of channel.namespaces.entries()) {
    if (!closed.some((entry) => entry.name === name)) continue;
    const message = `"${name}" is a private namespace of "events"`;
    yield { path: ["channel", "namespaces", index, "name"], message };
  }
  for (const [index, entry] of events.namespaces.entries()) {
    if (entry.history_size > 0 !== entry.history_ttl_s > 0) {
      const message = 'goes with "history_ttl_s": both are 0, or neither';
      yield { path: [...path, index, "history_size"], message };
    }
  }
  const automatic = automaticChannels(events.namespaces);
  // In development mode, where nobody asked for the catalogue, a lower limit is for trying the limit out.
  const most = config.development ? AUTOMATIC_CHANNELS_MAX : config.streaming.channel_limit;
  if (automatic > Math.min(AUTOMATIC_CHANNELS_MAX, most)) {
    const message = `one token could open ${automatic} channels by itself, more than a connection may hold`;
    yield { path, message };
  }
  const { operator_url: url, operator_secret: secret } = config.webhooks;
  if ((url === undefined) !== (secret === undefined)) {
    const name = url === undefined ? "operator_url" : "operator_secret";
    yield { path: ["webhooks", name], message: "goes with the other of the two" };
  }
  if (!events.enabled) return;
  if (events.issuer === undefined) {
    yield { path: ["events", "issuer"], message: 'is required with "enabled"' };
  }
  if (!signing_keys.some(({ use }) => use === "events-client")) {
    yield { path: ["events"], message: 'needs a signing key with use = "events-client"' };
  }
}

/** One that signs says nothing that the dialect's own settings say. */
export function* eventsKeyProblems(key: ParsedSigningKey, path: Path): Iterable<Problem> {
  const tokens = ["issuer", "audience"] as const;
  if (key.use === "events-client") {
    if (key.hmac_secret === undefined && key.private_key === undefined) {
      yield { path, message: 'needs an "hmac_secret" or a "private_key": it signs' };
    }
    for (const name of tokens.filter((claim) => key[claim] !== undefined)) {
      yield { path: [...path, name], message: `"events.${name}" says it` };
    }
  }
  if (key.use !== "events-access") return;
  for (const name of tokens.filter((claim) => key[claim] === undefined)) {
    yield { path: [...path, name], message: 'is required with "events-access"' };
  }
}

/** API keys' scopes: those that calls ask for, and those of the catalogue. */
export function eventsScopes({ events }: EventsConfig): readonly string[] {
  return [
    ...["events:publish", "events:provision", "events:revoke", "events:impersonate"],
    ...eventsNamespaces(events.namespaces).flatMap(({ scopes }) => scopes),
  ];
}

/** event-streaming.md §8, §10.2: private ones open to a token alone, nobody publishes, presence is off. */
export function eventsChannels({ events, channel }: EventsConfig): readonly BroughtNamespace[] {
  return eventsNamespaces(events.namespaces).map((entry) => {
    const { name, visibility, history_size: size, history_ttl_s: ttlS, recover } = entry;
    const open = visibility === "public";
    const settings = {
      name,
      dialects: ["streaming"],
      ...{ allow_subscribe_for_client: open, allow_subscribe_for_anonymous: open },
      ...(size > 0 ? { history_size: size, history_ttl: ttlS } : {}),
      history_meta_ttl: Math.max(channel.history_meta_ttl / 1000, ttlS),
      force_recovery: recover && size > 0,
    };
    return { settings, owner: "events", ...(open ? {} : { openedBy: "events" }) };
  });
}

/** Of the tokens that are issued in development mode, and of the access tokens that they are issued for. */
const DEVELOPMENT_TOKENS = { issuer: "http://127.0.0.1:9000", audience: "events" };

/** Provisioned at the first start in development mode, and whom `carillon token access` makes a token for. */
export const DEVELOPMENT_ORGANISATION = "org_26ZZVNs2QURl4yY6owPARekUbMa";
export const DEVELOPMENT_USER = "usr_26ZZVRrmnPTXTcZIuzXLZdnigLW";

export const EVENTS_DEVELOPMENT = {
  events: {
    ...DEVELOPMENT_TOKENS,
    namespaces: [
      { name: "shipments" },
      { name: "orders" },
      { name: "public", visibility: "public" as const },
    ],
  },
  webhooks: {
    ...{ allow_http: true, allow_hosts: ["localhost"] },
    allow_networks: ["127.0.0.0/8", "::1"],
  },
};

export const EVENTS_DEVELOPMENT_KEYS = [{ use: "events-access", ...DEVELOPMENT_TOKENS }];
