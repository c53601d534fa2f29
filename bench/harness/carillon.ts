/** The server under test as a process of its own: its configuration, its credentials, and how to reach it. */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bun, ChildProcess, type SpawnOptions } from "./processes.ts";
import { LOOPBACK, type Joining, type Publishing, type Target } from "./targets.ts";

export interface Credentials {
  readonly apiKey: string;
  readonly tokenSecret: string;
  /** Connection tokens, one for each of this many users. */
  readonly tokens: (users: number) => string[];
}

export function createCredentials(): Credentials {
  const tokenSecret = randomBytes(32).toString("hex");
  return {
    apiKey: `evk_bench_${randomBytes(32).toString("hex")}`,
    tokenSecret,
    tokens: (users) =>
      Array.from({ length: users }, (_, user) => sign({ sub: `u${user}` }, tokenSecret)),
  };
}

export interface CarillonOptions {
  /** Users among whom the connections are spread. */
  readonly users?: number;
  /** For benchmarks that put all of their load on few connections. */
  readonly channelsPerConnection?: number;
  /** Over the configuration, member by member at the top level. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Makes it a node of those that share this Redis. Default: the embedded engine. */
  readonly redisUrl?: string;
  /** Of every channel. */
  readonly channel?: Readonly<Record<string, unknown>>;
  /** Beside the channels without one, whose options are `channel`. */
  readonly namespaces?: readonly Namespace[];
  /** The module that is run. Default: the sources'. */
  readonly program?: string;
  /** Default: "server". */
  readonly on?: SpawnOptions["on"];
  /** Also the events dialect, with this resource and no rate limits. */
  readonly resource?: string;
}

export interface Namespace {
  readonly name: string;
  readonly [option: string]: unknown;
}

/** Presence, history and join/leave are off, as everything is that costs and was not asked for. */
function configuration(
  { apiKey, tokenSecret }: Credentials,
  dataDir: string,
  options: CarillonOptions,
) {
  const {
    channelsPerConnection: limit,
    redisUrl,
    channel = {},
    namespaces = [],
    resource,
  } = options;
  const events = resource === undefined ? undefined : eventsConfiguration(resource, tokenSecret);
  return {
    data_dir: dataDir,
    ...(redisUrl === undefined
      ? {}
      : { engine: "redis", master_key: "00".repeat(32), redis: { url: redisUrl } }),
    clients: { host: LOOPBACK, port: 0 },
    api: { host: LOOPBACK, port: 0 },
    log: { format: "json" },
    apps: [{ id: "bench" }],
    api_keys: [{ id: "bench", hash: createHash("sha256").update(apiKey).digest("hex") }],
    signing_keys: [
      ...["streaming", "gusher", "messaging"].map((use) => ({ use, hmac_secret: tokenSecret })),
      ...(events?.signing_keys ?? []),
    ],
    ...(events === undefined ? {} : { events: events.events }),
    gusher: { enabled: true, token_ttl: "1h", drop_idle: false },
    channel: {
      without_namespace: {
        ...{ dialects: ["streaming", "gusher"], allow_subscribe_for_client: true },
        ...channel,
      },
      namespaces: namespaces.map((namespace) => ({
        ...{ dialects: ["streaming"], allow_subscribe_for_client: true },
        ...namespace,
      })),
    },
    ...(limit === undefined
      ? {}
      : { streaming: { channel_limit: limit, commands_per_second_max: 0 } }),
  };
}

export async function startCarillon(options: CarillonOptions = {}): Promise<Target> {
  const server = await startServer(options);
  const { clients, api, credentials } = server;
  const texts = credentials.tokens(options.users ?? 1000);
  return {
    name: "Carillon",
    process: server.process,
    sockets: { host: LOOPBACK, port: portOf(clients), path: "/connection/websocket" },
    join: (channel) => joinStreaming(channel, texts),
    publishing: {
      host: LOOPBACK,
      port: portOf(api),
      path: "/api/publish",
      headers: { "X-API-Key": credentials.apiKey, "Content-Type": "application/json" },
      body: (channel, data) => `{"channel":"${channel}","data":${data}}`,
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export interface GusherTargetOptions {
  /** The publisher's, by its path. */
  readonly channel: string;
  /** Users among whom the connections are spread, each with a token. Default 1. */
  readonly users?: number;
  readonly options?: CarillonOptions;
}

/** The same server by its gusher dialect. The users log in when the first connections are about to be opened. */
export async function startCarillonGusher(options: GusherTargetOptions): Promise<Target> {
  const { channel, users = 1 } = options;
  const server = await startServer(options.options ?? {});
  const { clients, api, credentials } = server;
  let tokens: Promise<readonly string[]> | undefined;
  return {
    name: "Carillon, gusher",
    process: server.process,
    sockets: { host: LOOPBACK, port: portOf(clients), path: "/gusher/ws/bench?token=%s" },
    join: async (name) => ({
      init: [`{"event":"gusher.subscribe","data":{"channel":"${name}"}}`],
      texts: await (tokens ??= logIn(`${clients}/gusher/auth`, users, credentials)),
      replies: 1,
    }),
    publishing: {
      host: LOOPBACK,
      port: portOf(api),
      path: `/gusher/push/bench/${channel}/notify`,
      headers: { "Content-Type": "application/json" },
      body: (_, data) => `{"data":${data}}`,
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The same server by Sora's signaling, whose WebRTC peers are played: what reaches its WebSockets alone is measured. */
export async function startCarillonSora(options: CarillonOptions = {}): Promise<Target> {
  const never = { ping_interval: "1h", pong_timeout: "2h", connection_limit: 0 };
  const channel = { dialects: ["streaming", "sora"], ...options.channel };
  const server = await startServer({
    ...{ ...options, channel, program: "floor/sora-signaling.ts" },
    config: { sora: { enabled: true, ...never }, ...options.config },
  });
  const { clients, api, credentials } = server;
  return {
    name: "Carillon, sora",
    process: server.process,
    sockets: { host: LOOPBACK, port: portOf(clients), path: "/signaling" },
    join: (name) => ({
      init: [
        // Those of one bundle are not told of each other.
        `{"type":"connect","role":"recvonly","channel_id":"${name}","bundle_id":"bench"}`,
        '{"type":"answer","sdp":"v=0"}',
      ],
      // The offer, and that it is announced.
      replies: 2,
    }),
    publishing: {
      host: LOOPBACK,
      port: portOf(api),
      path: "/",
      headers: {
        "x-sora-target": "Sora_20160711.PushChannel",
        "X-API-Key": credentials.apiKey,
        "Content-Type": "application/json",
      },
      body: (name, data) => `{"channel_id":"${name}","data":${data}}`,
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The tokens of so many users. */
async function logIn(url: string, users: number, { tokenSecret }: Credentials): Promise<string[]> {
  const tokens: string[] = [];
  for (let first = 0; first < users; first += LOGINS_AT_A_TIME) {
    const some = Array.from(
      { length: Math.min(LOGINS_AT_A_TIME, users - first) },
      async (_, index) => {
        const claims = {
          channels: ["*"],
          user_id: `u${first + index}`,
          app_key: "bench",
          remotes: {},
        };
        const body = new URLSearchParams({ jwt: sign({ gusher: claims }, tokenSecret) });
        const answer = await fetch(url, { method: "POST", body });
        return ((await answer.json()) as { token: string }).token;
      },
    );
    tokens.push(...(await Promise.all(some)));
  }
  return tokens;
}

const LOGINS_AT_A_TIME = 50;

const EVENTS_ISSUER = "https://bench.example";
const ORGANISATION = "org_bench";
const RESOURCE = "shipments";

function eventsConfiguration(resource: string, hmac_secret: string) {
  const audience = "events";
  return {
    signing_keys: [
      { use: "events-client", hmac_secret },
      { use: "events-access", hmac_secret, issuer: EVENTS_ISSUER, audience },
    ],
    events: {
      ...{ enabled: true, issuer: EVENTS_ISSUER, audience },
      ...{ connection_tokens_per_minute: 0, subscription_tokens_per_minute: 0 },
      publishes_per_second: 0,
      namespaces: [{ name: resource }],
    },
  };
}

/** The events dialect with a provisioned organisation: what is sent to each endpoint, by its name. */
export async function startCarillonEvents() {
  const server = await startServer({ resource: RESOURCE });
  const { api, credentials } = server;
  const claims = {
    ...{ iss: EVENTS_ISSUER, aud: "events", sub: "usr_bench", org_id: ORGANISATION },
    scope: `platform:admin ${RESOURCE}:read`,
  };
  const bearer = { Authorization: `Bearer ${sign(claims, credentials.tokenSecret)}` };
  const provisioned = await fetch(`${api}/events/provision`, { method: "POST", headers: bearer });
  if (!provisioned.ok) throw new Error(`Not provisioned: ${await provisioned.text()}`);
  const json = { "Content-Type": "application/json" };
  const endpoint = (path: string, headers: Readonly<Record<string, string>>): Publishing => ({
    ...{ host: LOOPBACK, port: portOf(api), path, headers: { ...json, ...headers } },
    body: (_, data) => data,
  });
  const key = { "X-API-Key": credentials.apiKey };
  return {
    process: server.process,
    connectionToken: endpoint("/events/connection_token", bearer),
    subscriptionToken: endpoint("/events/subscription_token", bearer),
    publish: endpoint("/events/publish", key),
    publishBatch: endpoint("/events/publish/batch", key),
    channel: `${RESOURCE}:${ORGANISATION}`,
    event: (data: string, more = "") =>
      `{"type":"a.b","organisation_id":"${ORGANISATION}","resource":"${RESOURCE}","data":${data}${more}}`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The process alone, with where it listens and what it takes. */
export async function startServer(options: CarillonOptions) {
  const credentials = createCredentials();
  const dataDir = mkdtempSync(join(tmpdir(), "carillon-bench-"));
  const file = join(dataDir, "carillon.json");
  const config = { ...configuration(credentials, dataDir, options), ...options.config };
  writeFileSync(file, JSON.stringify(config));
  const process = new ChildProcess(bun(options.program ?? "../src/cli/main.ts", "serve"), {
    on: options.on ?? "server",
    env: { CARILLON_CONFIG: file },
  });
  return {
    ...(await ready(process)),
    credentials,
    process,
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** The log line that says where it listens; warnings may come before it. */
async function ready(process: ChildProcess): Promise<{ clients: string; api: string }> {
  for (;;) {
    const { clients, api } = await process.line<{ clients?: string; api?: string }>();
    if (clients !== undefined && api !== undefined) return { clients, api };
  }
}

/** As the SDK does, save that it would wait for the first answer. */
export function joinStreaming(channel: string, tokens: readonly string[]): Joining {
  return {
    init: ['{"id":1,"connect":{"token":"%s"}}', `{"id":2,"subscribe":{"channel":"${channel}"}}`],
    texts: tokens,
    replies: 2,
  };
}

/** HS256, for a day. */
export function sign(claims: Readonly<Record<string, unknown>>, secret: string): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 24 * 3600;
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ ...claims, exp })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

export function portOf(url: string): number {
  return Number(new URL(url).port);
}
