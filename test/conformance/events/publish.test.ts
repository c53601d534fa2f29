/** Checklist 24, 27 to 29 and 31 (event-streaming.md §11), and §10: one call feeds streams, and a repeated one nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hashApiKey } from "../../../src/auth/api-keys.ts";
import { ksuidTimeMs } from "../../../src/core/ksuid.ts";
import {
  access,
  API_KEY,
  ask,
  askByKey,
  bootEvents,
  codeOf,
  connectAnonymously,
  connectUser,
  ORG,
  OTHER_ORG,
  OTHER_USER,
  publicationsOf,
  publish,
  subscriptionToken,
  USER,
  type Json,
} from "../../support/events.ts";
import { keptDataDir, openClient, type StreamingServer } from "../../support/streaming.ts";

const EVENT = { type: "shipment.updated", organisation_id: ORG, resource: "shipments", data: {} };
const CHANNEL = `shipments:${ORG}`;

const send = (
  server: StreamingServer,
  event: Json,
  headers: Readonly<Record<string, string>> = {},
) =>
  ask(server, "/events/publish", {
    ...{ method: "POST", headers: { ...API_KEY, ...headers }, body: { ...EVENT, ...event } },
  });

/** As it is written, numbers included. */
const sendText = (server: StreamingServer, body: string, path = "/events/publish") =>
  ask(server, path, {
    ...{ method: "POST", headers: { ...API_KEY, "Content-Type": "application/json" }, body },
  });

describe("the answer", () => {
  test("names the event, its channels and its message", async () => {
    await using server = await bootEvents();
    const users = [USER, OTHER_USER, USER];
    const answer = await send(server, { id: "evt_1", users });
    expect([answer.status, answer.body]).toEqual([
      202,
      {
        id: "evt_1",
        accepted: true,
        streaming: { channels: [`${CHANNEL}#${USER}`, `${CHANNEL}#${OTHER_USER}`] },
        webhooks: { message_id: expect.stringMatching(/^msg_[0-9A-Za-z]{27}$/), endpoints: 0 },
      },
    ]);
  });

  test("31: ids that are made up decode to the current second and sort by time", async () => {
    await using server = await bootEvents();
    const made: string[] = [];
    for (let second = 0; second < 5; second++) {
      const { id, webhooks } = await publish(server, {});
      const { message_id: messageId } = webhooks as { message_id: string };
      expect(id).toMatch(/^evt_[0-9A-Za-z]{27}$/);
      expect(ksuidTimeMs(String(id))).toBe(server.seconds() * 1000);
      expect(ksuidTimeMs(messageId)).toBe(server.seconds() * 1000);
      made.push(String(id));
      await server.advance(1_000);
    }
    expect(made.toSorted()).toEqual(made);
  });

  test("has no part of what was not asked for", async () => {
    await using server = await bootEvents();
    expect(await publish(server, { webhooks: false })).not.toHaveProperty("webhooks");
    expect(await publish(server, { streaming: false })).not.toHaveProperty("streaming");
    const { resource: _, ...rest } = EVENT;
    const webhooksOnly = await askByKey(server, "/events/publish", { ...rest, streaming: false });
    expect(webhooksOnly.status).toBe(202);
  });
});

describe("24: without users it reaches every member with the scope, with users only those", () => {
  test("through one publication", async () => {
    await using server = await bootEvents();
    using one = await connectUser(server);
    using two = await connectUser(server, { sub: OTHER_USER, scope: "shipments:read" });
    using three = await connectUser(server, { sub: "usr_3", scope: "orders:read" });
    await publish(server, { data: { n: 1 } });
    for (const client of [one, two]) {
      expect(publicationsOf(await client.arrived())).toMatchObject([
        { channel: CHANNEL, data: { data: { n: 1 } } },
      ]);
    }
    expect(await three.arrived()).toEqual([]);
    await publish(server, { users: [USER], data: { n: 2 } });
    expect(publicationsOf(await one.arrived())).toMatchObject([
      { channel: `${CHANNEL}#${USER}`, data: { data: { n: 2 } } },
    ]);
    expect(await two.arrived()).toEqual([]);
  });

  test("an entity has a channel of its own besides", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const channel = `${CHANNEL}.shp_1`;
    const token = await subscriptionToken(server, channel);
    await client.ask({ subscribe: { channel, token } });
    const { streaming } = await publish(server, { entity: "shp_1" });
    expect(streaming).toEqual({ channels: [CHANNEL, channel] });
    const [first, second] = publicationsOf(await client.arrived());
    expect([first?.channel, second?.channel]).toEqual([CHANNEL, channel]);
    expect(first?.data).toEqual(second?.data);
    const toUser = await publish(server, { entity: "shp_1", users: [USER] });
    expect(toUser["streaming"]).toEqual({ channels: [`${CHANNEL}#${USER}`] });
  });

  test("a public resource reaches clients without a token", async () => {
    await using server = await bootEvents();
    using client = await connectAnonymously(server);
    await client.ask({ subscribe: { channel: `status:${ORG}` } });
    await publish(server, { resource: "status", data: { up: true } });
    expect(publicationsOf(await client.arrived())).toHaveLength(1);
    expect(codeOf(await send(server, { resource: "status", users: [USER] }))).toBe(
      "invalid_request",
    );
  });
});

describe("the envelope", () => {
  test("has four members in their order, data as it was written, the same on every channel", async () => {
    await using server = await bootEvents();
    using one = await connectUser(server);
    using two = await connectUser(server, { sub: OTHER_USER });
    const data = `{ "big": 9007199254740993, "z": 1.0, "a": "\\u00e9 ü", "list": [ 1 , 2 ] }`;
    const users = JSON.stringify([USER, OTHER_USER]);
    const body = `{"id":"e1","type":"a.b_c.D9","organisation_id":"${ORG}","resource":"shipments",
      "users":${users},"timestamp":"2026-01-05T10:00:00.000Z","data":${data}}`;
    expect((await sendText(server, body)).status).toBe(202);
    const compact = `{"big":9007199254740993,"z":1.0,"a":"\\u00e9 ü","list":[1,2]}`;
    const envelope = `{"id":"e1","type":"a.b_c.D9","timestamp":"2026-01-05T10:00:00.000Z","data":${compact}}`;
    for (const client of [one, two]) {
      const { text } = await client.raw.next();
      expect(text).toContain(`"pub":{"data":${envelope}`);
    }
  });

  test("its timestamp is now, or the producer's in UTC", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    for (const timestamp of [
      undefined,
      "2026-01-05T12:00:00+02:00",
      "2026-01-05T10:00:00.123456Z",
    ]) {
      await publish(server, { timestamp });
    }
    const now = new Date(server.runtime.clock.epochMs()).toISOString();
    expect(publicationsOf(await client.arrived()).map(({ data }) => data["timestamp"])).toEqual([
      ...[now, "2026-01-05T10:00:00.000Z", "2026-01-05T10:00:00.123456Z"],
    ]);
  });
});

describe("27: the same id", () => {
  test("is sent once, and answered the same", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const event = { id: "evt_1", users: [USER, OTHER_USER], data: { n: 1 } };
    const first = await send(server, event);
    await server.advance(86_399_000);
    const again = await send(server, event);
    expect([again.status, again.text]).toEqual([202, first.text]);
    expect(codeOf(await send(server, { ...event, data: { n: 2 } }))).toBe("idempotency_conflict");
    await server.advance(1_000);
    expect(codeOf(await send(server, { ...event, data: { n: 2 } }))).toBe("ok");
    client[Symbol.dispose]();
    const { result } = await server.api("history", { channel: `${CHANNEL}#${USER}`, limit: 10 });
    expect(result).toMatchObject({ offset: 2 });
  });

  test("at the same time is sent once", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => send(server, { id: "evt_1" })),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(publicationsOf(await client.arrived())).toHaveLength(1);
  });

  test("a made-up one counts too", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const { id } = (await send(server, { data: { n: 1 } })).body;
    expect(codeOf(await send(server, { id, data: { n: 1 } }))).toBe("ok");
    expect(codeOf(await send(server, { id, data: { n: 2 } }))).toBe("idempotency_conflict");
    expect(publicationsOf(await client.arrived())).toHaveLength(1);
  });

  test.each([
    ["type", { type: "other" }],
    ["data", { data: { a: 2 } }],
    ["users", { users: [USER] }],
    ["entity", { entity: "a" }],
    ["timestamp", { timestamp: "2026-01-05T10:00:00Z" }],
    ["webhooks", { webhooks: false }],
    ["resource", { resource: "orders" }],
  ])("with another %s is a conflict", async (_name, change) => {
    await using server = await bootEvents();
    const event = { id: "evt_1", data: { a: 1 } };
    await send(server, event);
    const answer = await send(server, { ...event, ...change });
    expect([answer.status, codeOf(answer)]).toEqual([409, "idempotency_conflict"]);
  });

  test("is another event's in another organisation, and survives a restart", async () => {
    using kept = keptDataDir();
    let first: string;
    {
      await using server = await bootEvents({ dataDir: kept.path });
      await askByKey(server, "/events/provision", { organisation_id: OTHER_ORG });
      first = (await send(server, { id: "evt_1" })).text;
      const theirs = await send(server, { id: "evt_1", organisation_id: OTHER_ORG });
      expect(theirs.body).toMatchObject({ accepted: true });
    }
    await using server = await bootEvents({ dataDir: kept.path });
    expect((await send(server, { id: "evt_1" })).text).toBe(first);
  });

  test("an Idempotency-Key does the same without an id", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const key = { "Idempotency-Key": "k".repeat(256) };
    const first = await send(server, {}, key);
    expect((await send(server, {}, key)).text).toBe(first.text);
    expect(codeOf(await send(server, { data: { n: 2 } }, key))).toBe("idempotency_conflict");
    expect((await send(server, {}, { "Idempotency-Key": "other" })).text).not.toBe(first.text);
    expect(publicationsOf(await client.arrived())).toHaveLength(2);
    const long = { "Idempotency-Key": "k".repeat(257) };
    expect(codeOf(await send(server, {}, long))).toBe("invalid_request");
  });
});

describe("28: an organisation that is not active", () => {
  test("gets nothing, and the producer an answer", async () => {
    await using server = await bootEvents();
    const event = { id: "evt_1", organisation_id: OTHER_ORG };
    const answer = await send(server, event);
    expect([answer.status, answer.body]).toEqual([
      202,
      { id: "evt_1", accepted: false, reason: "organisation_not_provisioned" },
    ]);
    await askByKey(server, "/events/provision", { organisation_id: OTHER_ORG });
    const { result } = await server.api("history", { channel: `shipments:${OTHER_ORG}` });
    expect(result).toMatchObject({ offset: 0 });
    // It was not remembered, so that it can be sent now.
    expect((await send(server, event)).body).toMatchObject({ id: "evt_1", accepted: true });
  });
});

describe("29: a client that was away", () => {
  test("gets what it missed in order, once; behind the history it is told", async () => {
    const events = { namespaces: [{ name: "shipments", history_size: 3 }] };
    await using server = await bootEvents({ events });
    const away = async (published: number) => {
      const channel = CHANNEL;
      using client = await connectUser(server, { scope: "shipments:read" });
      await publish(server, { data: { n: 0 } });
      const [{ push } = { push: undefined }] = await client.arrived();
      const { offset } = (push as { pub: { offset: number } }).pub;
      const { result } = await server.api("history", { channel });
      client[Symbol.dispose]();
      for (let n = 1; n <= published; n++) await publish(server, { data: { n } });
      await server.advance(10_000);
      const back = await openClient(server);
      const token = await ask(server, "/events/connection_token", {
        token: access(server, { scope: "shipments:read" }),
      });
      const subs = { [channel]: { recover: true, epoch: result?.["epoch"], offset } };
      const reply = await back.ask({ connect: { token: token.body["token"], subs } });
      back[Symbol.dispose]();
      const { subs: joined } = reply["connect"] as { subs: Record<string, Json> };
      const { recovered, publications = [] } = joined[channel] ?? {};
      const got = (publications as { data: { data: { n: number } } }[]).map(
        (each) => each.data.data.n,
      );
      return { recovered, got };
    };
    expect(await away(3)).toEqual({ recovered: true, got: [1, 2, 3] });
    expect(await away(4)).toEqual({ recovered: undefined, got: [] });
  });
});

describe("refused", () => {
  let server: StreamingServer;
  beforeAll(async () => {
    server = await bootEvents();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test.each([
    ["no type", { type: undefined }],
    ["a bad type", { type: "a..b" }],
    ["a type with a dash", { type: "a-b" }],
    ["a long type", { type: "a".repeat(129) }],
    ["no data", { data: undefined }],
    ["data that is a list", { data: [] }],
    ["data that is text", { data: "a" }],
    ["no resource", { resource: undefined }],
    ["an unknown resource", { resource: "unknown" }],
    ["a bad entity", { entity: "a.b" }],
    ["no users", { users: [] }],
    ["101 users", { users: Array.from({ length: 101 }, (_, n) => `usr_${n}`) }],
    ["a bad user", { users: ["42"] }],
    ["a bad time", { timestamp: "2026-13-01T00:00:00Z" }],
    ["a bad id", { id: "a b" }],
    ["an empty id", { id: "" }],
    ["a long id", { id: "a".repeat(129) }],
    ["nothing to do", { streaming: false, webhooks: false }],
    ["a text for a flag", { streaming: "true" }],
    ["no organisation", { organisation_id: undefined }],
    ["a bad organisation", { organisation_id: "x" }],
  ])("%s", async (_name, change) => {
    const answer = await send(server, change);
    expect([answer.status, codeOf(answer)]).toEqual([400, "invalid_request"]);
  });

  test.each([
    ["the longest type", { type: "a".repeat(128) }],
    ["the longest id", { id: "a".repeat(128) }],
    ["a hundred users", { users: Array.from({ length: 100 }, (_, n) => `usr_${n}`) }],
    ["null for absent", { users: null, entity: null, id: null }],
    ["an unknown member", { more: 1 }],
  ])("but not %s", async (_name, change) => {
    expect((await send(server, change)).status).toBe(202);
  });

  test("no JSON, no object, no body", async () => {
    await using server = await bootEvents();
    for (const body of ["{", "[]", "5", "", '{"a":1}{}', `{"data":{"a":01}}`]) {
      expect(codeOf(await sendText(server, body))).toBe("invalid_request");
    }
  });

  test("an envelope over 64 KiB for streams, over 256 KiB for webhooks alone", async () => {
    await using server = await bootEvents();
    const id = "evt_1";
    const timestamp = "2026-01-05T10:00:00Z";
    const empty = JSON.stringify({ id, type: "a", timestamp, data: { a: "" } }).length;
    const sized = (bytes: number, more: Json = {}) =>
      send(server, { type: "a", timestamp, data: { a: "x".repeat(bytes - empty) }, ...more });
    for (const [bytes, more] of [
      [65_536, {}],
      [262_144, { streaming: false }],
    ] as const) {
      expect((await sized(bytes, { id, ...more })).status).toBe(202);
      const over = await sized(bytes + 1, { id: "evt_2", ...more });
      expect([over.status, codeOf(over)]).toEqual([413, "payload_too_large"]);
      await server.advance(86_400_000);
    }
    const body = JSON.stringify({ ...EVENT, pad: "x".repeat(1_048_576) });
    expect((await sendText(server, body)).status).toBe(413);
  });

  test("without the scope", async () => {
    await using server = await bootEvents();
    const body = EVENT;
    const answer = await ask(server, "/events/publish", { method: "POST", body });
    expect(codeOf(answer)).toBe("insufficient_scope");
    const token = access(server, { scope: "events:publish" });
    const { organisation_id: _, ...own } = body;
    const allowed = await ask(server, "/events/publish", { method: "POST", token, body: own });
    expect(allowed.status).toBe(202);
    const theirs = { ...body, organisation_id: OTHER_ORG };
    const other = await ask(server, "/events/publish", { method: "POST", token, body: theirs });
    expect([other.status, codeOf(other)]).toEqual([403, "organisation_required"]);
  });

  test("another organisation than the key's", async () => {
    const key = "evk_own_secret";
    const entry = {
      id: "own",
      hash: hashApiKey(key),
      scopes: ["events:publish"],
      organisation: ORG,
    };
    await using server = await bootEvents({ config: { api_keys: [entry] } });
    const headers = { "X-API-Key": key };
    const body = { ...EVENT, organisation_id: OTHER_ORG };
    const answer = await ask(server, "/events/publish", { method: "POST", headers, body });
    expect(answer.status).toBe(403);
  });
});

describe("a batch", () => {
  const batch = (server: StreamingServer, events: readonly unknown[], headers = {}) =>
    ask(server, "/events/publish/batch", {
      ...{ method: "POST", headers: { ...API_KEY, ...headers }, body: events },
    });

  test("is judged event by event, and comes in order", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const good = Array.from({ length: 50 }, (_, n) => ({ ...EVENT, id: `evt_${n}`, data: { n } }));
    const events = [
      ...good,
      { ...EVENT, type: "!" },
      5,
      { ...EVENT, id: "evt_0", data: { n: 99 } },
      { ...EVENT, id: "evt_1", data: { n: 1 } },
      { ...EVENT, organisation_id: OTHER_ORG },
    ];
    const answer = await batch(server, events);
    expect(answer.status).toBe(202);
    const answers = answer.body as unknown as Json[];
    expect(answers.map((each) => each["accepted"] ?? (each["error"] as Json)["code"])).toEqual([
      ...Array(50).fill(true),
      ...["invalid_request", "invalid_request", "idempotency_conflict", true, false],
    ]);
    expect(answers[53]).toEqual(answers[1]);
    const numbers = publicationsOf(await client.arrived()).map(
      ({ data }) => (data["data"] as Json)["n"],
    );
    expect(numbers).toEqual(good.map(({ data }) => data.n));
  });

  test("again with the same Idempotency-Key sends nothing", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const headers = { "Idempotency-Key": "k" };
    const first = await batch(server, [EVENT, EVENT], headers);
    expect((await batch(server, [EVENT, EVENT], headers)).text).toBe(first.text);
    expect(publicationsOf(await client.arrived())).toHaveLength(2);
  });

  test("has a hundred events at the most, and may have none", async () => {
    await using server = await bootEvents();
    expect((await batch(server, [])).text).toBe("[]");
    const events = Array.from({ length: 100 }, () => EVENT);
    expect((await batch(server, events)).status).toBe(202);
    const over = await batch(server, [...events, EVENT]);
    expect([over.status, codeOf(over)]).toEqual([400, "invalid_request"]);
    const none = await sendText(server, JSON.stringify(EVENT), "/events/publish/batch");
    expect(codeOf(none)).toBe("invalid_request");
  });
});
