/** WebRTC peers against another implementation, over real sockets: offers, answers, limits, and every way to end. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { existsSync, readdirSync } from "node:fs";
import { deflateSync, inflateSync } from "node:zlib";
import type { PeerChannelOptions, Peers } from "../data-channels.ts";
import type { Frame } from "../../core/types.ts";
import { RecordingSession } from "../../../test/conformance/transport/recording-session.ts";
import { createRandom } from "../../../test/support/random.ts";
import { createTestRuntime, type TestRuntime } from "../../../test/support/runtime.ts";
import { createTestPeer, type TestPeer } from "../../../test/support/webrtc-peer.ts";
import {
  CONNECT_TIMEOUT_MS,
  createTestPeers,
  recordEvents,
} from "../../../test/support/webrtc-transport.ts";

const LIMITS = { messageBytesMax: 65_536, bufferedBytesMax: 1_048_576 };

let runtime: TestRuntime;
let peers: Peers;
const bugs: unknown[] = [];
const clients: TestPeer[] = [];

function start(settings: Parameters<typeof createTestPeers>[0]["settings"] = {}) {
  peers = createTestPeers({ settings, runtime, onBug: (error) => void bugs.push(error) });
}

beforeEach(() => {
  runtime = createTestRuntime();
  bugs.length = 0;
  start();
});

afterEach(async () => {
  await peers.close();
  await Promise.all(clients.splice(0).map((client) => client.close()));
  expect(peers.stats).toMatchObject({ peers: 0, connected: 0, channels: 0 });
  expect(runtime.pendingTimers).toBe(0);
});

/** A channel with a session that records. */
function channel(label: string, options: Partial<PeerChannelOptions> = {}) {
  const opened = Promise.withResolvers<RecordingSession>();
  const open = (socket: ConstructorParameters<typeof RecordingSession>[0]) => {
    const session = new RecordingSession(socket);
    opened.resolve(session);
    return session;
  };
  return { session: opened.promise, options: { label, opening: { ...LIMITS, open }, ...options } };
}

function createClient(): TestPeer {
  const client = createTestPeer();
  clients.push(client);
  return client;
}

async function offer(channels: readonly PeerChannelOptions[] = []) {
  const recorded = recordEvents();
  const peer = await peers.offer(channels, recorded.events);
  if (peer === undefined) throw new Error("No peer was opened");
  return { peer, ...recorded };
}

/** Connected, with one channel. */
async function connect(options: Partial<PeerChannelOptions> = {}) {
  const { session, options: one } = channel("one", options);
  const offered = await offer([one]);
  const client = createClient();
  expect(await offered.peer.answer(await client.answer(offered.peer.offer))).toBe(true);
  await offered.whenOpened;
  return { ...offered, client, far: await client.channel("one"), session: await session };
}

const linesOf = (sdp: string, start: string) =>
  sdp.split("\r\n").filter((line) => line.startsWith(start));

describe("an offer", () => {
  test("has one section for channels, all candidates, and the size of a message", async () => {
    const { peer } = await offer([channel("one").options]);
    expect(linesOf(peer.offer, "m=")).toEqual([
      expect.stringMatching(/^m=application \d+ UDP\/DTLS\/SCTP webrtc-datachannel$/),
    ]);
    expect(linesOf(peer.offer, "a=candidate:")).toEqual([
      expect.stringMatching(/^a=candidate:1 1 UDP \d+ 127\.0\.0\.1 \d+ typ host$/),
    ]);
    expect(linesOf(peer.offer, "a=end-of-candidates")).toHaveLength(1);
    expect(linesOf(peer.offer, "a=setup:")).toEqual(["a=setup:actpass"]);
    expect(linesOf(peer.offer, "a=max-message-size:")).toEqual(["a=max-message-size:262144"]);
  });

  test("has the advertised addresses in place of the machine's, with the port that was bound", async () => {
    start({ advertised_addresses: ["192.0.2.7", "2001:db8::7"] });
    const { peer } = await offer();
    const candidates = linesOf(peer.offer, "a=candidate:").map((line) => line.split(" "));
    expect(candidates.map((parts) => parts[4])).toEqual(["192.0.2.7", "2001:db8::7"]);
    const [port] = linesOf(peer.offer, "m=application").map((line) => line.split(" ")[1]);
    expect(candidates.map((parts) => parts[5])).toEqual([port, port]);
    expect(new Set(candidates.map((parts) => parts[3])).size).toBe(2);
  });

  test("without channels connects, and the client sees none", async () => {
    const { peer, whenOpened, seen } = await offer();
    const client = createClient();
    let announced = 0;
    client.native.onDataChannel.subscribe(() => void (announced += 1));
    expect(await peer.answer(await client.answer(peer.offer))).toBe(true);
    await whenOpened;
    await client.connected;
    expect(seen).toEqual(["connected", "opened"]);
    expect(announced).toBe(0);
  });

  test("opens each channel as it was asked for", async () => {
    const options = [
      channel("plain"),
      channel("#protocol", { protocol: "chat" }),
      channel("#loose", { ordered: false, maxRetransmits: 3 }),
      channel("#brief", { maxPacketLifeTimeMs: 700 }),
    ];
    const { peer, whenOpened } = await offer(options.map((each) => each.options));
    const client = createClient();
    await peer.answer(await client.answer(peer.offer));
    await whenOpened;
    const seen = await Promise.all(options.map(({ options: { label } }) => client.channel(label)));
    expect(
      seen.map(({ native }) => [
        ...[native.label, native.protocol, native.ordered],
        ...[native.maxRetransmits, native.maxPacketLifeTime],
      ]),
    ).toEqual([
      ["plain", "", true, null, null],
      ["#protocol", "chat", true, null, null],
      ["#loose", "", false, 3, null],
      ["#brief", "", true, null, 700],
    ]);
    const sessions = await Promise.all(options.map((each) => each.session));
    expect(sessions.map(({ socket }) => socket.transport)).toEqual(Array(4).fill("webrtc"));
  });

  test("may come again while connected, and be answered again", async () => {
    const { peer, client } = await connect();
    const again = await peer.reoffer();
    expect(linesOf(again, "o=")[0]).toMatch(/^o=\S+ \S+ 1 /);
    const strange = (await client.answer(again)).replace(/a=ice-ufrag:\S+/, "a=ice-ufrag:nobody");
    expect(await peer.answer(strange)).toBe(false);
    expect(await peer.answer(client.native.localDescription?.sdp ?? "")).toBe(true);
    expect(await peer.answer(client.native.localDescription?.sdp ?? "")).toBe(false);
  });
});

describe("messages", () => {
  test("500 in a burst arrive complete and in order on each label, text and bytes, both ways", async () => {
    const [text, bytes] = [channel("text"), channel("bytes")];
    const { peer, whenOpened } = await offer([text.options, bytes.options]);
    const client = createClient();
    await peer.answer(await client.answer(peer.offer));
    await whenOpened;
    const words = Array.from({ length: 500 }, (_, at) => `{"type":"push","data":{"at":${at}}}`);
    const zlib = words.map((word) => new Uint8Array(deflateSync(word)));
    const [textSession, bytesSession] = await Promise.all([text.session, bytes.session]);
    bytesSession.member.join("g");
    for (const [at, word] of words.entries()) {
      textSession.socket.send(word);
      bytesSession.member.fanout.publish("g", zlib[at]!);
    }
    const [farText, farBytes] = [await client.channel("text"), await client.channel("bytes")];
    for (const word of words) {
      expect(await farText.next()).toBe(word);
      expect(inflateSync((await farBytes.next()) as Uint8Array).toString()).toBe(word);
    }
    const done = Promise.withResolvers<void>();
    textSession.onReceive = () => textSession.received.length === 500 && done.resolve();
    for (const word of words) farText.send(word);
    await done.promise;
    expect(textSession.received).toEqual(words);
  });

  test("one of message_size_limit goes out, a larger one is handed back in its place", async () => {
    start({ message_size_limit: 2000 });
    const oversized: Frame[] = [];
    const { session, far } = await connect({ oversized: (frame) => oversized.push(frame) });
    const [fits, large] = ["é".repeat(1000), `${"é".repeat(1000)}x`];
    session.socket.send(fits);
    session.socket.send(large);
    session.socket.send("next");
    expect(await far.next()).toBe(fits);
    expect(await far.next()).toBe("next");
    expect(oversized).toEqual([large]);
    expect(peers.stats.oversized).toBe(1);
  });

  test("one of message_size_limit comes in, a larger one closes its channel with 1009", async () => {
    start({ message_size_limit: 2000 });
    const { session, far } = await connect();
    far.send("x".repeat(2000));
    // As a client that does not care what it was told.
    far.native.sctp.remoteMaxMessageSize = 0;
    far.send("y".repeat(20_000));
    await session.ended;
    expect(session.received).toEqual(["x".repeat(2000)]);
    expect(session.ends).toEqual([{ code: 1009, reason: "message too big" }]);
  });

  test("more than a busy session can hold ends its peer, and no other", async () => {
    const [flooded, healthy] = [await connect(), await connect()];
    flooded.session.onReceive = () => new Promise(() => {});
    for (let at = 0; at < 60; at += 1) flooded.far.send("x".repeat(60_000));
    expect(await flooded.whenEnded).toBe("failed");
    expect(flooded.session.ends).toEqual([{ code: 1006, reason: "" }]);
    healthy.session.socket.send("still here");
    expect(await healthy.far.next()).toBe("still here");
  });
});

describe("what a client sends for signaling", () => {
  test("that is no answer is refused, and one that is still counts", async () => {
    const { peer, whenOpened } = await offer([channel("one").options]);
    const client = createClient();
    const answer = await client.answer(peer.offer);
    const garbage = [
      ...["", "x", "v=0\r\n", "\0".repeat(1000), "a=ice-ufrag:x", "v=0\r\na=ice-ufrag:abcd\r\n"],
      answer.replace(/a=fingerprint:sha-256 ..:/, "a=fingerprint:sha-256 zz:"),
      answer.replace(/a=ice-pwd:.*\r\n/, ""),
      answer.replace(/a=sctp-port:\d+/, "a=sctp-port:99999999999999999999"),
      answer + "a=x\r\n".repeat(20_000),
      answer.replace(/a=setup:active/, "a=setup:actpass"),
      answer.replace(/m=application \d+/, "m=application 0"),
      answer.replace("m=application", "m=audio"),
      `${answer}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n`,
      `${answer}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n`,
      peer.offer.slice(0, 100),
    ];
    for (const sdp of garbage) expect(await peer.answer(sdp)).toBe(false);
    expect(await peer.answer(answer)).toBe(true);
    expect(await peer.answer(answer)).toBe(false);
    await whenOpened;
    expect(bugs).toEqual([]);
  });

  test("300 answers that are bent at random end nothing but their own peers", async () => {
    const random = createRandom("bent answers");
    const healthy = await connect();
    const client = createClient();
    const lines = linesOf(await client.answer((await offer()).peer.offer), "");
    const bend = (line: string): string[] => {
      const cut = line.slice(0, random.integer(line.length));
      const long = line + "x".repeat(random.integer(600));
      return random.pick([[], [line, line], [cut], [long], [`${line}\0${line}`]]);
    };
    for (let round = 0; round < 300; round += 1) {
      const at = random.integer(lines.length);
      const bent = lines.flatMap((line, index) => (index === at ? bend(line) : [line]));
      const { peer, whenEnded } = await offer([channel("one").options]);
      await peer.answer(bent.join("\r\n"));
      peer.terminate();
      expect(await whenEnded).toBe("closed");
    }
    healthy.session.socket.send("still here");
    expect(await healthy.far.next()).toBe("still here");
    expect(bugs).toEqual([]);
  });

  test("names of hosts are dropped: a client that has no others is found by its own packets", async () => {
    const { peer, whenOpened } = await offer([channel("one").options]);
    const client = createClient();
    const answer = await client.answer(peer.offer);
    const name = "5c0a9a38-5a4e-4a0c-9a3c-2f1d3bd6d2a1.local";
    const hidden = answer.replaceAll(/(a=candidate:\S+ \d udp \d+ )\S+/gi, `$1${name}`);
    expect(hidden).toContain(name);
    expect(await peer.answer(hidden)).toBe(true);
    expect(peer.addCandidate({ candidate: `candidate:1 1 udp 1 ${name} 9 typ host` })).toBe(true);
    expect(peer.addCandidate({ candidate: "", sdpMid: "0", sdpMLineIndex: 0 })).toBe(true);
    await whenOpened;
  });

  test("candidates may come before the answer; 64 count, and not one more", async () => {
    const { peer, whenOpened } = await offer([channel("one").options]);
    const client = createClient();
    const answer = await client.answer(peer.offer);
    const candidates = linesOf(answer, "a=candidate:").map((line) => line.slice("a=".length));
    for (const candidate of candidates) expect(peer.addCandidate({ candidate })).toBe(true);
    for (const bad of ["x", "candidate:", "candidate:1\r\na=x", `candidate:${"x".repeat(2000)}`]) {
      expect(peer.addCandidate({ candidate: bad })).toBe(false);
    }
    for (let at = candidates.length; at < 64; at += 1) {
      const candidate = `candidate:${at} 1 udp 1 127.0.0.1 ${10_000 + at} typ host`;
      expect(peer.addCandidate({ candidate })).toBe(true);
    }
    const candidate = "candidate:65 1 udp 1 127.0.0.1 9 typ host";
    expect(peer.addCandidate({ candidate })).toBe(false);
    expect(await peer.answer(answer.replaceAll(/a=candidate:.*\r\n/g, ""))).toBe(true);
    await whenOpened;
  });
});

describe("limits", () => {
  test("peers_max are open at once, and not one more until another ended", async () => {
    start({ peers_max: 2 });
    const first = await offer();
    await offer();
    expect(await peers.offer([], recordEvents().events)).toBeUndefined();
    expect(peers.stats).toMatchObject({ peers: 2, refused: 1 });
    first.peer.terminate();
    await first.whenEnded;
    await offer();
  });

  test("one port of the range serves all; where none is free peers are refused until one is", async () => {
    const taken = await bind(0);
    const { port } = taken.address();
    start({ port_min: port, port_max: port });
    expect(await peers.offer([channel("one").options], recordEvents().events)).toBeUndefined();
    expect(bugs).toHaveLength(1);
    expect(peers.stats).toMatchObject({ peers: 0, refused: 1 });
    await new Promise<void>((resolve) => taken.close(() => resolve()));
    const both = [await connect(), await connect()];
    expect(both.map(({ peer }) => portOf(peer.offer))).toEqual([port, port]);
    await peers.close();
    await freed(port);
  });

  test("1,000 that never answer take no socket each, and are ended in time", async () => {
    const { peer: first } = await offer();
    const before = openFiles();
    const offers = await Promise.all(
      Array.from({ length: 999 }, () => offer([channel("one").options])),
    );
    expect(openFiles()).toBe(before);
    expect(peers.stats.peers).toBe(1000);
    const users = new Set(offers.map(({ peer }) => linesOf(peer.offer, "a=ice-ufrag:")[0]));
    expect(users.size).toBe(999);
    await runtime.advance(CONNECT_TIMEOUT_MS - 1);
    expect(peers.stats.peers).toBe(1000);
    await runtime.advance(1);
    const ends = await Promise.all(offers.map(({ whenEnded }) => whenEnded));
    expect(new Set(ends)).toEqual(new Set(["timeout"]));
    expect(peers.stats).toMatchObject({ peers: 0, failed: 1000 });
    await peers.close();
    await freed(portOf(first.offer));
  });

  test("50 that answer and are never there are ended in time, and what the library had of them", async () => {
    await offer();
    const before = openFiles();
    const offers = await Promise.all(
      Array.from({ length: 50 }, () => offer([channel("one").options])),
    );
    const client = createClient();
    const answer = await client.answer(offers[0]!.peer.offer);
    await client.close();
    for (const { peer } of offers) expect(await peer.answer(answer)).toBe(true);
    await runtime.advance(CONNECT_TIMEOUT_MS);
    const ends = await Promise.all(offers.map(({ whenEnded }) => whenEnded));
    expect(new Set(ends)).toEqual(new Set(["timeout"]));
    expect(openFiles()).toBeLessThanOrEqual(before);
  });
});

describe("ends", () => {
  test("close: what waits goes out, channels close, and the client's close frees the rest", async () => {
    const { peer, session, far, client, whenEnded, seen } = await connect();
    session.socket.send("last words");
    peer.close();
    expect(await far.next()).toBe("last words");
    await far.closed;
    expect(session.ends).toEqual([{ code: 1000, reason: "" }]);
    expect(seen).not.toContain("closed");
    await client.close();
    expect(await whenEnded).toBe("closed");
  });

  test("close: a client that does not close its side is left a second later", async () => {
    const { peer, far, whenEnded } = await connect();
    peer.close();
    await far.closed;
    await runtime.advance(1000);
    expect(await whenEnded).toBe("closed");
  });

  test("close: a client that takes nothing any more is cut", async () => {
    const { peer, session, client, whenEnded } = await connect();
    client.pause();
    while (session.socket.bufferedBytes === 0) session.socket.send("x".repeat(50_000));
    session.socket.send("x".repeat(50_000));
    peer.close();
    await runtime.advance(6000);
    expect(await whenEnded).toBe("closed");
  });

  test("close before an answer", async () => {
    const { peer, whenEnded } = await offer([channel("one").options]);
    peer.close();
    expect(await whenEnded).toBe("closed");
    expect(await peer.answer("x")).toBe(false);
    peer.close();
    peer.terminate();
  });

  test("the client closes its connection", async () => {
    const { session, client, whenEnded, seen } = await connect();
    await client.close();
    expect(await whenEnded).toBe("left");
    expect(session.ends).toHaveLength(1);
    expect(seen).toEqual(["connected", "opened", "left"]);
  });

  test("the client closes one channel", async () => {
    const { peer, session, far, whenEnded } = await connect();
    far.native.close();
    await session.ended;
    expect(session.ends).toEqual([{ code: 1000, reason: "" }]);
    peer.terminate();
    expect(await whenEnded).toBe("closed");
  });

  test("the server stops: every session hears of it, and all are ended", async () => {
    const [one, two] = [await connect(), await connect()];
    peers.shutdown();
    for (const { session } of [one, two]) {
      expect(session.ends).toEqual([{ code: 3001, reason: "shutdown" }]);
    }
    await peers.close();
    expect(await one.whenEnded).toBe("closed");
    expect(await peers.offer([], recordEvents().events)).toBeUndefined();
    await freed(portOf(two.peer.offer));
  });
});

describe("hostile peers", () => {
  test("garbage at a peer's port changes nothing", async () => {
    const { peer, session, far } = await connect();
    const socket = createSocket("udp4");
    const random = new Uint8Array(1200).map((_, at) => (at * 197) % 256);
    for (const first of [0, 1, 20, 22, 23, 63, 64, 128, 255]) {
      const packet = random.with(0, first);
      for (const length of [0, 1, 4, 20, 100, 1200]) {
        await new Promise((resolve) => {
          socket.send(packet.subarray(0, length), portOf(peer.offer), "127.0.0.1", resolve);
        });
      }
    }
    session.socket.send("still here");
    expect(await far.next()).toBe("still here");
    socket.close();
  });

  test("up to 16 channels that a client opens itself are closed; one more ends its peer", async () => {
    const [edge, beyond] = [await connect(), await connect()];
    await Promise.all(
      Array.from({ length: 16 }, (_, at) => {
        const own = edge.client.native.createDataChannel(`own ${at}`);
        return new Promise<void>((resolve) => {
          own.stateChange.subscribe((state) => state === "closed" && resolve());
        });
      }),
    );
    edge.session.socket.send("still here");
    expect(await edge.far.next()).toBe("still here");
    for (let at = 0; at < 17; at += 1) beyond.client.native.createDataChannel(`own ${at}`);
    expect(await beyond.whenEnded).toBe("failed");
  });

  test("a bug in what hears of a peer is logged, and ends that peer alone", async () => {
    const healthy = await connect();
    const { events, whenEnded } = recordEvents();
    const connected = () => {
      throw new Error("bug");
    };
    const peer = await peers.offer([channel("one").options], { ...events, connected });
    await peer?.answer(await createClient().answer(peer.offer));
    expect(await whenEnded).toBe("bug");
    expect(bugs).toEqual([new Error("bug")]);
    healthy.session.socket.send("still here");
    expect(await healthy.far.next()).toBe("still here");
  });
});

const portOf = (sdp: string) => Number(/^m=application (\d+)/m.exec(sdp)?.[1]);

/** Sockets and files of this process; where the system does not tell, always 0. */
function openFiles(): number {
  const place = "/proc/self/fd";
  return existsSync(place) ? readdirSync(place).length : 0;
}

async function bind(port: number) {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, "127.0.0.1", resolve);
  });
  return socket;
}

/** Waits until it can be bound: the library frees it on a thread of its own. */
async function freed(port: number): Promise<void> {
  for (;;) {
    try {
      (await bind(port)).close();
      return;
    } catch {
      await runtime.settle();
    }
  }
}
