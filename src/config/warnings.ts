/** What is allowed and yet seldom meant: `carillon config` tells it, and nothing is refused for it. */
import { BlockList, isIP } from "node:net";
import { isLoopback, usesDevelopmentCredential } from "./development-guard.ts";
import { eventsNamespaces } from "./events.ts";
import type { Path, Problem } from "./problem.ts";
import type { Config, SigningKey } from "./schema.ts";

/** RFC 7518 §3.2: no shorter than the hash's output. */
const SECRET_BYTES_MIN = { HS256: 32, HS384: 48, HS512: 64 } as const;
/** Larger ranges are no network of one's own. */
const PREFIX_BITS_MIN = { 4: 8, 6: 16 } as const;
/** Of keys, besides those that the catalogue of events names: one per call that asks for it. */
const SCOPES: ReadonlySet<string> = new Set([
  ...["*", "streaming", "gusher", "tasks", "tasks:get_envoy_token", "tasks:invoke_envoy"],
  ...["tasks:close_envoy", "tasks:get_envoy_status", "events:publish", "events:provision"],
  ...["events:revoke", "events:impersonate"],
]);

/** In the order of the file. Takes what was loaded without a problem. */
export function warningsOf(config: Config): Problem[] {
  return [
    ...listenerWarnings(config),
    ...appWarnings(config),
    ...apiKeyWarnings(config),
    ...signingKeyWarnings(config),
    ...dialectWarnings(config),
    ...webhookWarnings(config),
  ];
}

function* listenerWarnings(config: Config): Iterable<Problem> {
  for (const [index, range] of config.clients.trusted_proxies.entries()) {
    const [address = "", bits] = range.split("/");
    const family = isIP(address) === 4 ? 4 : 6;
    if (bits === undefined || Number(bits) >= PREFIX_BITS_MIN[family]) continue;
    const message = `"${range}" trusts almost everybody to say who they are: name your proxies`;
    yield { path: ["clients", "trusted_proxies", index], message };
  }
}

function* appWarnings({ apps }: Config): Iterable<Problem> {
  for (const [index, { allowed_origins: origins }] of apps.entries()) {
    const open = origins.find((origin) => /^(?:[a-z]*\*?:\/\/)?\*+(?::\*+)?$/.test(origin));
    if (open === undefined) continue;
    const message = `"${open}" lets the pages of every site connect: name your own`;
    yield { path: ["apps", index, "allowed_origins"], message };
  }
}

function* apiKeyWarnings({ api_keys: keys, events }: Config): Iterable<Problem> {
  const known = new Set(eventsNamespaces(events.namespaces).flatMap(({ scopes }) => scopes));
  for (const [index, key] of keys.entries()) {
    if (usesDevelopmentCredential(key)) {
      yield { path: ["api_keys", index, "hash"], message: PUBLISHED };
    }
    for (const scope of key.scopes) {
      if (SCOPES.has(scope) || known.has(scope)) continue;
      yield { path: ["api_keys", index, "scopes"], message: `nothing asks for "${scope}"` };
    }
  }
}

const PUBLISHED = "everybody can read it in the documentation: make one of your own";

function* signingKeyWarnings({ signing_keys: keys }: Config): Iterable<Problem> {
  for (const [index, key] of keys.entries()) {
    const path: Path = ["signing_keys", index];
    if (key.jwks_url !== undefined && new URL(key.jwks_url).protocol === "http:") {
      const message = "is plain http: whoever is on the way can put in keys of their own";
      yield { path: [...path, "jwks_url"], message };
    }
    const { hmac_secret: secret } = key;
    if (secret === undefined) continue;
    const at = [...path, "hmac_secret"];
    const least = bytesMin(key);
    if (usesDevelopmentCredential(key)) {
      yield { path: at, message: PUBLISHED };
      continue;
    }
    if (secret.includes("-----BEGIN")) {
      const message = 'is a PEM text, which is no shared secret: a public key goes in "public_key"';
      yield { path: at, message };
    } else if (Buffer.byteLength(secret) < least) {
      const message = `has fewer than ${least} bytes, so that it could be guessed: "openssl rand -hex 32" makes one`;
      yield { path: at, message };
    }
    const earlier = keys.findIndex(
      (other) => other.hmac_secret === secret && (other.use !== key.use || other.app !== key.app),
    );
    if (earlier >= index || earlier < 0) continue;
    const message = `is also that of entry ${earlier}: with one for each use and app, no token passes for another`;
    yield { path: at, message };
  }
}

/** Of tasks' signatures nothing is said by an algorithm. */
function bytesMin({ use, algorithms }: SigningKey): number {
  if (use === "tasks") return SECRET_BYTES_MIN.HS256;
  const most = Object.entries(SECRET_BYTES_MIN).filter(([name]) =>
    algorithms.some((algorithm) => algorithm === name),
  );
  return Math.max(SECRET_BYTES_MIN.HS256, ...most.map(([, bytes]) => bytes));
}

function* dialectWarnings({ streaming, gusher, api, development }: Config): Iterable<Problem> {
  if (streaming.allow_anonymous_connect_without_token) {
    const message = "lets everybody connect, without a token";
    yield { path: ["streaming", "allow_anonymous_connect_without_token"], message };
  }
  if (streaming.insecure) {
    const message = "gives every permission to everybody: for trying things out alone";
    yield { path: ["streaming", "insecure"], message };
  }
  if ((gusher.enabled || development) && gusher.http_auth === "none" && !isLoopback(api.host)) {
    const message = `lets everybody push who reaches "${api.host}"`;
    yield { path: ["gusher", "http_auth"], message };
  }
}

function* webhookWarnings({ webhooks }: Config): Iterable<Problem> {
  const inside = "lets organisations call what listens on this machine";
  for (const [index, range] of webhooks.allow_networks.entries()) {
    if (!reachesLoopback(range)) continue;
    yield { path: ["webhooks", "allow_networks", index], message: `"${range}" ${inside}` };
  }
  for (const [index, host] of webhooks.allow_hosts.entries()) {
    if (!/^(?:.+\.)?localhost$/.test(host)) continue;
    yield { path: ["webhooks", "allow_hosts", index], message: `"${host}" ${inside}` };
  }
}

function reachesLoopback(range: string): boolean {
  const [address = "", bits] = range.split("/");
  if (isLoopback(address)) return true;
  if (bits === undefined) return false;
  const family = isIP(address) === 4 ? "ipv4" : "ipv6";
  const network = new BlockList();
  network.addSubnet(address, Number(bits), family);
  return network.check(family === "ipv4" ? "127.0.0.1" : "::1", family);
}
