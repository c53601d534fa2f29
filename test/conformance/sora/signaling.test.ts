/** Signaling over the WebSocket: handshake, refusals, timers, ends and redirect (sora-push.md §2, items 24 to 33). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connectRaw } from "../../support/raw-websocket.ts";
import { ANSWER, OFFER } from "../../support/scripted-peers.ts";
import {
  bootSora,
  closeOf,
  CONNECT,
  connectSora,
  nextJson,
  openSora,
  push,
  TARGETS,
  type SoraServer,
} from "../../support/sora.ts";

const ID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const INVALID = [4490, "INVALID-MESSAGE"] as const;
const TIMEOUT = [4490, "TIMEOUT"] as const;

describe("connect", () => {
  test("is answered with an offer; ids that are not given are the connection's", async () => {
    await using server = await bootSora();
    using client = await openSora(server, {
      sdp: "v=0",
      audio: true,
      video: false,
      metadata: null,
    });
    expect(client.id).toMatch(ID);
    expect(client.offer).toEqual({
      ...{ type: "offer", sdp: OFFER, version: "2025.2.0", metadata: {} },
      ...{ connection_id: client.id, client_id: client.id, bundle_id: client.id },
      ...{ session_id: expect.stringMatching(ID), channel_id: "sora" },
      config: { iceServers: [], iceTransportPolicy: "all" },
      ...{ simulcast: false, simulcast_multicodec: false, spotlight: false },
      ...{ audio: false, video: false, rpc_methods: [], data_channels: [] },
      ...{ data_channel_signaling: false, ignore_disconnect_websocket: false },
    });
    expect(client.peer.labels).toEqual([]);
  });

  test("takes a client_id twice, and the session is the channel's", async () => {
    await using server = await bootSora();
    using one = await connectSora(server, { client_id: "u1", bundle_id: "b" });
    using other = await connectSora(server, { client_id: "u1" });
    using elsewhere = await openSora(server, { channel_id: "other" });
    expect([one.offer, other.offer].map(({ client_id }) => client_id)).toEqual(["u1", "u1"]);
    expect(one.offer["bundle_id"]).toBe("b");
    expect(one.offer["session_id"]).toBe(other.offer["session_id"] as string);
    expect(one.offer["session_id"]).not.toBe(elsewhere.offer["session_id"] as string);
  });

  test("takes each role, also without media", async () => {
    await using server = await bootSora();
    for (const role of ["recvonly", "sendonly", "sendrecv"]) {
      const about = { role, channel_id: role };
      using client = await connectSora(server, { ...about, audio: false, video: false });
      const listed = await server.call("Sora_20201013.ListChannelConnections", about);
      expect(listed.json).toMatchObject([{ role, connection_id: client.id } as never]);
    }
  });

  const REFUSED: readonly (readonly [string, unknown])[] = [
    ["no JSON", "abc"],
    ["a list", []],
    ["no type", { role: "recvonly", channel_id: "sora" }],
    ["another first type", { type: "pong" }],
    ["an unknown type", { type: "hello" }],
    ["an unknown role", { ...CONNECT, role: "viewer" }],
    ["no role", { type: "connect", channel_id: "sora" }],
    ["no channel", { type: "connect", role: "recvonly" }],
    ["a number for a channel", { ...CONNECT, channel_id: 1 }],
    ["an empty channel", { ...CONNECT, channel_id: "" }],
    ["a channel of 256 bytes", { ...CONNECT, channel_id: "é".repeat(128) }],
    ["half a surrogate pair", '{"type":"connect","role":"recvonly","channel_id":"\\ud800"}'],
    ["a client of 256 bytes", { ...CONNECT, client_id: "x".repeat(256) }],
    ["a channel that Sora may not join", { ...CONNECT, channel_id: "shipments:x" }],
    ["too much metadata", { ...CONNECT, signaling_notify_metadata: "x".repeat(4095) }],
  ];
  let shared: SoraServer;
  beforeAll(async () => {
    shared = await bootSora();
  });
  afterAll(() => shared[Symbol.asyncDispose]());

  test.each(REFUSED)("is refused: %s", async (_name, message) => {
    const server = shared;
    const logged = server.logged.length;
    const socket = await connectRaw(server.signalingUrl);
    socket.send(typeof message === "string" ? message : JSON.stringify(message));
    expect(await closeOf(socket)).toEqual(INVALID);
    expect(server.peers.all).toEqual([]);
    const lines = server.logged.slice(logged);
    expect(lines.filter(({ msg }) => msg === "Frame refused")).toHaveLength(1);
  });

  test("takes what is just within its bounds", async () => {
    await using server = await bootSora();
    using client = await openSora(server, {
      ...{ channel_id: "é".repeat(127), client_id: "x".repeat(255) },
      signaling_notify_metadata: "x".repeat(4094),
    });
    expect(client.offer["client_id"]).toBe("x".repeat(255));
  });

  test("by a binary frame is refused, and a second one as well", async () => {
    await using server = await bootSora();
    const socket = await connectRaw(server.signalingUrl);
    socket.send(Buffer.from(JSON.stringify(CONNECT)));
    expect(await closeOf(socket)).toEqual(INVALID);
    using client = await openSora(server);
    client.send(CONNECT);
    expect(await client.closed()).toEqual(INVALID);
    expect(server.peers.open).toBe(0);
  });

  test("a message at the limit is read, one byte more closes with 1009", async () => {
    await using server = await bootSora({ sora: { message_size_limit: 1024 } });
    const message = (bytes: number) => {
      const empty = JSON.stringify({ ...CONNECT, sdp: "" }).length;
      return JSON.stringify({ ...CONNECT, sdp: "x".repeat(bytes - empty) });
    };
    const socket = await connectRaw(server.signalingUrl);
    socket.send(message(1024));
    expect((await nextJson(socket))["type"]).toBe("offer");
    const other = await connectRaw(server.signalingUrl);
    other.send(message(1025));
    expect((await closeOf(other))[0]).toBe(1009);
  });

  test("beyond the connection limit the upgrade is answered 503", async () => {
    await using server = await bootSora({ sora: { connection_limit: 1 } });
    using client = await openSora(server);
    expect(client.id).toMatch(ID);
    expect(connectRaw(server.signalingUrl)).rejects.toThrow("503");
  });

  test("without a peer to be had ends", async () => {
    await using server = await bootSora();
    server.peers.full = true;
    const socket = await connectRaw(server.signalingUrl);
    socket.send(JSON.stringify(CONNECT));
    expect(await closeOf(socket)).toEqual([4490, "CONNECTION-LIMIT"]);
  });

  test("from a page that the app does not list is refused, from any when it lists none", async () => {
    const headers = { origin: "https://evil.example" };
    await using listed = await bootSora({
      config: { apps: [{ id: "dev", allowed_origins: ["https://shop.example"] }] },
    });
    expect(connectRaw(listed.signalingUrl, { headers })).rejects.toThrow("403");
    await using any = await bootSora({ config: { apps: [{ id: "dev" }] } });
    (await connectRaw(any.signalingUrl, { headers })).destroy();
  });
});

describe("an answer", () => {
  test("that is none ends the connection, as a second one does", async () => {
    await using server = await bootSora();
    server.peers.connects = false;
    for (const messages of [
      [{ type: "answer", sdp: "garbage" }],
      [{ type: "answer" }],
      [{ type: "answer", sdp: 1 }],
      [
        { type: "answer", sdp: ANSWER },
        { type: "answer", sdp: ANSWER },
      ],
      [{ type: "re-answer", sdp: ANSWER }],
      [{ type: "candidate", candidate: 1 }],
      [{ type: "candidate", candidate: "nonsense" }],
    ]) {
      using client = await openSora(server);
      for (const message of messages) client.send(message);
      expect([messages, await client.closed()]).toEqual([messages, INVALID] as never);
    }
    expect(server.peers.open).toBe(0);
  });

  test("candidates go to the peer", async () => {
    await using server = await bootSora();
    using client = await openSora(server);
    const candidate = { candidate: "candidate:1 1 udp 1 127.0.0.1 9 typ host", sdpMid: "0" };
    client.send({ type: "candidate", ...candidate, sdpMLineIndex: 0, usernameFragment: "x" });
    client.send({ type: "candidate", candidate: "" });
    client.send({ type: "answer", sdp: ANSWER });
    await client.until("notify");
    expect(client.peer.candidates).toEqual([{ ...candidate, sdpMLineIndex: 0 }, { candidate: "" }]);
  });

  test("a connection in its handshake receives nothing, and is not listed", async () => {
    await using server = await bootSora();
    using waiting = await openSora(server, { client_id: "u1" });
    await server.call(TARGETS.channel, { channel_id: "sora", data: { early: 1 } });
    await server.call(TARGETS.client, { channel_id: "sora", client_id: "u1", data: { early: 2 } });
    const listed = await server.call("Sora_20201013.ListConnections");
    expect([listed.status, listed.text]).toEqual([200, "[]"]);
    waiting.send({ type: "answer", sdp: ANSWER });
    expect(await waiting.next()).toMatchObject({ event_type: "connection.created" });
    await server.call(TARGETS.channel, { channel_id: "sora", data: { late: 1 } });
    expect(await waiting.next()).toEqual(push({ late: 1 }));
  });
});

describe("time", () => {
  test("without connect, answer or WebRTC in time", async () => {
    await using server = await bootSora();
    server.peers.connects = false;
    const silent = await connectRaw(server.signalingUrl);
    using offered = await openSora(server);
    using answered = await openSora(server);
    answered.send({ type: "answer", sdp: ANSWER });
    answered.send({ type: "candidate", candidate: "" });
    while (answered.peer.candidates.length === 0) await server.advance(0);
    await server.advance(9_900);
    expect(silent.unread).toBe(0);
    await server.advance(200);
    expect(await closeOf(silent)).toEqual(TIMEOUT);
    await server.advance(20_000);
    expect(await offered.closed()).toEqual(TIMEOUT);
    await server.advance(30_000);
    expect(await answered.closed()).toEqual(TIMEOUT);
    expect(server.peers.open).toBe(0);
  });

  test("pings come at the interval and are to be answered", async () => {
    await using server = await bootSora({ sora: { ping_stats: true } });
    using client = await connectSora(server);
    for (let index = 0; index < 14; index += 1) {
      await server.advance(5_000);
      expect(await client.until("ping")).toEqual({ type: "ping", stats: true });
      if (index === 1) client.send({ type: "pong", stats: [{ id: "a", type: "transport" }] });
      else if (index === 2) break;
    }
    // The pong was read before the next ping was sent; 60 s of silence behind it are too much.
    await server.advance(54_000);
    await server.advance(2_000);
    expect(await client.closed()).toEqual(TIMEOUT);
  });

  test("a lifetime ends it", async () => {
    await using server = await bootSora({ sora: { connection_lifetime: "3s" } });
    using client = await connectSora(server);
    await server.advance(3_100);
    expect(await client.closed()).toEqual([1000, "LIFETIME-EXPIRED"]);
  });

  test("every minute it is told of, and of no one but the others", async () => {
    await using server = await bootSora();
    using one = await connectSora(server);
    using other = await connectSora(server);
    await one.until("notify");
    for (let second = 0; second < 60; second += 20) {
      await server.advance(20_000);
      for (const client of [one, other]) client.send({ type: "pong" });
      await server.call("Sora_20201013.ListConnections");
    }
    await server.advance(200);
    expect(await one.until("notify")).toMatchObject({
      ...{ event_type: "connection.updated", connection_id: other.id, minutes: 1 },
      channel_connections: 2,
    });
    expect(await other.until("notify")).toMatchObject({ connection_id: one.id });
  });
});

describe("an end", () => {
  test("by the client, over the WebSocket", async () => {
    await using server = await bootSora();
    using stays = await connectSora(server);
    using client = await connectSora(server, { role: "sendonly" });
    await stays.until("notify");
    client.send({ type: "disconnect", reason: "NO-ERROR" });
    expect(await client.closed()).toEqual([1000, "TYPE-DISCONNECT"]);
    expect(await stays.until("notify")).toMatchObject({
      ...{ event_type: "connection.destroyed", connection_id: client.id, role: "sendonly" },
      ...{ channel_connections: 1, channel_sendonly_connections: 0 },
    });
    expect(client.peer.over).toBe(true);
  });

  test.each([
    ["its network", (client: { socket: { destroy(): void } }) => client.socket.destroy()],
    [
      "its peer's failure",
      (client: { peer: { end(how: "failed"): void } }) => client.peer.end("failed"),
    ],
  ])("by %s frees its peer and tells the others once", async (_name, lose) => {
    await using server = await bootSora();
    using stays = await connectSora(server);
    using client = await connectSora(server);
    await stays.until("notify");
    lose(client);
    expect(await stays.next()).toMatchObject({ event_type: "connection.destroyed" });
    expect(server.peers.open).toBe(1);
    await server.call(TARGETS.channel, { channel_id: "sora", data: {} });
    expect(await stays.next()).toEqual(push({}));
  });

  test("of its peer says why", async () => {
    await using server = await bootSora();
    for (const [end, close] of [
      ["failed", [4490, "INTERNAL-ERROR"]],
      ["bug", [4490, "INTERNAL-ERROR"]],
      ["timeout", TIMEOUT],
      ["left", [1000, "TYPE-DISCONNECT"]],
    ] as const) {
      using client = await connectSora(server);
      client.peer.end(end);
      expect([end, await client.closed()]).toEqual([end, close] as never);
    }
  });

  test("of the server says so", async () => {
    const server = await bootSora();
    using client = await connectSora(server);
    using waiting = await openSora(server);
    await server[Symbol.asyncDispose]();
    for (const each of [client, waiting]) expect(await each.closed()).toEqual([1001, "SHUTDOWN"]);
  });

  test("for a client that floods", async () => {
    await using server = await bootSora({ sora: { commands_per_second_max: 5 } });
    using client = await connectSora(server);
    for (let index = 0; index < 6; index += 1) client.send({ type: "pong" });
    expect(await client.closed()).toEqual([4490, "TOO-MANY-MESSAGES"]);
  });
});

describe("a redirect", () => {
  test("is told to the first connect, and not to the one that comes from it", async () => {
    const redirect_url = "wss://other.example/signaling";
    await using server = await bootSora({ sora: { redirect_url } });
    const socket = await connectRaw(server.signalingUrl);
    socket.send(JSON.stringify(CONNECT));
    expect(await nextJson(socket)).toEqual({ type: "redirect", location: redirect_url });
    socket.destroy();
    using client = await openSora(server, { redirect: true });
    expect(client.offer["type"]).toBe("offer");
    const lingering = await connectRaw(server.signalingUrl);
    lingering.send(JSON.stringify(CONNECT));
    await nextJson(lingering);
    await server.advance(10_100);
    expect(await closeOf(lingering)).toEqual(TIMEOUT);
  });
});
