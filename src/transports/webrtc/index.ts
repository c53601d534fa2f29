/**
 * Peers of WebRTC DataChannels (`../data-channels.ts`): how many there may be, and the end of them all. What one of them does is in `peer.ts`; the
 * library is this folder's alone.
 */
import type { WebrtcSettings } from "../../config/webrtc.ts";
import type { Runtime } from "../../core/runtime.ts";
import { LocalGroups } from "../local-groups.ts";
import type { Peer, PeerChannelOptions, PeerEvents, Peers, PeersStats } from "../data-channels.ts";
import { type Library, loadLibrary } from "./library.ts";
import { PeerConnection, type PeersShared } from "./peer.ts";

export interface PeersOptions {
  readonly settings: WebrtcSettings;
  /** From the offer until a peer is connected, beyond which it is ended. */
  readonly connectTimeoutMs: number;
  readonly runtime: Runtime;
  /** A bug, or a session's; never with a payload or address in it. */
  readonly onBug: (error: unknown, context: string) => void;
}

/** The library is loaded with the first offer; where its binary is not installed, all are refused. */
export function createPeers(options: PeersOptions): Peers {
  const { settings, connectTimeoutMs, runtime, onBug } = options;
  let loading: Promise<Library | undefined> | undefined;
  const peers = new Set<PeerConnection>();
  const groups = new LocalGroups();
  const stats = { opened: 0, received: 0, sent: 0, lagging: 0, slow: 0, failed: 0 };
  const counts = { offered: 0, refused: 0, failed: 0, oversized: 0 };
  const shared: PeersShared = {
    context: { clock: runtime.clock, timers: runtime.timers, stats, onBug, groups },
    messageBytesMax: settings.message_size_limit,
    advertisedAddresses: settings.advertised_addresses,
    connectTimeoutMs,
    onOversized: () => void (counts.oversized += 1),
  };
  let closed = false;
  let onEmpty = (): void => {};

  async function load(): Promise<Library | undefined> {
    try {
      return await loadLibrary(settings);
    } catch (error) {
      onBug(error, "loading WebRTC");
      return undefined;
    }
  }

  function open(library: Library, channels: readonly PeerChannelOptions[], events: PeerEvents) {
    try {
      const peer: PeerConnection = new PeerConnection({
        ...{ shared, channels, events, native: library.createPeer("peer") },
        onEnd: (end) => {
          peers.delete(peer);
          if (end === "failed" || end === "timeout") counts.failed += 1;
          if (peers.size === 0) onEmpty();
        },
      });
      peers.add(peer);
      counts.offered += 1;
      return peer;
    } catch (error) {
      onBug(error, "opening a webrtc peer");
      return undefined;
    }
  }

  return {
    async offer(channels, events): Promise<Peer | undefined> {
      const library = await (loading ??= load());
      const isFull = closed || peers.size >= settings.peers_max;
      const peer = isFull || library === undefined ? undefined : open(library, channels, events);
      if (peer === undefined) counts.refused += 1;
      return peer?.gathered;
    },
    get stats(): PeersStats {
      let connected = 0;
      for (const peer of peers) if (peer.connected) connected += 1;
      return { ...counts, peers: peers.size, connected, channels: groups.size };
    },
    shutdown: () => groups.shutdown(),
    async close() {
      closed = true;
      if (peers.size === 0) return;
      const empty = new Promise<void>((resolve) => (onEmpty = resolve));
      for (const peer of peers) peer.terminate();
      await empty;
    },
  };
}
