/** Signs tokens (JWT), and shows the public halves of the keys that do. */
import { createHmac, type KeyObject } from "node:crypto";
import { CompactSign, type JWK } from "jose";
import type { Clock } from "../core/runtime.ts";
import {
  HMAC_HASHES,
  hmacBytes,
  isHmac,
  keyPair,
  unusable,
  type SigningKey,
} from "./signing-key.ts";

export interface TokenSigner {
  /** With the first key whose time is not over, by its first algorithm. Throws HubError `unavailable` when none is left. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>;
  /** Public keys that verify what was signed, as a JSON Web Key Set has them; none for HMAC secrets. */
  readonly publicKeys: readonly JWK[];
}

type Sign = (claims: string) => string | Promise<string>;

/** Throws `bad_request` for a key that cannot sign. */
export function createTokenSigner(
  keys: readonly SigningKey[],
  { clock }: { readonly clock: Clock },
): TokenSigner {
  const signers = keys.map((key) => ({ key, sign: signerOf(key) }));
  return {
    async sign(claims) {
      const nowMs = clock.epochMs();
      const current = signers.find(({ key: { untilMs = Infinity } }) => nowMs < untilMs);
      if (current === undefined) throw unusable("No signing key is valid any more");
      return current.sign(JSON.stringify(claims));
    },
    publicKeys: keys.flatMap(publicJwk),
  };
}

function signerOf(key: SigningKey): Sign {
  const { secret, algorithms, kid } = key;
  const [alg] = algorithms;
  if (alg === undefined) throw unusable("Signing key has no algorithm");
  const header = { alg, typ: "JWT", ...(kid === undefined ? {} : { kid }) };
  if ("hmac" in secret) {
    if (!isHmac(alg)) throw unusable("HMAC secret can serve HMAC algorithms only");
    const bytes = hmacBytes(secret.hmac, algorithms);
    const start = `${base64url(JSON.stringify(header))}.`;
    // At once, for the reason that `key-set.ts` verifies at once.
    return (claims) => {
      const signed = start + base64url(claims);
      const hmac = createHmac(HMAC_HASHES[alg], bytes).update(signed).digest("base64url");
      return `${signed}.${hmac}`;
    };
  }
  if (!("privateKeyPem" in secret)) throw unusable("A key without its private half cannot sign");
  const { privateKey } = keyPair(secret.privateKeyPem, algorithms);
  return (claims) =>
    new CompactSign(Buffer.from(claims)).setProtectedHeader(header).sign(privateKey);
}

function publicJwk({ secret, algorithms, kid }: SigningKey): JWK[] {
  if (!("privateKeyPem" in secret)) return [];
  const { publicKey } = keyPair(secret.privateKeyPem, algorithms);
  return algorithms.map((alg) => ({
    ...exported(publicKey),
    use: "sig",
    alg,
    ...(kid === undefined ? {} : { kid }),
  }));
}

function exported(key: KeyObject): JWK {
  return key.export({ format: "jwk" }) as JWK;
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
