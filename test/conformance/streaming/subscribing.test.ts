/** Who may subscribe to what, in the order of the checks (centrifugo-protocol.md §4.1, §11.2, §12, §22 items 7, 11). */
import { describe, expect, test } from "bun:test";
import {
  bootStreaming,
  CLOSES,
  connectClient,
  ERRORS,
  OPEN,
  openClient,
  RECOVERY,
  subscribed,
  type StreamingServer,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const NAMESPACES = [
  { name: "open", ...OPEN },
  { name: "users", allow_subscribe_for_client: true },
  { name: "closed" },
  { name: "limited", ...OPEN, allow_user_limited_channels: true },
  { name: "word", ...OPEN, channel_regex: "^[a-zé]+$" },
  { name: "kept", ...RECOVERY },
];

function boot(streaming: object = {}): Promise<StreamingServer> {
  return bootStreaming({
    namespaces: NAMESPACES,
    withoutNamespace: OPEN,
    streaming: { allow_anonymous_connect_without_token: true, ...streaming },
  });
}

const USER = { sub: "1" };
const LONG = `open:${"a".repeat(251)}`;

describe("§4.1: one check at a time", () => {
  test.each([
    ["2: a channel of more than max_length bytes", USER, { channel: LONG }, 107],
    ["2: bytes, not characters", USER, { channel: `word:${"é".repeat(126)}` }, 107],
    ["5: an unknown namespace", USER, { channel: "none:a" }, 102],
    ["5: a private channel of an unknown namespace", USER, { channel: "$none:a" }, 102],
    ["6: a name that is not ASCII", USER, { channel: "open:é" }, 107],
    ["6: a name that the regex refuses", USER, { channel: "word:a1" }, 107],
    ["7: a map subscription", USER, { channel: "open:a", type: 1 }, 103],
    ["7: a shared poll", USER, { channel: "open:a", type: 4 }, 108],
    ["8: a private channel", USER, { channel: "$open:a" }, 103],
    ["8: a private channel without a namespace", USER, { channel: "$a" }, 103],
    ["10: a user that is not listed", USER, { channel: "limited:a#2,3" }, 103],
    ["10: a user that is part of one listed", USER, { channel: "limited:a#11" }, 103],
    ["10: the ids behind the last #", USER, { channel: "limited:a#1#2" }, 103],
    ["10: an anonymous client", undefined, { channel: "limited:a#2" }, 103],
    ["10: an anonymous client and no id", undefined, { channel: "limited:a#" }, 103],
    ["10: an anonymous client and an empty id", undefined, { channel: "limited:a#,2" }, 103],
    ["10: an empty id behind the user's", USER, { channel: "limited:a#1," }, 103],
    ["10: an empty id before the user's", USER, { channel: "limited:a#,1" }, 103],
    ["10: an empty id between users'", USER, { channel: "limited:a#1,,2" }, 103],
    ["13: an anonymous client", undefined, { channel: "users:a" }, 103],
    ["15: a closed namespace", USER, { channel: "closed:a" }, 103],
    ["a tags filter", USER, { channel: "open:a", tf: { key: "a", cmp: "ex" } }, 107],
  ] as const)("%s is an error", async (_name, claims, subscribe, code) => {
    await using server = await boot();
    using client = await connectClient(server, claims);
    expect(await client.ask({ subscribe })).toEqual({ error: ERRORS[code] });
    expect(server.hub.stats()).toMatchObject({ channels: 0, subscriptions: 0 });
  });

  test.each([
    ["2: a channel of max_length bytes", USER, { channel: LONG.slice(0, 255) }],
    ["6: a name that the regex takes", USER, { channel: "word:é" }],
    ["10: a user that is listed", USER, { channel: "limited:a#2,1" }],
    ["10: a user behind the last #", USER, { channel: "limited:a#2#1" }],
    ["10: an open channel without a boundary", USER, { channel: "limited:a" }],
    ["10: a # where users are not limited", USER, { channel: "open:a#2" }],
    ["13: a user", USER, { channel: "users:a" }],
    ["13: an anonymous client", undefined, { channel: "open:a" }],
    ["without a namespace", undefined, { channel: "a" }],
    ["a delta that the namespace has not", USER, { channel: "open:a", delta: "fossil" }],
    ["numeric channel ids", USER, { channel: "open:a", flag: 1 }],
  ] as const)("%s is subscribed", async (_name, claims, subscribe) => {
    await using server = await boot();
    using client = await connectClient(server, claims);
    expect(await client.ask({ subscribe })).toEqual({ subscribe: {} });
  });

  test("3: a channel that is subscribed, or being so, is error 105", async () => {
    await using server = await boot();
    using client = await connectClient(server, USER);
    const subscribe = { channel: "kept:a" };
    client.send({ id: 100, subscribe }, { id: 101, subscribe });
    expect(await client.next()).toMatchObject({ id: 100, subscribe: {} });
    expect(await client.next()).toEqual({ id: 101, error: ERRORS[105] });
    expect(await client.ask({ subscribe })).toEqual({ error: ERRORS[105] });
  });

  test("an unknown delta closes with 3501", async () => {
    await using server = await boot();
    using client = await connectClient(server, USER);
    client.send({ id: 9, subscribe: { channel: "open:a", delta: "xdelta" } });
    expect(await client.closed()).toEqual(CLOSES[3501]);
  });
});

describe("§4.1: earlier checks come first", () => {
  test.each([
    ["2 before 5", { channel: `none:${"a".repeat(251)}` }, 107],
    ["4 before 5", { channel: "none:a" }, 106],
    ["3 before 4", { channel: "open:held" }, 105],
    ["2 before 4", { channel: LONG }, 107],
  ] as const)("%s", async (_name, subscribe, code) => {
    await using server = await boot({ channel_limit: 1 });
    using client = await connectClient(server, USER);
    await subscribed(client, "open:held");
    expect(await client.ask({ subscribe })).toEqual({ error: ERRORS[code] });
  });

  test.each([
    ["5 before 6", { channel: "none:é" }, 102],
    ["6 before 7", { channel: "open:é", type: 1 }, 107],
    ["7 before 8", { channel: "$open:a", type: 4 }, 108],
    ["6 before 9", { channel: "open:é", token: "token" }, 107],
    ["9 before 13: a bad token on an open channel", { channel: "open:a", token: "t" }, 103],
  ] as const)("%s", async (_name, subscribe, code) => {
    await using server = await boot();
    using client = await connectClient(server, USER);
    expect(await client.ask({ subscribe })).toEqual({ error: ERRORS[code] });
  });
});

describe("item 11: insecure mode", () => {
  test.each([
    ["an unknown namespace", "none:a", { error: ERRORS[102] }],
    ["a private channel", "$closed:a", { error: ERRORS[103] }],
    ["a closed one", "closed:a", { subscribe: {} }],
    ["another user's", "limited:a#2", { subscribe: {} }],
  ])("%s", async (_name, channel, reply) => {
    await using server = await boot({ insecure: true });
    using client = await connectClient(server);
    expect(await client.ask({ subscribe: { channel } })).toEqual(reply);
  });
});

describe("§4.1 rule 9: subscription tokens", () => {
  const tokenOf = (server: StreamingServer, claims: object, times: object = {}) => {
    const entries = Object.entries(times).map(([name, after]) => [name, server.seconds(after)]);
    return hs256({ sub: "1", channel: "$closed:a", ...claims, ...Object.fromEntries(entries) });
  };

  test.each([
    ["lasting", {}, {}, {}],
    ["with exp", {}, { exp: 60 }, { expires: true, ttl: 60 }],
    ["with expire_at", {}, { exp: 60, expire_at: 90 }, { expires: true, ttl: 90 }],
    ["with expire_at 0", { expire_at: 0 }, { exp: 60 }, {}],
    ["with data", { data: { a: [1] } }, {}, { data: { a: [1] } }],
    ["with b64data", { data: 1, b64data: btoa("2") }, {}, { data: 2 }],
    ["with an empty client", { client: "" }, {}, {}],
  ])("%s", async (_name, claims, times, result) => {
    await using server = await boot();
    using client = await connectClient(server, USER);
    const token = tokenOf(server, claims, times);
    expect(await subscribed(client, "$closed:a", { token })).toEqual(result);
  });

  test("anonymous connections need one without a user", async () => {
    await using server = await boot();
    using client = await connectClient(server);
    const token = hs256({ channel: "$closed:a" });
    expect(await subscribed(client, "$closed:a", { token })).toEqual({});
  });

  test("of this connection", async () => {
    await using server = await boot();
    using client = await connectClient(server, USER);
    const token = tokenOf(server, { client: client.id });
    expect(await subscribed(client, "$closed:a", { token })).toEqual({});
  });

  test.each([
    ["not a token", 103, () => "token"],
    ["of another secret", 103, () => hs256({ sub: "1", channel: "$closed:a" }, "another")],
    ["without a channel", 103, () => hs256(USER)],
    ["with an empty channel", 103, () => hs256({ ...USER, channel: "" })],
    ["of another kind", 103, (server: StreamingServer) => tokenOf(server, { scope: "a" })],
    ["expired", 109, (server: StreamingServer) => tokenOf(server, {}, { exp: 0 })],
    ["not yet valid", 109, (server: StreamingServer) => tokenOf(server, {}, { nbf: 1 })],
    ["whose life is over", 110, (server: StreamingServer) => tokenOf(server, {}, { expire_at: 0 })],
  ] as const)("%s: error %d", async (_name, code, make) => {
    await using server = await boot();
    using client = await connectClient(server, USER);
    const subscribe = { channel: "$closed:a", token: make(server) };
    expect(await client.ask({ subscribe })).toEqual({ error: ERRORS[code] });
  });

  test.each([
    ["another channel", { channel: "$closed:b" }],
    ["the channel without its prefix", { channel: "closed:a" }],
    ["another user", { sub: "2" }],
    ["no user", { sub: "" }],
    ["another connection", { client: "00000000-0000-4000-8000-000000000000" }],
  ])("of %s: close 3500", async (_name, claims) => {
    await using server = await boot();
    using client = await connectClient(server, USER);
    const subscribe = { channel: "$closed:a", token: tokenOf(server, claims) };
    client.send({ id: 9, subscribe });
    expect(await client.closed()).toEqual(CLOSES[3500]);
  });

  test("subscription keys of their own verify nothing else, and the connection's not them", async () => {
    await using server = await bootStreaming({
      namespaces: NAMESPACES,
      config: {
        signing_keys: [
          { use: "streaming", tokens: ["connection"], hmac_secret: "connection-secret" },
          { use: "streaming", tokens: ["subscription"], hmac_secret: "subscription-secret" },
        ],
      },
    });
    using other = await openClient(server);
    other.send({ id: 1, connect: { token: hs256(USER, "subscription-secret") } });
    expect(await other.closed()).toEqual(CLOSES[3500]);
    using client = await openClient(server);
    await client.ask({ connect: { token: hs256(USER, "connection-secret") } });
    const claims = { sub: "1", channel: "closed:a" };
    const subscribe = (secret: string) =>
      client.ask({ subscribe: { channel: "closed:a", token: hs256(claims, secret) } });
    expect(await subscribe("connection-secret")).toEqual({ error: ERRORS[103] });
    expect(await subscribe("subscription-secret")).toEqual({ subscribe: {} });
  });
});
