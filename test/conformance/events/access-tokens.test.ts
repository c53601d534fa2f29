/** Checklist 3 and 4 (event-streaming.md §11), and §4.1, §4.2: who is let in, and what the others are told. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { TOKEN_BYTES_MAX } from "../../../src/auth/key-set.ts";
import { hashApiKey } from "../../../src/auth/api-keys.ts";
import {
  access,
  ask,
  bootEvents,
  claimsOf,
  codeOf,
  ISSUER,
  ORG,
  USER,
  type Json,
} from "../../support/events.ts";
import type { StreamingServer } from "../../support/streaming.ts";
import { DEV_TOKEN_SECRET, hs256 } from "../../support/tokens.ts";

const PATH = "/events/connection_token";
const OTHER_AUDIENCE = { use: "events-client", hmac_secret: DEV_TOKEN_SECRET };

/** What a token is told to lack; `ok` when it is let in. */
async function reasonFor(server: StreamingServer, token: string): Promise<string> {
  const answer = await ask(server, PATH, { token });
  if (answer.status === 200) return "ok";
  expect([answer.status, codeOf(answer)]).toEqual([401, "invalid_token"]);
  const challenge = String(answer.headers["www-authenticate"]);
  return /^Bearer error="invalid_token", error_description="(\w+)"$/.exec(challenge)?.[1] ?? "";
}

describe("3: refused", () => {
  let server: StreamingServer;
  beforeAll(async () => {
    server = await bootEvents();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test.each([
    ["no header", {}],
    ["another scheme", { Authorization: "Basic YTpi" }],
    ["a scheme alone", { Authorization: "Bearer " }],
  ])("%s", async (_name, headers) => {
    const answer = await ask(server, PATH, { token: "", headers });
    expect([answer.status, codeOf(answer)]).toEqual([401, "authentication_required"]);
    expect(answer.headers["www-authenticate"]).toBe('Bearer realm="events"');
  });

  test.each([
    ["malformed", () => "token"],
    ["malformed", () => "a.b.c"],
    ["malformed", (server: StreamingServer) => access(server, {}, unsigned)],
    [
      "algorithm",
      (server: StreamingServer) => access(server, {}, (c) => hs256(c, "x", { alg: "none" })),
    ],
    [
      "algorithm",
      (server: StreamingServer) =>
        access(server, {}, (c) => hs256(c, DEV_TOKEN_SECRET, { alg: "HS512" })),
    ],
    ["signature", (server: StreamingServer) => access(server, {}, (c) => hs256(c, "other"))],
    ["issuer", (server: StreamingServer) => access(server, { iss: "https://other.example" })],
    ["audience", (server: StreamingServer) => access(server, { aud: "other" })],
    ["audience", (server: StreamingServer) => access(server, { aud: undefined })],
    ["expired", (server: StreamingServer) => access(server, { exp: server.seconds(-30) })],
    ["claims", (server: StreamingServer) => access(server, { exp: undefined })],
    ["not_yet_valid", (server: StreamingServer) => access(server, { nbf: server.seconds(31) })],
    ["not_yet_valid", (server: StreamingServer) => access(server, { iat: server.seconds(31) })],
    ["subject", (server: StreamingServer) => access(server, { sub: "42" })],
    ["subject", (server: StreamingServer) => access(server, { sub: "usr_" })],
    ["subject", (server: StreamingServer) => access(server, { sub: `usr_${"a".repeat(65)}` })],
    ["claims", (server: StreamingServer) => access(server, { sub: undefined })],
    ["claims", (server: StreamingServer) => access(server, { scope: ["a"] })],
    ["kind", (server: StreamingServer) => access(server, { meta: {} })],
    ["kind", (server: StreamingServer) => access(server, { subs: {} })],
    ["kind", (server: StreamingServer) => access(server, { channel: "a" })],
    ["kind", (server: StreamingServer) => access(server, { gusher: {} })],
  ])("%s", async (reason, token) => {
    expect(await reasonFor(server, token(server))).toBe(reason);
  });

  test.each([
    ["30 s of leeway", (s: StreamingServer) => ({ nbf: s.seconds(30), iat: s.seconds(30) })],
    ["an audience among several", () => ({ aud: ["a", "events"] })],
    ["the longest user id", () => ({ sub: `usr_${"a".repeat(64)}` })],
  ])("but not %s", async (_name, claims) => {
    expect(await reasonFor(server, access(server, claims(server)))).toBe("ok");
  });

  test("an issued token is no access token, and neither is streaming's", async () => {
    const { body } = await ask(server, PATH);
    expect(await reasonFor(server, String(body["token"]))).toBe("kind");
    expect(await reasonFor(server, hs256({ sub: USER, exp: server.seconds(60) }))).toBe("issuer");
  });

  test("HMAC with a public key, in PEM or as it stands in the key set", async () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    await using server = await bootEvents({
      config: {
        signing_keys: [OTHER_AUDIENCE, { ...accessKey, public_key: pem, algorithms: ["RS256"] }],
      },
    });
    for (const secret of [pem, publicKey.export({ type: "spki", format: "der" })]) {
      const token = access(server, {}, (claims) => hs256(claims, secret));
      expect(await reasonFor(server, token)).toBe("algorithm");
    }
  });
});

const accessKey = { use: "events-access", issuer: ISSUER, audience: "events" };

test("keys behind a URL: by kid, asked for once, again for an unknown kid but not at anyone's will", async () => {
  const pairs = await Promise.all(
    ["a", "b"].map(async (kid) => ({
      kid,
      ...(await generateKeyPair("ES256", { extractable: true })),
    })),
  );
  const jwks = await Promise.all(
    pairs.map(async ({ kid, publicKey }) => ({
      ...(await exportJWK(publicKey)),
      kid,
      alg: "ES256",
    })),
  );
  let served = jwks.slice(0, 1);
  let asked = 0;
  using keys = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    fetch: () => {
      asked++;
      return Response.json({ keys: served });
    },
  });
  const signing_keys = [
    OTHER_AUDIENCE,
    { ...accessKey, jwks_url: `${keys.url.href}jwks.json`, algorithms: ["ES256"] },
  ];
  await using server = await bootEvents({ config: { signing_keys } });
  const signed = async (index: number, kid = pairs[index]?.kid ?? "") => {
    const pair = pairs[index];
    if (pair === undefined) throw new Error("No such pair");
    let claims: Json = {};
    access(server, {}, (made) => {
      claims = made;
      return "";
    });
    return new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid }).sign(pair.privateKey);
  };
  expect(await reasonFor(server, await signed(0))).toBe("ok");
  expect(await reasonFor(server, await signed(0))).toBe("ok");
  expect(asked).toBe(1);
  expect(await reasonFor(server, await signed(1))).toBe("signature");
  // Within the minute nobody knows whether the key exists by now: no final word.
  const unknown = await ask(server, PATH, { token: await signed(1, "c") });
  expect([unknown.status, codeOf(unknown), unknown.headers["retry-after"]]).toEqual([
    ...[503, "unavailable", "1"],
  ]);
  expect(asked).toBe(2);
  served = jwks;
  await server.advance(60_000);
  expect(await reasonFor(server, await signed(1))).toBe("ok");
  expect(asked).toBe(3);
  await server.advance(3_600_000);
  await keys.stop(true);
  const answer = await ask(server, PATH, { token: await signed(0) });
  expect([answer.status, codeOf(answer), answer.headers["retry-after"]]).toEqual([
    ...[503, "unavailable", "1"],
  ]);
});

test("a static public key", async () => {
  const { publicKey, privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  const public_key = await exportSPKI(publicKey);
  const signing_keys = [OTHER_AUDIENCE, { ...accessKey, public_key, algorithms: ["EdDSA"] }];
  await using server = await bootEvents({ config: { signing_keys } });
  const claims = { sub: USER, org_id: ORG, exp: server.seconds(60), iss: ISSUER, aud: "events" };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "EdDSA" }).sign(privateKey);
  expect(await reasonFor(server, token)).toBe("ok");
});

describe("tokens as providers write them", () => {
  test("null claims are absent, fractions count, and a long one fits into the header", async () => {
    await using server = await bootEvents();
    const nulls = { nbf: null, scp: null, client_id: null, organisation_id: null, channel: null };
    expect(await reasonFor(server, access(server, nulls))).toBe("ok");
    expect(await reasonFor(server, access(server, { exp: server.seconds(10) + 0.5 }))).toBe("ok");
    expect(await reasonFor(server, access(server, { exp: server.seconds(-30) - 0.5 }))).toBe(
      "expired",
    );
    expect(await reasonFor(server, access(server, { exp: undefined, Exp: 9e9 }))).toBe("malformed");
    const padded = (bytes: number) => access(server, { groups: "x".repeat(bytes) });
    let pad = Math.floor(TOKEN_BYTES_MAX * 0.75);
    while (padded(pad).length > TOKEN_BYTES_MAX) pad -= 1;
    expect(await reasonFor(server, padded(pad))).toBe("ok");
    expect(await reasonFor(server, padded(pad + 1))).toBe("malformed");
  });

  test("what else they say means nothing where the key serves no other use", async () => {
    const accessSecret = "a secret for access tokens alone, of some length";
    await using server = await bootEvents({
      config: { signing_keys: [OTHER_AUDIENCE, { ...accessKey, hmac_secret: accessSecret }] },
    });
    const claims = { meta: {}, subs: {}, channel: "a", gusher: {} };
    const token = access(server, claims, (all) => hs256(all, accessSecret));
    expect(await reasonFor(server, token)).toBe("ok");
  });
});

describe("4: a token elsewhere than in the header is not seen", () => {
  test.each([
    ["query", (token: string) => ({ path: `${PATH}?access_token=${token}&token=${token}` })],
    ["key in the query", () => ({ path: `${PATH}?api_key=dev-api-key` })],
    ["cookie", (token: string) => ({ path: PATH, headers: { Cookie: `access_token=${token}` } })],
    ["body", (token: string) => ({ path: PATH, method: "POST", body: { access_token: token } })],
  ])("%s", async (_name, made) => {
    await using server = await bootEvents();
    const { path, ...request }: { path: string } = made(access(server));
    const answer = await ask(server, path, { token: "", ...request });
    expect(codeOf(answer)).toBe("authentication_required");
  });
});

describe("the organisation", () => {
  test.each([["org_id"], ["organisation_id"], ["org"]])("is read from %s", async (name) => {
    await using server = await bootEvents();
    const token = access(server, { org_id: undefined, [name]: ORG });
    const { meta } = claimsOf(await ask(server, PATH, { token }));
    expect(meta).toMatchObject({ org_id: ORG });
  });

  test("is read from a claim of another name where configured", async () => {
    await using server = await bootEvents({ events: { organisation_claim: "https://x/org" } });
    const token = access(server, { org_id: undefined, "https://x/org": ORG });
    expect((await ask(server, PATH, { token })).status).toBe(200);
  });

  test.each([[undefined], ["x"], [5], ["org_"], [`org_${"a".repeat(65)}`]])(
    "%p is none",
    async (org_id) => {
      await using server = await bootEvents();
      for (const path of [PATH, "/events/status", "/events/provision"]) {
        const answer = await ask(server, path, { token: access(server, { org_id }) });
        expect([answer.status, codeOf(answer)]).toEqual([403, "organisation_required"]);
      }
    },
  );
});

describe("an API key", () => {
  const keyOf = (id: string, scopes: readonly string[], organisation: string) => {
    const key = `evk_${id}_secret`;
    return { key, entry: { id, hash: hashApiKey(key), scopes, organisation } };
  };

  test("is a bearer or stands in X-API-Key; an unknown one is an invalid token", async () => {
    await using server = await bootEvents();
    const path = `/events/status?organisation_id=${ORG}`;
    const bearer = await ask(server, path, { token: "dev-api-key" });
    expect(bearer.body).toMatchObject({ status: "active" });
    const header = await ask(server, path, { headers: { "X-API-Key": "dev-api-key" } });
    expect(header.body).toEqual(bearer.body);
    for (const headers of [{ "X-API-Key": "other" }, { Authorization: "Bearer evk_a_b" }]) {
      const answer = await ask(server, path, { token: "", headers });
      expect([answer.status, codeOf(answer)]).toEqual([401, "invalid_token"]);
      expect(answer.headers["www-authenticate"]).toContain('error="invalid_token"');
    }
  });

  test("of one organisation acts for that one, and does what its scopes say", async () => {
    const own = keyOf("own", ["events:publish"], ORG);
    await using server = await bootEvents({ config: { api_keys: [own.entry] } });
    const headers = { "X-API-Key": own.key };
    const status = async (query = "") => ask(server, `/events/status${query}`, { headers });
    expect((await status()).body).toMatchObject({ organisation_id: ORG });
    expect((await status(`?organisation_id=${ORG}`)).status).toBe(200);
    expect(codeOf(await status("?organisation_id=org_other"))).toBe("organisation_required");
    const tokenFor = await ask(server, `${PATH}?user_id=${USER}`, { headers });
    expect(codeOf(tokenFor)).toBe("insufficient_scope");
    expect(tokenFor.headers["www-authenticate"]).toBe(
      'Bearer error="insufficient_scope", scope="events:impersonate"',
    );
    for (const path of ["/events/provision", "/events/deprovision"]) {
      expect(codeOf(await ask(server, path, { headers }))).toBe("insufficient_scope");
    }
    const revoked = await ask(server, "/events/revoke", { method: "POST", headers });
    expect(codeOf(revoked)).toBe("insufficient_scope");
    const body = { type: "a", resource: "orders", data: {} };
    const published = await ask(server, "/events/publish", { method: "POST", headers, body });
    expect(published.status).toBe(202);
  });

  test("opens only the channels of its scopes for whom it impersonates", async () => {
    const key = keyOf("imp", ["events:impersonate", "orders:read"], ORG);
    await using server = await bootEvents({ config: { api_keys: [key.entry] } });
    const headers = { "X-API-Key": key.key };
    const answer = await ask(server, `${PATH}?user_id=${USER}`, { headers });
    expect(Object.keys(claimsOf(answer)["subs"] as object)).toEqual([
      ...[`orders:${ORG}`, `orders:${ORG}#${USER}`],
    ]);
  });
});

function unsigned(claims: Json): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${encode({ alg: "none" })}.${encode(claims)}.`;
}
