/** Server-side subscriptions: from tokens, the connect request, the personal channel and the server API (centrifugo-protocol.md §14, §7, §8.3). */
import { describe, expect, test } from "bun:test";
import packageJson from "../../../package.json" with { type: "json" };
import {
  apiResult,
  bootStreaming,
  CLOSES,
  connectClient,
  ERRORS,
  OPEN,
  openClient,
  RECOVERY,
  subscribed,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";
import { compactJson } from "../../../src/core/json-text.ts";

const { version } = packageJson;
const USER = { sub: "1" };
const NAMESPACES = [
  { name: "open", ...OPEN },
  { name: "closed" },
  { name: "kept", ...RECOVERY },
  { name: "seen", presence: true, join_leave: true, force_push_join_leave: true },
];

describe("at connect", () => {
  test("each is in the reply, with its position and data", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const { epoch } = await apiResult(server, "publish", { channel: "kept:a", data: 1 });
    using client = await openClient(server);
    const subs = { "kept:a": { data: { d: 1 } }, "open:a": { b64data: btoa("[2]") } };
    const token = hs256({ ...USER, channels: ["closed:a", "kept:a"], subs });
    expect(await client.ask({ connect: { token } })).toEqual({
      connect: {
        ...{ client: client.id, version },
        subs: {
          "closed:a": {},
          "kept:a": { recoverable: true, positioned: true, epoch, offset: 1, data: { d: 1 } },
          "open:a": { data: [2] },
        },
      },
    });
    await apiResult(server, "publish", { channel: "closed:a", data: 3 });
    expect(await client.arrived()).toEqual([{ push: { channel: "closed:a", pub: { data: 3 } } }]);
  });

  test("info and override count; the own join follows the connect reply", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await openClient(server);
    const override = { presence: { value: false } };
    const subs = { "seen:a": { info: { i: 1 } }, "seen:b": { info: { i: 2 }, override } };
    await client.ask({ connect: { token: hs256({ ...USER, subs }) } });
    const info = { user: "1", client: client.id };
    expect(await client.arrived()).toEqual([
      { push: { channel: "seen:a", join: { info: { ...info, chan_info: { i: 1 } } } } },
      { push: { channel: "seen:b", join: { info: { ...info, chan_info: { i: 2 } } } } },
    ]);
    expect(await apiResult(server, "presence", { channel: "seen:a" })).toEqual({
      presence: { [client.id]: { ...info, chan_info: { i: 1 } } },
    });
    expect(await apiResult(server, "presence", { channel: "seen:b" })).toEqual({ presence: {} });
  });

  test("connect.subs recovers them", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    let epoch: unknown;
    for (const data of [1, 2, 3]) {
      ({ epoch } = await apiResult(server, "publish", { channel: "kept:a", data }));
    }
    using client = await openClient(server);
    const token = hs256({ ...USER, channels: ["kept:a"] });
    const subs = { "kept:a": { recover: true, epoch, offset: 1 } };
    expect(await client.ask({ connect: { token, subs } })).toEqual({
      connect: {
        ...{ client: client.id, version },
        subs: {
          "kept:a": {
            ...{ recoverable: true, positioned: true, was_recovering: true, recovered: true },
            ...{ epoch, offset: 1 },
            publications: [
              { data: 2, offset: 2 },
              { data: 3, offset: 3 },
            ],
          },
        },
      },
    });
  });

  test("connect.subs may ask for what the client could subscribe to; the rest is dropped without a word", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await openClient(server);
    const subs = { "open:a": {}, "closed:a": {}, "$open:a": {}, "open:é": {} };
    expect(await client.ask({ connect: { token: hs256(USER), subs } })).toEqual({
      connect: { client: client.id, version, subs: { "open:a": {} } },
    });
    using other = await openClient(server);
    other.send({ id: 1, connect: { token: hs256(USER), subs: { "none:a": {} } } });
    expect(await other.closed()).toEqual(CLOSES[3501]);
  });

  test("a client's own subscribe to one is error 105, its unsubscribe ends it", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { ...USER, channels: ["open:a"] });
    const subscribe = { channel: "open:a" };
    expect(await client.ask({ subscribe })).toEqual({ error: ERRORS[105] });
    expect(await client.ask({ unsubscribe: subscribe })).toEqual({ unsubscribe: {} });
    expect(await client.ask({ subscribe })).toEqual({ subscribe: {} });
  });

  test("their names are held to no rule of clients'", async () => {
    await using server = await bootStreaming({
      namespaces: NAMESPACES,
      streaming: { subscribe_to_user_personal_channel: { enabled: true } },
    });
    using client = await openClient(server);
    const channels = ["closed:é", ":x", "$closed:a", ""];
    const token = hs256({ sub: "é", channels, subs: { "open:ü": { data: 1 } } });
    expect(await client.ask({ connect: { token } })).toEqual({
      connect: {
        ...{ client: client.id, version },
        subs: { "closed:é": {}, ":x": {}, "$closed:a": {}, "open:ü": { data: 1 }, "#é": {} },
      },
    });
    await apiResult(server, "subscribe", { user: "é", channel: "open:é" });
    expect(await client.arrived()).toEqual([{ push: { channel: "open:é", subscribe: {} } }]);
    expect(await client.ask({ subscribe: { channel: "open:ö" } })).toEqual({ error: ERRORS[107] });
  });

  test("half a surrogate pair is in no name: a token with one, of a channel or user, opens nothing", async () => {
    await using server = await bootStreaming({
      namespaces: [{ name: "any", ...OPEN, channel_regex: "." }],
    });
    for (const claims of [{ sub: "\ud800" }, { ...USER, channels: ["any:\ud800"] }]) {
      using client = await openClient(server);
      expect(await client.ask({ connect: { token: hs256(claims) } })).toEqual({
        error: ERRORS[107],
      });
    }
    using client = await connectClient(server, USER);
    const command = { channel: "any:\ud800" };
    for (const name of [
      "subscribe",
      "unsubscribe",
      "publish",
      "presence",
      "presence_stats",
      "history",
      "sub_refresh",
    ]) {
      expect(await client.ask({ [name]: { ...command, data: 1 } })).toEqual({ error: ERRORS[107] });
    }
    for (const method of [
      "subscribe",
      "unsubscribe",
      "publish",
      "presence",
      "presence_stats",
      "history",
      "history_remove",
    ]) {
      const { error } = await server.api(method, { user: "1", ...command, data: 1 });
      expect({ method, code: error?.code }).toEqual({ method, code: 107 });
    }
    expect(await subscribed(client, "any:\ud83d\ude00")).toEqual({});
  });

  test("they count towards channel_limit", async () => {
    await using server = await bootStreaming({
      namespaces: NAMESPACES,
      streaming: { channel_limit: 2 },
    });
    using client = await connectClient(server, { ...USER, channels: ["closed:a", "closed:b"] });
    expect(await client.ask({ subscribe: { channel: "open:a" } })).toEqual({ error: ERRORS[106] });
  });
});

describe("§12: the personal channel", () => {
  const personal = (options: object) => ({
    subscribe_to_user_personal_channel: { enabled: true, ...options },
    allow_anonymous_connect_without_token: true,
  });

  test.each([
    ["without a namespace", {}, "#42"],
    ["in one", { personal_channel_namespace: "closed" }, "closed:#42"],
  ])("%s", async (_name, options, channel) => {
    await using server = await bootStreaming({
      namespaces: NAMESPACES,
      streaming: personal(options),
    });
    using client = await openClient(server);
    expect(await client.ask({ connect: { token: hs256({ sub: "42" }) } })).toEqual({
      connect: { client: client.id, version, subs: { [channel]: {} } },
    });
    using nobody = await openClient(server);
    expect(await nobody.ask({ connect: {} })).toEqual({
      connect: { client: nobody.id, version },
    });
  });

  test.each(["42,43", "42#43", ",", "#"])(
    "the user %s has none, for it would be another's too, and the log says so",
    async (sub) => {
      await using server = await bootStreaming({
        namespaces: NAMESPACES,
        withoutNamespace: { allow_user_limited_channels: true },
        streaming: personal({}),
      });
      using client = await openClient(server);
      expect(await client.ask({ connect: { token: hs256({ sub }) } })).toEqual({
        connect: { client: client.id, version },
      });
      expect(server.logged).toContainEqual(
        expect.objectContaining({ msg: "Channel left out", connection: client.id }),
      );
    },
  );

  test("single_connection ends the user's earlier connections with 3504", async () => {
    await using server = await bootStreaming({ streaming: personal({ single_connection: true }) });
    using first = await connectClient(server, { sub: "42" });
    using other = await connectClient(server, { sub: "43" });
    using second = await connectClient(server, { sub: "42" });
    expect(await first.closed()).toEqual(CLOSES[3504]);
    for (const client of [other, second]) expect(await client.arrived()).toEqual([]);
  });
});

describe("§17: by the server API", () => {
  test("subscribe is pushed once, to the user's connections that have not got it", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const { epoch } = await apiResult(server, "publish", { channel: "kept:a", data: 1 });
    using one = await connectClient(server, USER);
    using has = await connectClient(server, USER);
    using other = await connectClient(server, { sub: "2" });
    await subscribed(has, "kept:a");
    const call = { user: "1", channel: "kept:a", data: { d: 1 } };
    for (const _twice of [1, 2]) expect(await apiResult(server, "subscribe", call)).toEqual({});
    const subscribe = { recoverable: true, positioned: true, epoch, offset: 1, data: { d: 1 } };
    expect(await one.arrived()).toEqual([{ push: { channel: "kept:a", subscribe } }]);
    for (const client of [has, other]) expect(await client.arrived()).toEqual([]);
    await apiResult(server, "publish", { channel: "kept:a", data: 2 });
    const push = { channel: "kept:a", pub: { data: 2, offset: 2 } };
    for (const client of [one, has]) expect(await client.arrived()).toEqual([{ push }]);
  });

  test("subscribe with client reaches that connection, if it is the user's", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using one = await connectClient(server, USER);
    using two = await connectClient(server, USER);
    await apiResult(server, "subscribe", { user: "1", channel: "open:a", client: two.id });
    await apiResult(server, "subscribe", { user: "2", channel: "open:b", client: two.id });
    await apiResult(server, "subscribe", { user: "1", channel: "open:c", session: "none" });
    expect(await one.arrived()).toEqual([]);
    expect(await two.arrived()).toEqual([{ push: { channel: "open:a", subscribe: {} } }]);
  });

  test("recover_since: what was missed follows the push", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    let epoch: unknown;
    for (const data of [1, 2, 3]) {
      ({ epoch } = await apiResult(server, "publish", { channel: "kept:a", data }));
    }
    using client = await connectClient(server, USER);
    const recover_since = { offset: 1, epoch };
    await apiResult(server, "subscribe", { user: "1", channel: "kept:a", recover_since });
    expect(await client.arrived()).toEqual([
      {
        push: {
          channel: "kept:a",
          subscribe: { recoverable: true, positioned: true, epoch, offset: 1 },
        },
      },
      { push: { channel: "kept:a", pub: { data: 2, offset: 2 } } },
      { push: { channel: "kept:a", pub: { data: 3, offset: 3 } } },
    ]);
  });

  test("recover_since without an offset is from the beginning", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const { epoch } = await apiResult(server, "publish", { channel: "kept:a", data: 1 });
    using client = await connectClient(server, USER);
    await apiResult(server, "subscribe", {
      user: "1",
      channel: "kept:a",
      recover_since: { epoch },
    });
    expect(await client.arrived()).toEqual([
      { push: { channel: "kept:a", subscribe: { recoverable: true, positioned: true, epoch } } },
      { push: { channel: "kept:a", pub: { data: 1, offset: 1, epoch } } },
    ]);
  });

  test("override and info", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    const override = { presence: { value: true } };
    await apiResult(server, "subscribe", {
      ...{ user: "1", channel: "seen:a", b64info: btoa('{"i":1}') },
      override: { ...override, force_push_join_leave: { value: false } },
    });
    expect(await client.arrived()).toEqual([{ push: { channel: "seen:a", subscribe: {} } }]);
    expect(await apiResult(server, "presence", { channel: "seen:a" })).toEqual({
      presence: { [client.id]: { user: "1", client: client.id, chan_info: { i: 1 } } },
    });
  });

  test("what cannot be subscribed is an error, and nobody's connection is touched", async () => {
    await using server = await bootStreaming({
      namespaces: [...NAMESPACES, { name: "theirs", dialects: ["gusher"] }],
    });
    using client = await connectClient(server, USER);
    const subscribe = async (request: object) => {
      const { error } = await server.api("subscribe", { user: "1", ...request });
      return error?.code;
    };
    for (const channel of ["none:a", "theirs:a"]) expect(await subscribe({ channel })).toBe(102);
    expect(await subscribe({ channel: "open:a", expire_at: server.seconds() })).toBe(107);
    expect(await client.arrived()).toEqual([]);
    expect(await subscribe({ channel: "open:a", expire_at: server.seconds(1) })).toBeUndefined();
    expect(await client.arrived()).toEqual([{ push: { channel: "open:a", subscribe: {} } }]);
    expect(await subscribe({ channel: "open:b", expire_at: 0 })).toBeUndefined();
    expect(await client.arrived()).toEqual([{ push: { channel: "open:b", subscribe: {} } }]);
  });

  test("a refresh to a time that has passed ends the connection at once", async () => {
    await using server = await bootStreaming();
    using client = await connectClient(server, USER);
    await apiResult(server, "refresh", { user: "1", expire_at: server.seconds(1) });
    expect(await client.arrived()).toEqual([{ push: { refresh: { expires: true, ttl: 1 } } }]);
    await apiResult(server, "refresh", { user: "1", expire_at: server.seconds() });
    expect(await client.closed()).toEqual(CLOSES[3005]);
  });

  test("expire_at ends the connection with 3006", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    const expire_at = server.seconds(60);
    await apiResult(server, "subscribe", { user: "1", channel: "open:a", expire_at });
    expect(await client.arrived()).toEqual([{ push: { channel: "open:a", subscribe: {} } }]);
    await server.advance(84_999);
    expect(await client.arrived()).toEqual([]);
    await server.advance(1);
    expect(await client.closed()).toEqual(CLOSES[3006]);
  });

  test("a gap ends the connection with 3010", async () => {
    await using server = await bootStreaming({
      namespaces: [{ name: "kept", ...RECOVERY, history_meta_ttl: "600s" }],
    });
    await apiResult(server, "publish", { channel: "kept:a", data: 1 });
    using client = await connectClient(server, { ...USER, channels: ["kept:a"] });
    await server.advance(600_000);
    await apiResult(server, "publish", { channel: "kept:a", data: 2 });
    expect(await client.closed()).toEqual(CLOSES[3010]);
  });

  test("unsubscribe of one channel, and of all, is pushed as 2000 for each", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { ...USER, channels: ["closed:a", "closed:b"] });
    using other = await connectClient(server, { sub: "2", channels: ["closed:a"] });
    await subscribed(client, "open:a");
    const unsubscribe = { code: 2000, reason: "server unsubscribe" };
    const call = { user: "1", channel: "closed:a" };
    for (const _twice of [1, 2]) expect(await apiResult(server, "unsubscribe", call)).toEqual({});
    expect(await client.arrived()).toEqual([{ push: { channel: "closed:a", unsubscribe } }]);
    await apiResult(server, "unsubscribe", { user: "1", channel: "" });
    expect(await client.arrived()).toEqual([
      { push: { channel: "closed:b", unsubscribe } },
      { push: { channel: "open:a", unsubscribe } },
    ]);
    expect(await other.arrived()).toEqual([]);
    const { error } = await server.api("unsubscribe", { user: "1", channel: "none:a" });
    expect(error).toEqual(ERRORS[102]);
  });
});

test("§7: a message to a user reaches each connection, in no channel", async () => {
  await using server = await bootStreaming();
  using one = await connectClient(server, USER);
  using two = await connectClient(server, USER);
  const json = '{"n":9007199254740993}';
  const reached = await server.hub.push({ user: "1" }, { data: { json: compactJson(json) } });
  expect(reached).toEqual({ matched: 2, nodesAnswered: 1, nodesAsked: 1 });
  for (const client of [one, two]) {
    expect((await client.raw.next()).text).toBe(`{"push":{"message":{"data":${json}}}}`);
  }
});
