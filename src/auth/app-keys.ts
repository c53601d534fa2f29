/** From the configuration's signing keys to what verifies and signs an app's tokens. */
import { createKeySet, selectKeys, type KeySet, type SigningKey } from "./key-set.ts";
import type { KeySetOptions, KeyUse, TokenKind } from "./key-set.ts";
import { identityOf } from "./signing-key.ts";
import { createTokenSigner, type TokenSigner } from "./token-signer.ts";
import type { Config } from "../config/schema.ts";
import type { Runtime } from "../core/runtime.ts";
import { fetchJson } from "../outbound/fetch-json.ts";

/** Bounds of one key set's fetch. */
const JWKS_TIMEOUT_MS = 5_000;
const JWKS_BYTES_MAX = 262_144;

export interface AppKeysOptions {
  readonly config: Config;
  readonly app: string;
  readonly runtime: Runtime;
}

/** Key sets of one app, each for one use and kind of token. */
export type KeySetFor = (
  use: KeyUse,
  options?: KeySetOptions & { readonly kind?: TokenKind },
) => KeySet;

export function createAppKeys({ config, app, runtime }: AppKeysOptions): KeySetFor {
  const entries = keysOfApp(config, app);
  const fetchKeys = (url: string) =>
    fetchJson({
      url,
      timeoutMs: JWKS_TIMEOUT_MS,
      responseBytesMax: JWKS_BYTES_MAX,
      // The operator named the address, so it may be a private one.
      allowAddress: () => true,
    });
  return (use, { kind, ...options } = {}) =>
    createKeySet(
      selectKeys(entries, use, kind),
      { clock: runtime.clock, fetchJson: fetchKeys },
      options,
    );
}

/**
 * Where one key serves several uses, a token of the one must not pass for another's: by these claims they are told apart
 * (DESIGN.md §5 "Keys"). A key that serves one use takes whatever else its issuer writes into its tokens.
 */
const FOREIGN_CLAIMS: Partial<
  Record<KeyUse, { readonly beside: readonly KeyUse[]; readonly claims: readonly string[] }>
> = {
  streaming: { beside: ["gusher", "events-access"], claims: ["gusher", "scope", "org_id"] },
  "events-client": {
    beside: ["gusher", "events-access"],
    claims: ["gusher", "scope", "scp", "org_id"],
  },
  "events-access": {
    beside: ["streaming", "gusher", "events-client"],
    claims: ["meta", "subs", "channel", "gusher"],
  },
};

/** `others`: the keys of every app, since one key of two apps is one key. */
function withForeignClaims(key: SigningKey, others: readonly SigningKey[]): SigningKey {
  const { beside, claims } = FOREIGN_CLAIMS[key.use] ?? { beside: [], claims: [] };
  const identity = identityOf(key.secret);
  const shared = others.some(
    ({ use, secret }) => beside.includes(use) && identityOf(secret) === identity,
  );
  return shared ? { ...key, foreignClaims: claims } : key;
}

/** Undefined: the app has no key of this use. */
export function createAppSigner(
  { config, app, runtime }: AppKeysOptions,
  use: KeyUse,
): TokenSigner | undefined {
  const keys = selectKeys(keysOfApp(config, app), use);
  return keys.length === 0 ? undefined : createTokenSigner(keys, runtime);
}

function keysOfApp({ signing_keys, events }: Config, app: string): readonly SigningKey[] {
  const all = signing_keys.flatMap(signingKeysOf);
  return (
    signing_keys
      .filter((key) => key.app === app)
      // What the events dialect issues, it alone may have issued, and for itself.
      .map((key) =>
        key.use === "events-client"
          ? { ...key, issuer: events.issuer, audience: events.audience }
          : key,
      )
      .flatMap(signingKeysOf)
      .map((key) => withForeignClaims(key, all))
  );
}

/** One entry per kind of token, or one for both. */
function signingKeysOf(key: Config["signing_keys"][number]): SigningKey[] {
  const { hmac_secret, public_key, private_key, jwks_url = "" } = key;
  const secret =
    hmac_secret !== undefined
      ? { hmac: hmac_secret }
      : public_key !== undefined
        ? { publicKeyPem: public_key }
        : private_key !== undefined
          ? { privateKeyPem: private_key }
          : { jwksUrl: jwks_url };
  const made: SigningKey = {
    use: key.use,
    algorithms: key.algorithms,
    secret,
    ...(key.kid === undefined ? {} : { kid: key.kid }),
    ...(key.issuer === undefined ? {} : { issuer: key.issuer }),
    ...(key.audience === undefined ? {} : { audience: key.audience }),
    ...(key.until === undefined ? {} : { untilMs: key.until }),
  };
  return key.tokens.length > 1 ? [made] : key.tokens.map((tokens) => ({ ...made, tokens }));
}
