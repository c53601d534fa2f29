/** What the server API reads, and what it does to connections (centrifugo-protocol.md §17, §22 item 10). */
import { describe, expect, test } from "bun:test";
import {
  apiResult,
  bootStreaming,
  CLOSES,
  connectClient,
  HISTORY,
  OPEN,
  subscribed,
  type StreamingServer,
} from "../../support/streaming.ts";

const streaming = { allow_anonymous_connect_without_token: true };
const NAMESPACES = [
  { name: "open", ...OPEN, presence: true },
  { name: "kept", ...OPEN, ...HISTORY },
];
const USER = { sub: "1" };
const boot = () => bootStreaming({ namespaces: NAMESPACES, withoutNamespace: OPEN, streaming });

describe("presence and presence_stats", () => {
  test("have each connection; users are counted once", async () => {
    await using server = await boot();
    using one = await connectClient(server, { ...USER, info: { n: 1 } });
    using two = await connectClient(server, USER);
    using three = await connectClient(server);
    for (const client of [one, two, three]) await subscribed(client, "open:a");
    expect(await apiResult(server, "presence", { channel: "open:a" })).toEqual({
      presence: {
        [one.id]: { user: "1", client: one.id, conn_info: { n: 1 } },
        [two.id]: { user: "1", client: two.id },
        [three.id]: { user: "", client: three.id },
      },
    });
    expect(await apiResult(server, "presence_stats", { channel: "open:a" })).toEqual({
      ...{ num_clients: 3, num_users: 2 },
    });
  });

  test("of an empty channel are empty", async () => {
    await using server = await boot();
    const channel = "open:a";
    expect(await apiResult(server, "presence", { channel })).toEqual({ presence: {} });
    const none = { num_clients: 0, num_users: 0 };
    expect(await apiResult(server, "presence_stats", { channel })).toEqual(none);
  });
});

describe("history and history_remove", () => {
  test.each([
    ["the position only by default", {}, []],
    ["limit 0", { limit: 0 }, []],
    ["all", { limit: -1 }, [1, 2, 3, 4]],
    ["a limit", { limit: 2 }, [1, 2]],
    ["since", { limit: -1, since: { offset: 2 } }, [3, 4]],
    ["reverse", { limit: 2, reverse: true }, [4, 3]],
    ["reverse since", { limit: -1, reverse: true, since: { offset: 3 } }, [2, 1]],
  ])("history: %s", async (_name, query, offsets) => {
    await using server = await boot();
    const time = server.runtime.clock.epochMs();
    let epoch: unknown;
    for (const data of [1, 2, 3, 4]) {
      ({ epoch } = await apiResult(server, "publish", { channel: "kept:a", data }));
    }
    const first = (offset: number) => (offset === 1 ? { epoch } : {});
    expect(await apiResult(server, "history", { channel: "kept:a", ...query })).toEqual({
      publications: offsets.map((offset) => ({ data: offset, offset, time, ...first(offset) })),
      epoch,
      offset: 4,
    });
  });

  test("history_remove takes what is kept, and leaves the position", async () => {
    await using server = await boot();
    const { epoch } = await apiResult(server, "publish", { channel: "kept:a", data: 1 });
    expect(await apiResult(server, "history_remove", { channel: "kept:a" })).toEqual({});
    expect(await apiResult(server, "history", { channel: "kept:a", limit: -1 })).toEqual({
      ...{ publications: [], epoch, offset: 1 },
    });
    expect(await apiResult(server, "publish", { channel: "kept:a", data: 2 })).toEqual({
      ...{ epoch, offset: 2 },
    });
  });
});

describe("channels", () => {
  test.each([
    ["all", undefined, { a: 2, ab: 1, "open:a": 1, "open:b": 1 }],
    ["all", "", { a: 2, ab: 1, "open:a": 1, "open:b": 1 }],
    ["one", "a", { a: 2 }],
    ["*", "open:*", { "open:a": 1, "open:b": 1 }],
    ["?", "a?", { ab: 1 }],
    ["[]", "open:[b-z]", { "open:b": 1 }],
    ["[!]", "open:[!b-z]", { "open:a": 1 }],
    ["{}", "{a,open:b}", { a: 2, "open:b": 1 }],
    ["characters of regular expressions", "a.*|", {}],
    ["none", "none:*", {}],
  ])("pattern: %s", async (_name, pattern, counts) => {
    await using server = await boot();
    using one = await connectClient(server);
    using two = await connectClient(server);
    for (const channel of ["a", "ab", "open:a", "open:b"]) await subscribed(one, channel);
    await subscribed(two, "a");
    const channels = Object.entries(counts).map(([name, num_clients]) => [name, { num_clients }]);
    expect(await apiResult(server, "channels", { pattern })).toEqual({
      channels: Object.fromEntries(channels) as object,
    });
  });
});

describe("disconnect", () => {
  async function four(server: StreamingServer) {
    const one = await connectClient(server, USER);
    const two = await connectClient(server, USER);
    const other = await connectClient(server, { sub: "2" });
    const nobody = await connectClient(server);
    return { one, two, other, nobody };
  }

  test.each([
    ["a user", { user: "1" }, ["one", "two"]],
    ['item 10: user "" is anonymous connections only', { user: "" }, ["nobody"]],
    ["a user that is not there", { user: "3" }, []],
    ["a session, of which there are none", { user: "1", session: "s" }, []],
  ])("%s", async (_name, request, ended) => {
    await using server = await boot();
    const clients = await four(server);
    expect(await apiResult(server, "disconnect", request)).toEqual({});
    for (const [name, client] of Object.entries(clients)) {
      if (ended.some((each) => each === name)) expect(await client.closed()).toEqual(CLOSES[3503]);
      else expect(await client.arrived()).toEqual([]);
      client.raw.destroy();
    }
  });

  test("one client of a user, and all but those of the whitelist", async () => {
    await using server = await boot();
    const { one, two, other, nobody } = await four(server);
    await apiResult(server, "disconnect", { user: "2", client: one.id });
    await apiResult(server, "disconnect", { user: "1", whitelist: [one.id, other.id] });
    expect(await two.closed()).toEqual(CLOSES[3503]);
    await apiResult(server, "disconnect", { client: other.id });
    expect(await other.closed()).toEqual(CLOSES[3503]);
    for (const client of [one, nobody]) expect(await client.arrived()).toEqual([]);
    for (const client of [one, two, other, nobody]) client.raw.destroy();
  });

  test.each([
    ["a code and reason", { code: 4001, reason: "come back" }, { code: 4001, reason: "come back" }],
    ["no reason", { code: 4500 }, { code: 4500, reason: "force disconnect" }],
    ["123 bytes", { code: 4500, reason: "a".repeat(123) }, { code: 4500, reason: "a".repeat(123) }],
  ])("with %s", async (_name, disconnect, close) => {
    await using server = await boot();
    using client = await connectClient(server, USER);
    await apiResult(server, "disconnect", { user: "1", disconnect });
    expect(await client.closed()).toEqual(close);
  });
});

describe("item 10: anonymous connections", () => {
  test.each([
    ["subscribe", { channel: "open:b" }, { channel: "open:b", subscribe: {} }],
    [
      "unsubscribe",
      { channel: "open:a" },
      { channel: "open:a", unsubscribe: { code: 2000, reason: "server unsubscribe" } },
    ],
    ["refresh", {}, { refresh: {} }],
  ])('%s of user "" concerns only them', async (method, request, push) => {
    await using server = await boot();
    using one = await connectClient(server, USER);
    using nobody = await connectClient(server);
    for (const client of [one, nobody]) await subscribed(client, "open:a");
    expect(await apiResult(server, method, { user: "", ...request })).toEqual({});
    expect(await one.arrived()).toEqual([]);
    expect(await nobody.arrived()).toEqual([{ push }]);
  });
});

describe("refresh", () => {
  test("expire_at is pushed as expires and ttl, and counts", async () => {
    await using server = await boot();
    using client = await connectClient(server, USER);
    const expire_at = server.seconds(60);
    expect(await apiResult(server, "refresh", { user: "1", expire_at })).toEqual({});
    expect(await client.arrived()).toEqual([{ push: { refresh: { expires: true, ttl: 60 } } }]);
    await server.advance(84_999);
    expect(await client.arrived()).toEqual([]);
    await server.advance(1);
    expect(await client.closed()).toEqual(CLOSES[3005]);
  });

  test("without expire_at the connection does not expire any more", async () => {
    await using server = await boot();
    using client = await connectClient(server, { ...USER, exp: server.seconds(60) });
    await apiResult(server, "refresh", { user: "1", client: client.id });
    expect(await client.arrived()).toEqual([{ push: { refresh: {} } }]);
    await server.advance(1_000_000);
    expect(await client.arrived()).toEqual([]);
  });

  test("expired closes with 3005", async () => {
    await using server = await boot();
    using client = await connectClient(server, USER);
    await apiResult(server, "refresh", { user: "1", expired: true });
    expect(await client.closed()).toEqual(CLOSES[3005]);
  });

  test("info shows in what is subscribed from then on", async () => {
    await using server = await boot();
    using client = await connectClient(server, { ...USER, info: 1 });
    await apiResult(server, "refresh", { user: "1", info: { n: 2 } });
    await client.arrived();
    await subscribed(client, "open:a");
    expect(await apiResult(server, "presence", { channel: "open:a" })).toEqual({
      presence: { [client.id]: { user: "1", client: client.id, conn_info: { n: 2 } } },
    });
  });
});
