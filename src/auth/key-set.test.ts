import { beforeAll, describe, expect, test } from "bun:test";
import { createHmac, createPublicKey } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type CryptoKey,
  exportJWK,
  exportPKCS8,
  exportSPKI,
  generateKeyPair,
  importPKCS8,
  type JWK,
  SignJWT,
} from "jose";
import { DEV_TOKEN_SECRET, hs256 } from "../../test/support/tokens.ts";
import { HubError, type HubErrorCode } from "../core/errors.ts";
import { fetchJson as fetchJsonOutbound } from "../outbound/fetch-json.ts";
import {
  JWKS_AGE_MS_MAX,
  JWKS_KEYS_MAX,
  JWKS_REFETCH_COOLDOWN_MS,
  JWKS_RETRY_COOLDOWN_MS,
} from "./jwks.ts";
import {
  type Algorithm,
  createKeySet,
  selectKeys,
  type SigningKey,
  TOKEN_BYTES_MAX,
} from "./key-set.ts";

const NOW_MS = 1_800_000_000_000;
const NOW_SECONDS = NOW_MS / 1000;

function createClock() {
  let passedMs = 0;
  return {
    epochMs: () => NOW_MS + passedMs,
    monotonicMs: () => passedMs,
    advance: (ms: number) => (passedMs += ms),
  };
}

const noFetch = () => Promise.reject(new Error("Must not be fetched"));

const hmacKey: SigningKey = {
  use: "streaming",
  algorithms: ["HS256"],
  secret: { hmac: DEV_TOKEN_SECRET },
};

const keySet = (
  keys: readonly SigningKey[],
  clock = createClock(),
  fetchJson: (url: string) => Promise<unknown> = noFetch,
) => createKeySet(keys, { clock, fetchJson });

async function codeOf(outcome: Promise<unknown>): Promise<HubErrorCode | "ok"> {
  try {
    await outcome;
    return "ok";
  } catch (error) {
    if (error instanceof HubError) return error.code;
    throw error;
  }
}

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const claims = { sub: "u1", exp: NOW_SECONDS + 60 };

interface Pair {
  readonly algorithm: Algorithm;
  readonly sign: (claims: Record<string, unknown>, kid?: string) => Promise<string>;
  readonly pem: string;
  readonly jwk: JWK;
}

async function createPair(algorithm: Algorithm): Promise<Pair> {
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

const asymmetric = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"] as const;
const pairs = {} as Record<(typeof asymmetric)[number], Pair>;
beforeAll(async () => {
  for (const algorithm of asymmetric) pairs[algorithm] = await createPair(algorithm);
});

const pemKey = (pair: Pair, more: Partial<SigningKey> = {}): SigningKey => ({
  use: "streaming",
  algorithms: [pair.algorithm],
  secret: { publicKeyPem: pair.pem },
  ...more,
});

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
    expect(await codeOf(other.verify(token))).toBe("token_invalid");
  });

  test.each(asymmetric)("accepts %s with a public key", async (algorithm) => {
    const pair = pairs[algorithm];
    const token = await pair.sign(claims);
    const keys = keySet([pemKey(pair)]);
    expect(await keys.verify(token)).toEqual(claims);
    expect(await keys.verify(token)).toEqual(claims);
    const other = keySet([pemKey(await createPair(algorithm))]);
    expect(await codeOf(other.verify(token))).toBe("token_invalid");
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
    expect(await codeOf(keySet([]).verify(hs256(claims)))).toBe("token_invalid");
  });

  test("keeps the claims as they were", async () => {
    const all = { ...claims, info: { a: [1, null, "ü"] }, aud: ["x"], nbf: NOW_SECONDS, iat: 1.5 };
    expect(await keySet([hmacKey]).verify(hs256(all))).toEqual(all);
  });
});

describe("an algorithm", () => {
  test("none is refused, with and without signature", async () => {
    const keys = keySet([hmacKey, pemKey(pairs.RS256)]);
    for (const alg of ["none", "None", "NONE", ""]) {
      const unsigned = `${encode({ alg })}.${encode(claims)}`;
      expect(await codeOf(keys.verify(`${unsigned}.`))).toBe("token_invalid");
      const [, , signature] = hs256(claims).split(".");
      expect(await codeOf(keys.verify(`${unsigned}.${signature}`))).toBe("token_invalid");
    }
  });

  test("HS256 keyed with the text, DER or JWK of the public key is refused", async () => {
    const { pem } = pairs.RS256;
    const der = new Uint8Array(createPublicKey(pem).export({ format: "der", type: "spki" }));
    const keys = keySet([pemKey(pairs.RS256), pemKey(pairs.ES256), hmacKey]);
    for (const secret of [pem, pem.trim(), `${pem}\n`, der, pairs.RS256.jwk.n ?? ""]) {
      expect(await codeOf(keys.verify(hs256(claims, secret)))).toBe("token_invalid");
    }
  });

  test("that the key does not list is refused, though the signature is good", async () => {
    const { privateKey, publicKey } = await generateKeyPair("RS512", { extractable: true });
    const token = await new SignJWT(claims).setProtectedHeader({ alg: "RS512" }).sign(privateKey);
    const publicKeyPem = await exportSPKI(publicKey);
    const withAlgorithms = (algorithms: Algorithm[]) =>
      keySet([{ use: "streaming", algorithms, secret: { publicKeyPem } }]);
    expect(await codeOf(withAlgorithms(["RS256", "RS384"]).verify(token))).toBe("token_invalid");
    expect(await codeOf(withAlgorithms(["RS256", "RS512"]).verify(token))).toBe("ok");
  });

  test("outside the supported ones is refused", async () => {
    const { privateKey } = await generateKeyPair("PS256");
    const token = await new SignJWT(claims).setProtectedHeader({ alg: "PS256" }).sign(privateKey);
    expect(await codeOf(keySet([pemKey(pairs.RS256)]).verify(token))).toBe("token_invalid");
  });
});

describe("a token", () => {
  const keys = keySet([hmacKey]);

  test("with any changed character is refused", async () => {
    const token = hs256(claims);
    for (let index = 0; index < token.length; index++) {
      const changed = token[index] === "A" ? "B" : "A";
      const tampered = token.slice(0, index) + changed + token.slice(index + 1);
      expect(await codeOf(keys.verify(tampered))).toBe("token_invalid");
    }
  });

  test("with the claims of another token is refused", async () => {
    const [header, , signature] = hs256(claims).split(".");
    const forged = `${header}.${encode({ ...claims, sub: "admin" })}.${signature}`;
    expect(await codeOf(keys.verify(forged))).toBe("token_invalid");
  });

  const header = encode({ alg: "HS256" });
  test.each([
    ["nothing", ""],
    ["dots", ".."],
    ["text", "nonsense"],
    ["two parts", `${header}.${encode(claims)}`],
    ["four parts", `${hs256(claims)}.x`],
    ["five parts", "a.b.c.d.e"],
    ["a space behind", `${hs256(claims)} `],
    ["a line break behind", `${hs256(claims)}\n`],
    ["a space within", hs256(claims).replace(".", " .")],
    ["Bearer before", `Bearer ${hs256(claims)}`],
    ["padding", hs256(claims).replaceAll(".", "=.")],
    ["characters beyond ASCII", `é${hs256(claims)}`],
    ["a header that is no JSON", `e30x.${encode(claims)}.x`],
    ["a header that is an array", `${encode([])}.${encode(claims)}.x`],
    ["no alg", hs256(claims, DEV_TOKEN_SECRET, { alg: undefined })],
    ["an alg that is no string", hs256(claims, DEV_TOKEN_SECRET, { alg: ["HS256"] })],
    ["a kid that is no string", hs256(claims, DEV_TOKEN_SECRET, { kid: 1 })],
    ["a critical extension", hs256(claims, DEV_TOKEN_SECRET, { crit: ["b64"], b64: true })],
    ["an unencoded payload", hs256(claims, DEV_TOKEN_SECRET, { crit: ["b64"], b64: false })],
  ])("of %s is refused", async (_, token) => {
    expect(await codeOf(keys.verify(token))).toBe("token_invalid");
  });

  test.each(["null", "[]", '"text"', "1", "{", ""])("with claims %s is refused", async (text) => {
    const signed = `${header}.${Buffer.from(text).toString("base64url")}`;
    const mac = createHmac("sha256", DEV_TOKEN_SECRET).update(signed).digest("base64url");
    expect(await codeOf(keys.verify(`${signed}.${mac}`))).toBe("token_invalid");
  });

  test("may be as long as the limit, and not one byte longer", async () => {
    const padded = (bytes: number) => hs256({ ...claims, pad: "x".repeat(bytes) });
    let pad = TOKEN_BYTES_MAX;
    while (padded(pad).length > TOKEN_BYTES_MAX) pad -= 1;
    const longest = padded(pad);
    // Base64url skips every fourth length, so the header takes up the rest.
    expect(longest.length).toBeGreaterThan(TOKEN_BYTES_MAX - 2);
    expect(await codeOf(keys.verify(longest))).toBe("ok");
    const longer = padded(pad + 1);
    expect(longer.length).toBeGreaterThan(TOKEN_BYTES_MAX);
    expect(longer.length).toBeLessThan(TOKEN_BYTES_MAX + 3);
    expect(await codeOf(keys.verify(longer))).toBe("token_invalid");
  });

  test("is not quoted by the error", async () => {
    const token = `s3cret.${encode(claims)}.s3cret`;
    for (const text of [token, `${encode({ alg: "HS256" })}.s3cret.s3cret`, "s3cret"]) {
      const error = await keys.verify(text).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(HubError);
      expect(Bun.inspect(error, { depth: 10 })).not.toContain("s3cret.");
      expect((error as HubError).cause).toBeUndefined();
    }
  });
});

describe("time", () => {
  test("exp is the first second outside", async () => {
    const clock = createClock();
    const keys = keySet([hmacKey], clock);
    const token = hs256({ exp: NOW_SECONDS + 60 });
    clock.advance(59_999);
    expect(await codeOf(keys.verify(token))).toBe("ok");
    clock.advance(1);
    expect(await codeOf(keys.verify(token))).toBe("token_expired");
  });

  test("nbf is the first second inside", async () => {
    const clock = createClock();
    const keys = keySet([hmacKey], clock);
    const token = hs256({ nbf: NOW_SECONDS + 60 });
    clock.advance(59_999);
    expect(await codeOf(keys.verify(token))).toBe("token_expired");
    clock.advance(1);
    expect(await codeOf(keys.verify(token))).toBe("ok");
  });

  test("takes fractions of a second, and no exp at all", async () => {
    const keys = keySet([hmacKey]);
    expect(await codeOf(keys.verify(hs256({ exp: NOW_SECONDS + 0.001 })))).toBe("ok");
    expect(await codeOf(keys.verify(hs256({ exp: 0 })))).toBe("token_expired");
    expect(await codeOf(keys.verify(hs256({})))).toBe("ok");
  });

  test("in the future of iat is no fault", async () => {
    expect(await codeOf(keySet([hmacKey]).verify(hs256({ iat: NOW_SECONDS + 60 })))).toBe("ok");
  });

  test.each(["exp", "nbf", "iat"])("%s that is no finite number is invalid", async (name) => {
    const keys = keySet([hmacKey]);
    for (const value of [String(NOW_SECONDS + 60), null, true, [NOW_SECONDS + 60], {}]) {
      expect(await codeOf(keys.verify(hs256({ [name]: value })))).toBe("token_invalid");
    }
    const signed = `${encode({ alg: "HS256" })}.${Buffer.from(`{"${name}":1e999}`).toString("base64url")}`;
    const mac = createHmac("sha256", DEV_TOKEN_SECRET).update(signed).digest("base64url");
    expect(await codeOf(keys.verify(`${signed}.${mac}`))).toBe("token_invalid");
  });

  test("makes a token expired only when all else is right", async () => {
    const past = { exp: NOW_SECONDS - 1 };
    expect(await codeOf(keySet([hmacKey]).verify(hs256(past, "other")))).toBe("token_invalid");
    const restricted = keySet([{ ...hmacKey, issuer: "https://a.test" }]);
    expect(await codeOf(restricted.verify(hs256(past)))).toBe("token_invalid");
    expect(await codeOf(restricted.verify(hs256({ ...past, iss: "https://a.test" })))).toBe(
      "token_expired",
    );
  });
});

describe("the choice of a key", () => {
  const one = { ...hmacKey, kid: "one", secret: { hmac: "1" } };
  const two = { ...hmacKey, kid: "two", secret: { hmac: "2" } };
  const unnamed = { ...hmacKey, secret: { hmac: "3" } };

  test("goes by kid when both have one, and tries all otherwise", async () => {
    const keys = keySet([one, two, unnamed]);
    const outcome = (secret: string, kid?: string) =>
      codeOf(keys.verify(hs256(claims, secret, kid === undefined ? {} : { kid })));
    expect(await outcome("1", "one")).toBe("ok");
    expect(await outcome("2", "two")).toBe("ok");
    expect(await outcome("2", "one")).toBe("token_invalid");
    expect(await outcome("2")).toBe("ok");
    expect(await outcome("3", "one")).toBe("ok");
    expect(await outcome("3", "unknown")).toBe("ok");
    expect(await outcome("1", "unknown")).toBe("token_invalid");
    expect(await outcome("1", "")).toBe("token_invalid");
  });

  test("leaves out a key from its untilMs on", async () => {
    const clock = createClock();
    const previous = { ...one, untilMs: NOW_MS + 1000 };
    const keys = keySet([two, previous], clock);
    clock.advance(999);
    expect(await codeOf(keys.verify(hs256(claims, "1")))).toBe("ok");
    clock.advance(1);
    expect(await codeOf(keys.verify(hs256(claims, "1")))).toBe("token_invalid");
    expect(await codeOf(keys.verify(hs256(claims, "2")))).toBe("ok");
  });

  test("goes by issuer and audience", async () => {
    const keys = keySet([
      { ...hmacKey, issuer: "https://a.test", audience: "events" },
      { ...hmacKey, issuer: "https://b.test" },
    ]);
    const outcome = (more: Record<string, unknown>) =>
      codeOf(keys.verify(hs256({ ...claims, ...more })));
    expect(await outcome({ iss: "https://a.test", aud: "events" })).toBe("ok");
    expect(await outcome({ iss: "https://a.test", aud: ["other", "events"] })).toBe("ok");
    expect(await outcome({ iss: "https://b.test" })).toBe("ok");
    for (const refused of [
      {},
      { iss: "https://a.test" },
      { iss: "https://a.test", aud: "event" },
      { iss: "https://a.test", aud: "events2" },
      { iss: "https://a.test", aud: [] },
      { iss: "https://a.test", aud: { events: true } },
      { iss: ["https://a.test"], aud: "events" },
      { iss: "https://a.test/", aud: "events" },
      { aud: "events" },
    ]) {
      expect(await outcome(refused)).toBe("token_invalid");
    }
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

async function shortRsaPair(): Promise<{ privateKey: CryptoKey; pem: string; jwk: JWK }> {
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

describe("selectKeys()", () => {
  const key = (more: Partial<SigningKey>) => ({ ...hmacKey, ...more });
  const both = key({ kid: "both" });
  const subscription = key({ kid: "subscription", tokens: "subscription" });
  const gusher = key({ kid: "gusher", use: "gusher" });

  test("keeps uses apart", () => {
    expect(selectKeys([both, gusher], "gusher")).toEqual([gusher]);
    expect(selectKeys([both, gusher], "tasks")).toEqual([]);
  });

  test("gives a kind its own keys, or those for both", () => {
    expect(selectKeys([both, subscription], "streaming", "subscription")).toEqual([subscription]);
    expect(selectKeys([both, subscription], "streaming", "connection")).toEqual([both]);
    expect(selectKeys([both, gusher], "streaming", "subscription")).toEqual([both]);
    expect(selectKeys([subscription], "streaming", "connection")).toEqual([]);
  });
});

describe("a key set behind a URL", () => {
  /** Serves `document` with `status`, over HTTP, and counts. */
  async function jwksServer(document: unknown) {
    const state = { document, status: 200, requests: 0 };
    const server = createServer((_, response) => {
      state.requests += 1;
      response.writeHead(state.status).end(JSON.stringify(state.document));
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", resolve);
    await promise;
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
    const clock = createClock();
    const keysFor = (more: Partial<SigningKey> = {}, ...others: SigningKey[]) =>
      keySet(
        [
          { use: "streaming", algorithms: asymmetric, secret: { jwksUrl: url }, ...more },
          ...others,
        ],
        clock,
        (asked) =>
          fetchJsonOutbound({
            url: asked,
            timeoutMs: 5000,
            responseBytesMax: 65_536,
            allowAddress: () => true,
          }),
      );
    return {
      state,
      clock,
      keysFor,
      [Symbol.dispose]() {
        server.close();
      },
    };
  }

  const published = (pair: Pair, kid: string, more: JWK = {}): JWK => ({
    ...pair.jwk,
    kid,
    ...more,
  });
  const set = (...keys: unknown[]) => ({ keys });

  test("verifies RSA, EC and OKP, and is fetched once", async () => {
    using server = await jwksServer(
      set(...asymmetric.map((alg) => published(pairs[alg], alg, { alg, use: "sig" }))),
    );
    const keys = server.keysFor();
    await Promise.all(
      asymmetric.map(async (alg) => {
        expect(await keys.verify(await pairs[alg].sign({ sub: alg }, alg))).toEqual({ sub: alg });
      }),
    );
    expect(server.state.requests).toBe(1);
  });

  test("tries every key of the type for a token without kid", async () => {
    const other = await createPair("ES256");
    using server = await jwksServer(set(published(other, "a"), published(pairs.ES256, "b")));
    const keys = server.keysFor();
    expect(await codeOf(keys.verify(await pairs.ES256.sign(claims)))).toBe("ok");
    expect(await codeOf(keys.verify(await (await createPair("ES256")).sign(claims)))).toBe(
      "token_invalid",
    );
    expect(server.state.requests).toBe(1);
  });

  test("never verifies HMAC, and takes listed algorithms only", async () => {
    const k = Buffer.from(DEV_TOKEN_SECRET).toString("base64url");
    using server = await jwksServer(set({ kty: "oct", k, kid: "h" }, published(pairs.RS256, "r")));
    const keys = server.keysFor({ algorithms: ["ES256"] });
    for (const token of [
      hs256(claims, DEV_TOKEN_SECRET, { kid: "h" }),
      hs256(claims),
      hs256(claims, pairs.RS256.pem, { kid: "r" }),
      await pairs.RS256.sign(claims, "r"),
    ]) {
      expect(await codeOf(keys.verify(token))).toBe("token_invalid");
    }
    expect(server.state.requests).toBe(0);
  });

  test("with keys for other ends, broken ones or short ones does not use those", async () => {
    const short = await shortRsaPair();
    using server = await jwksServer(
      set(
        published(pairs.ES256, "encryption", { use: "enc" }),
        { kty: "EC", crv: "P-256", x: "AA", y: "AA", kid: "broken" },
        { ...short.jwk, kid: "short" },
        published(pairs.EdDSA, "good"),
      ),
    );
    const keys = server.keysFor();
    expect(await codeOf(keys.verify(await pairs.ES256.sign(claims, "encryption")))).toBe(
      "token_invalid",
    );
    expect(await codeOf(keys.verify(await pairs.ES256.sign(claims, "broken")))).toBe(
      "token_invalid",
    );
    const signed = `${encode({ alg: "RS256", kid: "short" })}.${encode(claims)}`;
    const signature = await crypto.subtle.sign(
      "RSASSA-PKCS1-v1_5",
      short.privateKey,
      Buffer.from(signed),
    );
    const weak = `${signed}.${Buffer.from(signature).toString("base64url")}`;
    expect(await codeOf(keys.verify(weak))).toBe("token_invalid");
    expect(await codeOf(keys.verify(await pairs.EdDSA.sign(claims, "good")))).toBe("ok");
  });

  test("is fetched again for an unknown kid, but once per cooldown", async () => {
    using server = await jwksServer(set(published(pairs.ES256, "old")));
    const keys = server.keysFor();
    expect(await codeOf(keys.verify(await pairs.ES256.sign(claims, "old")))).toBe("ok");

    const rotated = await createPair("ES256");
    server.state.document = set(published(pairs.ES256, "old"), published(rotated, "new"));
    const token = await rotated.sign({ sub: "u1" }, "new");
    expect(await Promise.all([codeOf(keys.verify(token)), codeOf(keys.verify(token))])).toEqual([
      "ok",
      "ok",
    ]);
    expect(server.state.requests).toBe(2);

    const invented = await rotated.sign({ sub: "u1" }, "invented");
    server.clock.advance(JWKS_REFETCH_COOLDOWN_MS - 1);
    expect(await codeOf(keys.verify(invented))).toBe("token_invalid");
    expect(server.state.requests).toBe(2);
    server.clock.advance(1);
    expect(await codeOf(keys.verify(invented))).toBe("token_invalid");
    expect(await codeOf(keys.verify(invented))).toBe("token_invalid");
    expect(server.state.requests).toBe(3);
  });

  test("is fetched again when it is too old, and no longer trusts a removed key", async () => {
    using server = await jwksServer(set(published(pairs.ES256, "a")));
    const keys = server.keysFor();
    const token = await pairs.ES256.sign({}, "a");
    expect(await codeOf(keys.verify(token))).toBe("ok");
    server.state.document = set(published(pairs.EdDSA, "b"));
    server.clock.advance(JWKS_AGE_MS_MAX - 1);
    expect(await codeOf(keys.verify(token))).toBe("ok");
    server.clock.advance(1);
    expect(await codeOf(keys.verify(token))).toBe("token_invalid");
    expect(server.state.requests).toBe(2);
  });

  test("that cannot be had makes tokens unavailable, and is not asked for each", async () => {
    using server = await jwksServer(set(published(pairs.ES256, "a")));
    const keys = server.keysFor();
    const token = await pairs.ES256.sign(claims, "a");
    server.state.status = 500;
    const all = Array.from({ length: 5 }, () => codeOf(keys.verify(token)));
    expect(new Set(await Promise.all(all))).toEqual(new Set(["unavailable"]));
    server.clock.advance(JWKS_RETRY_COOLDOWN_MS - 1);
    expect(await codeOf(keys.verify(token))).toBe("unavailable");
    expect(server.state.requests).toBe(1);
    server.state.status = 200;
    server.clock.advance(1);
    expect(await codeOf(keys.verify(token))).toBe("ok");
    expect(server.state.requests).toBe(2);
  });

  test("that fails for an unknown kid leaves the known keys in use", async () => {
    using server = await jwksServer(set(published(pairs.ES256, "a")));
    const keys = server.keysFor();
    const known = await pairs.ES256.sign(claims, "a");
    const unknown = await pairs.ES256.sign(claims, "b");
    expect(await codeOf(keys.verify(known))).toBe("ok");
    server.state.status = 500;
    expect(await codeOf(keys.verify(unknown))).toBe("unavailable");
    expect(await codeOf(keys.verify(unknown))).toBe("unavailable");
    expect(await codeOf(keys.verify(known))).toBe("ok");
    expect(server.state.requests).toBe(2);
  });

  test.each([
    ["no object", null],
    ["no keys", {}],
    ["keys that are no list", { keys: {} }],
    ["members that are no keys", { keys: [1] }],
    ["too many keys", { keys: Array.from({ length: JWKS_KEYS_MAX + 1 }, () => ({ kty: "EC" })) }],
  ])("of %s is unavailable", async (_, document) => {
    using server = await jwksServer(document);
    expect(await codeOf(server.keysFor().verify(await pairs.ES256.sign(claims)))).toBe(
      "unavailable",
    );
  });

  test("may have as many keys as the limit", async () => {
    const rest = Array.from({ length: JWKS_KEYS_MAX - 1 }, () => ({ kty: "EC" }));
    using server = await jwksServer(set(...rest, published(pairs.ES256, "a")));
    expect(await codeOf(server.keysFor().verify(await pairs.ES256.sign(claims, "a")))).toBe("ok");
  });

  test("that is away does not stop other keys, nor tokens of other issuers", async () => {
    using server = await jwksServer(null);
    const local = pemKey(pairs.ES256, { issuer: "https://local.test" });
    const keys = server.keysFor({ issuer: "https://away.test" }, local);
    const token = (iss: string, pair = pairs.ES256) => pair.sign({ ...claims, iss });
    expect(await codeOf(keys.verify(await token("https://local.test")))).toBe("ok");
    expect(
      await codeOf(keys.verify(await token("https://local.test", await createPair("ES256")))),
    ).toBe("token_invalid");
    expect(server.state.requests).toBe(0);
    expect(await codeOf(keys.verify(await token("https://away.test")))).toBe("unavailable");
  });
});
