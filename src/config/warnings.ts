/** What is allowed and yet seldom meant: `carillon config` tells it, and nothing is refused for it. */
import { networkOf } from "../core/networks.ts";
import { OWN_SCOPES } from "./apps.ts";
import { usesDevelopmentCredential } from "./development-guard.ts";
import type { ConfigPart } from "./part.ts";
import type { Path, Problem } from "./problem.ts";
import type { Model } from "./model.ts";
import type { BaseConfig, SigningKey } from "./schema.ts";

/** RFC 7518 §3.2: no shorter than the hash's output. */
const SECRET_BYTES_MIN = { HS256: 32, HS384: 48, HS512: 64 } as const;
/** Larger ranges are no network of one's own. */
const PREFIX_BITS_MIN = { ipv4: 8, ipv6: 16 } as const;
/** In the order of the file. Takes what was loaded without a problem. */
export function warningsOf({ parts }: Model, config: BaseConfig): Problem[] {
  return [
    ...listenerWarnings(config),
    ...appWarnings(config),
    ...apiKeyWarnings(parts, config),
    ...signingKeyWarnings(parts, config),
    ...parts.flatMap((part) => [...(part.warnings?.(config) ?? [])]),
  ];
}

function* listenerWarnings(config: BaseConfig): Iterable<Problem> {
  for (const [index, range] of config.clients.trusted_proxies.entries()) {
    const network = networkOf(range);
    if (network === undefined || network.bits >= PREFIX_BITS_MIN[network.family]) continue;
    const message = `"${range}" lets almost every address say who the client is: list the addresses of your proxies`;
    yield { path: ["clients", "trusted_proxies", index], message };
  }
}

function* appWarnings({ apps }: BaseConfig): Iterable<Problem> {
  for (const [index, { allowed_origins: origins }] of apps.entries()) {
    const open = origins.find((origin) => /^(?:[a-z]*\*?:\/\/)?\*+(?::\*+)?$/.test(origin));
    if (open === undefined) continue;
    const message = `"${open}" lets the pages of every site connect: name your own`;
    yield { path: ["apps", index, "allowed_origins"], message };
  }
}

function* apiKeyWarnings(parts: readonly ConfigPart[], config: BaseConfig): Iterable<Problem> {
  const known = new Set(["*", ...OWN_SCOPES, ...parts.flatMap((part) => [...part.scopes(config)])]);
  for (const [index, key] of config.api_keys.entries()) {
    if (usesDevelopmentCredential(key)) {
      yield { path: ["api_keys", index, "hash"], message: PUBLISHED };
    }
    for (const scope of key.scopes) {
      if (known.has(scope)) continue;
      yield {
        path: ["api_keys", index, "scopes"],
        message: `scope "${scope}" does not exist: correct or remove it`,
      };
    }
  }
}

const PUBLISHED = "is published in the documentation: make one of your own";

function* signingKeyWarnings(
  parts: readonly ConfigPart[],
  { signing_keys: keys }: BaseConfig,
): Iterable<Problem> {
  const plain = new Set(
    parts
      .flatMap(({ keyUses }) => keyUses.filter(({ plainSecret }) => plainSecret))
      .map(({ use }) => use),
  );
  for (const [index, key] of keys.entries()) {
    const path: Path = ["signing_keys", index];
    if (key.jwks_url !== undefined && new URL(key.jwks_url).protocol === "http:") {
      const message = "is plain http, where keys can be replaced on the way: use https";
      yield { path: [...path, "jwks_url"], message };
    }
    const { hmac_secret: secret } = key;
    if (secret === undefined) continue;
    const at = [...path, "hmac_secret"];
    const least = bytesMin(key, plain);
    if (usesDevelopmentCredential(key)) {
      yield { path: at, message: PUBLISHED };
      continue;
    }
    if (secret.includes("-----BEGIN")) {
      const message = 'is PEM text, not a shared secret: put a public key in "public_key"';
      yield { path: at, message };
    } else if (Buffer.byteLength(secret) < least) {
      const message = `has fewer than ${least} bytes and could be guessed: make one with "openssl rand -hex 32"`;
      yield { path: at, message };
    }
    const earlier = keys.findIndex(
      (other) => other.hmac_secret === secret && (other.use !== key.use || other.app !== key.app),
    );
    if (earlier >= index || earlier < 0) continue;
    const message = `is also the secret of entry ${earlier}: give each use and app its own, so that no token passes for another`;
    yield { path: at, message };
  }
}

/** `plain`: uses of which no algorithm says anything. */
function bytesMin({ use, algorithms }: SigningKey, plain: ReadonlySet<string>): number {
  if (plain.has(use)) return SECRET_BYTES_MIN.HS256;
  const most = Object.entries(SECRET_BYTES_MIN).filter(([name]) =>
    algorithms.some((algorithm) => algorithm === name),
  );
  return Math.max(SECRET_BYTES_MIN.HS256, ...most.map(([, bytes]) => bytes));
}
