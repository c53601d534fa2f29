/** The keys that sign and verify tokens: their forms, and which algorithms each can serve. */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { HubError } from "../core/errors.ts";

export const HMAC_HASHES = { HS256: "sha256", HS384: "sha384", HS512: "sha512" } as const;
const EC_CURVES = { ES256: "prime256v1", ES384: "secp384r1", ES512: "secp521r1" } as const;

type HmacAlgorithm = keyof typeof HMAC_HASHES;
type EcAlgorithm = keyof typeof EC_CURVES;
export type Algorithm = HmacAlgorithm | EcAlgorithm | "RS256" | "RS384" | "RS512" | "EdDSA";

/** What a key is for, as the configuration says it. */
export type KeyUse = string;

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
    /** Signs as well; its public half verifies. */
    | { readonly privateKeyPem: string }
    | { readonly jwksUrl: string };
  /** The token's `iss` must be this. */
  readonly issuer?: string;
  /** The token's `aud` must be this, or contain it. */
  readonly audience?: string;
  /** Milliseconds since the Unix epoch from which on the key is no longer tried. */
  readonly untilMs?: number;
  /** A token with one of these is of another use, which has the same key. */
  readonly foreignClaims?: readonly string[];
  /** Absent: both kinds, as long as no other key of the use names the kind. */
  readonly tokens?: TokenKind;
}

/** Throws `bad_request` for a secret that cannot work, or must not: empty, or a public thing. */
export function hmacBytes(
  secret: string | Uint8Array,
  algorithms: readonly Algorithm[],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Buffer.from(secret));
  if (bytes.length === 0) throw unusable("HMAC secret is empty");
  if (Buffer.from(bytes).includes("-----BEGIN ")) {
    throw unusable("HMAC secret is a PEM key or certificate, not a shared secret");
  }
  if (!algorithms.every(isHmac)) throw unusable("HMAC secret can serve HMAC algorithms only");
  return bytes;
}

/** jose imports a `KeyObject` once per algorithm and keeps it. Throws `bad_request`. */
export function publicKey(pem: string, algorithms: readonly Algorithm[]): KeyObject {
  if (pem.includes("PRIVATE KEY")) throw unusable("Public key holds a private key");
  return suited(
    parsed("Public", () => createPublicKey(pem)),
    algorithms,
  );
}

/** Both halves. Throws `bad_request`. */
export function keyPair(
  pem: string,
  algorithms: readonly Algorithm[],
): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  const privateKey = parsed("Private", () => createPrivateKey(pem));
  return { privateKey, publicKey: suited(createPublicKey(privateKey), algorithms) };
}

/** The same of two entries that verify the same signatures, whatever form of the key they have. Of a key set it is its address. */
export function identityOf(secret: SigningKey["secret"]): string {
  if ("hmac" in secret) return `hmac ${Buffer.from(secret.hmac).toString("base64")}`;
  if ("jwksUrl" in secret) return `url ${URL.parse(secret.jwksUrl)?.href ?? secret.jwksUrl}`;
  const pem = "publicKeyPem" in secret ? secret.publicKeyPem : secret.privateKeyPem;
  const key = parsed("Signing", () => createPublicKey(pem));
  return `public ${key.export({ type: "spki", format: "der" }).toString("base64")}`;
}

function parsed(half: string, parse: () => KeyObject): KeyObject {
  try {
    return parse();
  } catch {
    // Without the cause: a parser's message may quote the key.
    throw unusable(`${half} key cannot be parsed as PEM`);
  }
}

function suited(key: KeyObject, algorithms: readonly Algorithm[]): KeyObject {
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

export function isHmac(algorithm: string | undefined): algorithm is HmacAlgorithm {
  return algorithm !== undefined && Object.hasOwn(HMAC_HASHES, algorithm);
}

export function unusable(message: string): HubError {
  return new HubError("bad_request", message);
}
