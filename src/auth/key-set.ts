/** Verifies signed tokens (JWT) with the configured keys. What the claims mean is the dialects'. */

import { createHmac, createPublicKey, timingSafeEqual, type KeyObject } from "node:crypto";
import { base64url, compactVerify, type CryptoKey, errors, type JWTHeaderParameters } from "jose";
import { HubError } from "../core/errors.ts";
import type { Clock } from "../core/runtime.ts";
import { createRemoteKeySet, type FetchJson } from "./jwks.ts";

/** A longer token is refused unread: it protects the parser and the memory. */
export const TOKEN_BYTES_MAX = 16_384;

/** Header and claims of a compact JWS. Checked here, since base64 decoders also take padding and white space. */
const COMPACT = /^([\w-]+)\.([\w-]+)\.[\w-]+$/;

const HMAC_HASHES = { HS256: "sha256", HS384: "sha384", HS512: "sha512" } as const;
const EC_CURVES = { ES256: "prime256v1", ES384: "secp384r1", ES512: "secp521r1" } as const;

type HmacAlgorithm = keyof typeof HMAC_HASHES;
type EcAlgorithm = keyof typeof EC_CURVES;
export type Algorithm = HmacAlgorithm | EcAlgorithm | "RS256" | "RS384" | "RS512" | "EdDSA";

export type KeyUse =
  | "streaming"
  | "gusher"
  | "events-access"
  | "events-client"
  | "tasks"
  | "messaging";

/** Which of a use's tokens a key is for. */
export type TokenKind = "connection" | "subscription";

export interface SigningKey {
  readonly use: KeyUse;
  /** A token that names another `kid` is not tried; one that names none is. */
  readonly kid?: string;
  /** All that fit the secret; a token with any other `alg` is not tried. */
  readonly algorithms: readonly Algorithm[];
  readonly secret:
    | { readonly hmac: string | Uint8Array }
    | { readonly publicKeyPem: string }
    | { readonly jwksUrl: string };
  /** The token's `iss` must be this. */
  readonly issuer?: string;
  /** The token's `aud` must be this, or contain it. */
  readonly audience?: string;
  /** Milliseconds since the Unix epoch from which on the key is no longer tried. */
  readonly untilMs?: number;
  /** Absent: both kinds, as long as no other key of the use names the kind. */
  readonly tokens?: TokenKind;
}

/** Verified, but not yet checked for what a dialect needs. `exp`, `nbf` and `iat` are numbers when present. */
export type Claims = Readonly<Record<string, unknown>> & {
  readonly exp?: number;
  readonly nbf?: number;
  readonly iat?: number;
};

export interface KeySet {
  /**
   * The claims of a token that one of the keys signed, and, unless the set leaves times to its caller, whose time has
   * come and not passed (`exp` is the first second outside; no leeway).
   *
   * Throws `HubError`: `token_expired` when only `exp` or `nbf` fails, `unavailable` when a key set behind a URL
   * would have to be asked and cannot be, `token_invalid` for all else.
   */
  verify(token: string): Promise<Claims>;
}

/** Finds whether one key signed a token. */
interface Verifier extends Omit<SigningKey, "secret"> {
  /** A secret as its bytes, which verify HMAC alone. */
  keysFor(header: JWTHeaderParameters): Promise<readonly (CryptoKey | KeyObject | Uint8Array)[]>;
}

/**
 * All keys must have one `use`, so that one kind of token never passes for another. No keys: every token is invalid.
 * Throws `HubError` `bad_request` for a key that cannot work or must not: an algorithm that does not fit the secret,
 * a public key as HMAC secret.
 */
export function createKeySet(
  keys: readonly SigningKey[],
  runtime: { readonly clock: Clock; readonly fetchJson: FetchJson },
  /** `checkTimes` false: `exp` and `nbf` are the caller's to judge, by its own protocol's rules. */
  { checkTimes = true }: { readonly checkTimes?: boolean } = {},
): KeySet {
  if (new Set(keys.map((key) => key.use)).size > 1) {
    throw new HubError("bad_request", "Keys of one set must have one use");
  }
  // Those behind a URL come last: a token that another key verifies does not wait for them.
  const remoteLast = keys.toSorted(
    (a, b) => Number("jwksUrl" in a.secret) - Number("jwksUrl" in b.secret),
  );
  const verifiers = remoteLast.map((key): Verifier => ({
    ...key,
    keysFor: keyFinder(key, runtime),
  }));

  return {
    async verify(token) {
      const { header, claims } = parseToken(token);
      let unavailable: HubError | undefined;
      for (const verifier of verifiers) {
        if (!fits(verifier, header, claims, runtime.clock.epochMs())) continue;
        try {
          for (const key of await verifier.keysFor(header)) {
            const signed =
              key instanceof Uint8Array
                ? isSignedWith(key, token, header.alg)
                : await isSignedBy(key, token, verifier.algorithms);
            if (!signed) continue;
            if (checkTimes) requireCurrent(claims, runtime.clock.epochMs());
            return claims;
          }
        } catch (error) {
          if (!(error instanceof HubError && error.code === "unavailable")) throw error;
          unavailable = error;
        }
      }
      throw unavailable ?? invalid("Token is signed by no known key");
    },
  };
}

/** The keys for one use and kind of token: those that name the kind, and only without any the ones that name none. */
export function selectKeys(
  keys: readonly SigningKey[],
  use: KeyUse,
  kind?: TokenKind,
): readonly SigningKey[] {
  const ofUse = keys.filter((key) => key.use === use);
  if (kind === undefined) return ofUse;
  const ofKind = ofUse.filter((key) => key.tokens === kind);
  return ofKind.length > 0 ? ofKind : ofUse.filter((key) => key.tokens === undefined);
}

// No error about a token has a cause: the parsers' messages quote it.
function parseToken(token: string): { header: JWTHeaderParameters; claims: Claims } {
  // A valid token is ASCII, so its length is its bytes.
  if (token.length > TOKEN_BYTES_MAX)
    throw invalid(`Token is longer than ${TOKEN_BYTES_MAX} bytes`);
  const [, ...parts] = COMPACT.exec(token) ?? [];
  const [header, claims] = parts.map(parseObject);
  if (header === undefined || claims === undefined) throw invalid("Token is malformed");
  const { alg, kid, crit } = header;
  if (typeof alg !== "string") throw invalid("Token has no algorithm");
  if (kid !== undefined && typeof kid !== "string") throw invalid("Token is malformed");
  // RFC 7515 §4.1.11: an extension that is not understood makes it invalid, and none is.
  if (crit !== undefined) throw invalid("Token has an unknown extension");
  for (const name of ["exp", "nbf", "iat"]) {
    if (name in claims && !Number.isFinite(claims[name])) {
      throw invalid(`Token claim "${name}" is no number`);
    }
  }
  return { header: kid === undefined ? { alg } : { alg, kid }, claims };
}

function parseObject(part: string): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(base64url.decode(part)));
  } catch {
    return undefined;
  }
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** All but the signature. Reading claims before it is verified saves trying, and asking for, keys that cannot count. */
function fits(key: Verifier, header: JWTHeaderParameters, claims: Claims, nowMs: number): boolean {
  const { iss, aud } = claims;
  return (
    key.algorithms.some((algorithm) => algorithm === header.alg) &&
    (key.kid === undefined || header.kid === undefined || key.kid === header.kid) &&
    (key.untilMs === undefined || nowMs < key.untilMs) &&
    (key.issuer === undefined || iss === key.issuer) &&
    (key.audience === undefined ||
      aud === key.audience ||
      (Array.isArray(aud) && aud.includes(key.audience)))
  );
}

/**
 * HMAC, at once: jose goes through Web Crypto, whose visit to another thread costs more than the hash. `algorithm` is
 * one of the key's (`fits`). The texts are compared, so that a signature has one spelling.
 */
function isSignedWith(secret: Uint8Array, token: string, algorithm: string | undefined): boolean {
  if (!isHmac(algorithm)) return false;
  const end = token.lastIndexOf(".");
  const hmac = createHmac(HMAC_HASHES[algorithm], secret).update(token.slice(0, end));
  const expected = Buffer.from(hmac.digest("base64url"));
  const given = Buffer.from(token.slice(end + 1));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function isSignedBy(
  key: CryptoKey | KeyObject,
  token: string,
  algorithms: readonly Algorithm[],
): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [...algorithms] });
    return true;
  } catch (error) {
    // TypeError: a key from a URL that jose refuses to use, such as a short RSA key.
    if (error instanceof errors.JOSEError || error instanceof TypeError) return false;
    throw error;
  }
}

function requireCurrent({ exp, nbf }: Claims, nowMs: number): void {
  if (exp !== undefined && exp * 1000 <= nowMs) {
    throw new HubError("token_expired", "Token has expired");
  }
  // Both are one to the client: ask for another token (`centrifugo-protocol.md` §11).
  if (nbf !== undefined && nbf * 1000 > nowMs) {
    throw new HubError("token_expired", "Token is not valid yet");
  }
}

function keyFinder(
  { secret, algorithms }: SigningKey,
  runtime: { readonly clock: Clock; readonly fetchJson: FetchJson },
): Verifier["keysFor"] {
  if (algorithms.length === 0) throw unusable("Signing key has no algorithm");
  if ("hmac" in secret) return hmacKeyFinder(secret.hmac, algorithms);
  if ("publicKeyPem" in secret) {
    const keys = [publicKey(secret.publicKeyPem, algorithms)];
    return async () => keys;
  }
  // jose as well refuses symmetric keys from a key set.
  if (algorithms.some(isHmac)) throw unusable("Key set behind a URL cannot serve HMAC algorithms");
  if (!URL.canParse(secret.jwksUrl)) throw unusable("Key set URL cannot be parsed");
  const remote = createRemoteKeySet(secret.jwksUrl, runtime);
  return (header) => remote.find(header);
}

function hmacKeyFinder(
  secret: string | Uint8Array,
  algorithms: readonly Algorithm[],
): Verifier["keysFor"] {
  const bytes = new Uint8Array(Buffer.from(secret));
  if (bytes.length === 0) throw unusable("HMAC secret is empty");
  if (Buffer.from(bytes).includes("-----BEGIN ")) {
    throw unusable("HMAC secret is a PEM key or certificate, which is no secret");
  }
  if (!algorithms.every(isHmac)) throw unusable("HMAC secret can serve HMAC algorithms only");
  return async ({ alg }) => (isHmac(alg) ? [bytes] : []);
}

/** jose imports a `KeyObject` once per algorithm and keeps it. */
function publicKey(pem: string, algorithms: readonly Algorithm[]): KeyObject {
  if (pem.includes("PRIVATE KEY")) throw unusable("Public key is a private one");
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new HubError("bad_request", "Public key cannot be parsed as PEM", { cause });
  }
  if (!algorithms.every((algorithm) => suits(key, algorithm))) {
    throw unusable("Public key does not suit all of its algorithms");
  }
  return key;
}

function suits(key: KeyObject, algorithm: Algorithm): boolean {
  switch (algorithm) {
    case "RS256":
    case "RS384":
    case "RS512":
      // RFC 7518 §3.3; jose holds to it as well, but only when a token comes.
      return (
        key.asymmetricKeyType === "rsa" && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048
      );
    case "ES256":
    case "ES384":
    case "ES512":
      return key.asymmetricKeyDetails?.namedCurve === EC_CURVES[algorithm];
    case "EdDSA":
      return key.asymmetricKeyType === "ed25519";
    case "HS256":
    case "HS384":
    case "HS512":
      return false;
  }
}

function isHmac(algorithm: string | undefined): algorithm is HmacAlgorithm {
  return algorithm !== undefined && Object.hasOwn(HMAC_HASHES, algorithm);
}

function invalid(message: string): HubError {
  return new HubError("token_invalid", message);
}

function unusable(message: string): HubError {
  return new HubError("bad_request", message);
}
