/** Verifies signed tokens (JWT) with the configured keys. What the claims mean is the dialects'. */

import { timingSafeEqual, type KeyObject } from "node:crypto";
import { compactVerify, type CryptoKey, errors, type JWTHeaderParameters } from "jose";
import { HubError } from "../core/errors.ts";
import type { Clock } from "../core/runtime.ts";
import { shortened } from "./claims-text.ts";
import { createRemoteKeySet, type FetchJson } from "./jwks.ts";
import {
  createHeaderReader,
  readToken,
  untimely,
  TokenError,
  type Claims,
  type TokenParts,
} from "./read-token.ts";
import {
  HMAC_HASHES,
  hmacBytes,
  isHmac,
  keyPair,
  publicKey,
  unusable,
  type Algorithm,
  type KeyUse,
  type SigningKey,
  type TokenKind,
} from "./signing-key.ts";

export {
  TOKEN_BYTES_MAX,
  TokenError,
  untimely,
  type Claims,
  type TokenFault,
} from "./read-token.ts";
export type { Algorithm, KeyUse, SigningKey, TokenKind } from "./signing-key.ts";

export interface KeySetOptions {
  /** False: `exp` and `nbf` are the caller's to judge, by its own protocol's rules. Default true. */
  readonly checkTimes?: boolean;
  /** How far the signer's clock may be off. Default 0. */
  readonly leewayMs?: number;
  /** A token must not be issued later than now. Default false. */
  readonly refuseFutureIat?: boolean;
}

export interface KeySet {
  /**
   * The claims of a token that one of the keys signed, and, unless the set leaves times to its caller, whose time has
   * come and not passed (`exp` is the first moment outside).
   *
   * Throws `HubError` `unavailable` when a key set behind a URL would have to be asked and cannot be, and otherwise
   * `TokenError`: `token_expired` when only the times fail, `invalid_token` for all else.
   */
  verify(token: string): Promise<Claims>;
  /** Likewise, with the claims as they were signed. */
  open(token: string): Promise<VerifiedToken>;
}

export type VerifiedToken = Pick<TokenParts, "claims" | "json">;

/** A secret and its algorithm: a hash that has begun with the secret, of which each token's is a copy. */
type HmacKey = Bun.CryptoHasher;

type Keys = readonly (CryptoKey | KeyObject | HmacKey)[];

/** Finds whether one key signed a token. */
interface Verifier extends Omit<SigningKey, "secret"> {
  keysFor(header: JWTHeaderParameters): Keys | Promise<Keys>;
}

/**
 * All keys must have one `use`, so that one kind of token never passes for another. No keys: every token is invalid.
 * Throws `HubError` `bad_request` for a key that cannot work or must not: an algorithm that does not fit the secret,
 * a public key as HMAC secret.
 */
export function createKeySet(
  keys: readonly SigningKey[],
  runtime: { readonly clock: Clock; readonly fetchJson: FetchJson },
  options: KeySetOptions = {},
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

  const readHeader = createHeaderReader();

  const keySet: KeySet = {
    verify: async (token) => (await keySet.open(token)).claims,

    async open(token) {
      const { header, claims, json } = readToken(token, readHeader);
      let unavailable: HubError | undefined;
      let nearest: UnsignedFault = "algorithm";
      for (const verifier of verifiers) {
        const fault = misfit(verifier, header, claims, runtime.clock.epochMs());
        if (FAULTS.indexOf(fault) > FAULTS.indexOf(nearest)) nearest = fault;
        if (fault !== "signature") continue;
        try {
          for (const key of await verifier.keysFor(header)) {
            const signed =
              key instanceof Bun.CryptoHasher
                ? isSignedWith(key, token)
                : await isSignedBy(key, token, verifier.algorithms);
            if (!signed) continue;
            requireKind(claims, verifier);
            requireCurrent(claims, runtime.clock.epochMs(), options);
            return { claims, json };
          }
        } catch (error) {
          if (!(error instanceof HubError && error.code === "unavailable")) throw error;
          unavailable = error;
        }
      }
      throw unavailable ?? unsigned(nearest, header, claims);
    },
  };
  return keySet;
}

/** What the key that comes nearest has against the token. */
function unsigned(
  fault: UnsignedFault,
  { alg, kid = "" }: JWTHeaderParameters,
  claims: Claims,
): TokenError {
  const because = {
    algorithm: `no key of this use has the algorithm ${shortened(alg, SHOWN_CHARACTERS_MAX)}`,
    key: `no key of this use has the id ${shortened(kid, SHOWN_CHARACTERS_MAX)}, or its time is over`,
    issuer: 'its claim "iss" is not the issuer that a key of this use names',
    audience: 'its claim "aud" does not name the audience of a key of this use',
    signature: "its signature is another key's",
  }[fault];
  return new TokenError(fault, "Token is not signed by a known key", { claims, because });
}

/** Of what a header says. */
const SHOWN_CHARACTERS_MAX = 40;

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

/** The checks before the signature, in their order. */
const FAULTS = ["algorithm", "key", "issuer", "audience", "signature"] as const;
type UnsignedFault = (typeof FAULTS)[number];

/**
 * The first check that fails; `signature`: all but that one hold. Reading claims before they are verified saves trying, and
 * asking for, keys that cannot count.
 */
function misfit(
  key: Verifier,
  header: JWTHeaderParameters,
  { iss, aud }: Claims,
  nowMs: number,
): UnsignedFault {
  if (!key.algorithms.some((algorithm) => algorithm === header.alg)) return "algorithm";
  const other = key.kid !== undefined && header.kid !== undefined && key.kid !== header.kid;
  if (other || (key.untilMs !== undefined && nowMs >= key.untilMs)) return "key";
  if (key.issuer !== undefined && iss !== key.issuer) return "issuer";
  return key.audience === undefined || namesAudience(aud, key.audience) ? "signature" : "audience";
}

/** Whether an `aud` claim is this audience, or a list that contains it. */
export function namesAudience(aud: unknown, audience: string): boolean {
  return aud === audience || (Array.isArray(aud) && aud.includes(audience));
}

/**
 * HMAC, at once: jose goes through Web Crypto, whose visit to another thread costs more than the hash. The texts are
 * compared, so that a signature has one spelling.
 */
function isSignedWith(key: HmacKey, token: string): boolean {
  const end = token.lastIndexOf(".");
  const hmac = key.copy().update(token.slice(0, end));
  const expected = utf8.encode(hmac.digest("base64url"));
  const given = utf8.encode(token.slice(end + 1));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

const utf8 = new TextEncoder();

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

function requireKind(claims: Claims, { foreignClaims = [] }: Verifier): void {
  const foreign = foreignClaims.find((name) => claims[name] !== undefined);
  if (foreign === undefined) return;
  throw new TokenError("kind", `A token with a "${foreign}" claim is of another kind`, { claims });
}

function requireCurrent(
  claims: Claims,
  nowMs: number,
  { checkTimes = true, leewayMs = 0, refuseFutureIat = false }: KeySetOptions,
): void {
  if (!checkTimes) return;
  const { exp, nbf, iat } = claims;
  if (exp !== undefined && exp * 1000 + leewayMs <= nowMs) {
    throw untimely("expired", "Token has expired", { claim: "exp", claims, nowMs });
  }
  // All are one to the client: ask for another token (`centrifugo-protocol.md` §11).
  if (nbf !== undefined && nbf * 1000 > nowMs + leewayMs) {
    throw untimely("not_yet_valid", "Token is not valid yet", { claim: "nbf", claims, nowMs });
  }
  if (refuseFutureIat && iat !== undefined && iat * 1000 > nowMs + leewayMs) {
    throw untimely("not_yet_valid", "Token was issued in the future", {
      ...{ claim: "iat", claims, nowMs },
    });
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
    return () => keys;
  }
  if ("privateKeyPem" in secret) {
    const keys = [keyPair(secret.privateKeyPem, algorithms).publicKey];
    return () => keys;
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
  const bytes = hmacBytes(secret, algorithms);
  const keys = new Map<string, readonly HmacKey[]>(
    algorithms.filter(isHmac).map((alg) => [alg, [new Bun.CryptoHasher(HMAC_HASHES[alg], bytes)]]),
  );
  return ({ alg }) => keys.get(alg) ?? [];
}
