/** WebRTC peers as a transport under test: each connection is a peer with one channel. */
import type { Fanout } from "../../src/core/fanout.ts";
import type { Frame } from "../../src/core/types.ts";
import { webrtc } from "../../src/config/webrtc.ts";
import { LocalGroups } from "../../src/transports/local-groups.ts";
import type { PeerEnd } from "../../src/transports/data-channels.ts";
import type { Session, Socket } from "../../src/transports/socket.ts";
import { createPeers, type PeersOptions } from "../../src/transports/webrtc/index.ts";
import type { TransportClient, TransportUnderTest } from "../conformance/transport/under-test.ts";
import { createTestRuntime, type TestRuntime } from "./runtime.ts";
import { createTestPeer, type TestPeer } from "./webrtc-peer.ts";

export const CONNECT_TIMEOUT_MS = 60_000;

interface TestPeersOptions {
  readonly settings?: Parameters<typeof webrtc.parse>[0];
  readonly runtime: TestRuntime;
  readonly onBug?: PeersOptions["onBug"];
}

export function createTestPeers({ settings = {}, runtime, onBug }: TestPeersOptions) {
  return createPeers({
    settings: webrtc.parse(settings),
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    runtime,
    onBug:
      onBug ??
      ((error) => {
        throw error;
      }),
  });
}

/** Events of one peer, to be waited for. */
export function recordEvents() {
  const connected = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<PeerEnd>();
  const seen: string[] = [];
  return {
    ...{
      seen,
      whenConnected: connected.promise,
      whenOpened: opened.promise,
      whenEnded: ended.promise,
    },
    events: {
      connected() {
        seen.push("connected");
        connected.resolve();
      },
      opened() {
        seen.push("opened");
        opened.resolve();
      },
      ended(end: PeerEnd) {
        seen.push(end);
        ended.resolve(end);
      },
    },
  };
}

export async function createWebrtcTransport(): Promise<TransportUnderTest> {
  const runtime = createTestRuntime();
  const bugs: unknown[] = [];
  const peers = createTestPeers({ runtime, onBug: (error) => void bugs.push(error) });
  const clients: TestPeer[] = [];
  let fanout: Fanout | undefined;
  return {
    ...{ runtime, bugs },
    get fanout() {
      // Nothing can have joined before a session was opened.
      return fanout ?? new LocalGroups();
    },
    async connect(open, limits) {
      const tried = Promise.withResolvers<void>();
      const closed = Promise.withResolvers<{ code: number; reason: string }>();
      const opening = {
        ...limits,
        open(socket: Socket): Session {
          ({ fanout } = socket.member);
          tried.resolve();
          try {
            return tellingOfItsEnd(open(socket), closed.resolve);
          } catch (error) {
            // A session that is not there cannot be told how it ended.
            closed.resolve({ code: 1011, reason: "internal error" });
            throw error;
          }
        },
      };
      const { events } = recordEvents();
      const peer = await peers.offer([{ label: "test", opening }], events);
      const client = createTestPeer();
      clients.push(client);
      await peer?.answer(await client.answer(peer.offer));
      const channel = await client.channel("test");
      await tried.promise;
      return {
        send: (message) => channel.send(message),
        next: () => channel.next(),
        async ended() {
          const messages: Frame[] = [];
          const end = await closed.promise;
          for (;;) {
            try {
              messages.push(await channel.next());
            } catch {
              return { ...end, messages };
            }
          }
        },
        close: () => channel.native.close(),
        pause: () => client.pause(),
        resume: () => client.resume(),
      } satisfies TransportClient;
    },
    async close() {
      await peers.close();
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

/** A code and reason stay on the server, so that this is where to see them. */
function tellingOfItsEnd(
  session: Session,
  onClosed: (end: { readonly code: number; readonly reason: string }) => void,
): Session {
  return {
    receive: (frame) => session.receive(frame),
    slow: () => session.slow(),
    failed: () => session.failed(),
    shutdown: () => session.shutdown(),
    closed(code, reason) {
      onClosed({ code, reason });
      session.closed(code, reason);
    },
  };
}
