/**
 * Clients of the Sora dialect that mean it harm, or are gone, over real WebRTC: one connection ends with the right code, the others and
 * the process live, and nothing is left of it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { connectRaw } from "../support/raw-websocket.ts";
import { createTestRuntime, type TestRuntime } from "../support/runtime.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import {
  deflatedJson,
  emptied,
  moved,
  offered,
  signalingUrlOf,
  soraMetrics,
  type OfferedClient,
} from "../support/sora-peer.ts";
import { callSora, closeOf, nextJson, push, TARGETS } from "../support/sora.ts";
import { createTestPeer } from "../support/webrtc-peer.ts";

/** The library has a clock of its own, by which it finds that nobody is there. */
const SOAK = process.env["CARILLON_SOAK"] === "1";
const TIMEOUT = [4490, "TIMEOUT"] as const;
const INVALID = [4490, "INVALID-MESSAGE"] as const;
const JUNK = [4490, "INTERNAL-ERROR"] as const;
const ALONE = { data_channel_signaling: true, ignore_disconnect_websocket: true };

let runtime: TestRuntime;
let server: BootedServer;
/** Before anybody came, but with the port that peers share. */
let [timers, files] = [0, 0];

beforeAll(async () => {
  runtime = createTestRuntime();
  server = await bootServer({ runtime });
  const { socket } = await offered(server);
  socket.destroy();
  await emptied(server, runtime);
  timers = runtime.pendingTimers;
  files = openFiles();
});
afterAll(() => server[Symbol.asyncDispose]());

/** Sockets and files of this process, the clients' as well; where the system does not tell, always 0. */
function openFiles(): number {
  const place = "/proc/self/fd";
  return existsSync(place) ? readdirSync(place).length : 0;
}

async function nothingIsLeft(): Promise<void> {
  await emptied(server, runtime);
  // Labels may outlive a WebSocket that said the end by a second.
  await runtime.advance(1000);
  expect(runtime.pendingTimers).toBeLessThanOrEqual(timers);
  while (openFiles() > files) await runtime.settle();
}

/** One that does as it should, beside the others. */
async function stillServed(): Promise<void> {
  await using healthy = await moved(server);
  await callSora(server.apiUrl, TARGETS.channel, { channel_id: "sora", data: { spam: "egg" } });
  expect(await healthy.on("push")).toEqual(push({ spam: "egg" }));
}

describe("in the handshake", () => {
  test("1,000 that never answer the offer, and 100 that never connect", async () => {
    const silent = await Promise.all(
      Array.from({ length: 100 }, () => connectRaw(signalingUrlOf(server))),
    );
    const waiting: OfferedClient[] = [];
    for (let at = 0; at < 1000; at += 100) {
      waiting.push(...(await Promise.all(Array.from({ length: 100 }, () => offered(server)))));
    }
    const metrics = await soraMetrics(server);
    expect(metrics.get('carillon_webrtc_peers{state="connecting"}')).toBe(1000);
    expect(metrics.get('carillon_sora_connections{carrier="handshake"}')).toBe(1100);
    await stillServed();
    await runtime.advance(10_100);
    for (const socket of silent) expect(await closeOf(socket)).toEqual(TIMEOUT);
    await runtime.advance(20_000);
    for (const client of waiting) expect(await client.closed()).toEqual(TIMEOUT);
    for (const socket of [...silent, ...waiting.map((one) => one.socket)]) socket.destroy();
    await nothingIsLeft();
  }, 30_000);

  test("half-open ICE: 50 that answer for a peer that is not there", async () => {
    const peer = createTestPeer();
    const clients = await Promise.all(Array.from({ length: 50 }, () => offered(server)));
    const answer = await peer.answer(String(clients[0]?.offer["sdp"]));
    await peer.close();
    for (const client of clients) client.send({ type: "answer", sdp: answer });
    await stillServed();
    await runtime.advance(60_000);
    for (const client of clients) {
      expect(await client.closed()).toEqual(TIMEOUT);
      client.socket.destroy();
    }
    await nothingIsLeft();
  }, 20_000);

  test("garbage in place of an answer or a candidate", async () => {
    const messages = [
      ...["", "x", "v=0\r\n", "\0".repeat(1000), "é".repeat(50_000)].map((sdp) => {
        return { type: "answer", sdp };
      }),
      { type: "answer", sdp: { v: 0 } },
      { type: "answer" },
      { type: "candidate", candidate: "x" },
      { type: "candidate", candidate: 1 },
      { type: "re-answer", sdp: "x" },
    ];
    for (const message of messages) {
      const client = await offered(server);
      client.send(message);
      expect(await client.closed()).toEqual(INVALID);
      client.socket.destroy();
    }
    await stillServed();
    await nothingIsLeft();
  }, 20_000);

  test("peers that vanish before and behind their answer", async () => {
    for (let at = 0; at < 20; at += 1) {
      const client = await offered(server);
      const peer = createTestPeer();
      const answer = at % 2 === 0 ? undefined : await peer.answer(String(client.offer["sdp"]));
      if (answer !== undefined) client.send({ type: "answer", sdp: answer });
      client.socket.destroy();
      await peer.close();
    }
    await stillServed();
    await nothingIsLeft();
  }, 20_000);
});

describe("on DataChannels", () => {
  const bomb = deflateSync(Buffer.alloc(50_000_000, " "));
  const JUNKS: readonly (readonly [label: string, what: string, frame: string | Uint8Array])[] = [
    ...(["signaling", "notify", "push", "stats"] as const).flatMap((label) => [
      [label, "a text", '{"type":"disconnect"}'] as const,
      [label, "no zlib stream", new Uint8Array([1, 2, 3])] as const,
      [label, "a zlib bomb", bomb] as const,
      [label, "no message", deflatedJson(["x"])] as const,
    ]),
    ["#spam", "a zlib bomb", bomb],
  ];

  test("garbage on every label", async () => {
    const data_channels = [{ label: "#spam", direction: "sendrecv", compress: true }];
    for (const [label, what, frame] of JUNKS) {
      await using hybrid = await moved(server, { data_channels });
      await hybrid.sendOn(label, frame);
      expect([label, what, await hybrid.closed()]).toEqual([label, what, [...JUNK]]);
    }
    await stillServed();
    await nothingIsLeft();
  }, 30_000);

  test("without a WebSocket it is told by the label for signaling", async () => {
    await using client = await moved(server, ALONE);
    client.socket.close(1000);
    await client.sendOn("stats", "junk");
    const close = { type: "close", code: 4490, reason: "INTERNAL-ERROR" };
    expect(await client.on("signaling")).toEqual(close);
    await client.peer.close();
    client.socket.destroy();
    await nothingIsLeft();
  });

  test("a push that is too large for a DataChannel goes by the WebSocket, or is left out", async () => {
    await using hybrid = await moved(server);
    await using alone = await moved(server, ALONE);
    alone.socket.close(1000);
    await alone.socket.rest();
    const random = crypto.getRandomValues(new Uint8Array(65_536));
    const large = { text: Buffer.concat(Array(6).fill(random)).toString("base64") };
    const small = { spam: "egg" };
    for (const data of [large, small]) {
      await callSora(server.apiUrl, TARGETS.channel, { channel_id: "sora", data });
    }
    expect(await nextJson(hybrid.socket)).toEqual(push(large));
    expect(await hybrid.on("push")).toEqual(push(small));
    expect(await alone.on("push")).toEqual(push(small));
    const metrics = await soraMetrics(server);
    expect(metrics.get("carillon_webrtc_oversized_frames")).toBe(2);
  }, 20_000);

  test("a peer that leaves takes its connection with it, and the others are told", async () => {
    await using witness = await moved(server);
    {
      await using client = await moved(server, ALONE);
      expect(await witness.on("notify")).toMatchObject({ connection_id: client.id });
      client.socket.close(1000);
      await client.peer.close();
      expect(await witness.on("notify")).toMatchObject({
        ...{ event_type: "connection.destroyed", connection_id: client.id },
        channel_connections: 1,
      });
    }
    await witness.peer.close();
    witness.socket.destroy();
    await nothingIsLeft();
  });

  test.skipIf(!SOAK)(
    "a peer that vanishes is found within 60 s, and a push to it is answered meanwhile",
    async () => {
      await using witness = await moved(server);
      await using client = await moved(server, ALONE);
      expect(await witness.on("notify")).toMatchObject({ connection_id: client.id });
      client.socket.close(1000);
      await client.peer.vanish();
      const gone = performance.now();
      const keys = { channel_id: "sora", connection_id: client.id };
      const { status } = await callSora(server.apiUrl, TARGETS.connection, { ...keys, data: {} });
      expect(status).toBe(200);
      expect(await witness.on("notify")).toMatchObject({
        ...{ event_type: "connection.destroyed", connection_id: client.id },
      });
      expect(performance.now() - gone).toBeLessThan(60_000);
      await witness.peer.close();
      witness.socket.destroy();
      await emptied(server, runtime);
    },
    90_000,
  );
});
