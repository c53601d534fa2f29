/** What has to fit together between keys. Each rule sees values that the schema has accepted. */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { HMAC_ALGORITHMS, type Algorithm } from "./apps.ts";
import { dialectsOf, type ChannelSettings } from "./channel-options.ts";
import { formatDuration } from "./durations.ts";
import { AUTOMATIC_CHANNELS_MAX, automaticChannels, eventsNamespaces } from "./events.ts";
import type { Path, Problem } from "./problem.ts";
import { enabledDialects, servesEvents, type ParsedConfig } from "./schema.ts";

const KEY_SOURCES = ["hmac_secret", "public_key", "private_key", "jwks_url"] as const;

/** gusher.md §4: RSA; HMAC only where the app's owner configured a secret. */
const GUSHER_ALGORITHMS = /^[RH]S/;

export function checkRules(config: ParsedConfig): Problem[] {
  return [
    ...listenerProblems(config),
    ...engineProblems(config),
    ...appProblems(config),
    ...credentialProblems(config),
    ...channelProblems(config),
    ...streamingProblems(config),
    ...gusherProblems(config),
    ...tasksProblems(config),
    ...eventsProblems(config),
  ];
}

function* listenerProblems(config: ParsedConfig): Iterable<Problem> {
  for (const name of ["clients", "api"] as const) {
    const { cert, key } = config[name].tls;
    if (cert !== undefined && key === undefined) {
      yield { path: [name, "tls", "key"], message: 'is required with "cert"' };
    }
    if (key !== undefined && cert === undefined) {
      yield { path: [name, "tls", "cert"], message: 'is required with "key"' };
    }
  }
  const { clients, api } = config;
  if (clients.port !== 0 && clients.port === api.port && clients.host === api.host) {
    yield { path: ["api", "port"], message: 'must differ from "clients.port"' };
  }
}

function* engineProblems({ engine, workers, redis, master_key }: ParsedConfig): Iterable<Problem> {
  if (engine === "redis") {
    const message = 'is required with engine = "redis"';
    if (redis.url === undefined) yield { path: ["redis", "url"], message };
    if (master_key === undefined) yield { path: ["master_key"], message };
  } else if (workers > 1) {
    const message = 'needs engine = "redis": the embedded engine serves one process';
    yield { path: ["workers"], message };
  }
}

function* appProblems({ apps }: ParsedConfig): Iterable<Problem> {
  yield* duplicates(apps, "id", ["apps"]);
  for (const [index, app] of apps.entries()) {
    const rival = apps.slice(0, index).find((earlier) => {
      const shared = app.hosts.some((host) => earlier.hosts.includes(host));
      const anyHost = app.hosts.length === 0 && earlier.hosts.length === 0;
      return app.path_prefix === earlier.path_prefix && (shared || anyHost);
    });
    if (rival !== undefined) {
      const message = `needs "hosts" or "path_prefix" that tell its requests from app "${rival.id}"`;
      yield { path: ["apps", index], message };
    }
  }
}

function* credentialProblems(config: ParsedConfig): Iterable<Problem> {
  yield* duplicates(config.api_keys, "id", ["api_keys"]);
  yield* duplicates(config.api_keys, "hash", ["api_keys"]);
  const apps = config.apps.map((app) => app.id);
  for (const list of ["api_keys", "signing_keys"] as const) {
    for (const [index, { app }] of config[list].entries()) {
      const path = [list, index, "app"];
      if (app === undefined && apps.length > 1) {
        yield { path, message: "is required with several apps" };
      } else if (app !== undefined && !apps.includes(app)) {
        yield { path, message: `there is no app "${app}"` };
      }
    }
  }
  for (const [index, key] of config.signing_keys.entries()) {
    yield* signingKeyProblems(key, ["signing_keys", index]);
  }
}

function* signingKeyProblems(
  key: ParsedConfig["signing_keys"][number],
  path: Path,
): Iterable<Problem> {
  const sources = KEY_SOURCES.filter((source) => key[source] !== undefined);
  if (sources.length !== 1) {
    const message = `needs exactly one of ${KEY_SOURCES.map((source) => `"${source}"`).join(", ")}`;
    yield { path, message };
    return;
  }
  if (key.use === "tasks") {
    yield* tasksSecretProblems(key, path);
    return;
  }
  yield* eventsKeyProblems(key, path);
  for (const algorithm of key.algorithms ?? []) {
    if (key.use !== "gusher" || GUSHER_ALGORITHMS.test(algorithm)) continue;
    const message = `"${algorithm}" is none of gusher's: RS256, RS384, RS512, or HMAC`;
    yield { path: [...path, "algorithms"], message };
  }
  const symmetric = key.hmac_secret !== undefined;
  if (key.algorithms === undefined) {
    if (!symmetric) {
      yield { path: [...path, "algorithms"], message: `is required with "${sources[0]}"` };
    }
    return;
  }
  for (const algorithm of key.algorithms) {
    const hmac = isHmac(algorithm);
    if (hmac === symmetric) continue;
    const message = hmac
      ? `"${algorithm}" needs an "hmac_secret": HMAC never goes with a public key`
      : `"${algorithm}" needs a key pair or "jwks_url", not an "hmac_secret"`;
    yield { path: [...path, "algorithms"], message };
  }
}

/** task-tokens.md §4.2: a secret and one algorithm, and nothing that tells one key from another. */
function* tasksSecretProblems(
  key: ParsedConfig["signing_keys"][number],
  path: Path,
): Iterable<Problem> {
  if (key.hmac_secret === undefined) {
    yield {
      path,
      message: 'needs an "hmac_secret": tasks\' calls are signed with a shared secret',
    };
  }
  for (const name of ["algorithms", "kid", "issuer", "audience"] as const) {
    if (key[name] === undefined) continue;
    yield { path: [...path, name], message: "means nothing to the signatures of tasks' calls" };
  }
}

/** What is wrong with a public key's text for these algorithms; undefined when nothing is. */
export function publicKeyProblem(
  pem: string,
  algorithms: readonly Algorithm[],
): string | undefined {
  if (pem.includes("PRIVATE KEY")) return "holds a private key; only the public one belongs here";
  try {
    return unsuited(createPublicKey(pem), algorithms);
  } catch {
    return "must be a public key in PEM";
  }
}

/** Likewise of a private key's text. */
export function privateKeyProblem(
  pem: string,
  algorithms: readonly Algorithm[],
): string | undefined {
  try {
    return unsuited(createPrivateKey(pem), algorithms);
  } catch {
    return "must be a private key in PEM";
  }
}

function unsuited(
  { asymmetricKeyType: type }: KeyObject,
  algorithms: readonly Algorithm[],
): string | undefined {
  const prefix = type === "rsa" ? "RS" : type === "ec" ? "ES" : type === "ed25519" ? "EdDSA" : "?";
  const wrong = algorithms.find((algorithm) => !algorithm.startsWith(prefix));
  return wrong === undefined ? undefined : `is of type "${type}", which "${wrong}" cannot use`;
}

/** What is wrong with a listener's certificate and key, by their texts; undefined when nothing is. */
export function certificateProblem(
  cert: string,
  key: string,
): { readonly of: "cert" | "key"; readonly message: string } | undefined {
  try {
    const certificate = new X509Certificate(cert);
    try {
      if (certificate.checkPrivateKey(createPrivateKey(key))) return undefined;
      return { of: "key", message: "is not the key of the certificate" };
    } catch {
      return { of: "key", message: "must hold a private key in PEM, without a passphrase" };
    }
  } catch {
    return { of: "cert", message: "must hold a certificate in PEM" };
  }
}

function* channelProblems(config: ParsedConfig): Iterable<Problem> {
  const { channel, development } = config;
  const enabled = enabledDialects(config);
  const without: Path = ["channel", "without_namespace"];
  if (channel.without_namespace.dialects === undefined && !development && enabled.length > 1) {
    yield { path: [...without, "dialects"], message: "is required with several dialects" };
  }
  const globalMs = channel.history_meta_ttl;
  const shared = { enabled, globalMs };
  yield* optionProblems(channel.without_namespace, { path: without, named: false, ...shared });
  yield* duplicates(channel.namespaces, "name", ["channel", "namespaces"]);
  for (const [index, options] of channel.namespaces.entries()) {
    const path: Path = ["channel", "namespaces", index];
    yield* optionProblems(options, { path, named: true, ...shared });
  }
}

function* optionProblems(
  options: ChannelSettings,
  place: {
    readonly path: Path;
    readonly named: boolean;
    readonly enabled: readonly string[];
    readonly globalMs: number;
  },
): Iterable<Problem> {
  const at = (key: keyof ChannelSettings) => [...place.path, key];
  const { history_size: size, history_ttl: ttlMs } = options;
  if (size > 0 && ttlMs === 0) {
    yield { path: at("history_ttl"), message: 'is required with "history_size"' };
  }
  if (ttlMs > 0 && size === 0) {
    yield { path: at("history_size"), message: 'is required with "history_ttl"' };
  }
  if (size === 0 && ttlMs === 0) {
    for (const forced of ["force_recovery", "force_positioning"] as const) {
      if (!options[forced]) continue;
      yield { path: at(forced), message: 'needs "history_size" and "history_ttl"' };
    }
  }
  if ((options.history_meta_ttl ?? place.globalMs) < ttlMs) {
    const message = `must be at least "history_ttl" (${formatDuration(ttlMs)})`;
    const global = options.history_meta_ttl === undefined;
    yield global
      ? { path: ["channel", "history_meta_ttl"], message: `${message} of ${describe(place.path)}` }
      : { path: at("history_meta_ttl"), message };
  }
  if (options.publication_data_format === "binary") {
    const { names } = dialectsOf(options, place);
    if (names.some((name: string) => name !== "streaming")) {
      const message = '"binary" needs dialects = ["streaming"]';
      yield { path: at("publication_data_format"), message };
    }
  }
}

function* streamingProblems({ streaming, channel }: ParsedConfig): Iterable<Problem> {
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
      message: `there is no namespace "${name}"`,
    };
  }
}

/** A key of another use cannot sign; one that signs says nothing that the dialect's own settings say. */
function* eventsKeyProblems(
  key: ParsedConfig["signing_keys"][number],
  path: Path,
): Iterable<Problem> {
  const tokens = ["issuer", "audience"] as const;
  if (key.use === "events-client") {
    if (key.hmac_secret === undefined && key.private_key === undefined) {
      yield { path, message: 'needs an "hmac_secret" or a "private_key": it signs' };
    }
    for (const name of tokens.filter((claim) => key[claim] !== undefined)) {
      yield { path: [...path, name], message: `"events.${name}" says it` };
    }
  } else if (key.private_key !== undefined) {
    yield { path: [...path, "private_key"], message: 'is for "events-client" alone' };
  }
  if (key.use !== "events-access") return;
  for (const name of tokens.filter((claim) => key[claim] === undefined)) {
    yield { path: [...path, name], message: 'is required with "events-access"' };
  }
}

function* eventsProblems(config: ParsedConfig): Iterable<Problem> {
  const { events, channel, signing_keys } = config;
  if (!servesEvents(config)) return;
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

function* gusherProblems({ engine, gusher }: ParsedConfig): Iterable<Problem> {
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

function* tasksProblems({ tasks, streaming, apps }: ParsedConfig): Iterable<Problem> {
  const path: Path = ["tasks", "apps"];
  if (tasks.rpc_path === streaming.api_path) {
    yield { path: ["tasks", "rpc_path"], message: 'must differ from "streaming.api_path"' };
  }
  const socket = tasks.websocket_paths.indexOf(streaming.websocket_path);
  if (socket >= 0) {
    const message = 'must differ from "streaming.websocket_path"';
    yield { path: ["tasks", "websocket_paths", socket], message };
  }
  yield* duplicates(tasks.apps, "id", path);
  for (const [index, { id }] of tasks.apps.entries()) {
    if (apps.some((app) => app.id === id)) continue;
    yield { path: [...path, index, "id"], message: `there is no app "${id}"` };
  }
}

function* duplicates<Key extends string>(
  entries: readonly Readonly<Record<Key, string>>[],
  key: Key,
  path: Path,
): Iterable<Problem> {
  for (const [index, entry] of entries.entries()) {
    const first = entries.findIndex((other) => other[key] === entry[key]);
    if (first === index) continue;
    yield {
      path: [...path, index, key],
      message: `"${entry[key]}" is already used by entry ${first}`,
    };
  }
}

function describe(path: Path): string {
  const [, name, index] = path;
  return index === undefined ? `"${name}"` : `"${name}[${index}]"`;
}

function isHmac(algorithm: Algorithm): boolean {
  return HMAC_ALGORITHMS.some((hmac) => hmac === algorithm);
}
