/** Signaling over DataChannels: labels, compression, the move, what each label carries, and every end (sora-push.md §3, items 34 to 43). */
import { deflateSync, inflateSync } from "node:zlib";
import { describe, expect, test } from "bun:test";
import { ANSWER } from "../../support/scripted-peers.ts";
import {
  bootSora,
  connectSora,
  inflatedJson,
  openSora,
  push,
  TARGETS,
  type Json,
  type SoraClient,
  type SoraServer,
} from "../../support/sora.ts";

const HYBRID = { data_channel_signaling: true };
const ALONE = { ...HYBRID, ignore_disconnect_websocket: true };
const SYSTEM = ["signaling", "notify", "push", "stats"];

const pushAll = (server: SoraServer, data: unknown) =>
  server.call(TARGETS.channel, { channel_id: "sora", data });

/** Its WebSocket is gone, and the server has seen it. */
async function alone(server: SoraServer, connect: Json = {}): Promise<SoraClient> {
  const others = server.sockets();
  const client = await connectSora(server, { ...ALONE, ...connect });
  client.socket.close(1000);
  await client.socket.rest();
  while (server.sockets() > others) await server.advance(0);
  return client;
}

/** All that a label has sent, once the server is done. */
async function allOn(server: SoraServer, client: SoraClient, label: string) {
  await server.advance(0);
  return client.peer.channel(label).unread.map(inflatedJson);
}

describe("the offer", () => {
  test("lists the labels with direction and compression, messaging's with what was asked", async () => {
    await using server = await bootSora();
    using client = await openSora(server, {
      ...ALONE,
      data_channels: [
        { label: "#a", direction: "sendrecv" },
        {
          ...{ label: "#b", direction: "recvonly", ordered: false, compress: true },
          ...{ max_retransmits: 3, protocol: "p", header: [{ type: "sender_connection_id" }] },
        },
        { label: "#c", direction: "sendonly", max_packet_life_time: 100 },
      ],
    });
    expect(client.offer).toMatchObject({
      ...{ data_channel_signaling: true, ignore_disconnect_websocket: true },
      data_channels: [
        { label: "signaling", direction: "sendrecv", compress: true },
        { label: "notify", direction: "recvonly", compress: true },
        { label: "push", direction: "recvonly", compress: true },
        { label: "stats", direction: "sendrecv", compress: true },
        { label: "#a", direction: "sendrecv", compress: false },
        {
          ...{ label: "#b", direction: "recvonly", compress: true },
          header: [{ type: "sender_connection_id" }],
        },
        { label: "#c", direction: "sendonly", compress: false },
      ],
    });
    expect(client.peer.labels).toEqual([...SYSTEM, "#a", "#b", "#c"]);
    expect(client.peer.optionsOf("#b")).toMatchObject({
      ...{ ordered: false, maxRetransmits: 3, protocol: "p" },
    });
    expect(client.peer.optionsOf("#c")).toMatchObject({ ordered: true, maxPacketLifeTimeMs: 100 });
  });

  test("is refused for labels that are none", async () => {
    await using server = await bootSora({ sora: { data_channel_limit: 2 } });
    const label = { label: "#a", direction: "sendrecv" };
    for (const data_channels of [
      [{ ...label, label: "a" }],
      [{ ...label, label: "#" }],
      [{ ...label, label: `#${"x".repeat(255)}` }],
      [{ ...label, direction: "both" }],
      [{ label: "#a" }],
      [label, label],
      [{ ...label, max_retransmits: 1, max_packet_life_time: 1 }],
      [{ ...label, max_retransmits: 65_536 }],
      ["#a", "#b", "#c"].map((each) => ({ ...label, label: each })),
    ]) {
      const refused = openSora(server, { ...HYBRID, data_channels });
      expect(refused).rejects.toThrow("INVALID-MESSAGE");
      await refused.catch(() => {});
    }
    const two = ["#a", "#b"].map((each) => ({ ...label, label: each }));
    using client = await openSora(server, { ...HYBRID, data_channels: two });
    expect(client.peer.labels).toHaveLength(6);
  });

  test("has none for a client that does not want them, unless the settings say", async () => {
    await using server = await bootSora({ sora: { data_channel_signaling: true } });
    using client = await openSora(server);
    expect(client.offer["data_channel_signaling"]).toBe(true);
    using other = await openSora(server, { data_channel_signaling: false });
    expect([other.offer["data_channel_signaling"], other.peer.labels]).toEqual([false, []]);
  });
});

describe("the move", () => {
  test("comes once all labels are open, and from then on nothing goes out on the WebSocket", async () => {
    await using server = await bootSora();
    server.peers.connects = false;
    using client = await openSora(server, HYBRID);
    client.send({ type: "answer", sdp: ANSWER });
    while (client.peer.answers === 0) await server.advance(0);
    client.peer.connect();
    expect(await client.next()).toMatchObject({ event_type: "connection.created", data: [] });
    await pushAll(server, { n: 1 });
    expect(await client.next()).toEqual(push({ n: 1 }));
    client.peer.openChannels();
    expect(await client.next()).toEqual({ type: "switched", ignore_disconnect_websocket: false });
    await pushAll(server, { n: 2 });
    await server.call(TARGETS.client, { channel_id: "sora", client_id: client.id, data: { n: 3 } });
    const frame = await client.peer.channel("push").next();
    expect(frame).toBeInstanceOf(Uint8Array);
    expect(
      typeof frame === "string" ? undefined : [frame[0], inflateSync(frame).toString()],
    ).toEqual([0x78, '{"data":{"n":2},"type":"push"}']);
    expect(await client.on("push")).toEqual(push({ n: 3 }));
    server.peers.connects = true;
    using other = await connectSora(server);
    expect(await client.on("notify")).toMatchObject({ connection_id: other.id });
    // Pings go on there.
    await server.advance(5_100);
    expect(await client.next()).toEqual({ type: "ping", stats: false });
  });

  test("of labels that are open before WebRTC is announced waits for that", async () => {
    await using server = await bootSora();
    using client = await openSora(server, HYBRID);
    client.send({ type: "answer", sdp: ANSWER });
    expect(await client.next()).toMatchObject({ event_type: "connection.created" });
    expect(await client.next()).toMatchObject({ type: "switched" });
  });

  test("loses and repeats nothing of a stream of pushes", async () => {
    await using server = await bootSora();
    server.peers.connects = false;
    using client = await openSora(server, ALONE);
    client.send({ type: "answer", sdp: ANSWER });
    while (client.peer.answers === 0) await server.advance(0);
    client.peer.connect();
    await client.next();
    const calls: Promise<unknown>[] = [];
    for (let n = 0; n < 300; n += 1) {
      calls.push(pushAll(server, { n }));
      if (n !== 150) continue;
      await calls[100];
      client.peer.openChannels();
    }
    await Promise.all(calls);
    const before: unknown[] = [];
    for (let message = await client.next(); message["type"] === "push";) {
      before.push((message["data"] as Json)["n"]);
      message = await client.next();
    }
    const behind = (await allOn(server, client, "push")).map(({ data }) => (data as Json)["n"]);
    expect([before.length > 0, behind.length > 0]).toEqual([true, true]);
    // Calls that are under way at the same time have no order among themselves.
    const seen = [...before, ...behind].map(Number);
    expect(seen.toSorted((one, other) => one - other)).toEqual(calls.map((_, n) => n));
  });

  test("without compression the messages are text", async () => {
    await using server = await bootSora({ sora: { compress: false } });
    using client = await connectSora(server, HYBRID);
    await pushAll(server, { n: 1 });
    expect(await client.peer.channel("push").next()).toBe('{"data":{"n":1},"type":"push"}');
    client.peer.channel("signaling").send('{"type":"disconnect"}');
    expect(await client.closed()).toEqual([1000, "TYPE-DISCONNECT"]);
  });

  test("a push larger than the client takes goes by the WebSocket, and nowhere without one", async () => {
    await using server = await bootSora({ sora: { compress: false } });
    using hybrid = await connectSora(server, HYBRID);
    hybrid.peer.messageBytesMax = 1000;
    const data = { large: "x".repeat(1000) };
    await pushAll(server, data);
    expect(await hybrid.until("push")).toEqual(push(data));
    const compressed = await bootSora();
    await using _ = compressed;
    using zlib = await connectSora(compressed, HYBRID);
    zlib.peer.messageBytesMax = 10;
    await pushAll(compressed, data);
    expect(await zlib.until("push")).toEqual(push(data));
    using single = await alone(compressed);
    single.peer.messageBytesMax = 10;
    await pushAll(compressed, data);
    expect(compressed.logged).toContainEqual(expect.objectContaining({ msg: "Push left out" }));
  });

  test("a burst of 500 arrives whole and in order", async () => {
    await using server = await bootSora();
    using client = await connectSora(server, ALONE);
    for (let n = 0; n < 500; n += 1) await pushAll(server, { n });
    const messages = await allOn(server, client, "push");
    expect(messages).toEqual(Array.from({ length: 500 }, (_, n) => push({ n })));
  });
});

describe("a connection without its WebSocket", () => {
  test("lives on, is listed and receives; pings are neither sent nor missed", async () => {
    await using server = await bootSora();
    using client = await alone(server);
    await server.advance(200_000);
    await pushAll(server, { n: 1 });
    expect(await client.on("push")).toEqual(push({ n: 1 }));
    const listed = await server.call("Sora_20201013.ListConnections");
    expect(listed.json).toMatchObject([{ connection_id: client.id } as never]);
  });

  test("ends with it before the move, and in the hybrid", async () => {
    await using server = await bootSora();
    using stays = await connectSora(server);
    server.peers.connects = false;
    using early = await openSora(server, ALONE);
    early.send({ type: "answer", sdp: ANSWER });
    while (early.peer.answers === 0) await server.advance(0);
    early.peer.connect();
    await early.next();
    expect(await stays.next()).toMatchObject({ event_type: "connection.created" });
    early.socket.destroy();
    expect(await stays.next()).toMatchObject({ event_type: "connection.destroyed" });
    server.peers.connects = true;
    using hybrid = await connectSora(server, HYBRID);
    expect(await stays.next()).toMatchObject({ event_type: "connection.created" });
    hybrid.socket.destroy();
    hybrid.sendOn("signaling", { type: "disconnect", reason: "WEBSOCKET-ONCLOSE" });
    expect(await stays.next()).toMatchObject({ event_type: "connection.destroyed" });
    await pushAll(server, {});
    expect(await stays.next()).toEqual(push({}));
    expect(server.peers.open).toBe(1);
  });

  test("ends by the client without a close message, by the server with one", async () => {
    await using server = await bootSora();
    using leaver = await alone(server);
    leaver.sendOn("signaling", { type: "disconnect", reason: "NO-ERROR" });
    while (!leaver.peer.over) await server.advance(0);
    expect(await allOn(server, leaver, "signaling")).toEqual([]);
    expect(SYSTEM.map((label) => leaver.peer.channel(label).closed)).toEqual(
      SYSTEM.map(() => true),
    );

    using ended = await alone(server);
    const keys = { channel_id: "sora", connection_id: ended.id };
    await server.call("Sora_20151104.DisconnectConnection", keys);
    expect(await allOn(server, ended, "signaling")).toEqual([
      { type: "close", code: 1000, reason: "DISCONNECTED-API" },
    ]);
    expect(ended.peer.over).toBe(true);
  });

  test("is told of the server's stop", async () => {
    const server = await bootSora();
    using client = await alone(server);
    await server[Symbol.asyncDispose]();
    expect(client.peer.channel("signaling").unread.map(inflatedJson)).toEqual([
      { type: "close", code: 1001, reason: "SHUTDOWN" },
    ]);
  });

  test("in the hybrid an end by the server goes by the WebSocket alone", async () => {
    await using server = await bootSora();
    using client = await connectSora(server, HYBRID);
    await server.call("Sora_20151104.DisconnectChannel", { channel_id: "sora" });
    expect(await client.closed()).toEqual([1000, "DISCONNECTED-API"]);
    expect(await allOn(server, client, "signaling")).toEqual([]);
    // A label that closed before would be taken for the reason.
    expect(client.peer.over).toBe(false);
    await server.advance(1_000);
    expect(client.peer.over).toBe(true);
  });

  test("without need of its WebSocket is told by the label, also before that is closed", async () => {
    await using server = await bootSora();
    using client = await connectSora(server, ALONE);
    await server.call("Sora_20151104.DisconnectChannel", { channel_id: "sora" });
    while (!client.peer.over) await server.advance(0);
    const [close] = (await allOn(server, client, "signaling")).slice(-1);
    expect(close).toEqual({ type: "close", code: 1000, reason: "DISCONNECTED-API" });
  });

  test("ends when the client closes one of its labels, or its peer fails", async () => {
    await using server = await bootSora();
    using one = await alone(server);
    one.peer.channel("stats").end(1000);
    while (!one.peer.over) await server.advance(0);
    using other = await alone(server);
    other.peer.end("failed");
    const listed = await server.call("Sora_20201013.ListConnections");
    expect(listed.text).toBe("[]");
  });

  test("that reads too slowly is ended", async () => {
    await using server = await bootSora({ sora: { compress: false, queue_max_size: 10_000 } });
    using client = await alone(server);
    client.peer.channel("push").takes = false;
    for (let count = 0; count < 3; count += 1) await pushAll(server, { x: "x".repeat(4_000) });
    while (!client.peer.over) await server.advance(0);
    expect(client.peer.channel("signaling").unread.map(String)).toEqual([
      '{"type":"close","code":4490,"reason":"TOO-SLOW"}',
    ]);
  });
});

describe("labels", () => {
  test("statistics are asked for and taken", async () => {
    await using server = await bootSora({ sora: { stats_interval: "10s" } });
    using client = await alone(server);
    await server.advance(10_100);
    expect(await client.on("stats")).toEqual({ type: "req-stats" });
    client.sendOn("stats", { type: "stats", reports: [{ id: "a" }] });
    await server.advance(10_100);
    expect(await client.on("stats")).toEqual({ type: "req-stats" });
  });

  test.each([
    ["signaling", "junk"],
    ["signaling", '{"type":"unknown"}'],
    ["signaling", '{"type":"answer","sdp":"x"}'],
    ["signaling", "[]"],
    ["stats", '{"type":"pong"}'],
    ["push", '{"type":"push"}'],
    ["notify", '{"type":"notify"}'],
  ])("what has no place on %s ends the connection: %s", async (label, text) => {
    await using server = await bootSora();
    using client = await alone(server);
    client.sendOn(label, text);
    while (!client.peer.over) await server.advance(0);
    expect(await allOn(server, client, "signaling")).toEqual([
      { type: "close", code: 4490, reason: "INTERNAL-ERROR" },
    ]);
  });

  test("no zlib stream, a text and a bomb end it as well; the process lives", async () => {
    await using server = await bootSora({ sora: { message_size_limit: 65_536 } });
    const bomb = deflateSync(Buffer.alloc(50_000_000, " "));
    expect(bomb.length).toBeLessThan(65_536);
    const cut = deflateSync('{"type":"disconnect"}').subarray(0, 8);
    for (const frame of [Buffer.from([1, 2, 3]), '{"type":"disconnect"}', bomb, cut]) {
      using client = await alone(server);
      client.peer.channel("signaling").send(frame);
      while (!client.peer.over) await server.advance(0);
      expect(await allOn(server, client, "signaling")).toMatchObject([{ code: 4490 }]);
    }
    expect(server.peers.bugs).toEqual([]);
    // Just within the bound it is read.
    using client = await alone(server);
    client.sendOn("signaling", `{"type":"disconnect"${" ".repeat(65_500)}}`);
    while (!client.peer.over) await server.advance(0);
    expect(await allOn(server, client, "signaling")).toEqual([]);
  });

  test("candidates and a re-answer come by signaling too", async () => {
    await using server = await bootSora({ sora: { re_offer: true } });
    using client = await alone(server);
    const candidate = "candidate:1 1 udp 1 127.0.0.1 9 typ host";
    client.sendOn("signaling", { type: "candidate", candidate });
    using other = await connectSora(server);
    expect(await client.on("signaling")).toEqual({
      ...{ type: "re-offer", sdp: expect.stringContaining("again") },
    } as never);
    expect(client.peer.candidates).toEqual([{ candidate }]);
    // Somebody goes meanwhile: one more offer, once this one is answered.
    other.send({ type: "disconnect" });
    await other.closed();
    expect(await allOn(server, client, "signaling")).toEqual([]);
    client.sendOn("signaling", { type: "re-answer", sdp: ANSWER });
    expect(await client.on("signaling")).toMatchObject({ type: "re-offer" });
    client.sendOn("signaling", { type: "re-answer", sdp: "garbage" });
    expect(await client.on("signaling")).toMatchObject({ type: "close", code: 4490 });
  });

  test("a re-offer on the WebSocket that is not answered in time", async () => {
    await using server = await bootSora({ sora: { re_offer: true, pong_timeout: "1h" } });
    using client = await connectSora(server);
    using other = await connectSora(server);
    expect(await client.until("re-offer")).toMatchObject({ sdp: expect.any(String) });
    client.send({ type: "re-answer", sdp: ANSWER });
    await server.advance(31_000);
    other.send({ type: "disconnect" });
    await client.until("re-offer");
    await server.advance(30_100);
    expect(await client.closed()).toEqual([4490, "TIMEOUT"]);
  });
});

describe("messaging", () => {
  const label = (direction: string, more: Json = {}) => ({ label: "#spam", direction, ...more });
  const open = (server: SoraServer, direction: string, more: Json = {}, connect: Json = {}) =>
    connectSora(server, {
      ...{ ...HYBRID, role: "sendonly", audio: false, video: false, ...connect },
      data_channels: [label(direction, more)],
    });

  test("goes to the others that receive, as bytes, each as it compresses", async () => {
    await using server = await bootSora();
    using sender = await open(server, "sendrecv", {}, { bundle_id: "b" });
    using plain = await open(server, "recvonly");
    const header = [{ type: "sender_connection_id" }];
    using headed = await open(server, "sendrecv", { compress: true, header });
    using deaf = await open(server, "sendonly");
    using twin = await open(server, "recvonly", {}, { bundle_id: "b" });
    using none = await connectSora(server, HYBRID);
    const bytes = new Uint8Array([0, 255, 1, 2]);
    sender.peer.channel("#spam").send(bytes);
    expect(await plain.peer.channel("#spam").next()).toEqual(bytes);
    const frame = await headed.peer.channel("#spam").next();
    expect(inflateSync(frame)).toEqual(Buffer.concat([Buffer.from(sender.id), bytes]));
    headed.peer.channel("#spam").send(deflateSync("text"));
    expect(Buffer.from(await plain.peer.channel("#spam").next()).toString()).toBe("text");
    expect(Buffer.from(await sender.peer.channel("#spam").next()).toString()).toBe("text");
    expect(deaf.peer.channel("#spam").unread).toEqual([]);
    expect(twin.peer.channel("#spam").unread).toEqual([new Uint8Array(Buffer.from("text"))]);
    expect([...none.peer.channels.keys()]).toEqual(SYSTEM);
  });

  test("from who only receives is dropped; what is no zlib stream ends the connection", async () => {
    await using server = await bootSora();
    using sender = await open(server, "sendrecv", { compress: true });
    using receiver = await open(server, "recvonly");
    receiver.peer.channel("#spam").send("x");
    await server.advance(0);
    expect(sender.peer.channel("#spam").unread).toEqual([]);
    sender.peer.channel("#spam").send(new Uint8Array([1, 2, 3]));
    expect(await sender.closed()).toEqual([4490, "INTERNAL-ERROR"]);
  });

  test("keeps its order", async () => {
    await using server = await bootSora();
    using sender = await open(server, "sendonly");
    using receiver = await open(server, "recvonly");
    for (let n = 0; n < 100; n += 1) sender.peer.channel("#spam").send(`${n}`);
    for (let n = 0; n < 100; n += 1) {
      expect(Buffer.from(await receiver.peer.channel("#spam").next()).toString()).toBe(`${n}`);
    }
  });
});
