/** A clients' listener with one WebSocket route, whose sessions record and echo, and raw clients of it. */
import { afterEach } from "bun:test";
import type { ClientsListenerOptions } from "../../src/transports/clients-listener.ts";
import { createClientsListener } from "../../src/transports/listener.ts";
import { createMounts } from "../../src/transports/mounts.ts";
import type { OpenSession } from "../../src/transports/socket.ts";
import { RecordingSession } from "../conformance/transport/recording-session.ts";
import { connectRaw, type RawWebSocket } from "./raw-websocket.ts";
import { createTestRuntime } from "./runtime.ts";

type Setup = Partial<ClientsListenerOptions> & Partial<Omit<OpenSession, "open">>;

/** Every request is this one app's. */
export const findMount = createMounts([{ app: "dev", hosts: [], pathPrefix: "" }], {
  ...{ app: undefined, exclusive: true },
});

/** What `listen` and `connect` start ends after each test of the suite that calls this, the last first. */
export function useWebSocketListener() {
  const cleanups: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });

  /** A listener with the route `/socket`, whose sessions record. */
  function listen({
    messageBytesMax = 65_536,
    bufferedBytesMax,
    subprotocol,
    ...options
  }: Setup = {}) {
    const runtime = createTestRuntime();
    const bugs: unknown[] = [];
    const sessions: RecordingSession[] = [];
    const opening: OpenSession = {
      open(socket) {
        const session = new RecordingSession(socket);
        session.onReceive = (frame) => socket.send(frame);
        sessions.push(session);
        return session;
      },
      ...(subprotocol === undefined ? {} : { subprotocol }),
      messageBytesMax,
      bufferedBytesMax: bufferedBytesMax ?? 1024 * 1024,
    };
    const listener = createClientsListener({
      hostname: "127.0.0.1",
      port: 0,
      trustedProxies: [],
      findMount,
      routes: [
        { path: "/socket", transports: ["websocket"], messageBytesMax, accept: () => opening },
      ],
      fetch: () => new Response("not found", { status: 404 }),
      runtime,
      onBug: (error) => bugs.push(error),
      ...options,
    });
    cleanups.push(() => listener.close());
    return { listener, runtime, bugs, sessions, opening, url: `${listener.url}/socket` };
  }

  async function connect(url: string, headers?: Record<string, string>): Promise<RawWebSocket> {
    const client = await connectRaw(url, headers === undefined ? {} : { headers });
    cleanups.push(() => client.destroy());
    return client;
  }

  return { listen, connect };
}
