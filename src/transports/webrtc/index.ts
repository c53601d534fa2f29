/**
 * Peers of WebRTC DataChannels (`../data-channels.ts`): how many there may be, and the end of them all. What one of them does is in `peer.ts`; the
 * library is this folder's alone.
 */
import type { WebrtcSettings } from "../../config/webrtc.ts";
import type { Runtime } from "../../core/runtime.ts";
import { LocalGroups } from "../local-groups.ts";
import type { Peer, PeerChannelOptions, PeerEvents, Peers, PeersStats } from "../data-channels.ts";
import { templateOf } from "./descriptions.ts";
import { loadLibrary } from "./library.ts";
import { PeerConnection, type PeersShared } from "./peer.ts";
import { openPort, type Port } from "./port.ts";

export interface PeersOptions {
  readonly settings: WebrtcSettings;
  /** From the offer until a peer is connected, beyond which it is ended. */
  readonly connectTimeoutMs: number;
  readonly runtime: Runtime;
  /** A bug, or a session's; never with a payload or address in it. */
  readonly onBug: (error: unknown, context: string) => void;
}

/** The library is loaded and its port opened with the first offer; where its binary is not installed, all are refused. */
export function createPeers(options: PeersOptions): Peers {
  const { settings, connectTimeoutMs, runtime, onBug } = options;
  const { advertised_addresses: advertisedAddresses, message_size_limit: messageBytesMax } =
    settings;
  let opening: Promise<PeersShared | undefined> | undefined;
  let port: Port | undefined;
  const peers = new Set<PeerConnection>();
  const groups = new LocalGroups();
  const stats = { opened: 0, received: 0, sent: 0, lagging: 0, slow: 0, failed: 0 };
  const counts = { offered: 0, refused: 0, failed: 0, oversized: 0 };
  let closed = false;
  let onEmpty = (): void => {};

  async function openShared(): Promise<PeersShared | undefined> {
    try {
      const library = await loadLibrary();
      const { timers } = runtime;
      const opened = await openPort({ library, settings, timers, onLost });
      port = opened;
      return {
        context: { clock: runtime.clock, timers, stats, onBug, groups },
        ...{ messageBytesMax, connectTimeoutMs, random: runtime.random },
        offerTemplate: templateOf(opened.sdp, { advertisedAddresses, messageBytesMax }),
        createNative: () => opened.createPeer(),
        onOversized: () => void (counts.oversized += 1),
      };
    } catch (error) {
      onBug(error, "opening a port for webrtc");
      // The next offer tries again.
      opening = undefined;
      return undefined;
    }
  }

  function onLost(): void {
    for (const peer of peers) peer.lost();
    void closePort();
  }

  async function closePort(): Promise<void> {
    const closing = port;
    [opening, port] = [undefined, undefined];
    await closing?.close();
  }

  function open(shared: PeersShared, channels: readonly PeerChannelOptions[], events: PeerEvents) {
    const peer: PeerConnection = new PeerConnection({
      ...{ shared, channels, events },
      onEnd: (end) => {
        peers.delete(peer);
        if (end === "failed" || end === "timeout") counts.failed += 1;
        if (peers.size === 0) onEmpty();
      },
    });
    peers.add(peer);
    counts.offered += 1;
    return peer;
  }

  return {
    async offer(channels, events): Promise<Peer | undefined> {
      const shared = closed ? undefined : await (opening ??= openShared());
      if (shared !== undefined && !closed && peers.size < settings.peers_max) {
        return open(shared, channels, events);
      }
      counts.refused += 1;
      return undefined;
    },
    get stats(): PeersStats {
      let connected = 0;
      for (const peer of peers) if (peer.connected) connected += 1;
      return { ...counts, peers: peers.size, connected, channels: groups.size };
    },
    shutdown: () => groups.shutdown(),
    async close() {
      closed = true;
      await opening;
      const empty = new Promise<void>((resolve) => (onEmpty = resolve));
      for (const peer of peers) peer.terminate();
      if (peers.size > 0) await empty;
      await closePort();
    },
  };
}
