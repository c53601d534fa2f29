/** Key pairs of every asymmetric algorithm, made once, with which the key set's tests sign. */
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from "jose";
import type { Algorithm, SigningKey } from "./key-set.ts";

export interface Pair {
  readonly algorithm: Algorithm;
  readonly sign: (claims: Record<string, unknown>, kid?: string) => Promise<string>;
  readonly pem: string;
  readonly jwk: JWK;
}

export async function createPair(algorithm: Algorithm): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return {
    algorithm,
    sign: (payload, kid) =>
      new SignJWT(payload)
        .setProtectedHeader({ alg: algorithm, ...(kid !== undefined && { kid }) })
        .sign(privateKey),
    pem: await exportSPKI(publicKey),
    jwk: await exportJWK(publicKey),
  };
}

export const asymmetric = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"] as const;
export const pairs = {} as Record<(typeof asymmetric)[number], Pair>;
for (const algorithm of asymmetric) pairs[algorithm] = await createPair(algorithm);

export const pemKey = (pair: Pair, more: Partial<SigningKey> = {}): SigningKey => ({
  use: "streaming",
  algorithms: [pair.algorithm],
  secret: { publicKeyPem: pair.pem },
  ...more,
});

export async function shortRsaPair(): Promise<{ privateKey: CryptoKey; pem: string; jwk: JWK }> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(
    {
      name: "RSASSA-PKCS1-v1_5",
      hash: "SHA-256",
      modulusLength: 1024,
      publicExponent: new Uint8Array([1, 0, 1]),
    },
    true,
    ["sign", "verify"],
  );
  return { privateKey, pem: await exportSPKI(publicKey), jwk: await exportJWK(publicKey) };
}
