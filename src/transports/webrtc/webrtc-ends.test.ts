/** WebRTC peers against another implementation, over real sockets: limits, every way to end, and hostile peers. */
import { describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { existsSync, readdirSync } from "node:fs";
import { channel, linesOf, usePeers } from "../../../test/support/webrtc-peers.ts";
import { CONNECT_TIMEOUT_MS, recordEvents } from "../../../test/support/webrtc-transport.ts";

const used = usePeers();
const { bugs, start, createClient, offer, connect } = used;

describe("limits", () => {
  test("peers_max are open at once, and not one more until another ended", async () => {
    start({ peers_max: 2 });
    const first = await offer();
    await offer();
    expect(await used.peers.offer([], recordEvents().events)).toBeUndefined();
    expect(used.peers.stats).toMatchObject({ peers: 2, refused: 1 });
    first.peer.terminate();
    await first.whenEnded;
    await offer();
  });

  test("one port of the range serves all; where none is free peers are refused until one is", async () => {
    const taken = await bind(0);
    const { port } = taken.address();
    start({ port_min: port, port_max: port });
    expect(await used.peers.offer([channel("one").options], recordEvents().events)).toBeUndefined();
    expect(bugs).toHaveLength(1);
    expect(used.peers.stats).toMatchObject({ peers: 0, refused: 1 });
    await new Promise<void>((resolve) => taken.close(() => resolve()));
    const both = [await connect(), await connect()];
    expect(both.map(({ peer }) => portOf(peer.offer))).toEqual([port, port]);
    await used.peers.close();
    await freed(port);
  });

  test("1,000 that never answer take no socket each, and are ended in time", async () => {
    const { peer: first } = await offer();
    const before = openFiles();
    const offers = await Promise.all(
      Array.from({ length: 999 }, () => offer([channel("one").options])),
    );
    expect(openFiles()).toBe(before);
    expect(used.peers.stats.peers).toBe(1000);
    const users = new Set(offers.map(({ peer }) => linesOf(peer.offer, "a=ice-ufrag:")[0]));
    expect(users.size).toBe(999);
    await used.runtime.advance(CONNECT_TIMEOUT_MS - 1);
    expect(used.peers.stats.peers).toBe(1000);
    await used.runtime.advance(1);
    const ends = await Promise.all(offers.map(({ whenEnded }) => whenEnded));
    expect(new Set(ends)).toEqual(new Set(["timeout"]));
    expect(used.peers.stats).toMatchObject({ peers: 0, failed: 1000 });
    await used.peers.close();
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
    await used.runtime.advance(CONNECT_TIMEOUT_MS);
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
    await used.runtime.advance(1000);
    expect(await whenEnded).toBe("closed");
  });

  test("close: a client that takes nothing any more is cut", async () => {
    const { peer, session, client, whenEnded } = await connect();
    client.pause();
    while (session.socket.bufferedBytes === 0) session.socket.send("x".repeat(50_000));
    session.socket.send("x".repeat(50_000));
    peer.close();
    await used.runtime.advance(6000);
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
    used.peers.shutdown();
    for (const { session } of [one, two]) {
      expect(session.ends).toEqual([{ code: 3001, reason: "shutdown" }]);
    }
    await used.peers.close();
    expect(await one.whenEnded).toBe("closed");
    expect(await used.peers.offer([], recordEvents().events)).toBeUndefined();
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
    const peer = await used.peers.offer([channel("one").options], { ...events, connected });
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
      await used.runtime.settle();
    }
  }
}
