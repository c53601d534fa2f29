/** The clients' listener around its sockets: plain requests, addresses and TLS, and how it stops. */
import { describe, expect, test } from "bun:test";
import { exchange, until } from "../../test/support/hostile.ts";
import { handshake } from "../../test/support/raw-websocket.ts";
import { useWebSocketListener } from "../../test/support/websocket-listener.ts";
import { BODIES_BYTES_MAX } from "./clients-bodies.ts";
import { createMounts } from "./mounts.ts";
import type { OpenSession } from "./socket.ts";

describe("WebSocket listener", () => {
  const { listen, connect } = useWebSocketListener();

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

    test("a body is read up to its route's bound, once for whoever asks, and not when it is compressed", async () => {
      const { listener } = listen({
        async fetch(request, { readBody }) {
          const bodies = [await readBody(3), await readBody(5), await readBody(5)];
          return Response.json(
            bodies.map((body) => (typeof body === "string" ? body : Buffer.from(body).toString())),
          );
        },
      });
      const post = async (body: string | ReadableStream, headers: Record<string, string> = {}) =>
        (await fetch(listener.url, { method: "POST", body, headers })).json();
      const chunked = (text: string) => new Blob([text]).stream();
      for (const [text, answer] of [
        ["123", ["123", "123", "123"]],
        ["12345", ["too_large", "12345", "12345"]],
        ["123456", ["too_large", "too_large", "too_large"]],
        ["", ["", "", ""]],
      ] as const) {
        expect(await post(text)).toEqual([...answer]);
        expect(await post(chunked(text))).toEqual([...answer]);
      }
      const packed = await post("123", { "content-encoding": "gzip" });
      expect(packed).toEqual(["compressed", "compressed", "compressed"]);
    });

    test("bodies that declare more than all may hold are refused until others are answered", async () => {
      const held = Promise.withResolvers<void>();
      const requestBodyBytesMax = BODIES_BYTES_MAX;
      const { listener } = listen({
        requestBodyBytesMax,
        async fetch(request) {
          if (request.url.endsWith("/hold")) await held.promise;
          return new Response("answered");
        },
      });
      const head = (path: string, bytes: number) =>
        `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`;
      const holding = exchange(listener.url, head("/hold", BODIES_BYTES_MAX - 10), {
        until: "answered",
      });
      const status = async (bytes: number) =>
        (await exchange(listener.url, head("/", bytes) + "x".repeat(bytes))).slice(9, 12);
      await until(async () => (await status(11)) === "503");
      expect(await status(10)).toBe("200");
      held.resolve();
      await holding;
      expect(await status(11)).toBe("200");
    });

    test.each([...["x/metrics?", "x#", "a:b@c", "a\\b", "", "x\r\nHost: x", "x\r\nHost: y"]])(
      "with %p for a host is 400",
      async (host) => {
        const { listener } = listen({ fetch: ({ url }) => new Response(url) });
        const sent = `GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
        expect(await exchange(listener.url, sent)).toStartWith("HTTP/1.1 400 ");
      },
    );

    test("below an app's prefix is that app's, and the path goes on behind it", async () => {
      const { listener } = listen({
        findMount: createMounts([{ app: "blue", hosts: [], pathPrefix: "/blue" }], {
          ...{ app: undefined, exclusive: true },
        }),
        async fetch(request, { mount, readBody }) {
          const { pathname, search } = new URL(request.url);
          const body = Buffer.from((await readBody(10)) as Uint8Array).toString();
          return new Response(`${request.method} ${pathname}${search} ${mount.app} ${body}`);
        },
      });
      const post = async (path: string) =>
        (await fetch(listener.url + path, { method: "POST", body: "hello" })).text();
      expect(await post("/blue/page?q")).toBe("POST /page?q blue hello");
      expect(await post("/page?q")).toBe("POST /page?q undefined hello");
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

  describe("calls of the API", () => {
    const handle = ({ url }: Request) =>
      new Response("called", { status: url.endsWith("/unknown") ? 404 : 200 });
    const notFound = () => new Response("no page", { status: 404 });

    test("are what no route of the clients' answers, also on a socket's path", async () => {
      const { listener } = listen({
        api: { handle },
        fetch: ({ url }) => (url.endsWith("/page") ? new Response("page") : notFound()),
      });
      const call = async (path: string, method = "POST") => {
        const answer = await fetch(listener.url + path, { method });
        return [answer.status, await answer.text()];
      };
      expect(await call("/call")).toEqual([200, "called"]);
      expect(await call("/page")).toEqual([200, "page"]);
      expect(await call("/socket")).toEqual([200, "called"]);
      expect(await call("/unknown")).toEqual([404, "called"]);
    });

    test("are not what a route has read and does not find", async () => {
      const { listener } = listen({
        api: { handle },
        async fetch(request) {
          await request.text();
          return notFound();
        },
      });
      const answer = await fetch(listener.url, { method: "POST", body: "x" });
      expect([answer.status, await answer.text()]).toEqual([404, "no page"]);
    });
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

    test("stopAccepting still hands calls to the API, and refuses what it does not know", async () => {
      const { listener } = listen({
        api: {
          handle: ({ url }) =>
            new Response("called", { status: url.endsWith("/call") ? 200 : 404 }),
        },
      });
      listener.stopAccepting();
      expect(await (await fetch(`${listener.url}/call`)).text()).toBe("called");
      const other = await fetch(`${listener.url}/other`);
      expect([other.status, await other.text()]).toEqual([503, "shutting down"]);
    });

    test.each(["stopAccepting", "stopListening"] as const)(
      "an answer under way at %s says that its connection ends",
      async (stop) => {
        const entered = Promise.withResolvers<void>();
        const held = Promise.withResolvers<void>();
        const { listener } = listen({
          async fetch() {
            entered.resolve();
            await held.promise;
            return new Response("page");
          },
        });
        const answer = fetch(listener.url);
        await entered.promise;
        listener[stop]();
        held.resolve();
        const { status, headers } = await answer;
        expect([status, headers.get("connection")]).toEqual([200, "close"]);
      },
    );

    test("stopAccepting while accept waits refuses the upgrade", async () => {
      const entered = Promise.withResolvers<void>();
      const decide = Promise.withResolvers<OpenSession>();
      const accept = () => {
        entered.resolve();
        return decide.promise;
      };
      const { url, opening, listener } = listen({
        routes: [{ path: "/socket", transports: ["websocket"], messageBytesMax: 65_536, accept }],
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
