/** A key set behind a URL: which of its keys count, when it is fetched, and what holds while it cannot be had. */
import { describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { JWK } from "jose";
import { DEV_TOKEN_SECRET, hs256 } from "../../test/support/tokens.ts";
import { fetchJson as fetchJsonOutbound } from "../outbound/fetch-json.ts";
import {
  JWKS_AGE_MS_MAX,
  JWKS_KEYS_MAX,
  JWKS_REFETCH_COOLDOWN_MS,
  JWKS_RETRY_COOLDOWN_MS,
} from "./jwks.ts";
import type { SigningKey } from "./key-set.ts";
import {
  asymmetric,
  createPair,
  type Pair,
  pairs,
  pemKey,
  shortRsaPair,
} from "./test-key-pairs.ts";
import { claims, codeOf, createClock, encode, keySet } from "./test-key-set.ts";

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
      "invalid_token",
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
      expect(await codeOf(keys.verify(token))).toBe("invalid_token");
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
      "invalid_token",
    );
    expect(await codeOf(keys.verify(await pairs.ES256.sign(claims, "broken")))).toBe(
      "invalid_token",
    );
    const signed = `${encode({ alg: "RS256", kid: "short" })}.${encode(claims)}`;
    const signature = await crypto.subtle.sign(
      "RSASSA-PKCS1-v1_5",
      short.privateKey,
      Buffer.from(signed),
    );
    const weak = `${signed}.${Buffer.from(signature).toString("base64url")}`;
    expect(await codeOf(keys.verify(weak))).toBe("invalid_token");
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
    // Whether it exists by now nobody knows: its client is to come back.
    expect(await codeOf(keys.verify(invented))).toBe("unavailable");
    expect(server.state.requests).toBe(2);
    server.clock.advance(1);
    expect(await codeOf(keys.verify(invented))).toBe("invalid_token");
    expect(await codeOf(keys.verify(invented))).toBe("unavailable");
    expect(await codeOf(keys.verify(token))).toBe("ok");
    expect(server.state.requests).toBe(3);
  });

  test("that gets a second new key within the cooldown has it at the end of it", async () => {
    using server = await jwksServer(set(published(pairs.ES256, "old")));
    const keys = server.keysFor();
    const newer = await pairs.ES384.sign({ sub: "u1" }, "newer");
    expect(await codeOf(keys.verify(await pairs.ES256.sign(claims, "old")))).toBe("ok");
    expect(await codeOf(keys.verify(await pairs.ES256.sign(claims, "invented")))).toBe(
      "invalid_token",
    );
    server.state.document = set(published(pairs.ES384, "newer"));
    for (let passedMs = 0; passedMs < JWKS_REFETCH_COOLDOWN_MS; passedMs += 20_000) {
      expect(await codeOf(keys.verify(newer))).toBe("unavailable");
      server.clock.advance(20_000);
    }
    expect(await codeOf(keys.verify(newer))).toBe("ok");
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
    expect(await codeOf(keys.verify(token))).toBe("invalid_token");
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
    ).toBe("invalid_token");
    expect(server.state.requests).toBe(0);
    expect(await codeOf(keys.verify(await token("https://away.test")))).toBe("unavailable");
  });
});
