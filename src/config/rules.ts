/** What has to fit together between keys. Each rule sees values that the schema has accepted. */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { HMAC_ALGORITHMS, type Algorithm, type ParsedSigningKey } from "./apps.ts";
import { dialectsOf, joinersWith, type ChannelSettings } from "./channel-options.ts";
import { formatDuration } from "./durations.ts";
import type { Path, Problem } from "./problem.ts";
import { isServed, type ConfigPart, type KeyUse } from "./part.ts";
import type { Model } from "./model.ts";
import type { ParsedBase } from "./schema.ts";

const SAME_PORT =
  'must differ from "clients.port": with "on_clients" the API is answered there as well';
const KEY_SOURCES = ["hmac_secret", "public_key", "private_key", "jwks_url"] as const;

export function checkRules({ parts }: Model, config: ParsedBase): Problem[] {
  return [
    ...listenerProblems(config),
    ...engineProblems(config),
    ...appProblems(config),
    ...credentialProblems(parts, config),
    ...channelProblems(parts, config),
    ...parts.flatMap((part) => [...(part.problems?.(config) ?? [])]),
  ];
}

function* listenerProblems(config: ParsedBase): Iterable<Problem> {
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
    yield { path: ["api", "port"], message: SAME_PORT };
  }
}

function* engineProblems({ engine, workers, redis, master_key }: ParsedBase): Iterable<Problem> {
  if (engine === "redis") {
    const message = 'is required with engine = "redis"';
    if (redis.url === undefined) yield { path: ["redis", "url"], message };
    if (master_key === undefined) yield { path: ["master_key"], message };
  } else if (workers > 1) {
    const message = 'needs engine = "redis": the embedded engine serves one process';
    yield { path: ["workers"], message };
  }
}

function* appProblems({ apps }: ParsedBase): Iterable<Problem> {
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

function* credentialProblems(parts: readonly ConfigPart[], config: ParsedBase): Iterable<Problem> {
  yield* duplicates(config.api_keys, "id", ["api_keys"]);
  yield* duplicates(config.api_keys, "hash", ["api_keys"]);
  const apps = config.apps.map((app) => app.id);
  for (const list of ["api_keys", "signing_keys"] as const) {
    for (const [index, { app }] of config[list].entries()) {
      const path = [list, index, "app"];
      if (app === undefined && apps.length > 1) {
        yield { path, message: "is required with several apps" };
      } else if (app !== undefined && !apps.includes(app)) {
        yield { path, message: `app "${app}" is not configured: add it to [[apps]]` };
      }
    }
  }
  const uses = new Map(parts.flatMap(({ keyUses }) => keyUses.map((use) => [use.use, use])));
  for (const [index, key] of config.signing_keys.entries()) {
    yield* signingKeyProblems(key, ["signing_keys", index], uses);
  }
}

function* signingKeyProblems(
  key: ParsedSigningKey,
  path: Path,
  uses: ReadonlyMap<string, KeyUse>,
): Iterable<Problem> {
  const use = uses.get(key.use);
  const sources = KEY_SOURCES.filter((source) => key[source] !== undefined);
  if (sources.length !== 1) {
    const message = `needs exactly one of ${KEY_SOURCES.map((source) => `"${source}"`).join(", ")}`;
    yield { path, message };
    return;
  }
  yield* use?.problems?.(key, path) ?? [];
  if (use?.plainSecret === true) return;
  if (key.private_key !== undefined && use?.signs !== true) {
    yield { path: [...path, "private_key"], message: `is for ${signingUses(uses)} alone` };
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

function signingUses(uses: ReadonlyMap<string, KeyUse>): string {
  const signing = [...uses.values()].filter(({ signs }) => signs === true);
  return signing.map(({ use }) => `"${use}"`).join(" and ");
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

function* channelProblems(parts: readonly ConfigPart[], config: ParsedBase): Iterable<Problem> {
  const { channel, development } = config;
  const enabled = joiningDialects(parts, config);
  const without: Path = ["channel", "without_namespace"];
  if (channel.without_namespace.dialects === undefined && !development && enabled.length > 1) {
    yield { path: [...without, "dialects"], message: "is required with several dialects" };
  }
  const globalMs = channel.history_meta_ttl;
  const shared = { parts, enabled, globalMs };
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
    readonly parts: readonly ConfigPart[];
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
  for (const { channels } of place.parts) yield* channels?.problems?.(options, place.path) ?? [];
  if ((options.history_meta_ttl ?? place.globalMs) < ttlMs) {
    const message = `must be at least "history_ttl" (${formatDuration(ttlMs)})`;
    const global = options.history_meta_ttl === undefined;
    yield global
      ? { path: ["channel", "history_meta_ttl"], message: `${message} of ${describe(place.path)}` }
      : { path: at("history_meta_ttl"), message };
  }
  if (options.publication_data_format === "binary") {
    const takers = joinersWith(place.parts, "takesBytes");
    const { names } = dialectsOf(place.parts, options, place);
    if (names.some((name) => !takers.includes(name))) {
      const message = `"binary" needs dialects = ${JSON.stringify(takers)}`;
      yield { path: at("publication_data_format"), message };
    }
  }
}

export function* duplicates<Key extends string>(
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

/** Served dialects whose connections join channels. */
export function joiningDialects(
  parts: readonly ConfigPart[],
  config: Pick<ParsedBase, "development">,
): readonly string[] {
  return parts
    .filter((part) => part.joinsChannels && isServed(part, config))
    .map(({ name }) => name);
}
