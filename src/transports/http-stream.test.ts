/** Answers that stream: what every transport promises, over real HTTP and in two formats, and what is their own. */
import { afterEach, expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { testTransport } from "../../test/conformance/transport/index.ts";
import { RecordingSession } from "../../test/conformance/transport/recording-session.ts";
import { LIMITS } from "../../test/conformance/transport/under-test.ts";
import {
  createHttpStreamTransport,
  JSON_LINES,
  SSE,
} from "../../test/support/http-stream-transport.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { turn } from "../../test/support/bun-servers.ts";
import { openStream } from "../../test/support/stream-client.ts";
import { createClientsListener } from "./listener.ts";
import { createMounts } from "./mounts.ts";
import type { ClientsRequest, Socket } from "./socket.ts";

testTransport("HTTP stream, server-sent events", () => createHttpStreamTransport(SSE), {
  binary: false,
});
testTransport("HTTP stream, lines of JSON", () => createHttpStreamTransport(JSON_LINES), {
  binary: false,
});

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Every request below `/blue`, whose prefix is cut off, is answered by a stream of its own once `ready` is settled. */
function listen(ready: (lent: ClientsRequest) => Promise<void> | void = () => {}) {
  const sessions: RecordingSession[] = [];
  const left = Promise.withResolvers<void>();
  const open = (socket: Socket) => {
    const session = new RecordingSession(socket);
    sessions.push(session);
    return session;
  };
  const listener = createClientsListener({
    ...{ hostname: "127.0.0.1", port: 0, trustedProxies: [], routes: [] },
    findMount: createMounts([{ app: "blue", hosts: [], pathPrefix: "/blue" }], {
      ...{ app: undefined, exclusive: true },
    }),
    async fetch(_request, lent) {
      await ready(lent);
      const socket = lent.openSocket("sse", { open, ...LIMITS });
      return lent.stream(socket, {
        ...SSE,
        left() {
          socket.ended(1006, "");
          left.resolve();
        },
      });
    },
    runtime: createTestRuntime(),
    onBug: () => {},
  });
  cleanups.push(() => listener.close());
  const url = `${listener.url}/blue/stream`;
  async function connect() {
    const client = await openStream(url, "\n\n");
    cleanups.push(() => client.destroy());
    expect(await client.next()).toBe(":");
    return { client, session: sessions.at(-1)! };
  }
  return { listener, url, sessions, left: left.promise, connect };
}

test("a client that leaves ends its session, and is counted no longer", async () => {
  const { listener, left, connect } = listen();
  const { client, session } = await connect();
  expect(listener.sockets()).toBe(1);
  client.destroy();
  await left;
  expect(session.ends).toEqual([{ code: 1006, reason: "" }]);
  expect(listener.sockets()).toBe(0);
});

test("one that left before its answer began is known to have", async () => {
  const reached = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const { url, left, sessions } = listen(({ onLeave }) => {
    onLeave(gone.resolve);
    reached.resolve();
    return gone.promise;
  });
  const { hostname, port } = new URL(url);
  const client = connectTcp({ host: hostname, port: Number(port) }, () => {
    client.write("GET /blue/stream HTTP/1.1\r\nHost: x\r\n\r\n");
  });
  await reached.promise;
  client.destroy();
  await left;
  expect(sessions[0]?.ends).toHaveLength(1);
});

test("a ping is nothing to the session's client, and terminate cuts the answer without a last word", async () => {
  const { connect } = listen();
  const { client, session } = await connect();
  session.socket.ping();
  expect(await client.next()).toBe(":");
  session.socket.send("1");
  session.socket.terminate();
  expect(await client.whole).toBe(false);
  expect(session.ends).toEqual([{ code: 1006, reason: "" }]);
});

test("last words reach the client though the listener closes right behind them", async () => {
  const { listener, connect } = listen();
  const { client } = await connect();
  listener.shutdown();
  await listener.close();
  expect(await client.next()).toBe('event: close\ndata: [3001,"shutdown"]');
  expect(await client.whole).toBe(true);
});

// Bun counts a connection's seconds in steps of four, and no clock of ours moves it.
test("a client that does not read is cut, after a terminate and behind a close", async () => {
  const gone: Promise<void>[] = [];
  const { connect } = listen(({ onLeave }) => void gone.push(new Promise(onLeave)));
  const stalled = [await connect(), await connect()];
  for (const { client, session } of stalled) {
    client.pause();
    // The kernel takes about 4 MB.
    while (session.socket.bufferedBytes === 0) {
      // One, so that none waits behind the one that the kernel does not take.
      session.socket.send("x".repeat(10_000));
      await turn();
    }
  }
  stalled[0]?.session.socket.terminate();
  stalled[1]?.session.socket.close(3000, "bye");
  expect(await stalled[0]?.client.whole).toBe(false);
  await gone[1];
}, 20_000);
