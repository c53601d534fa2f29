/** For the tests of one file: peers of the library's, new for each test, and another implementation's clients of them. */
import { afterEach, beforeEach, expect } from "bun:test";
import type { PeerChannelOptions, Peers } from "../../src/transports/data-channels.ts";
import { RecordingSession } from "../conformance/transport/recording-session.ts";
import { createTestRuntime, type TestRuntime } from "./runtime.ts";
import { createTestPeer, type TestPeer } from "./webrtc-peer.ts";
import { createTestPeers, recordEvents } from "./webrtc-transport.ts";

export const LIMITS = { messageBytesMax: 65_536, bufferedBytesMax: 1_048_576 };

export function usePeers() {
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

  return {
    get runtime() {
      return runtime;
    },
    get peers() {
      return peers;
    },
    bugs,
    start,
    createClient,
    offer,
    connect,
  };
}

/** A channel with a session that records. */
export function channel(label: string, options: Partial<PeerChannelOptions> = {}) {
  const opened = Promise.withResolvers<RecordingSession>();
  const open = (socket: ConstructorParameters<typeof RecordingSession>[0]) => {
    const session = new RecordingSession(socket);
    opened.resolve(session);
    return session;
  };
  return { session: opened.promise, options: { label, opening: { ...LIMITS, open }, ...options } };
}

/** Of a description, those that begin so. */
export const linesOf = (sdp: string, start: string) =>
  sdp.split("\r\n").filter((line) => line.startsWith(start));
