/**
 * What the transports and listeners rely on, or work around, in Bun itself. A red test here after a new pin says which
 * of our decisions to look at again; it need not be a bug in Bun.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { createServer, request as nodeRequest } from "node:http";
import type { AddressInfo } from "node:net";
import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import { Hono } from "hono";
import { connectRaw, handshake, type RawWebSocket } from "../../test/support/raw-websocket.ts";

type Bare = ServerWebSocket<undefined>;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function serve(
  websocket: Partial<WebSocketHandler<undefined>> = {},
  headers?: Record<string, string>,
) {
  const sockets: Bare[] = [];
  const server: Server<undefined> = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, self) {
      const upgraded = self.upgrade(request, headers === undefined ? {} : { headers });
      return upgraded ? undefined : new Response("no", { status: 400 });
    },
    websocket: {
      idleTimeout: 0,
      sendPings: false,
      message() {},
      ...websocket,
      open: (ws) => void sockets.push(ws),
    },
  });
  cleanups.push(() => server.stop(true));
  const url = server.url.href;
  async function connect(): Promise<{ client: RawWebSocket; ws: Bare }> {
    const client = await connectRaw(url);
    cleanups.push(() => client.destroy());
    return { client, ws: sockets.at(-1)! };
  }
  return { server, url, connect };
}

async function texts(client: RawWebSocket, count: number): Promise<string[]> {
  const all: string[] = [];
  while (all.length < count) all.push((await client.next()).text);
  return all;
}

const text = (at: number) => `${at}`;
const upTo = (count: number) => Array.from({ length: count }, (_, at) => text(at));

describe("order", () => {
  test("publish and send reach a socket in call order, text and binary mixed, also across await", async () => {
    const { server, connect } = serve();
    const { client, ws } = await connect();
    ws.subscribe("t");
    for (let at = 0; at < 500; at += 1) {
      const data = at % 3 === 0 ? Buffer.from(text(at)) : text(at);
      if (at % 2 === 0) server.publish("t", data);
      else ws.send(data);
      if (at % 50 === 7) await Promise.resolve();
      if (at % 50 === 9) await turn();
    }
    expect(await texts(client, 500)).toEqual(upTo(500));
  });

  test("publish and send keep call order within a message handler", async () => {
    const { server, connect } = serve({
      message(ws) {
        for (let at = 0; at < 100; at += 1) {
          if (at % 2 === 0) server.publish("t", text(at));
          else ws.send(text(at));
        }
      },
    });
    const { client, ws } = await connect();
    ws.subscribe("t");
    client.send("go");
    expect(await texts(client, 100)).toEqual(upTo(100));
  });

  test("publish, subscribe, send, publish in one tick gives exactly the sent and the second", async () => {
    const { server, connect } = serve();
    const { client, ws } = await connect();
    server.publish("t", "before");
    ws.subscribe("t");
    ws.send("reply");
    server.publish("t", "after");
    expect(await texts(client, 2)).toEqual(["reply", "after"]);
  });

  test("leaving a topic, sending and rejoining in one tick loses and doubles nothing", async () => {
    const { server, connect } = serve();
    const { client, ws } = await connect();
    ws.subscribe("t");
    for (let at = 0; at < 300; at += 3) {
      server.publish("t", text(at));
      ws.unsubscribe("t");
      ws.send(text(at + 1));
      ws.subscribe("t");
      server.publish("t", text(at + 2));
    }
    expect(await texts(client, 300)).toEqual(upTo(300));
  });
});

describe("topics", () => {
  test("ws.publish leaves out only its sender, who need not be subscribed", async () => {
    const { connect } = serve();
    const [one, two] = [await connect(), await connect()];
    one.ws.subscribe("t");
    two.ws.subscribe("t");
    one.ws.publish("t", "by one");
    one.ws.unsubscribe("t");
    one.ws.publish("t", "by a stranger");
    one.ws.send("end");
    expect((await one.client.next()).text).toBe("end");
    expect(await texts(two.client, 2)).toEqual(["by one", "by a stranger"]);
  });

  test("a publish on one listener does not reach another's", async () => {
    const [here, there] = [serve(), serve()];
    const { client, ws } = await here.connect();
    ws.subscribe("t");
    there.server.publish("t", "elsewhere");
    here.server.publish("t", "here");
    expect((await client.next()).text).toBe("here");
  });

  test("ws.subscriptions lists the topics, and a closed socket is in none", async () => {
    const { server, connect } = serve();
    const { ws } = await connect();
    ws.subscribe("a");
    ws.subscribe("b");
    ws.subscribe("a");
    expect(ws.subscriptions.toSorted()).toEqual(["a", "b"]);
    ws.close();
    expect(server.subscriberCount("a")).toBe(0);
  });
});

describe("backpressure", () => {
  const limit = 256 * 1024;

  async function fillKernel(ws: Bare, frame: string): Promise<number> {
    let sent = 0;
    while (ws.getBufferedAmount() === 0) {
      ws.send(frame);
      sent += 1;
      if (sent % 50 === 0) await turn();
    }
    return sent;
  }

  test("publish above backpressureLimit drops silently for that subscriber and leaves the socket open", async () => {
    const { server, connect } = serve({ backpressureLimit: limit });
    const { client, ws } = await connect();
    ws.subscribe("t");
    client.pause();
    let sent = await fillKernel(ws, "x".padEnd(20_000));
    const statuses = new Set<number>();
    for (let at = 0; at < 100; at += 1) statuses.add(server.publish("t", "y".padEnd(20_000)));
    sent += 100;
    expect(ws.readyState).toBe(1);
    expect(statuses).toContain(0);
    client.resume();
    while (ws.getBufferedAmount() > 0) await turn();
    server.publish("t", "end");
    let received = 0;
    while ((await client.next()).text !== "end") received += 1;
    expect(received).toBeLessThan(sent);
  });

  test("what publish returns is the worst subscriber's status, not whether it was delivered", async () => {
    const { server, connect } = serve({ backpressureLimit: limit });
    const [stalled, healthy] = [await connect(), await connect()];
    stalled.ws.subscribe("t");
    healthy.ws.subscribe("t");
    stalled.client.pause();
    await fillKernel(stalled.ws, "x".padEnd(20_000));
    while (stalled.ws.getBufferedAmount() <= limit) stalled.ws.send("x".padEnd(20_000));
    expect(server.publish("t", "delivered all the same".padEnd(20_000))).toBe(0);
    expect((await healthy.client.next()).text).toStartWith("delivered");
    expect(server.publish("nobody", "x")).toBe(0);
  });

  test("closeOnBackpressureLimit ends the socket with 1006", async () => {
    const closed = Promise.withResolvers<number>();
    const { server, connect } = serve({
      backpressureLimit: limit,
      closeOnBackpressureLimit: true,
      close: (_ws, code) => closed.resolve(code),
    });
    const { client, ws } = await connect();
    ws.subscribe("t");
    client.pause();
    await fillKernel(ws, "x".padEnd(20_000));
    for (let at = 0; at < 100; at += 1) server.publish("t", "y".padEnd(20_000));
    expect(await closed.promise).toBe(1006);
  });

  test("one frame above the limit is taken when nothing waits; an empty one returns 0 without being dropped", async () => {
    const { connect } = serve({ backpressureLimit: limit });
    const { client, ws } = await connect();
    client.pause();
    expect(ws.send("x".repeat(8 * 1024 * 1024))).toBe(-1);
    expect(ws.getBufferedAmount()).toBeGreaterThan(limit);
    expect(ws.send("dropped")).toBe(0);
    client.resume();
    expect((await client.next()).payload.length).toBe(8 * 1024 * 1024);
    while (ws.getBufferedAmount() > 0) await turn();
    expect(ws.send("")).toBe(0);
    expect((await client.next()).text).toBe("");
  });

  test("drain follows as long as anything was buffered", async () => {
    const drained = Promise.withResolvers<void>();
    const { connect } = serve({
      drain: (ws) => {
        if (ws.getBufferedAmount() === 0) drained.resolve();
      },
    });
    const { client, ws } = await connect();
    client.pause();
    await fillKernel(ws, "x".repeat(100_000));
    ws.send("x".repeat(100_000));
    client.resume();
    await drained.promise;
  });
});

describe("closing", () => {
  test("the close handler runs synchronously inside ws.close()", async () => {
    const trace: string[] = [];
    const { connect } = serve({
      close: (ws, code, reason) => void trace.push(`closed ${code} ${reason} ${ws.readyState}`),
    });
    const { client, ws } = await connect();
    trace.push("before");
    ws.close(4001, "bye");
    trace.push("after");
    expect(trace).toEqual(["before", "closed 4001 bye 3", "after"]);
    expect(ws.send("late")).toBe(0);
    expect(await client.rest()).toMatchObject([{ opcode: 8, code: 4001, text: "bye" }]);
  });

  test("ws.close() sends what is buffered, then the close frame, though getBufferedAmount() is 0 at once", async () => {
    const { connect } = serve();
    const { client, ws } = await connect();
    client.pause();
    let sent = 0;
    while (ws.getBufferedAmount() < 500_000) {
      ws.send("x".repeat(100_000));
      sent += 1;
    }
    ws.close(4001, "behind it");
    expect(ws.getBufferedAmount()).toBe(0);
    client.resume();
    const frames = await client.rest();
    expect(frames).toHaveLength(sent + 1);
    expect(frames.at(-1)).toMatchObject({ opcode: 8, code: 4001 });
  });

  test("ws.close() truncates the reason to 123 bytes at a character boundary", async () => {
    const { connect } = serve();
    const { client, ws } = await connect();
    ws.close(4001, "é".repeat(100));
    expect((await client.next()).text).toBe("é".repeat(61));
  });

  // The one test here that takes seconds of real time: the bound on closing is Bun's own, and no clock of ours moves it.
  test("ws.close() cuts a peer that does not close within about 4 s, and terminate() does not hasten it", async () => {
    const { connect } = serve();
    const { client, ws } = await connect();
    const startedMs = performance.now();
    ws.close(4001, "");
    ws.terminate();
    expect((await client.next()).code).toBe(4001);
    // Bytes to a socket that no longer exists are answered with a reset; until then they re-arm nothing.
    const writing = setInterval(() => client.write(new Uint8Array([0x89, 0x80, 0, 0, 0, 0])), 50);
    await client.gone;
    clearInterval(writing);
    const elapsedMs = performance.now() - startedMs;
    expect(elapsedMs).toBeGreaterThan(1_000);
    expect(elapsedMs).toBeLessThan(8_500);
  }, 10_000);

  for (const [what, code, opcode, payload] of [
    ["a message above maxPayloadLength", 1009, 2, Buffer.alloc(11)],
    ["invalid UTF-8", 1007, 1, Buffer.from([0xc3, 0x28])],
    ["an unknown opcode", 1002, 3, Buffer.alloc(0)],
  ] as const) {
    test(`${what} is ${code} on the wire and 1006 in the close handler`, async () => {
      const closed = Promise.withResolvers<{ code: number; reason: string }>();
      const { connect } = serve({
        maxPayloadLength: 10,
        close: (_ws, reported, reason) => closed.resolve({ code: reported, reason }),
      });
      const { client } = await connect();
      client.sendFrame(opcode, payload);
      const end = await client.next();
      expect(end.code).toBe(code);
      expect(await closed.promise).toEqual({ code: 1006, reason: end.text });
      expect(end.text).toStartWith(code === 1009 ? "Received too big message" : "Received invalid");
    });
  }

  test("server.stop() waits while a socket is open, server.stop(true) does not", async () => {
    const { server, connect } = serve();
    const { client } = await connect();
    let stopped = false;
    const waits = server.stop().then(() => {
      stopped = true;
    });
    for (let at = 0; at < 100; at += 1) await turn();
    expect(stopped).toBe(false);
    await server.stop(true);
    await waits;
    expect((await client.next()).code).toBe(1001);
  });
});

describe("messages", () => {
  test("async message handlers of one socket run concurrently", async () => {
    const trace: string[] = [];
    const first = Promise.withResolvers<void>();
    const { connect } = serve({
      async message(ws, message) {
        trace.push(`start ${String(message)}`);
        if (message === "1") await first.promise;
        trace.push(`end ${String(message)}`);
        ws.send("done");
      },
    });
    const { client } = await connect();
    client.send("1");
    client.send("2");
    await client.next();
    expect(trace).toEqual(["start 1", "start 2", "end 2"]);
    first.resolve();
    await client.next();
  });

  test("binary messages are copies of their own", async () => {
    const messages: Uint8Array[] = [];
    const done = Promise.withResolvers<void>();
    const { connect } = serve({
      message(_ws, message) {
        if (typeof message !== "string") messages.push(message);
        if (messages.length === 3) done.resolve();
      },
    });
    const { client } = await connect();
    for (const byte of [1, 2, 3]) client.send(new Uint8Array([byte]));
    await done.promise;
    expect(messages.map((message) => message[0])).toEqual([1, 2, 3]);
    expect(new Set(messages.map(({ buffer }) => buffer)).size).toBe(3);
  });

  test("pause() leaves the peer unread, resume() loses nothing", async () => {
    let received = 0;
    const all = Promise.withResolvers<void>();
    const { connect } = serve({
      message() {
        received += 1;
        if (received === 300) all.resolve();
      },
    });
    const { client, ws } = await connect();
    ws.pause();
    for (let at = 0; at < 300; at += 1) client.send("x".repeat(50_000));
    for (let at = 0; at < 50; at += 1) await turn();
    expect(received).toBe(0);
    ws.resume();
    await all.promise;
  });

  test("maxPayloadLength is one listener's, not one socket's", async () => {
    const [small, large] = [serve({ maxPayloadLength: 10 }), serve({ maxPayloadLength: 1000 })];
    for (const [{ connect }, closes] of [
      [small, true],
      [large, false],
    ] as const) {
      const { client, ws } = await connect();
      client.send("x".repeat(11));
      client.sendFrame(9, Buffer.alloc(0));
      expect((await client.next()).opcode).toBe(closes ? 8 : 10);
      expect(ws.readyState).toBe(closes ? 3 : 1);
    }
  });
});

describe("upgrade", () => {
  const offer = { headers: { "sec-websocket-protocol": "first, second" } };

  test("the first offered subprotocol is echoed", async () => {
    const { headers } = await handshake(serve().url, offer);
    expect(headers.get("sec-websocket-protocol")).toBe("first");
  });

  test(`{"Sec-WebSocket-Protocol": ""} leaves the header out`, async () => {
    const { headers } = await handshake(serve({}, { "Sec-WebSocket-Protocol": "" }).url, offer);
    expect(headers.has("sec-websocket-protocol")).toBe(false);
  });

  test("the open handler runs inside upgrade()", async () => {
    const trace: string[] = [];
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request, self) {
        trace.push("before");
        self.upgrade(request);
        trace.push("after");
      },
      websocket: { message() {}, open: () => void trace.push("open") },
    });
    cleanups.push(() => server.stop(true));
    await handshake(server.url.href);
    expect(trace).toEqual(["before", "open", "after"]);
  });
});

describe("idleTimeout", () => {
  // Two facts take too long for a test here; seen by hand on 1.4.5. With idleTimeout 8 a silent peer is closed after
  // 8 s, but one that is sent a frame every 2 s still lives after 45 s: outbound frames re-arm it. And a connection
  // that sends no complete HTTP header is cut after 12 s, whatever idleTimeout says. What our listener uses is tested.
  test("0 for WebSockets is accepted, and so is timeout(request, 0) while a request is answered", async () => {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 1,
      async fetch(request, self) {
        self.timeout(request, 0);
        await request.text();
        self.timeout(request, 0);
        return new Response("ok");
      },
    });
    cleanups.push(() => server.stop(true));
    expect(await (await fetch(server.url, { method: "POST", body: "x" })).text()).toBe("ok");
  });

  test("an HTTP answer is cut after idleTimeout although it is written to all the time", async () => {
    const stop = new AbortController();
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 1,
      fetch() {
        const pull = async (controller: ReadableStreamDefaultController) => {
          await Bun.sleep(100);
          controller.enqueue(new TextEncoder().encode("x"));
        };
        return new Response(new ReadableStream({ pull, cancel: () => stop.abort() }));
      },
    });
    cleanups.push(() => server.stop(true));
    const response = await fetch(server.url);
    await response.text().catch(() => "cut");
    expect(stop.signal.aborted).toBe(true);
  }, 12_000);
});

describe("HTTP", () => {
  function getWithBody(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port, method: "GET", headers: { "content-length": 4 } };
      const outgoing = nodeRequest(options, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (body += chunk));
        response.on("end", () => resolve(body));
      });
      outgoing.on("error", reject);
      outgoing.end("body");
    });
  }

  test("Bun.serve drops the body of a GET", async () => {
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => new Response(`${request.method} "${await request.text()}"`),
    });
    cleanups.push(() => server.stop(true));
    expect(await getWithBody(server.port!)).toBe('GET ""');
  });

  test("node:http on Bun keeps the body of a GET", async () => {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += String(chunk)));
      request.on("end", () => response.end(`${request.method} "${body}"`));
    });
    cleanups.push(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    expect(await getWithBody((server.address() as AddressInfo).port)).toBe('GET "body"');
  });

  test("two servers with reusePort on one port start silently, and development: false means reusePort", () => {
    for (const options of [{ reusePort: true }, { development: false }]) {
      const start = (port: number) => {
        const fetch = () => new Response();
        const server = Bun.serve({ hostname: "127.0.0.1", port, fetch, ...options });
        cleanups.push(() => server.stop(true));
        return server.port!;
      };
      const port = start(0);
      expect(start(port)).toBe(port);
      expect(() =>
        Bun.serve({ hostname: "127.0.0.1", port, reusePort: false, fetch: () => new Response() }),
      ).toThrow(`Failed to start server. Is port ${port} in use?`);
    }
  });

  test("a name that does not resolve is reported as a busy port", () => {
    const hostname = "no-such-host.invalid";
    expect(() => Bun.serve({ hostname, port: 0, fetch: () => new Response() })).toThrow("in use");
  });

  test("fetch obeys proxy variables, also when told not to", async () => {
    const proxied: string[] = [];
    const proxy = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch(request) {
        proxied.push(request.url);
        return new Response("from the proxy");
      },
    });
    cleanups.push(() => proxy.stop(true));
    const script = `
      for (const proxy of [undefined, "", null]) {
        const response = await fetch("http://service.invalid/", { proxy });
        console.log(await response.text());
      }`;
    const child = Bun.spawn({
      cmd: [process.execPath, "-e", script],
      env: { HTTP_PROXY: proxy.url.href, http_proxy: proxy.url.href },
    });
    expect(await new Response(child.stdout).text()).toBe("from the proxy\n".repeat(3));
    expect(proxied).toHaveLength(3);
  });

  test("Hono's route() ignores a sub-app's notFound and answers 404 for a wrong method; mount() keeps both", async () => {
    const dialect = new Hono();
    dialect.get("/thing", (context) => context.text("thing"));
    dialect.all("/thing", (context) => context.text("dialect 405", 405));
    dialect.notFound((context) => context.text("dialect 404", 404));
    const plain = new Hono();
    plain.get("/thing", (context) => context.text("thing"));

    const routed = new Hono().route("/d", dialect).route("/p", plain);
    expect(await (await routed.request("/d/none")).text()).toBe("404 Not Found");
    expect((await routed.request("/p/thing", { method: "POST" })).status).toBe(404);

    const mounted = new Hono().mount("/d", dialect.fetch);
    expect(await (await mounted.request("/d/none")).text()).toBe("dialect 404");
    const wrong = await mounted.request("/d/thing", { method: "POST" });
    expect(`${wrong.status} ${await wrong.text()}`).toBe("405 dialect 405");
  });
});
