/** The WebSocket transport: what every transport promises, and what it makes of the protocol's frames. */
import { describe, expect, test } from "bun:test";
import { testTransport } from "../../test/conformance/transport/index.ts";
import type { TransportClient } from "../../test/conformance/transport/under-test.ts";
import { connectRaw, type RawWebSocket } from "../../test/support/raw-websocket.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { findMount, useWebSocketListener } from "../../test/support/websocket-listener.ts";
import type { Frame } from "../core/types.ts";
import { createClientsListener } from "./listener.ts";
import type { OpenSession } from "./socket.ts";

function rawClient(raw: RawWebSocket): TransportClient {
  const toFrame = ({
    opcode,
    payload,
    text,
  }: {
    opcode: number;
    payload: Buffer;
    text: string;
  }): Frame => (opcode === 2 ? new Uint8Array(payload) : text);
  return {
    send: (message) => raw.send(message),
    async next() {
      const frame = await raw.next();
      if (frame.opcode === 8) throw new Error(`Closed with ${frame.code}`);
      return toFrame(frame);
    },
    async ended() {
      const frames = await raw.rest();
      const last = frames.pop();
      if (last?.opcode !== 8) throw new Error("The connection ended without a close frame");
      return { code: last.code ?? 1005, reason: last.text, messages: frames.map(toFrame) };
    },
    close: (code, reason) => raw.close(code, reason),
    pause: () => raw.pause(),
    resume: () => raw.resume(),
  };
}

testTransport(
  "websocket",
  async () => {
    const runtime = createTestRuntime();
    const bugs: unknown[] = [];
    const clients: RawWebSocket[] = [];
    let opening: OpenSession | undefined;
    const listener = createClientsListener({
      hostname: "127.0.0.1",
      port: 0,
      trustedProxies: [],
      findMount,
      routes: [
        {
          ...{ path: "/", transports: ["websocket"], messageBytesMax: 65_536 },
          accept: () => opening!,
        },
      ],
      fetch: () => new Response("not found", { status: 404 }),
      runtime,
      onBug: (error) => bugs.push(error),
    });
    return {
      fanout: listener.fanout,
      runtime,
      bugs,
      async connect(open, limits) {
        opening = { open, ...limits };
        const raw = await connectRaw(listener.url);
        clients.push(raw);
        return rawClient(raw);
      },
      async close() {
        await listener.close();
        for (const client of clients) client.destroy();
      },
    };
  },
  { binary: true },
);

describe("WebSocket listener", () => {
  const { listen, connect } = useWebSocketListener();

  describe("frames", () => {
    test("terminate() drops the connection without a close frame", async () => {
      const { url, sessions } = listen();
      const client = await connect(url);
      const { socket } = sessions[0]!;
      socket.terminate();
      socket.terminate();
      socket.send("late");
      expect(await client.rest()).toEqual([]);
      expect(sessions[0]!.ends).toMatchObject([{ code: 1006 }]);
    });

    test("pings and pongs count as received, and a ping is answered", async () => {
      const { url, runtime, sessions } = listen();
      const client = await connect(url);
      const { socket } = sessions[0]!;
      await runtime.advance(1000);
      client.sendFrame(9, Buffer.from("are you there"));
      expect(await client.next()).toMatchObject({ opcode: 10, text: "are you there" });
      expect(socket.lastReceivedMs).toBe(1000);
      await runtime.advance(1000);
      client.sendFrame(10, Buffer.alloc(0));
      client.send("end");
      await client.next();
      expect(socket.lastReceivedMs).toBe(2000);
      socket.ping();
      expect((await client.next()).opcode).toBe(9);
    });

    test("invalid UTF-8 closes with 1007, and closed() is told so", async () => {
      const { url, sessions } = listen();
      const client = await connect(url);
      client.sendFrame(1, Buffer.from([0xff]));
      expect((await client.next()).code).toBe(1007);
      await sessions[0]!.ended;
      expect(sessions[0]!.ends[0]!.code).toBe(1007);
      expect(sessions[0]!.received).toEqual([]);
    });

    test("a protocol error closes with 1002, and closed() is told so", async () => {
      const { url, sessions } = listen();
      const client = await connect(url);
      client.sendFrame(3, Buffer.alloc(0));
      expect((await client.next()).code).toBe(1002);
      await sessions[0]!.ended;
      expect(sessions[0]!.ends[0]!.code).toBe(1002);
    });

    test("a header that claims too much closes with 1009 before the payload comes", async () => {
      const { url, sessions } = listen();
      const client = await connect(url);
      client.sendFrame(2, Buffer.alloc(10), { claimedBytes: 2 * 1024 * 1024 });
      expect((await client.next()).code).toBe(1009);
      await sessions[0]!.ended;
      expect(sessions[0]!.ends[0]!.code).toBe(1009);
    });

    test("fragments are one message, and the limit is for all of them", async () => {
      const { url, sessions } = listen({ messageBytesMax: 10 });
      const client = await connect(url);
      const fragments = (first: string, second: string) => {
        client.sendFrame(1, Buffer.from(first), { final: false });
        client.sendFrame(0, Buffer.from(second));
      };
      fragments("12345", "12345");
      expect((await client.next()).text).toBe("1234512345");
      fragments("12345", "123456");
      expect((await client.next()).code).toBe(1009);
      expect(sessions[0]!.received).toEqual(["1234512345"]);
    });

    test("a message whose end has not come may have as many bytes as any route takes, and not one more", async () => {
      const { url } = listen({ messageBytesMax: 100 });
      for (const opcode of [1, 2]) {
        const client = await connect(url);
        client.sendFrame(opcode, Buffer.alloc(60, 97), { final: false });
        client.sendFrame(0, Buffer.alloc(40, 97), { final: false });
        client.sendFrame(9, Buffer.alloc(0));
        expect((await client.next()).opcode).toBe(10);
        client.sendFrame(0, Buffer.alloc(1, 97), { final: false });
        expect((await client.next()).code).toBe(1009);
      }
    });

    test("a peer that drops the connection is 1006", async () => {
      const { url, sessions, listener } = listen();
      const client = await connect(url);
      expect(listener.sockets()).toBe(1);
      client.destroy();
      await sessions[0]!.ended;
      expect(sessions[0]!.ends).toEqual([{ code: 1006, reason: "" }]);
      expect(listener.sockets()).toBe(0);
    });

    test("a close frame without a code is 1005", async () => {
      const { url, sessions } = listen();
      const client = await connect(url);
      client.close();
      await sessions[0]!.ended;
      expect(sessions[0]!.ends).toEqual([{ code: 1005, reason: "" }]);
    });

    test("a flood is not read while the session is busy, and loses nothing", async () => {
      const { url, sessions, runtime, listener } = listen();
      const client = await connect(url);
      const session = sessions[0]!;
      const free = Promise.withResolvers<void>();
      const busy = Promise.withResolvers<void>();
      const done = Promise.withResolvers<void>();
      const count = 400;
      session.onReceive = (frame) => {
        if (frame === "first") {
          busy.resolve();
          return free.promise;
        }
        if (session.received.length === count + 1) done.resolve();
        return session.received.length % 50 === 0 ? runtime.settle() : undefined;
      };
      client.send("first");
      await busy.promise;
      for (let at = 0; at < count; at += 1) client.send(`${at}`.padEnd(60_000));
      // 24 MB are more than the kernel and our own queue take: frames stop coming long before the last.
      let received = 0;
      for (let still = 0; still < 100; still += 1) {
        if (listener.stats().received !== received) still = 0;
        received = listener.stats().received;
        await runtime.settle();
      }
      expect(received).toBeLessThan(count);
      await runtime.advance(60_000);
      expect(session.socket.lastReceivedMs).toBe(runtime.clock.monotonicMs());
      free.resolve();
      await done.promise;
      const expected = Array.from({ length: count }, (_, at) => at);
      expect(session.received.slice(1).map(Number)).toEqual(expected);
    });
  });

  test("no bound is above half of backpressureLimitBytes, so Bun's own limit is never met", async () => {
    const { url, sessions, listener } = listen({
      backpressureLimitBytes: 200_000,
      bufferedBytesMax: 10_000_000,
    });
    const client = await connect(url);
    const { socket, member, ends } = sessions[0]!;
    member.join("g");
    member.hold();
    for (let at = 0; at < 100; at += 1) listener.fanout.publish("g", "x".repeat(1000));
    expect(socket.bufferedBytes).toBe(100_000);
    expect(listener.stats()).toMatchObject({ slow: 0, published: 100 });
    listener.fanout.publish("g", "x");
    expect((await client.next()).code).toBe(3008);
    expect(ends).toEqual([{ code: 3008, reason: "slow" }]);
    expect(listener.stats()).toMatchObject({ slow: 1, lagging: 0 });
  });
});
