import { afterEach, describe, expect, test } from "bun:test";
import {
  RecordingSession,
  testTransport,
  type TransportClient,
} from "../../test/conformance/transport.ts";
import { connectRaw, handshake, type RawWebSocket } from "../../test/support/raw-websocket.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import type { Frame } from "../core/types.ts";
import { type ClientsListenerOptions, createClientsListener } from "./listener.ts";
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
      routes: [{ path: "/", transports: ["websocket"], accept: () => opening! }],
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
  const cleanups: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });

  type Setup = Partial<ClientsListenerOptions> & Partial<Omit<OpenSession, "open">>;

  /** A listener with the route `/socket`, whose sessions record. */
  function listen({ messageBytesMax, bufferedBytesMax, subprotocol, ...options }: Setup = {}) {
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
      messageBytesMax: messageBytesMax ?? 65_536,
      bufferedBytesMax: bufferedBytesMax ?? 1024 * 1024,
    };
    const listener = createClientsListener({
      hostname: "127.0.0.1",
      port: 0,
      trustedProxies: [],
      routes: [{ path: "/socket", transports: ["websocket"], accept: () => opening }],
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

  describe("handshake", () => {
    test("no offered subprotocol is echoed unless the route names one", async () => {
      const offer = { "sec-websocket-protocol": "a, b" };
      const none = await connect(listen().url, offer);
      expect(none.response.headers.has("sec-websocket-protocol")).toBe(false);
      const second = await connect(listen({ subprotocol: "b" }).url, offer);
      expect(second.response.headers.get("sec-websocket-protocol")).toBe("b");
    });

    test("Bun's WebSocket client connects with and without a subprotocol", async () => {
      for (const [setup, protocols, chosen] of [
        [{}, [], ""],
        [{ subprotocol: "b" }, ["a", "b"], "b"],
      ] as const) {
        const client = new WebSocket(listen(setup).url.replace("http", "ws"), [...protocols]);
        const echoed = new Promise<unknown>((resolve, reject) => {
          client.addEventListener("open", () => client.send("hello"));
          client.addEventListener("message", ({ data }) => resolve(data));
          client.addEventListener("error", () => reject(new Error("did not connect")));
        });
        expect(await echoed).toBe("hello");
        expect(client.protocol).toBe(chosen);
        client.close();
      }
    });

    // RFC 6455 lets a server choose none; the WHATWG client algorithm fails the connection then, as browsers do.
    test("a client that offers subprotocols does not take an answer without one", async () => {
      const client = new WebSocket(listen().url.replace("http", "ws"), ["a"]);
      const code = await new Promise<number>((resolve) => {
        client.addEventListener("close", (event) => resolve(event.code));
      });
      expect(code).toBe(1006);
    });

    test("a request that is no good handshake is answered 400 or 426, never a socket", async () => {
      const { url, sessions } = listen();
      const status = async (headers: Record<string, string | undefined>) =>
        (await handshake(url, { headers })).status;
      expect(await status({ "sec-websocket-key": undefined })).toBe(400);
      expect(await status({ "sec-websocket-key": "short" })).toBe(400);
      expect(await status({ "sec-websocket-version": "8" })).toBe(426);
      expect(await status({ upgrade: "h2c" })).toBe(426);
      expect(sessions).toHaveLength(0);
    });

    test("a plain request to a socket's path is told so, unless the path is a page too", async () => {
      const plain = await fetch(listen().url);
      expect(plain.status).toBe(426);
      expect(await plain.text()).toBe("this path takes WebSocket connections only");
      const page = await fetch(listen({ fetch: () => new Response("page") }).url);
      expect(await page.text()).toBe("page");
    });

    test("paths match exactly; the others, and other transports' routes, go to fetch", async () => {
      const { listener, opening } = listen({
        routes: [
          { path: "/sse", transports: ["sse"], accept: () => opening },
          { path: "/socket", transports: ["sockjs", "websocket"], accept: () => opening },
        ],
        fetch: (request) => new Response(`page ${new URL(request.url).pathname}`),
      });
      for (const path of ["/", "/socket/", "/Socket", "/sse"]) {
        const answer = await handshake(`${listener.url}${path}`);
        expect(answer).toMatchObject({ status: 200, body: `page ${path}` });
      }
      await connect(`${listener.url}/socket?query=1`);
    });

    test("accept sees url, headers and address, may wait, and may refuse", async () => {
      const seen: string[] = [];
      const { url, opening, listener } = listen({
        routes: [
          {
            path: "/socket",
            transports: ["websocket"],
            async accept({ url: { pathname, search }, headers, address }) {
              await Promise.resolve();
              seen.push(`${pathname}${search} ${headers.get("x-token")} ${address}`);
              return headers.has("x-token") ? opening : new Response("no token", { status: 401 });
            },
          },
        ],
      });
      const client = await connect(`${url}?a=b`, { "x-token": "t" });
      client.send("hello");
      expect((await client.next()).text).toBe("hello");
      expect(await handshake(url)).toMatchObject({ status: 401, body: "no token" });
      expect(seen).toEqual(["/socket?a=b t 127.0.0.1", "/socket null 127.0.0.1"]);
      expect(listener.stats()).toMatchObject({ opened: 1, refused: 1, received: 1, sent: 1 });
    });

    test("an accept that fails is a bug and answers 500", async () => {
      const failing = () => Promise.reject(new Error("bug"));
      const routes = [{ path: "/socket", transports: ["websocket"] as const, accept: failing }];
      const { url, bugs } = listen({ routes });
      expect((await handshake(url)).status).toBe(500);
      expect(bugs).toEqual([new Error("bug")]);
    });

    test("a client that leaves while accept waits costs nothing", async () => {
      const entered = Promise.withResolvers<void>();
      const decide = Promise.withResolvers<OpenSession>();
      const accept = () => {
        entered.resolve();
        return decide.promise;
      };
      const { url, opening, sessions, bugs, listener } = listen({
        routes: [{ path: "/socket", transports: ["websocket"], accept }],
      });
      const abort = new AbortController();
      const headers = {
        upgrade: "websocket",
        connection: "upgrade",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
      };
      const request = fetch(url, { headers, signal: abort.signal }).catch(() => "aborted");
      await entered.promise;
      abort.abort();
      expect(await request).toBe("aborted");
      await fetch(listener.url);
      decide.resolve(opening);
      await fetch(listener.url);
      expect(sessions).toHaveLength(0);
      expect(bugs).toEqual([]);
    });
  });

  describe("requests", () => {
    test("fetch gets the client's address, a trusted proxy's word for it included", async () => {
      const address = async (trustedProxies: string[], forwarded?: string) => {
        const { listener } = listen({
          trustedProxies,
          fetch: (_request, context) => new Response(context.address),
        });
        const headers: Record<string, string> =
          forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
        return (await fetch(listener.url, { headers })).text();
      };
      expect(await address([])).toBe("127.0.0.1");
      expect(await address([], "1.2.3.4")).toBe("127.0.0.1");
      expect(await address(["10.0.0.0/8"], "1.2.3.4")).toBe("127.0.0.1");
      expect(await address(["127.0.0.0/8"], "1.2.3.4")).toBe("1.2.3.4");
      expect(await address(["127.0.0.1"], "6.6.6.6, 1.2.3.4")).toBe("1.2.3.4");
    });

    test("a fetch that fails is a bug and answers 500", async () => {
      const { listener, bugs } = listen({ fetch: () => Promise.reject(new Error("bug")) });
      expect((await fetch(listener.url)).status).toBe(500);
      expect(bugs).toEqual([new Error("bug")]);
    });

    test("a body may have requestBodyBytesMax bytes, and not one more", async () => {
      const { listener } = listen({
        requestBodyBytesMax: 1000,
        fetch: async (request) => new Response(String((await request.text()).length)),
      });
      const post = (bytes: number) =>
        fetch(listener.url, { method: "POST", body: "x".repeat(bytes) });
      expect(await (await post(1000)).text()).toBe("1000");
      expect((await post(1001)).status).toBe(413);
    });

    test("keepOpen may be called before and after the body is read", async () => {
      const { listener } = listen({
        async fetch(request, { keepOpen }) {
          keepOpen();
          const body = await request.text();
          keepOpen();
          return new Response(body);
        },
      });
      const response = await fetch(listener.url, { method: "POST", body: "x" });
      expect(await response.text()).toBe("x");
    });
  });

  describe("frames", () => {
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

  describe("end", () => {
    test("stopAccepting refuses what is new and leaves open sockets alone", async () => {
      const { url, listener } = listen();
      const client = await connect(url);
      listener.stopAccepting();
      expect(await handshake(url)).toMatchObject({ status: 503, body: "shutting down" });
      const plain = await fetch(listener.url);
      expect(plain.status).toBe(503);
      expect(await plain.text()).toBe("shutting down");
      client.send("still here");
      expect((await client.next()).text).toBe("still here");
    });

    test("stopAccepting while accept waits refuses the upgrade", async () => {
      const entered = Promise.withResolvers<void>();
      const decide = Promise.withResolvers<OpenSession>();
      const accept = () => {
        entered.resolve();
        return decide.promise;
      };
      const { url, opening, listener } = listen({
        routes: [{ path: "/socket", transports: ["websocket"], accept }],
      });
      const answer = handshake(url);
      await entered.promise;
      listener.stopAccepting();
      decide.resolve(opening);
      expect((await answer).status).toBe(503);
    });

    test("close ends what is left, whether it reads, stalls or never answers, and frees the port", async () => {
      const { url, listener, sessions } = listen();
      const reading = await connect(url);
      const stalled = await connect(url);
      stalled.pause();
      for (let at = 0; at < 600; at += 1) sessions[1]!.socket.send("x".repeat(10_000));
      const closing = await connect(url);
      sessions[2]!.socket.close(3000, "and the peer does not answer");
      await listener.close();
      expect((await reading.next()).code).toBe(1001);
      expect(sessions.map(({ ends }) => ends.length)).toEqual([1, 1, 1]);
      expect(listener.sockets()).toBe(0);
      expect((await closing.next()).code).toBe(3000);
      listen({ port: listener.port });
    });

    test("close twice is close once", async () => {
      const { listener } = listen();
      await listener.close();
      await listener.close();
    });
  });

  describe("listening", () => {
    test("a busy port, a bad name, address, port or certificate is one clear sentence", () => {
      const { listener } = listen();
      const busy = `Port ${listener.port} on 127.0.0.1 is already in use`;
      expect(() => listen({ port: listener.port })).toThrow(busy);
      const name = `"no-such-host.invalid" cannot be resolved to an address of this machine`;
      expect(() => listen({ hostname: "no-such-host.invalid" })).toThrow(name);
      // 192.0.2.0/24 is for documentation: no machine has it.
      const address = `"192.0.2.1" is not an address of this machine`;
      expect(() => listen({ hostname: "192.0.2.1" })).toThrow(address);
      expect(() => listen({ port: 70_000 })).toThrow("Cannot listen on port 70000");
      const tls = { cert: "no certificate", key: "no key" };
      expect(() => listen({ tls })).toThrow("Cannot listen on port 0");
      const proxy = 'Trusted proxy "10.0.0.0/40" is neither an IP address nor a CIDR range';
      expect(() => listen({ trustedProxies: ["10.0.0.0/40"] })).toThrow(proxy);
    });

    test("TLS serves wss and https", async () => {
      const { listener } = listen({ tls: TLS, fetch: () => new Response("page") });
      expect(listener.url).toStartWith("https://127.0.0.1:");
      const tls = { rejectUnauthorized: false };
      expect(await (await fetch(listener.url, { tls })).text()).toBe("page");
      const client = new WebSocket(`${listener.url.replace("https", "wss")}/socket`, { tls });
      const echoed = new Promise<unknown>((resolve) => {
        client.addEventListener("open", () => client.send("hello"));
        client.addEventListener("message", ({ data }) => resolve(data));
      });
      expect(await echoed).toBe("hello");
      client.close();
    });

    test("IPv6 addresses are bracketed in the URL", async () => {
      const { listener } = listen({
        hostname: "::1",
        fetch: (_, { address }) => new Response(address),
      });
      expect(listener.url).toBe(`http://[::1]:${listener.port}`);
      expect(await (await fetch(listener.url)).text()).toBe("::1");
    });
  });
});

/** For localhost, until 2126; guards nothing. */
const TLS = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdlSgGWzqFU3I0U1e
Z4nngkGM0QuBfe6xSAU+jJ8ckS+hRANCAAQ0o6RE0A8wQ/wVbl2Kv3dB2DhEnfp0
pA5rVuMJitvrPKwigUTGIyLscfvX9kObVlRUKr/7ZlTatN4kN6K+o4fy
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUWBHy/0GH7uz+YmSz57GIIboJZCQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTAyMjAxOVoYDzIxMjYxMDI4
MDIyMDE5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQ0o6RE0A8wQ/wVbl2Kv3dB2DhEnfp0pA5rVuMJitvrPKwigUTGIyLs
cfvX9kObVlRUKr/7ZlTatN4kN6K+o4fyo28wbTAdBgNVHQ4EFgQUDqgw6AZDEQKc
JzbqBDKB9jHSwaQwHwYDVR0jBBgwFoAUDqgw6AZDEQKcJzbqBDKB9jHSwaQwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgHLuohjFJuSfIu+ctBTWE+0CN2v15tWAbwvbruQ/AOTsCIQDb
gqdjHweD6QGCHpn+jp7ARFVj2c6xLEhNyzueqf+K7w==
-----END CERTIFICATE-----
`,
};
