/**
 * The server, with WebRTC peers that are connected by any answer and cost nothing: what is measured of Sora's connections is their
 * signaling WebSocket, and a load of raw sockets can open them.
 */
import { loadConfig } from "../../src/dialects/configuration.ts";
import { createLogger } from "../../src/operations/log.ts";
import { startServer } from "../../src/server.ts";
import type { Peer, PeerEnd, PeerEvents, Peers } from "../../src/transports/data-channels.ts";

const NONE = { peers: 0, connected: 0, channels: 0, offered: 0, refused: 0, failed: 0 };

const peers: Peers = {
  offer: async (_channels, events) => connectedPeer(events),
  stats: { ...NONE, oversized: 0 },
  shutdown() {},
  async close() {},
};

function connectedPeer(events: PeerEvents): Peer {
  const end = (how: PeerEnd) => events.ended(how);
  return {
    offer: "v=0\r\n",
    async answer() {
      queueMicrotask(() => {
        events.connected();
        events.opened();
      });
      return true;
    },
    addCandidate: () => true,
    reoffer: async () => "v=0\r\n",
    close: () => end("closed"),
    terminate: () => end("closed"),
  };
}

const config = loadConfig({ path: undefined, env: process.env, flags: [] });
await startServer({ config, log: createLogger(config.log), createPeers: () => peers });
