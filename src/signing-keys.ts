/** From the configuration's signing keys to what verifies an app's tokens. */
import { createKeySet, selectKeys, type KeySet, type SigningKey } from "./auth/key-set.ts";
import type { KeyUse, TokenKind } from "./auth/key-set.ts";
import type { Config } from "./config/schema.ts";
import type { Runtime } from "./core/runtime.ts";
import { fetchJson } from "./outbound/fetch-json.ts";

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
  options?: { readonly kind?: TokenKind; readonly checkTimes?: boolean },
) => KeySet;

export function createAppKeys({ config, app, runtime }: AppKeysOptions): KeySetFor {
  const entries = config.signing_keys.filter((key) => key.app === app).flatMap(signingKeysOf);
  const fetchKeys = (url: string) =>
    fetchJson({
      url,
      timeoutMs: JWKS_TIMEOUT_MS,
      responseBytesMax: JWKS_BYTES_MAX,
      // The operator named the address, so it may be a private one.
      allowAddress: () => true,
    });
  return (use, { kind, checkTimes = true } = {}) =>
    createKeySet(
      selectKeys(entries, use, kind),
      { clock: runtime.clock, fetchJson: fetchKeys },
      { checkTimes },
    );
}

/** One entry per kind of token, or one for both. */
function signingKeysOf(key: Config["signing_keys"][number]): SigningKey[] {
  const { hmac_secret, public_key, jwks_url = "" } = key;
  const secret =
    hmac_secret !== undefined
      ? { hmac: hmac_secret }
      : public_key !== undefined
        ? { publicKeyPem: public_key }
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
