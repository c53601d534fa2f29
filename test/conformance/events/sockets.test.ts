/** Checklist 12 to 15, 21, 22, 25 and 30 (event-streaming.md §11): issued tokens at the realtime server (§9.3 to §9.5). */
import { describe, expect, test } from "bun:test";
import {
  access,
  ask,
  bootEvents,
  claimsOf,
  connectAnonymously,
  connectionToken,
  connectUser,
  connectWith,
  ISSUER,
  ORG,
  OTHER_ORG,
  OTHER_USER,
  publicationsOf,
  publish,
  subscriptionToken,
  USER,
  type Json,
} from "../../support/events.ts";
import { CLOSES, ERRORS, openClient, type StreamingServer } from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const CHANNEL = `shipments:${ORG}.shp_1`;
const AUTOMATIC = `shipments:${ORG}`;

/** An issued connection token with other claims. */
async function altered(server: StreamingServer, claims: Json): Promise<string> {
  const body = { token: await connectionToken(server) };
  const all = Object.entries({ ...claimsOf({ body }), ...claims });
  return hs256(Object.fromEntries(all.filter(([, value]) => value !== undefined)));
}

async function closeOf(server: StreamingServer, token: string) {
  using client = await openClient(server);
  client.send({ id: 1, connect: { token } });
  return await client.closed();
}

describe("§9.3: connect", () => {
  test("answers with the automatic channels, their positions and the time that is left", async () => {
    await using server = await bootEvents();
    await publish(server, { data: { n: 1 } });
    const { client, connected } = await connectWith(server, await connectionToken(server));
    using _ = client;
    expect(connected).toMatchObject({ expires: true, ttl: 900 });
    const subs = connected["subs"] as Record<string, Json>;
    expect(Object.keys(subs).toSorted()).toEqual([
      ...[`orders:${ORG}`, `orders:${ORG}#${USER}`],
      ...[AUTOMATIC, `shipments:${ORG}#${USER}`],
    ]);
    expect(subs[AUTOMATIC]).toEqual({
      ...{ recoverable: true, positioned: true, epoch: expect.any(String), offset: 1 },
    });
  });

  test("expired: 109, without leeway", async () => {
    await using server = await bootEvents();
    const token = await connectionToken(server);
    await server.advance(899_000);
    (await connectWith(server, token)).client[Symbol.dispose]();
    await server.advance(1_000);
    using client = await openClient(server);
    expect(await client.ask({ connect: { token } })).toEqual({ error: ERRORS[109] });
  });

  test.each([
    ["a channel claim", { channel: CHANNEL }],
    ["no meta", { meta: undefined }],
    ["no organisation", { meta: { gen: 1 } }],
    ["no generation", { meta: { org_id: ORG } }],
    ["a claim of an access token", { scope: "shipments:read" }],
    ["an organisation claim", { org_id: ORG }],
    ["subs that are a list", { subs: [AUTOMATIC] }],
    ["no end", { exp: undefined }],
    ["no user", { sub: undefined }],
  ])("%s: 3500", async (_name, claims) => {
    await using server = await bootEvents();
    expect(await closeOf(server, await altered(server, claims))).toEqual(CLOSES[3500]);
  });

  test("another secret: 3500", async () => {
    await using server = await bootEvents();
    const body = { token: await connectionToken(server) };
    expect(await closeOf(server, hs256(claimsOf({ body }), "other"))).toEqual(CLOSES[3500]);
  });

  test("an access token opens no socket", async () => {
    await using server = await bootEvents();
    expect(await closeOf(server, access(server))).toEqual(CLOSES[3500]);
  });

  test.each([
    ["a later generation", { org_id: ORG, gen: 2 }],
    ["an organisation never provisioned", { org_id: OTHER_ORG, gen: 1 }],
  ])("%s: 4501", async (_name, meta) => {
    await using server = await bootEvents();
    expect(await closeOf(server, await altered(server, { meta }))).toEqual({
      ...{ code: 4501, reason: "org deprovisioned" },
    });
  });

  test("a namespace that is gone since is left out, and logged", async () => {
    await using server = await bootEvents();
    const gone = `gone:${ORG}`;
    const token = await altered(server, { subs: { [gone]: {}, [AUTOMATIC]: {} } });
    const { client, connected } = await connectWith(server, token);
    using _ = client;
    expect(Object.keys(connected["subs"] as object)).toEqual([AUTOMATIC]);
    expect(server.logged).toContainEqual(expect.objectContaining({ channel: gone }));
  });

  test("a user has at most twenty connections", async () => {
    await using server = await bootEvents();
    const token = await connectionToken(server);
    const clients = await Promise.all(
      Array.from({ length: 20 }, async () => (await connectWith(server, token)).client),
    );
    expect(await closeOf(server, token)).toEqual(CLOSES[3504]);
    (await connectUser(server, { sub: OTHER_USER }))[Symbol.dispose]();
    for (const client of clients) client[Symbol.dispose]();
  });
});

describe("12: one kind of token never passes for the other", () => {
  test("a connection token does not subscribe, a subscription token does not connect", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const connection = await connectionToken(server);
    expect(await client.ask({ subscribe: { channel: CHANNEL, token: connection } })).toEqual({
      error: ERRORS[103],
    });
    const subscription = await subscriptionToken(server, CHANNEL);
    expect(await closeOf(server, subscription)).toEqual(CLOSES[3500]);
  });
});

describe("13: a subscription token", () => {
  test("opens its channel, and answers when it ends", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const token = await subscriptionToken(server, CHANNEL);
    expect(await client.ask({ subscribe: { channel: CHANNEL, token } })).toMatchObject({
      subscribe: { expires: true, ttl: 900, recoverable: true },
    });
  });

  test.each([
    ["another user's", { sub: OTHER_USER }, CHANNEL],
    ["another channel's", {}, `shipments:${ORG}.shp_2`],
  ])("%s: 3500", async (_name, claims, channel) => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const token = await subscriptionToken(server, CHANNEL, claims);
    client.send({ id: 9, subscribe: { channel, token } });
    expect(await client.closed()).toEqual(CLOSES[3500]);
  });

  test("another connection's: 3500, this one's opens", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const tokenFor = async (id: string) => {
      const query = `channel=${encodeURIComponent(CHANNEL)}&client=${id}`;
      const { body } = await ask(server, `/events/subscription_token?${query}`);
      return String(body["token"]);
    };
    const own = await tokenFor(client.id);
    expect(await client.ask({ subscribe: { channel: CHANNEL, token: own } })).toHaveProperty(
      "subscribe",
    );
    await client.ask({ unsubscribe: { channel: CHANNEL } });
    const other = await tokenFor("00000000-0000-4000-8000-000000000000");
    client.send({ id: 9, subscribe: { channel: CHANNEL, token: other } });
    expect(await client.closed()).toEqual(CLOSES[3500]);
  });

  test("expired: 109; garbage, another issuer's, another secret's: 103", async () => {
    await using server = await bootEvents();
    const expired = await subscriptionToken(server, CHANNEL);
    await server.advance(900_000);
    using client = await connectUser(server);
    const refused = async (token: string) => {
      const reply = await client.ask({ subscribe: { channel: CHANNEL, token } });
      return (reply["error"] as { code: number }).code;
    };
    expect(await refused(expired)).toBe(109);
    const body = { token: await subscriptionToken(server, CHANNEL) };
    const claims = claimsOf({ body });
    for (const token of [
      "garbage",
      hs256(claims, "other"),
      hs256({ ...claims, iss: "https://other.example" }),
      hs256({ ...claims, aud: "other" }),
      // Streaming's own kind, with the same secret: another authority let this connection in.
      hs256({ sub: USER, channel: CHANNEL }),
      hs256({ ...claims, channel: undefined }),
    ]) {
      expect(await refused(token)).toBe(103);
    }
    // All else being as it should.
    const token = hs256(claims);
    expect(await client.ask({ subscribe: { channel: CHANNEL, token } })).toHaveProperty(
      "subscribe",
    );
  });

  test("of another organisation, or for a connection that has none: 103", async () => {
    await using server = await bootEvents();
    await ask(server, "/events/provision", { token: access(server, { org_id: OTHER_ORG }) });
    using theirs = await connectUser(server, { org_id: OTHER_ORG });
    const token = await subscriptionToken(server, CHANNEL);
    expect(await theirs.ask({ subscribe: { channel: CHANNEL, token } })).toEqual({
      error: ERRORS[103],
    });
    using plain = await openClient(server);
    await plain.ask({ connect: { token: hs256({ sub: USER }) } });
    expect(await plain.ask({ subscribe: { channel: CHANNEL, token } })).toEqual({
      error: ERRORS[103],
    });
  });
});

describe("14: without a token", () => {
  test.each([
    [CHANNEL, 103],
    [`shipments:${ORG}#${OTHER_USER}`, 103],
    [`$status:a`, 103],
    ["unknown:a", 102],
  ])("%s: %d", async (channel, code) => {
    await using server = await bootEvents();
    using user = await connectUser(server);
    using anonymous = await connectAnonymously(server);
    for (const client of [user, anonymous]) {
      expect(await client.ask({ subscribe: { channel } })).toMatchObject({ error: { code } });
    }
  });

  test("public: joined, also by a token's holder without any scope", async () => {
    await using server = await bootEvents();
    using user = await connectUser(server, { scope: undefined });
    for (const channel of ["status:global", "public:news"]) {
      expect(await user.ask({ subscribe: { channel } })).toHaveProperty("subscribe");
    }
    const token = await subscriptionToken(server, "status:other", { scope: undefined });
    expect(await user.ask({ subscribe: { channel: "status:other", token } })).toHaveProperty(
      "subscribe",
    );
  });
});

test("15: joining an automatic channel again: 105, with and without a token", async () => {
  await using server = await bootEvents();
  using client = await connectUser(server);
  const token = await subscriptionToken(server, AUTOMATIC);
  for (const request of [{ channel: AUTOMATIC }, { channel: AUTOMATIC, token }]) {
    expect(await client.ask({ subscribe: request })).toEqual({ error: ERRORS[105] });
  }
});

describe("21: refresh", () => {
  test("with fewer subs leaves the dropped channels and keeps the connection", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const own = await subscriptionToken(server, CHANNEL);
    await client.ask({ subscribe: { channel: CHANNEL, token: own } });
    await server.advance(600_000);
    const token = await connectionToken(server, { scope: "orders:read" });
    expect(await client.ask({ refresh: { token } })).toMatchObject({
      refresh: { client: client.id, expires: true, ttl: 900 },
    });
    const unsubscribe = { code: 2000, reason: "server unsubscribe" };
    const pushes = (await client.arrived()).map(({ push }) => push);
    expect(pushes).toEqual([
      { channel: AUTOMATIC, unsubscribe },
      { channel: `shipments:${ORG}#${USER}`, unsubscribe },
    ]);
    await publish(server, { entity: "shp_1", data: { n: 1 } });
    await publish(server, { resource: "orders", data: { n: 2 } });
    // What it asked for by itself has a token of its own.
    expect(publicationsOf(await client.arrived())).toMatchObject([
      { channel: CHANNEL, data: { data: { n: 1 } } },
      { channel: `orders:${ORG}`, data: { data: { n: 2 } } },
    ]);
  });

  test("with none leaves all, with more joins those", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    await client.ask({ refresh: { token: await connectionToken(server, { scope: "a" }) } });
    expect(await client.arrived()).toHaveLength(4);
    await publish(server, { data: { n: 1 } });
    expect(await client.arrived()).toEqual([]);
    await client.ask({
      refresh: { token: await connectionToken(server, { scope: "shipments:read" }) },
    });
    expect((await client.arrived()).map(({ push }) => push)).toMatchObject([
      { channel: AUTOMATIC, subscribe: { recoverable: true, offset: 1 } },
      { channel: `shipments:${ORG}#${USER}`, subscribe: { recoverable: true } },
    ]);
    await publish(server, { data: { n: 2 } });
    expect(publicationsOf(await client.arrived())).toMatchObject([{ data: { data: { n: 2 } } }]);
  });

  test.each([
    ["another user's token", { sub: OTHER_USER }],
    ["another organisation's", { org_id: OTHER_ORG }],
  ])("%s: 3500", async (_name, claims) => {
    await using server = await bootEvents();
    await ask(server, "/events/provision", { token: access(server, { org_id: OTHER_ORG }) });
    using client = await connectUser(server);
    client.send({ id: 9, refresh: { token: await connectionToken(server, claims) } });
    expect(await client.closed()).toEqual(CLOSES[3500]);
  });

  test("an issued token refreshes no other authority's connection, nor the reverse", async () => {
    await using server = await bootEvents();
    using plain = await openClient(server);
    await plain.ask({ connect: { token: hs256({ sub: USER }) } });
    plain.send({ id: 9, refresh: { token: await connectionToken(server) } });
    expect(await plain.closed()).toEqual(CLOSES[3500]);
    using client = await connectUser(server);
    client.send({ id: 9, refresh: { token: hs256({ sub: USER }) } });
    expect(await client.closed()).toEqual(CLOSES[3500]);
  });

  test("of a subscription: the same checks", async () => {
    await using server = await bootEvents();
    const subscribed = async () => {
      const client = await connectUser(server);
      const token = await subscriptionToken(server, CHANNEL);
      await client.ask({ subscribe: { channel: CHANNEL, token } });
      return client;
    };
    using good = await subscribed();
    await server.advance(600_000);
    const fresh = await subscriptionToken(server, CHANNEL);
    expect(await good.ask({ sub_refresh: { channel: CHANNEL, token: fresh } })).toEqual({
      sub_refresh: { expires: true, ttl: 900 },
    });
    const otherUser = await subscriptionToken(server, CHANNEL, { sub: OTHER_USER });
    const otherChannel = await subscriptionToken(server, `shipments:${ORG}.shp_2`);
    const query = `channel=${encodeURIComponent(CHANNEL)}&client=somebody`;
    const { body } = await ask(server, `/events/subscription_token?${query}`);
    for (const token of [otherUser, otherChannel, String(body["token"])]) {
      using client = await subscribed();
      client.send({ id: 9, sub_refresh: { channel: CHANNEL, token } });
      expect(await client.closed()).toEqual(CLOSES[3500]);
    }
  });
});

describe("22: no refresh", () => {
  test("of the connection: 3005 within 26 s of exp", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    await server.advance(900_000 + 24_800);
    expect(await client.arrived()).toEqual([]);
    await server.advance(1_200);
    expect(await client.closed()).toEqual(CLOSES[3005]);
  });

  test("of a subscription: unsubscribe 2501", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const token = await subscriptionToken(server, CHANNEL);
    await client.ask({ subscribe: { channel: CHANNEL, token } });
    await server.advance(600_000);
    await client.ask({ refresh: { token: await connectionToken(server) } });
    await server.advance(326_000);
    expect(await client.arrived()).toEqual([
      {
        push: {
          channel: CHANNEL,
          unsubscribe: { code: 2501, reason: "subscription expired" },
        },
      },
    ]);
  });
});

describe("25: a member without the scope", () => {
  test("receives nothing of the namespace, by any path", async () => {
    await using server = await bootEvents();
    using member = await connectUser(server, { scope: "orders:read" });
    using plain = await openClient(server);
    await plain.ask({ connect: { token: hs256({ sub: USER }) } });
    using anonymous = await connectAnonymously(server);
    const channels = [AUTOMATIC, `shipments:${ORG}#${USER}`, CHANNEL];
    for (const client of [member, plain, anonymous]) {
      for (const channel of channels) {
        for (const method of ["subscribe", "history", "presence", "presence_stats"]) {
          expect(await client.ask({ [method]: { channel } })).toHaveProperty("error");
        }
      }
    }
    await publish(server, { entity: "shp_1", data: { n: 1 } });
    await publish(server, { users: [USER], data: { n: 2 } });
    for (const client of [member, plain, anonymous]) expect(await client.arrived()).toEqual([]);
  });

  test("cannot ask for the channels while connecting", async () => {
    await using server = await bootEvents();
    using client = await openClient(server);
    const token = await connectionToken(server, { scope: undefined });
    const reply = await client.ask({ connect: { token, subs: { [AUTOMATIC]: {} } } });
    expect(reply["connect"]).not.toHaveProperty("subs");
  });
});

test("30: a client publishes on no channel of the catalogue: 103", async () => {
  await using server = await bootEvents();
  using client = await connectUser(server);
  await client.ask({ subscribe: { channel: "status:global" } });
  for (const channel of [AUTOMATIC, `shipments:${ORG}#${USER}`, "status:global"]) {
    expect(await client.ask({ publish: { channel, data: {} } })).toEqual({ error: ERRORS[103] });
  }
});

test("9: the same tokens work at a server that knows the secret alone", async () => {
  await using server = await bootEvents();
  // No events dialect there, so that streaming's own rules decide, which are those of Centrifugo.
  await using other = await bootEvents({
    runtime: server.runtime,
    config: {
      development: false,
      channel: { namespaces: [{ name: "shipments" }, { name: "orders" }] },
      signing_keys: [
        { use: "streaming", hmac_secret: "dev-token-secret-do-not-use-in-production" },
      ],
      events: {},
    },
  });
  const { client, connected } = await connectWith(other, await connectionToken(server));
  using _ = client;
  expect(Object.keys(connected["subs"] as object)).toHaveLength(4);
  const token = await subscriptionToken(server, CHANNEL);
  expect(await client.ask({ subscribe: { channel: CHANNEL, token } })).toHaveProperty("subscribe");
  expect(ISSUER).toBe("http://127.0.0.1:9000");
});
