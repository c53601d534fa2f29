/** From the configuration's signing keys to what verifies and signs an app's tokens. */
import { createKeySet, selectKeys, type KeySet, type SigningKey } from "./key-set.ts";
import type { KeySetOptions, KeyUse, TokenKind } from "./key-set.ts";
import { identityOf } from "./signing-key.ts";
import { createTokenSigner, type TokenSigner } from "./token-signer.ts";
import type { BaseConfig } from "../config/schema.ts";
import type { Runtime } from "../core/runtime.ts";
import { fetchJson } from "../outbound/fetch-json.ts";

/** Bounds of one key set's fetch. */
const JWKS_TIMEOUT_MS = 5_000;
const JWKS_BYTES_MAX = 262_144;

/** Of tokens that one of the dialects issues: it alone may have issued them, and for itself. */
export interface IssuedFor {
  readonly issuer?: string;
  readonly audience?: string;
}

/** The signing keys of one app. */
export interface AppKeys {
  /** Those for one use and kind of token. */
  set(use: KeyUse, options?: KeySetOptions & IssuedFor & { readonly kind?: TokenKind }): KeySet;
  /** Undefined: the app has no key of this use. */
  signer(use: KeyUse, issued: IssuedFor): TokenSigner | undefined;
  /** Shared secrets of this use, for signatures that are not tokens. */
  secrets(use: KeyUse): readonly { readonly secret: string; readonly untilMs?: number }[];
}

export interface AppKeysOptions {
  readonly config: BaseConfig;
  readonly app: string;
  readonly runtime: Runtime;
  /** All that signing keys are for. */
  readonly uses: readonly KeyUseMarks[];
}

/** The claims by which the tokens of a use are told from another's. */
export interface KeyUseMarks {
  readonly use: string;
  readonly marks?: readonly string[];
}

export function createAppKeys({ config, app, runtime, uses }: AppKeysOptions): AppKeys {
  const all = config.signing_keys.flatMap(signingKeysOf);
  const entries = config.signing_keys
    .filter((key) => key.app === app)
    .flatMap(signingKeysOf)
    .map((key) => withForeignClaims(key, all, uses));
  const fetchKeys = (url: string) =>
    fetchJson({
      url,
      timeoutMs: JWKS_TIMEOUT_MS,
      responseBytesMax: JWKS_BYTES_MAX,
      // The operator named the address, so it may be a private one.
      allowAddress: () => true,
    });
  return {
    set: (use, { kind, issuer, audience, ...options } = {}) =>
      createKeySet(
        issuedBy(selectKeys(entries, use, kind), { issuer, audience }),
        { clock: runtime.clock, fetchJson: fetchKeys },
        options,
      ),
    signer(use, issued) {
      const keys = issuedBy(selectKeys(entries, use), issued);
      return keys.length === 0 ? undefined : createTokenSigner(keys, runtime);
    },
    secrets: (use) =>
      config.signing_keys
        .filter((key) => key.app === app && key.use === use)
        .map(({ hmac_secret: secret = "", until }) => {
          return { secret, ...(until === undefined ? {} : { untilMs: until }) };
        }),
  };
}

/**
 * Where one key serves several uses, a token of the one must not pass for another's: by their marks they are told apart (DESIGN.md §5
 * "Keys"). A key that serves one use takes whatever else its issuer writes into its tokens. `all`: the keys of every app, since
 * one key of two apps is one key.
 */
function withForeignClaims(
  key: SigningKey,
  all: readonly SigningKey[],
  uses: readonly KeyUseMarks[],
): SigningKey {
  const own = uses.find(({ use }) => use === key.use)?.marks ?? [];
  const others = uses.filter(({ marks }) => marks?.some((mark) => !own.includes(mark)) === true);
  const identity = identityOf(key.secret);
  const shared = all.some(
    ({ use, secret }) =>
      others.some((other) => other.use === use) && identityOf(secret) === identity,
  );
  if (!shared || own.length === 0) return key;
  const foreignClaims = others.flatMap(({ marks = [] }) => marks);
  return { ...key, foreignClaims };
}

/** One entry per kind of token, or one for both. */
function signingKeysOf(key: BaseConfig["signing_keys"][number]): SigningKey[] {
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

function issuedBy(
  keys: readonly SigningKey[],
  { issuer, audience }: { readonly [Claim in keyof IssuedFor]: string | undefined },
): readonly SigningKey[] {
  const claims = {
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
  return keys.map((key) => ({ ...key, ...claims }));
}
