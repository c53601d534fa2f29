import { describe, expect, test } from "bun:test";
import { exportPKCS8, generateKeyPair } from "jose";
import { hs256 } from "../../test/support/tokens.ts";
import { createKeySet, type Algorithm, type SigningKey } from "./key-set.ts";
import { claims, codeOf, createClock, hmacKey, keySet, NOW_MS } from "./test-key-set.ts";
import { createTokenSigner } from "./token-signer.ts";
import { pairs, pemKey } from "./test-key-pairs.ts";

async function privateKey(algorithm: Algorithm, kid: string): Promise<SigningKey> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const secret = { privateKeyPem: await exportPKCS8(pair.privateKey) };
  return { use: "events-client", kid, algorithms: [algorithm], secret };
}

const signerOf = (keys: readonly SigningKey[], clock = createClock()) =>
  createTokenSigner(keys, { clock });

describe("sign()", () => {
  test("with an HMAC secret makes the token that any library makes", async () => {
    const key = { ...hmacKey, kid: "s1" };
    expect(await signerOf([key]).sign(claims)).toBe(hs256(claims, undefined, { kid: "s1" }));
    expect(signerOf([key]).publicKeys).toEqual([]);
  });

  test.each(["RS256", "ES256", "ES384", "ES512", "EdDSA"] as const)(
    "with %s is verified by the key itself and by its published half",
    async (algorithm) => {
      const key = await privateKey(algorithm, "k1");
      const signer = signerOf([key]);
      const token = await signer.sign(claims);
      expect(await keySet([key]).verify(token)).toEqual(claims);
      const { publicKeys } = signer;
      expect(publicKeys).toMatchObject([{ kid: "k1", alg: algorithm, use: "sig" }]);
      for (const member of ["d", "p", "q", "dp", "dq", "qi"]) {
        expect(publicKeys[0]).not.toHaveProperty(member);
      }
      const published = createKeySet(
        [{ ...key, secret: { jwksUrl: "https://issuer.example/jwks.json" } }],
        { clock: createClock(), fetchJson: async () => ({ keys: publicKeys }) },
      );
      expect(await published.verify(token)).toEqual(claims);
    },
  );

  test("uses the first key whose time is not over", async () => {
    const clock = createClock();
    const former = { ...hmacKey, secret: { hmac: "1" }, untilMs: NOW_MS + 1000 };
    const signer = signerOf([former, { ...hmacKey, secret: { hmac: "2" } }], clock);
    expect(await signer.sign(claims)).toBe(hs256(claims, "1"));
    clock.advance(1000);
    expect(await signer.sign(claims)).toBe(hs256(claims, "2"));
    expect(await codeOf(signerOf([former], clock).sign(claims))).toBe("bad_request");
  });
});

test.each([
  ["a public key", pemKey(pairs.ES256)],
  ["no algorithm", { ...hmacKey, algorithms: [] }],
  ["an algorithm that is not the secret's", { ...hmacKey, algorithms: ["ES256"] as const }],
  ["text that is no key", { ...pemKey(pairs.ES256), secret: { privateKeyPem: "x" } }],
  [
    "a public key as private one",
    { ...pemKey(pairs.ES256), secret: { privateKeyPem: pairs.ES256.pem } },
  ],
])("%s makes no signer", (_name, key) => {
  expect(() => signerOf([key])).toThrow();
});
