/** WebRTC peers against another implementation, over real sockets: offers, answers and messages. */
import { describe, expect, test } from "bun:test";
import { deflateSync, inflateSync } from "node:zlib";
import type { Frame } from "../../core/types.ts";
import { createRandom } from "../../../test/support/random.ts";
import { channel, linesOf, usePeers } from "../../../test/support/webrtc-peers.ts";

const used = usePeers();
const { bugs, start, createClient, offer, connect } = used;

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
    expect(used.peers.stats.oversized).toBe(1);
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
