/** Checklist 32 and 33 (event-streaming.md §11), and §4.3, §4.4: what every answer looks like, limits, browsers. */
import { describe, expect, test } from "bun:test";
import {
  generateKeyPair,
  exportPKCS8,
  jwtVerify,
  createLocalJWKSet,
  type JSONWebKeySet,
} from "jose";
import {
  access,
  API_KEY,
  ask,
  askByKey,
  bootEvents,
  codeOf,
  connectionToken,
  connectUser,
  ISSUER,
  ORG,
  OTHER_ORG,
  OTHER_USER,
  publish,
  type EventsRequest,
} from "../../support/events.ts";
import { openClient, type StreamingServer } from "../../support/streaming.ts";

const CONNECTION = "/events/connection_token";
const SUBSCRIPTION = `/events/subscription_token?channel=status:a`;

describe("33: every answer", () => {
  const cases: readonly [string, string, EventsRequest, number][] = [
    ["a token", CONNECTION, {}, 200],
    ["an event", "/events/publish", { method: "POST", headers: API_KEY, body: EVENT() }, 202],
    ["no credential", CONNECTION, { token: "" }, 401],
    ["a refusal", "/events/subscription_token?channel=x", {}, 400],
    ["an unknown path", "/events/unknown", {}, 404],
    ["the bare path", "/events", {}, 404],
    ["a wrong method", "/events/publish", {}, 405],
    ["a preflight", CONNECTION, { method: "OPTIONS", token: "" }, 204],
    ["webhooks", "/webhooks/unknown", {}, 404],
    ["another organisation's", `/organisations/${OTHER_ORG}/webhooks/endpoints`, {}, 404],
    ["below organisations", `/organisations/${ORG}/unknown`, {}, 404],
    ["webhooks without a credential", "/webhooks/endpoints", { token: "" }, 401],
    ["the key set", "/.well-known/jwks.json", { token: "" }, 200],
  ];
  test.each(cases)("%s", async (_name, path, request, status) => {
    await using server = await bootEvents();
    const answer = await ask(server, path, request);
    expect([answer.status, answer.headers["cache-control"]]).toEqual([status, "no-store"]);
    expect(answer.headers["x-request-id"]).toMatch(/^req_[0-9A-Za-z]{27}$/);
    if (status !== 204) expect(answer.headers["content-type"]).toStartWith("application/json");
    if (status < 400) return;
    const { error, request_id: id } = answer.body;
    expect(error).toMatchObject({ code: expect.any(String), message: expect.any(String) });
    expect(id).toBe(answer.headers["x-request-id"] as string);
  });

  test("a wrong method says which are right", async () => {
    await using server = await bootEvents();
    for (const [path, allow] of [
      [CONNECTION, "GET, POST"],
      ["/events/status", "GET"],
      ["/events/publish", "POST"],
      ["/events/publish/batch", "POST"],
      ["/events/revoke", "POST"],
      ["/.well-known/jwks.json", "GET"],
    ] as const) {
      const answer = await ask(server, path, { method: "PUT" });
      expect([answer.status, codeOf(answer), answer.headers["allow"]]).toEqual([
        ...[405, "method_not_allowed", allow],
      ]);
    }
  });

  test("a body that is not JSON is 415, one that is too large 413", async () => {
    await using server = await bootEvents();
    const post = (type: string | undefined, body: string) =>
      ask(server, CONNECTION, {
        ...{ method: "POST", body },
        headers: type === undefined ? {} : { "Content-Type": type },
      });
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]) {
      const answer = await post(type, "{}");
      expect([answer.status, codeOf(answer)]).toEqual([415, "unsupported_media_type"]);
    }
    for (const type of ["application/json", "APPLICATION/JSON; charset=utf-8", undefined]) {
      expect((await post(type, "{}")).status).toBe(200);
    }
    const sized = (bytes: number) => `{"a":"${"x".repeat(bytes - 8)}"}`;
    expect((await post(undefined, sized(16_384))).status).toBe(200);
    const over = await post(undefined, sized(16_385));
    expect([over.status, codeOf(over)]).toEqual([413, "payload_too_large"]);
    // More than the listener reads at all.
    const huge = await ask(server, "/events/publish/batch", {
      ...{ method: "POST", headers: API_KEY, body: "x".repeat(10_485_761) },
    });
    expect([huge.status, codeOf(huge)]).toEqual([413, "payload_too_large"]);
  });
});

describe("32: a browser", () => {
  const origins = { apps: [{ id: "dev", allowed_origins: ["https://*.good.example"] }] };
  const GOOD = "https://app.good.example";

  test.each(["api", "clients"] as const)(
    "of an allowed origin may call the token endpoints, on %s",
    async (listener) => {
      await using server = await bootEvents({ config: origins });
      for (const path of [CONNECTION, SUBSCRIPTION]) {
        const preflight = await ask(server, path, {
          ...{ method: "OPTIONS", token: "", listener },
          headers: {
            Origin: GOOD,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
          },
        });
        expect(preflight.status).toBe(204);
        expect(preflight.headers).toMatchObject({
          "access-control-allow-origin": GOOD,
          "access-control-allow-methods": "GET, POST, OPTIONS",
          "access-control-allow-headers": "Authorization, Content-Type",
          "access-control-max-age": "600",
        });
        for (const token of [undefined, ""]) {
          const answer = await ask(server, path, {
            ...{ listener, headers: { Origin: GOOD } },
            ...(token === undefined ? {} : { token }),
          });
          expect([answer.status, answer.headers["access-control-allow-origin"]]).toEqual([
            ...[token === undefined ? 200 : 401, GOOD],
          ]);
          expect(answer.headers["vary"]).toBe("Origin");
          expect(answer.headers).not.toHaveProperty("access-control-allow-credentials");
        }
        expect(preflight.headers).not.toHaveProperty("access-control-allow-credentials");
      }
    },
  );

  test("of another origin, and at the other endpoints, is told nothing", async () => {
    await using server = await bootEvents({ config: origins });
    for (const [path, origin] of [
      [CONNECTION, "https://bad.example"],
      [CONNECTION, "null"],
      ["/events/provision", GOOD],
      ["/events/publish", GOOD],
    ] as const) {
      for (const method of ["OPTIONS", "GET", "POST"]) {
        const answer = await ask(server, path, { method, headers: { Origin: origin } });
        expect(answer.headers).not.toHaveProperty("access-control-allow-origin");
        expect(answer.headers).not.toHaveProperty("access-control-allow-methods");
      }
    }
  });
});

describe("limits", () => {
  /** Asks until refused; the number of those that were not, and the answer. */
  async function exhaust(server: StreamingServer, path: string, request: EventsRequest = {}) {
    for (let count = 0; ; count++) {
      const answer = await ask(server, path, request);
      if (answer.status < 400) continue;
      return { count, answer };
    }
  }

  test.each([
    [CONNECTION, 60, "1"],
    [SUBSCRIPTION, 300, "1"],
  ])("%s: %d a minute and user", async (path, limit, retryAfter) => {
    await using server = await bootEvents();
    const { count, answer } = await exhaust(server, path);
    expect([count, answer.status, codeOf(answer)]).toEqual([limit, 429, "rate_limited"]);
    expect(answer.headers["retry-after"]).toBe(retryAfter);
    const other = access(server, { sub: OTHER_USER });
    expect((await ask(server, path, { token: other })).status).toBe(200);
    await server.advance(60_000 / limit);
    expect((await ask(server, path)).status).toBe(200);
    expect((await ask(server, path)).status).toBe(429);
  });

  test("provision and deprovision: ten changes a minute and organisation", async () => {
    await using server = await bootEvents();
    const change = (round: number) =>
      ask(server, round % 2 === 0 ? "/events/deprovision" : "/events/provision");
    for (let round = 0; round < 10; round++) expect((await change(round)).status).toBe(200);
    const over = await change(10);
    expect([over.status, over.headers["retry-after"]]).toEqual([429, "6"]);
    // Nothing was changed, and asking for what is the case costs nothing.
    for (let count = 0; count < 15; count++) {
      expect((await ask(server, "/events/provision")).status).toBe(200);
    }
    await server.advance(6_000);
    expect((await change(10)).status).toBe(200);
  });

  test("publish: 500 events a second and key, of which a batch takes as many as it has", async () => {
    await using server = await bootEvents({ events: { publishes_per_second: 20 } });
    const batch = (size: number) =>
      ask(server, "/events/publish/batch", {
        ...{ method: "POST", headers: API_KEY, body: Array.from({ length: size }, EVENT) },
      });
    expect((await batch(19)).status).toBe(202);
    const over = await batch(2);
    expect([over.status, codeOf(over), over.headers["retry-after"]]).toEqual([
      ...[429, "rate_limited", "1"],
    ]);
    expect((await batch(1)).status).toBe(202);
    await server.advance(100);
    expect((await batch(2)).status).toBe(202);
    expect((await batch(1)).status).toBe(429);
    // More than a second's worth goes through when all of it is there.
    await server.advance(1_000);
    expect((await batch(30)).status).toBe(202);
    await server.advance(1_000);
    expect((await batch(11)).status).toBe(429);
  });

  test("can be lifted", async () => {
    await using server = await bootEvents({ events: { connection_tokens_per_minute: 0 } });
    for (let count = 0; count < 70; count++) {
      expect((await ask(server, CONNECTION)).status).toBe(200);
    }
  });
});

describe("tokens signed with a key pair", () => {
  test.each(["ES256", "EdDSA", "RS256"] as const)(
    "%s: verified by the published key set, and at this server's sockets",
    async (alg) => {
      const { privateKey } = await generateKeyPair(alg, { extractable: true });
      const signing_keys = [
        {
          use: "events-client",
          kid: "k1",
          private_key: await exportPKCS8(privateKey),
          algorithms: [alg],
        },
        ...[{ use: "events-access", issuer: ISSUER, audience: "events" }].map((key) => ({
          ...key,
          hmac_secret: "dev-token-secret-do-not-use-in-production",
        })),
      ];
      await using server = await bootEvents({ config: { signing_keys } });
      const token = await connectionToken(server);
      for (const listener of ["api", "clients"] as const) {
        const { body, text } = await ask(server, "/.well-known/jwks.json", { token: "", listener });
        expect(text).not.toContain('"d"');
        const keys = createLocalJWKSet(body as unknown as JSONWebKeySet);
        const currentDate = new Date(server.runtime.clock.epochMs());
        const verified = await jwtVerify(token, keys, {
          issuer: ISSUER,
          audience: "events",
          currentDate,
        });
        expect(verified.protectedHeader).toEqual({ alg, typ: "JWT", kid: "k1" });
      }
      (await connectUser(server))[Symbol.dispose]();
    },
  );

  test("shared secrets are not published", async () => {
    await using server = await bootEvents();
    const { text } = await ask(server, "/.well-known/jwks.json", { token: "" });
    expect(text).toBe('{"keys":[]}');
  });
});

test("rotation: a former secret's tokens are good until its time, and the new one signs", async () => {
  const until = new Date(Date.UTC(2026, 10, 1) + 3_600_000).toISOString();
  const accessKey = { use: "events-access", issuer: ISSUER, audience: "events" };
  const signing_keys = [
    { use: "events-client", kid: "s2", hmac_secret: "new" },
    { use: "events-client", kid: "s1", hmac_secret: "old", until },
    { ...accessKey, hmac_secret: "dev-token-secret-do-not-use-in-production" },
  ];
  await using server = await bootEvents({ config: { signing_keys } });
  await using former = await bootEvents({
    runtime: server.runtime,
    config: {
      signing_keys: [
        { use: "events-client", kid: "s1", hmac_secret: "old" },
        ...signing_keys.slice(2),
      ],
    },
  });
  const connectCode = async (token: string) => {
    using client = await openClient(server);
    client.send({ id: 1, connect: { token } });
    const { opcode, code } = await client.raw.next();
    return opcode === 8 ? code : 0;
  };
  expect(await connectCode(await connectionToken(former))).toBe(0);
  const [header = ""] = (await connectionToken(server)).split(".");
  expect(JSON.parse(Buffer.from(header, "base64url").toString())).toMatchObject({ kid: "s2" });
  await server.advance(3_600_000);
  expect(await connectCode(await connectionToken(former))).toBe(3500);
  expect(await connectCode(await connectionToken(server))).toBe(0);
});

test("where the dialect is not enabled its paths are not there", async () => {
  await using server = await bootEvents({ config: { development: false, events: {} } });
  for (const path of [CONNECTION, "/events/status", "/.well-known/jwks.json"]) {
    expect((await ask(server, path, { token: "a" })).status).toBe(404);
  }
});

test("calls are counted by endpoint and outcome", async () => {
  await using server = await bootEvents();
  await ask(server, CONNECTION);
  await ask(server, CONNECTION, { token: "" });
  await publish(server, {});
  await askByKey(server, "/events/nonsense");
  const metrics = await (await fetch(`${server.apiUrl}/metrics`)).text();
  const count = (method: string, code: string) =>
    `carillon_api_requests_total{dialect="events",method="${method}",code="${code}"${code === "0" ? "" : `,word="${code}"`}} 1`;
  expect(metrics).toContain(count("connection_token", "0"));
  expect(metrics).toContain(count("connection_token", "authentication_required"));
  expect(metrics).toContain(count("publish", "0"));
  expect(metrics).toContain(count("unknown", "not_found"));
});

function EVENT() {
  return { type: "a", organisation_id: ORG, resource: "shipments", data: {} };
}
