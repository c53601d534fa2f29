/** Pings, stale and expired connections, refresh and the ways a connection ends (centrifugo-protocol.md §3.3 to §3.5, §4.7). */
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
  subscribed,
  type StreamingClient,
  type StreamingServer,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const { version } = packageJson;
const ANONYMOUS = { allow_anonymous_connect_without_token: true };
const NAMESPACES = [{ name: "open", ...OPEN }, { name: "closed" }];

/** Moves the time in steps until something comes; how far it went. */
async function untilSomething(server: StreamingServer, client: StreamingClient): Promise<number> {
  for (let ms = 0; ms < 60_000; ms += 100) {
    if (client.raw.unread > 0) return ms;
    await server.advance(100);
  }
  throw new Error("Nothing comes");
}

describe("§3.3: ping and pong", () => {
  const streaming = { ...ANONYMOUS, ping_interval: "25s" };

  test("the first ping comes between half an interval and a whole one, the next an interval later", async () => {
    await using server = await bootStreaming({ streaming });
    using client = await connectClient(server);
    const first = await untilSomething(server, client);
    expect(first).toBeWithin(12_500, 25_101);
    expect(await client.next()).toEqual({});
    client.send({});
    expect(await client.arrived()).toEqual([]);
    expect(await untilSomething(server, client)).toBeWithin(24_900, 25_101);
    expect(await client.next()).toEqual({});
  });

  test("item 16: no pong within the timeout closes with 3012, whatever else was sent", async () => {
    await using server = await bootStreaming({ streaming });
    using client = await connectClient(server);
    await untilSomething(server, client);
    expect(await client.next()).toEqual({});
    await server.advance(7_500);
    expect(await client.arrived()).toEqual([]);
    await server.advance(500);
    expect(await client.closed()).toEqual(CLOSES[3012]);
  });

  test("websocket pings: no frame within the timeout closes with 3012", async () => {
    await using server = await bootStreaming({ streaming });
    using client = await openClient(server, { query: "?cf_ws_frame_ping_pong=true" });
    await client.ask({ connect: {} });
    await untilSomething(server, client);
    expect((await client.raw.next()).opcode).toBe(9);
    await server.advance(8_000);
    expect(await client.closed()).toEqual(CLOSES[3012]);
  });

  test("websocket pings: an application pong is one too many", async () => {
    await using server = await bootStreaming({ streaming });
    using client = await openClient(server, { query: "?cf_ws_frame_ping_pong=true" });
    await client.ask({ connect: {} });
    client.send({});
    expect(await client.closed()).toEqual(CLOSES[3501]);
  });
});

describe("§3.5: closing", () => {
  test("item 16: no connect within stale_close_delay closes with 3502", async () => {
    await using server = await bootStreaming();
    using client = await openClient(server);
    await server.advance(9_999);
    expect(client.raw.unread).toBe(0);
    await server.advance(1);
    expect(await client.closed()).toEqual(CLOSES[3502]);
  });

  test("a graceful stop closes with 3001, without a push before", async () => {
    const server = await bootStreaming({ streaming: ANONYMOUS });
    using client = await connectClient(server);
    const stopping = server[Symbol.asyncDispose]();
    expect(await client.closed()).toEqual(CLOSES[3001]);
    client.raw.destroy();
    await stopping;
  });

  test("item 5: a disconnect is the close frame alone", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { sub: "1" });
    await subscribed(client, "open:a");
    await apiResult(server, "disconnect", { user: "1" });
    expect(await client.closed()).toEqual(CLOSES[3503]);
  });
});

describe("§3.4: expiry of the connection", () => {
  async function connectFor(server: StreamingServer, seconds: number, claims: object = {}) {
    return connectClient(server, { sub: "1", exp: server.seconds(seconds), ...claims });
  }

  test("closes with 3005 when expired_close_delay has passed", async () => {
    await using server = await bootStreaming();
    using client = await connectFor(server, 60);
    await server.advance(84_999);
    expect(await client.arrived()).toEqual([]);
    await server.advance(1);
    expect(await client.closed()).toEqual(CLOSES[3005]);
  });

  test("comes no later when the clock is set back, and for what is granted then by the clock as it is", async () => {
    await using server = await bootStreaming();
    using client = await connectFor(server, 60);
    await server.advance(10_000);
    server.runtime.setClock(-2 * 3_600_000);
    using later = await connectFor(server, 60);
    await server.advance(74_999);
    expect(await client.arrived()).toEqual([]);
    await server.advance(1);
    expect(await client.closed()).toEqual(CLOSES[3005]);
    await server.advance(9_999);
    expect(await later.arrived()).toEqual([]);
    await server.advance(1);
    expect(await later.closed()).toEqual(CLOSES[3005]);
  });

  test("a refresh answers with the new ttl, and moves the end", async () => {
    await using server = await bootStreaming();
    using client = await connectFor(server, 60);
    await server.advance(70_000);
    const token = hs256({ sub: "1", exp: server.seconds(60) });
    expect(await client.ask({ refresh: { token } })).toEqual({
      refresh: { client: client.id, version, expires: true, ttl: 60 },
    });
    await server.advance(84_000);
    expect(await client.arrived()).toEqual([]);
    const lasting = hs256({ sub: "1" });
    expect(await client.ask({ refresh: { token: lasting } })).toEqual({
      refresh: { client: client.id, version },
    });
    await server.advance(1_000_000);
    expect(await client.arrived()).toEqual([]);
  });

  test.each([
    ["an invalid token", { token: "token" }, {}, 3500],
    ["another secret", { secret: "another" }, {}, 3500],
    ["another user", { sub: "2" }, {}, 3500],
    ["no user", { sub: "" }, {}, 3500],
    ["an expired token", { exp: -1 }, {}, 3005],
    ["a life that is over", { expire_at: 0 }, {}, 3005],
    ["a channel more", { channels: ["open:a"] }, {}, 3010],
    ["a channel less", {}, { channels: ["open:a"] }, 3010],
    ["another channel", { subs: { "open:b": {} } }, { channels: ["open:a"] }, 3010],
  ] as const)("refresh with %s closes", async (_name, claims, connected, code) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectFor(server, 60, connected);
    const { token, secret, exp, expire_at, ...rest }: RefreshClaims = claims;
    const times = {
      ...(exp === undefined ? {} : { exp: server.seconds(exp) }),
      ...(expire_at === undefined ? {} : { expire_at: server.seconds(expire_at) }),
    };
    const made = hs256({ sub: "1", ...rest, ...times }, secret);
    client.send({ id: 9, refresh: { token: token ?? made } });
    expect(await client.closed()).toEqual(CLOSES[code]);
  });

  test("refresh with the same channels, named in the other claim, is answered", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectFor(server, 60, { channels: ["open:a"] });
    await subscribed(client, "open:b");
    const token = hs256({ sub: "1", subs: { "open:a": {} } });
    expect(await client.ask({ refresh: { token } })).toEqual({
      refresh: { client: client.id, version },
    });
  });
});

interface RefreshClaims {
  readonly token?: string;
  readonly secret?: string;
  readonly exp?: number;
  readonly expire_at?: number;
  readonly sub?: string;
  readonly channels?: readonly string[];
  readonly subs?: object;
}

describe("§4.7: expiry of a subscription", () => {
  const tokenFor = (server: StreamingServer, seconds: number, claims: object = {}) =>
    hs256({ sub: "1", channel: "closed:a", exp: server.seconds(seconds), ...claims });

  test("is pushed as unsubscribe 2501 when expired_sub_close_delay has passed", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { sub: "1" });
    expect(await subscribed(client, "closed:a", { token: tokenFor(server, 60) })).toEqual({
      expires: true,
      ttl: 60,
    });
    await server.advance(84_999);
    expect(await client.arrived()).toEqual([]);
    await server.advance(1);
    const unsubscribe = { code: 2501, reason: "subscription expired" };
    expect(await client.arrived()).toEqual([{ push: { channel: "closed:a", unsubscribe } }]);
    await apiResult(server, "publish", { channel: "closed:a", data: {} });
    expect(await client.arrived()).toEqual([]);
  });

  test("comes no later when the clock is set back", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { sub: "1" });
    await subscribed(client, "closed:a", { token: tokenFor(server, 60) });
    server.runtime.setClock(-2 * 3_600_000);
    // A refresh counts from the clock as it is then.
    const token = tokenFor(server, 90);
    await client.ask({ sub_refresh: { channel: "closed:a", token } });
    server.runtime.setClock(-2 * 3_600_000);
    await server.advance(114_999);
    expect(await client.arrived()).toEqual([]);
    await server.advance(1);
    expect(await client.arrived()).toMatchObject([{ push: { unsubscribe: { code: 2501 } } }]);
  });

  test("sub_refresh answers with the new ttl, and moves the end", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { sub: "1" });
    await subscribed(client, "closed:a", { token: tokenFor(server, 60) });
    await server.advance(70_000);
    const refresh = (token: string) => client.ask({ sub_refresh: { channel: "closed:a", token } });
    expect(await refresh(tokenFor(server, 60))).toEqual({
      sub_refresh: { expires: true, ttl: 60 },
    });
    await server.advance(84_000);
    expect(await client.arrived()).toEqual([]);
    expect(await refresh(tokenFor(server, 60, { expire_at: 0 }))).toEqual({ sub_refresh: {} });
    await server.advance(1_000_000);
    expect(await client.arrived()).toEqual([]);
  });

  test.each([
    ["no token", "", {}, 107],
    ["an expired token", undefined, { exp: -1 }, 109],
    ["an expire_at that has passed", undefined, { expire_at: 0 }, 110],
  ] as const)("sub_refresh with %s is an error", async (_name, token, times, code) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { sub: "1" });
    await subscribed(client, "closed:a", { token: tokenFor(server, 60) });
    const claims = Object.fromEntries(
      Object.entries(times).map(([name, after]) => [name, server.seconds(after)]),
    );
    const sub_refresh = { channel: "closed:a", token: token ?? tokenFor(server, 60, claims) };
    expect(await client.ask({ sub_refresh })).toEqual({ error: ERRORS[code] });
  });

  test("sub_refresh without a subscription is error 103", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { sub: "1" });
    for (const token of [tokenFor(server, 60), ""]) {
      const sub_refresh = { channel: "closed:a", token };
      expect(await client.ask({ sub_refresh })).toEqual({ error: ERRORS[103] });
    }
  });

  test.each([
    ["an invalid token", () => "token"],
    ["another channel", (server: StreamingServer) => tokenFor(server, 60, { channel: "closed:b" })],
    ["another user", (server: StreamingServer) => tokenFor(server, 60, { sub: "2" })],
    ["a connection token", () => hs256({ sub: "1" })],
  ] as const)("sub_refresh with %s closes with 3500", async (_name, make) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { sub: "1" });
    await subscribed(client, "closed:a", { token: tokenFor(server, 60) });
    client.send({ id: 9, sub_refresh: { channel: "closed:a", token: make(server) } });
    expect(await client.closed()).toEqual(CLOSES[3500]);
  });
});
