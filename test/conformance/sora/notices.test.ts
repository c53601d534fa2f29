/** Who is told of whom (sora-push.md §2.8, item 26): the copies of a notice, its counters, bundles, and what survives races. */
import { describe, expect, test } from "bun:test";
import { connectRaw } from "../../support/raw-websocket.ts";
import { ANSWER } from "../../support/scripted-peers.ts";
import { bootSora, connectSora, openSora, type Json } from "../../support/sora.ts";

describe("connection.created", () => {
  test("lists the earlier ones in the new one's copy, and counts them by role", async () => {
    await using server = await bootSora();
    const metadata = { name: "A" };
    using a = await connectSora(server, { signaling_notify_metadata: metadata, client_id: "u1" });
    using b = await openSora(server, { role: "sendonly", video: false, audio: { bit_rate: 1 } });
    b.send({ type: "answer", sdp: ANSWER });
    const own = await b.next();
    const notice = {
      ...{ type: "notify", event_type: "connection.created", role: "sendonly", minutes: 0 },
      timestamp: "2026-11-01T00:00:00.000000Z",
      ...{ session_id: b.offer["session_id"], client_id: b.id, bundle_id: b.id },
      ...{ connection_id: b.id, audio: { bit_rate: 1 }, video: false },
      ...{ channel_connections: 2, channel_sendrecv_connections: 0 },
      ...{ channel_sendonly_connections: 1, channel_recvonly_connections: 1 },
      turn_transport_type: "udp",
    };
    const earlier = {
      ...{ client_id: "u1", bundle_id: a.id, connection_id: a.id },
      ...{ authn_metadata: metadata, metadata },
    };
    expect(own).toEqual({ ...notice, data: [earlier] });
    expect(await a.next()).toEqual(notice);
  });

  test("keeps metadata as it was written", async () => {
    await using server = await bootSora();
    using a = await connectSora(server);
    const text = '{"n":9007199254740993,"a":[1.0]}';
    const raw = await rawConnect(server, text);
    expect((await a.socket.next()).text).toContain(`"authn_metadata":${text}`);
    raw.destroy();
  });

  test("is not told between equal bundles, which count all the same", async () => {
    await using server = await bootSora();
    using a = await connectSora(server, { bundle_id: "b" });
    using twin = await openSora(server, { bundle_id: "b" });
    twin.send({ type: "answer", sdp: ANSWER });
    expect(await twin.next()).toMatchObject({ data: [], channel_connections: 2 });
    using other = await openSora(server);
    other.send({ type: "answer", sdp: ANSWER });
    expect((await other.next())["data"]).toHaveLength(2);
    expect(await a.next()).toMatchObject({ connection_id: other.id, channel_connections: 3 });
    twin.send({ type: "disconnect" });
    await twin.closed();
    expect(await other.next()).toMatchObject({ event_type: "connection.destroyed" });
    other.send({ type: "disconnect" });
    await other.closed();
    expect(await a.next()).toMatchObject({ connection_id: other.id, channel_connections: 1 });
  });
});

test("many that come at once are each told of all the others, with counters that fit what they were told", async () => {
  await using server = await bootSora();
  server.peers.connects = false;
  const clients = [];
  for (let index = 0; index < 20; index += 1) {
    const client = await openSora(server);
    client.send({ type: "answer", sdp: ANSWER });
    while (client.peer.answers === 0) await server.advance(0);
    clients.push(client);
  }
  for (const { peer } of clients) peer.connect();
  for (const client of clients) {
    const known = new Set<unknown>();
    for (let seen = 0; known.size < clients.length;) {
      const notice = await client.next();
      for (const other of (notice["data"] ?? []) as Json[]) known.add(other["connection_id"]);
      known.add(notice["connection_id"]);
      expect(notice["channel_connections"]).toBe(known.size);
      expect(Number(notice["channel_connections"])).toBeGreaterThan(seen);
      seen = known.size;
    }
  }
  for (const client of clients) client[Symbol.dispose]();
});

test("a session ends with its channel, after a grace time", async () => {
  await using server = await bootSora();
  using first = await connectSora(server);
  await server.advance(4_000);
  first.send({ type: "disconnect" });
  await first.closed();
  using soon = await openSora(server);
  expect(soon.offer["session_id"]).toBe(first.offer["session_id"] as string);
  soon[Symbol.dispose]();
  await server.advance(91_000);
  using later = await openSora(server);
  expect(later.offer["session_id"]).not.toBe(first.offer["session_id"] as string);
});

test("a channel that is in use keeps its session", async () => {
  await using server = await bootSora({ sora: { pong_timeout: "1h" } });
  using first = await connectSora(server);
  for (let passed = 0; passed < 300; passed += 30) await server.advance(30_000);
  using later = await openSora(server);
  expect(later.offer["session_id"]).toBe(first.offer["session_id"] as string);
});

async function rawConnect(server: Parameters<typeof openSora>[0], notifyMetadata: string) {
  const socket = await connectRaw(server.signalingUrl);
  socket.send(
    `{"type":"connect","role":"recvonly","channel_id":"sora","signaling_notify_metadata":${notifyMetadata}}`,
  );
  await socket.next();
  socket.send(JSON.stringify({ type: "answer", sdp: ANSWER }));
  return socket;
}
