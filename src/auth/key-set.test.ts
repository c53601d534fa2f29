/** Which signatures a key set accepts, of which algorithms, and the keys it is not made from. */
import { describe, expect, test } from "bun:test";
import { createHmac, createPublicKey } from "node:crypto";
import { exportPKCS8, exportSPKI, generateKeyPair, importPKCS8, SignJWT } from "jose";
import { hs256 } from "../../test/support/tokens.ts";
import { HubError } from "../core/errors.ts";
import { TokenError, type Algorithm, type SigningKey } from "./key-set.ts";
import { asymmetric, createPair, pairs, pemKey, shortRsaPair } from "./test-key-pairs.ts";
import { claims, codeOf, encode, hmacKey, keySet, NOW_SECONDS } from "./test-key-set.ts";

describe("verify()", () => {
  test.each(["HS256", "HS384", "HS512"] as const)("accepts %s", async (alg) => {
    const hash = alg.replace("HS", "sha");
    const signed = `${encode({ alg })}.${encode(claims)}`;
    const token = `${signed}.${createHmac(hash, "secret").update(signed).digest("base64url")}`;
    for (const hmac of ["secret", new TextEncoder().encode("secret")]) {
      const keys = keySet([{ ...hmacKey, algorithms: [alg], secret: { hmac } }]);
      expect(await keys.verify(token)).toEqual(claims);
      expect(await keys.verify(token)).toEqual(claims);
    }
    const other = keySet([{ ...hmacKey, algorithms: [alg], secret: { hmac: "Secret" } }]);
    expect(await codeOf(other.verify(token))).toBe("invalid_token");
  });

  test.each(asymmetric)("accepts %s with a public key", async (algorithm) => {
    const pair = pairs[algorithm];
    const token = await pair.sign(claims);
    const keys = keySet([pemKey(pair)]);
    expect(await keys.verify(token)).toEqual(claims);
    expect(await keys.verify(token)).toEqual(claims);
    const other = keySet([pemKey(await createPair(algorithm))]);
    expect(await codeOf(other.verify(token))).toBe("invalid_token");
  });

  test("serves several algorithms with one RSA key", async () => {
    const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
    const pem = await exportPKCS8(privateKey);
    const publicKeyPem = await exportSPKI(publicKey);
    const algorithms = ["RS256", "RS512"] as const;
    const keys = keySet([{ use: "streaming", algorithms, secret: { publicKeyPem } }]);
    for (const alg of algorithms) {
      const key = await importPKCS8(pem, alg);
      const token = await new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
      expect(await keys.verify(token)).toEqual(claims);
    }
  });

  test("refuses every token without keys", async () => {
    expect(await codeOf(keySet([]).verify(hs256(claims)))).toBe("invalid_token");
  });

  test("keeps the claims as they were", async () => {
    const all = { ...claims, info: { a: [1, null, "ü"] }, aud: ["x"], nbf: NOW_SECONDS, iat: 1.5 };
    expect(await keySet([hmacKey]).verify(hs256(all))).toEqual(all);
  });

  test("refuses a token with a claim of the key's other use, once its signature is good", async () => {
    const shared = { ...hmacKey, foreignClaims: ["scope", "org_id"] };
    const faultOf = async (token: string) => {
      const error = await keySet([shared])
        .verify(token)
        .catch((thrown: unknown) => thrown);
      return error instanceof TokenError ? error.fault : "ok";
    };
    expect(await faultOf(hs256({ ...claims, gusher: {}, Scope: "a" }))).toBe("ok");
    expect(await faultOf(hs256({ ...claims, scope: null, org_id: null }))).toBe("ok");
    expect(await faultOf(hs256({ ...claims, scope: "" }))).toBe("kind");
    expect(await faultOf(hs256({ exp: 0, org_id: "org_1" }))).toBe("kind");
    expect(await faultOf(hs256({ ...claims, scope: "a" }, "other"))).toBe("signature");
  });
});

describe("an algorithm", () => {
  test("none is refused, with and without signature", async () => {
    const keys = keySet([hmacKey, pemKey(pairs.RS256)]);
    for (const alg of ["none", "None", "NONE", ""]) {
      const unsigned = `${encode({ alg })}.${encode(claims)}`;
      expect(await codeOf(keys.verify(`${unsigned}.`))).toBe("invalid_token");
      const [, , signature] = hs256(claims).split(".");
      expect(await codeOf(keys.verify(`${unsigned}.${signature}`))).toBe("invalid_token");
    }
  });

  test("HS256 keyed with the text, DER or JWK of the public key is refused", async () => {
    const { pem } = pairs.RS256;
    const der = new Uint8Array(createPublicKey(pem).export({ format: "der", type: "spki" }));
    const keys = keySet([pemKey(pairs.RS256), pemKey(pairs.ES256), hmacKey]);
    for (const secret of [pem, pem.trim(), `${pem}\n`, der, pairs.RS256.jwk.n ?? ""]) {
      expect(await codeOf(keys.verify(hs256(claims, secret)))).toBe("invalid_token");
    }
  });

  test("that the key does not list is refused, though the signature is good", async () => {
    const { privateKey, publicKey } = await generateKeyPair("RS512", { extractable: true });
    const token = await new SignJWT(claims).setProtectedHeader({ alg: "RS512" }).sign(privateKey);
    const publicKeyPem = await exportSPKI(publicKey);
    const withAlgorithms = (algorithms: Algorithm[]) =>
      keySet([{ use: "streaming", algorithms, secret: { publicKeyPem } }]);
    expect(await codeOf(withAlgorithms(["RS256", "RS384"]).verify(token))).toBe("invalid_token");
    expect(await codeOf(withAlgorithms(["RS256", "RS512"]).verify(token))).toBe("ok");
  });

  test("outside the supported ones is refused", async () => {
    const { privateKey } = await generateKeyPair("PS256");
    const token = await new SignJWT(claims).setProtectedHeader({ alg: "PS256" }).sign(privateKey);
    expect(await codeOf(keySet([pemKey(pairs.RS256)]).verify(token))).toBe("invalid_token");
  });
});

describe("createKeySet() refuses", () => {
  const refused = (key: Partial<SigningKey>, ...more: SigningKey[]) => {
    const create = () => keySet([{ ...hmacKey, ...key }, ...more]);
    expect(create).toThrow(HubError);
    expect(create).not.toThrow(/s3cret/);
  };

  test("a public key as HMAC secret", () => {
    refused({ secret: { hmac: pairs.RS256.pem } });
    refused({ secret: { hmac: new TextEncoder().encode(pairs.ES256.pem) } });
    refused({ algorithms: ["HS256"], secret: { publicKeyPem: pairs.RS256.pem } });
    refused({ algorithms: ["RS256", "HS256"], secret: { publicKeyPem: pairs.RS256.pem } });
    refused({ algorithms: ["HS256"], secret: { jwksUrl: "https://a.test/jwks" } });
  });

  test("algorithms that do not suit the key", () => {
    refused({ algorithms: [] });
    refused({ algorithms: ["RS256"] });
    for (const pair of Object.values(pairs)) {
      for (const algorithm of asymmetric) {
        const rsa = algorithm.startsWith("RS") && pair.algorithm.startsWith("RS");
        if (rsa || algorithm === pair.algorithm) continue;
        refused({ algorithms: [algorithm], secret: { publicKeyPem: pair.pem } });
      }
    }
  });

  test("keys that are none", () => {
    refused({ secret: { hmac: "" } });
    refused({ algorithms: ["RS256"], secret: { publicKeyPem: "s3cret" } });
    refused({ algorithms: ["RS256"], secret: { jwksUrl: "s3cret" } });
  });

  test("a private key, and one that is too short", async () => {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    const pem = await exportPKCS8(privateKey);
    refused({ algorithms: ["ES256"], secret: { publicKeyPem: pem } });
    refused({ algorithms: ["RS256"], secret: { publicKeyPem: (await shortRsaPair()).pem } });
  });

  test("keys of two uses", () => {
    refused({}, { ...hmacKey, use: "gusher" });
  });
});
