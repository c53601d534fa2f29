/** Checklist 1, 2, 8 to 11 (event-streaming.md §11): the two token endpoints and what their tokens say. */
import { describe, expect, test } from "bun:test";
import { ksuidTimeMs } from "../../../src/core/ksuid.ts";
import {
  access,
  ADMIN,
  API_KEY,
  ask,
  bootEvents,
  claimsOf,
  codeOf,
  ISSUER,
  ORG,
  OTHER_ORG,
  OTHER_USER,
  USER,
} from "../../support/events.ts";

const CHANNEL = `shipments:${ORG}#${USER}`;
const QUERY = `/events/subscription_token?channel=${encodeURIComponent(CHANNEL)}`;

describe("1: the four GETs", () => {
  test("work with the headers of the source; a token endpoint answers one member", async () => {
    await using server = await bootEvents();
    const headers = { Accept: "application/json" };
    const connection = await ask(server, "/events/connection_token", { headers });
    expect(connection.status).toBe(200);
    expect(connection.text).toMatch(/^\{"token":"[\w-]+\.[\w-]+\.[\w-]+"\}$/);
    const subscription = await ask(server, "/events/subscription_token", {
      headers,
      body: { channel: CHANNEL },
    });
    expect(subscription.status).toBe(200);
    expect(subscription.text).toMatch(/^\{"token":"[\w-]+\.[\w-]+\.[\w-]+"\}$/);
    expect((await ask(server, "/events/provision", { headers })).status).toBe(200);
    expect((await ask(server, "/events/deprovision", { headers })).status).toBe(200);
  });

  test("the token endpoints lie on both listeners, the others on one", async () => {
    await using server = await bootEvents();
    for (const path of ["/events/connection_token", QUERY]) {
      expect((await ask(server, path, { listener: "clients" })).status).toBe(200);
    }
    for (const path of ["/events/provision", "/events/status", "/events/publish"]) {
      expect(codeOf(await ask(server, path, { listener: "clients" }))).toBe("not_found");
    }
  });
});

describe("2: the channel", () => {
  test("comes from a GET's body, the query, or a POST's body", async () => {
    await using server = await bootEvents();
    const path = "/events/subscription_token";
    const answers = [
      await ask(server, path, { body: { channel: CHANNEL } }),
      await ask(server, QUERY),
      await ask(server, path, { method: "POST", body: { channel: CHANNEL } }),
      await ask(server, path, { method: "POST", listener: "clients", body: { channel: CHANNEL } }),
      await ask(server, QUERY, { body: { channel: CHANNEL } }),
      await ask(server, `${path}?channel=${encodeURIComponent(CHANNEL)}`, {
        ...{ method: "POST", body: { channel: null } },
      }),
    ];
    for (const answer of answers) expect(claimsOf(answer)["channel"]).toBe(CHANNEL);
  });

  test("values that differ are refused, wherever they are", async () => {
    await using server = await bootEvents();
    const other = { channel: `shipments:${ORG}` };
    for (const asked of [
      ask(server, QUERY, { body: other }),
      ask(server, QUERY, { method: "POST", body: other }),
      ask(server, `${QUERY}&channel=${encodeURIComponent(other.channel)}`),
    ]) {
      expect(codeOf(await asked)).toBe("invalid_request");
    }
  });

  test.each([
    ["missing", {}],
    ["a number", { channel: 5 }],
    ["a list", { channel: [CHANNEL] }],
    ["no JSON", "{"],
    ["no object", "[1]"],
  ])("%s is refused", async (_name, body) => {
    await using server = await bootEvents();
    const headers = { "Content-Type": "application/json" };
    const asked = ask(server, "/events/subscription_token", { method: "POST", headers, body });
    expect(codeOf(await asked)).toBe("invalid_request");
  });

  test("a GET with a body is refused on the clients listener, which would not see it", async () => {
    await using server = await bootEvents();
    const answer = await ask(server, "/events/subscription_token", {
      ...{ listener: "clients", body: { channel: CHANNEL } },
    });
    expect(codeOf(answer)).toBe("invalid_request");
    const { message } = answer.body["error"] as { message: string };
    expect(message).toContain("?channel=");
    expect(message).toContain("POST");
  });

  test("a `client` is asked for by older libraries", async () => {
    await using server = await bootEvents();
    expect(claimsOf(await ask(server, QUERY))).not.toHaveProperty("client");
    expect(claimsOf(await ask(server, `${QUERY}&client=c1`))["client"]).toBe("c1");
    expect(codeOf(await ask(server, `${QUERY}&client=`))).toBe("invalid_request");
    const long = "c".repeat(65);
    expect(codeOf(await ask(server, `${QUERY}&client=${long}`))).toBe("invalid_request");
    expect(codeOf(await ask(server, `${QUERY}&client=${long.slice(1)}`))).toBe("ok");
  });
});

test("8: an organisation that is not provisioned gets 409 on both, and 403 comes first", async () => {
  await using server = await bootEvents();
  const token = access(server, { org_id: OTHER_ORG });
  const connection = await ask(server, "/events/connection_token", { token });
  expect([connection.status, codeOf(connection)]).toEqual([409, "organisation_not_provisioned"]);
  const path = "/events/subscription_token";
  const theirs = await ask(server, path, { token, body: { channel: `shipments:${OTHER_ORG}` } });
  expect([theirs.status, codeOf(theirs)]).toEqual([409, "organisation_not_provisioned"]);
  expect(codeOf(await ask(server, path, { token, body: { channel: CHANNEL } }))).toBe(
    "channel_forbidden",
  );
});

describe("9: a token's claims", () => {
  test("a connection token's", async () => {
    await using server = await bootEvents();
    await server.advance(123);
    const token = access(server, { scope: "shipments:read", client_id: "dashboard" });
    const answer = await ask(server, "/events/connection_token", { token });
    const { jti, ...claims } = claimsOf(answer);
    expect(claims).toEqual({
      ...{ iss: ISSUER, aud: "events", sub: USER },
      ...{ iat: server.seconds(), exp: server.seconds(900) },
      meta: {
        ...{ org_id: ORG, gen: 1, iat_ms: server.runtime.clock.epochMs() },
        client_id: "dashboard",
      },
      subs: { [`shipments:${ORG}`]: {}, [`shipments:${ORG}#${USER}`]: {} },
    });
    expect(ksuidTimeMs(String(jti))).toBe(server.seconds() * 1000);
    const [header = ""] = String(answer.body["token"]).split(".");
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toEqual({
      ...{ alg: "HS256", typ: "JWT" },
    });
  });

  test("a subscription token's", async () => {
    await using server = await bootEvents();
    const { jti, ...claims } = claimsOf(await ask(server, QUERY));
    expect(claims).toEqual({
      ...{ iss: ISSUER, aud: "events", sub: USER, channel: CHANNEL },
      ...{ iat: server.seconds(), exp: server.seconds(900) },
      meta: { org_id: ORG, gen: 1, iat_ms: server.runtime.clock.epochMs() },
    });
    expect(jti).toMatch(/^[0-9A-Za-z]{27}$/);
  });

  test("no two tokens have one jti", async () => {
    await using server = await bootEvents();
    const made = new Set<unknown>();
    for (let count = 0; count < 20; count++) made.add(claimsOf(await ask(server, QUERY))["jti"]);
    expect(made.size).toBe(20);
  });
});

describe("10: automatic channels", () => {
  const both = (name: string) => [`${name}:${ORG}`, `${name}:${ORG}#${USER}`];
  test.each([
    ["none", undefined, []],
    ["platform:admin", "platform:admin", []],
    ["one", "shipments:read", both("shipments")],
    [
      "the example",
      "shipments:read orders:admin platform:admin",
      [...both("orders"), ...both("shipments")],
    ],
    ["every level", "orders:manage", both("orders")],
    ["near misses", "shipments shipments:READ shipments:readx orders:*  :read", []],
    ["a list", ["shipments:admin"], both("shipments")],
    ["webhooks", "webhooks:admin", []],
  ])("%s", async (_name, scope, channels) => {
    await using server = await bootEvents();
    const claims = Array.isArray(scope) ? { scope: undefined, scp: scope } : { scope };
    const answer = await ask(server, "/events/connection_token", { token: access(server, claims) });
    expect(Object.keys(claimsOf(answer)["subs"] as object)).toEqual(channels);
  });

  test("are narrowed by `namespaces`, and shown by `verbose`", async () => {
    await using server = await bootEvents();
    const narrowed = await ask(
      server,
      "/events/connection_token?namespaces=orders,nonsense,public&verbose=1",
    );
    expect(narrowed.body).toEqual({
      token: expect.any(String),
      expires_at: new Date(server.seconds(900) * 1000).toISOString(),
      endpoint: server.websocketUrl,
      channels: both("orders"),
    });
    const posted = await ask(server, "/events/connection_token", {
      ...{ method: "POST", body: { namespaces: ["orders", "shipments"], verbose: true } },
    });
    expect(posted.body["channels"]).toEqual([...both("orders"), ...both("shipments")]);
    expect(claimsOf(posted)["subs"]).toEqual(
      Object.fromEntries([...both("orders"), ...both("shipments")].map((name) => [name, {}])),
    );
  });

  test("follow the catalogue's switches", async () => {
    const events = {
      namespaces: [
        { name: "aa", organisation_channel: false },
        { name: "bb", user_channel: false },
        { name: "cc", auto_subscribe: false },
        { name: "dd", scopes: ["platform:admin"] },
        { name: "ee", visibility: "public" },
      ],
    };
    await using server = await bootEvents({ events });
    const token = access(server, { scope: `${ADMIN} aa:read bb:read cc:read dd:read ee:read` });
    const answer = await ask(server, "/events/connection_token", { token });
    expect(Object.keys(claimsOf(answer)["subs"] as object)).toEqual([
      ...[`aa:${ORG}#${USER}`, `bb:${ORG}`, `dd:${ORG}`, `dd:${ORG}#${USER}`],
    ]);
    const askFor = async (channel: string) =>
      codeOf(await ask(server, "/events/subscription_token", { token, body: { channel } }));
    expect(await askFor(`aa:${ORG}`)).toBe("channel_forbidden");
    expect(await askFor(`aa:${ORG}.shp_1`)).toBe("ok");
    expect(await askFor(`bb:${ORG}#${USER}`)).toBe("ok");
    expect(await askFor(`cc:${ORG}`)).toBe("ok");
  });
});

describe("11: exp", () => {
  test("never exceeds the access token's", async () => {
    await using server = await bootEvents();
    for (const [left, expected] of [
      [3600, 900],
      [901, 900],
      [899, 899],
      [10, 10],
    ] as const) {
      const token = access(server, { exp: server.seconds(left) });
      for (const path of ["/events/connection_token", QUERY]) {
        const answer = await ask(server, path, { token });
        expect(claimsOf(answer)["exp"]).toBe(server.seconds(expected));
      }
    }
  });

  test("with less than ten seconds left there is no token", async () => {
    await using server = await bootEvents();
    for (const left of [9, 0, -20]) {
      const token = access(server, { exp: server.seconds(left) });
      for (const path of ["/events/connection_token", QUERY]) {
        const answer = await ask(server, path, { token });
        expect([answer.status, codeOf(answer)]).toEqual([401, "invalid_token"]);
        expect(answer.headers["www-authenticate"]).toContain('error_description="expired"');
      }
    }
  });
});

describe("an API key", () => {
  const key = { ...API_KEY };

  test("gets a user's token by naming the user and the organisation", async () => {
    await using server = await bootEvents();
    const named = `organisation_id=${ORG}&user_id=${OTHER_USER}`;
    const answer = await ask(server, `/events/connection_token?${named}`, { headers: key });
    const { sub, exp, meta, subs } = claimsOf(answer);
    expect([sub, exp, meta]).toMatchObject([
      OTHER_USER,
      server.seconds(900),
      { org_id: ORG, gen: 1 },
    ]);
    // Its `*` is every scope.
    expect(Object.keys(subs as object)).toHaveLength(4);
    const posted = await ask(server, "/events/subscription_token", {
      ...{ method: "POST", headers: key },
      body: {
        ...{ organisation_id: ORG, user_id: OTHER_USER },
        channel: `shipments:${ORG}#${OTHER_USER}`,
      },
    });
    expect(claimsOf(posted)["sub"]).toBe(OTHER_USER);
  });

  test.each([
    ["no organisation", `user_id=${USER}`],
    ["no user", `organisation_id=${ORG}`],
    ["a bad organisation", `organisation_id=x&user_id=${USER}`],
    ["a bad user", `organisation_id=${ORG}&user_id=x`],
  ])("with %s is refused", async (_name, query) => {
    await using server = await bootEvents();
    const asked = ask(server, `/events/connection_token?${query}`, { headers: key });
    expect(codeOf(await asked)).toBe("invalid_request");
  });

  test("an access token cannot name another user or organisation", async () => {
    await using server = await bootEvents();
    const path = "/events/connection_token";
    expect(codeOf(await ask(server, `${path}?user_id=${OTHER_USER}`))).toBe("invalid_request");
    expect(codeOf(await ask(server, `${path}?user_id=${USER}`))).toBe("ok");
    const other = await ask(server, `${path}?organisation_id=${OTHER_ORG}`);
    expect(codeOf(other)).toBe("organisation_required");
  });
});
