/** Opening a WebSocket on the clients' listener: what is a handshake, which paths take one, and who accepts or refuses it. */
import { describe, expect, test } from "bun:test";
import { handshake } from "../../test/support/raw-websocket.ts";
import { useWebSocketListener } from "../../test/support/websocket-listener.ts";
import type { OpenSession, SocketRequest } from "./socket.ts";

describe("WebSocket listener", () => {
  const { listen, connect } = useWebSocketListener();

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
          { path: "/sse", transports: ["sse"], messageBytesMax: 65_536, accept: () => opening },
          {
            path: "/socket",
            transports: ["http_stream", "websocket"],
            messageBytesMax: 65_536,
            accept: () => opening,
          },
        ],
        fetch: (request) => new Response(`page ${new URL(request.url).pathname}`),
      });
      for (const path of ["/", "/socket/", "/Socket", "/sse"]) {
        const answer = await handshake(`${listener.url}${path}`);
        expect(answer).toMatchObject({ status: 200, body: `page ${path}` });
      }
      await connect(`${listener.url}/socket?query=1`);
    });

    test("a :name segment stands for one decoded segment, and exact paths come first", async () => {
      const seen: unknown[] = [];
      const routes = ["/:any/:name", "/socket/exact", "/socket/:key/end"].map((path) => ({
        path,
        transports: ["websocket"] as const,
        messageBytesMax: 65_536,
        accept({ params }: SocketRequest) {
          seen.push([path, params]);
          return new Response("seen", { status: 401 });
        },
      }));
      const { listener } = listen({ routes });
      const asked = async (path: string) => {
        const { status } = await handshake(listener.url + path);
        return [status, ...seen.splice(0)];
      };
      expect(await asked("/socket/exact")).toEqual([401, ["/socket/exact", {}]]);
      const named = (name: string) => ["/:any/:name", { any: "socket", name }];
      expect(await asked("/socket/a?name=b")).toEqual([401, named("a")]);
      expect(await asked("/socket/%C3%A4%20%3F%23")).toEqual([401, named("ä ?#")]);
      expect(await asked("/%73ocket/a+b")).toEqual([401, named("a+b")]);
      expect(await asked("/%73ocket/a/%65nd")).toEqual([401, ["/socket/:key/end", { key: "a" }]]);
      for (const path of ["/socket/", "//a", "/socket/a%2Fb", "/socket/%ff", "/socket/a/", "/a"]) {
        expect(await asked(path)).toEqual([404]);
      }
    });

    test("accept decides first, also about what is no handshake, and the route may say how that is refused", async () => {
      const strict = (path: string, accept: () => Response | OpenSession) => ({
        path,
        transports: ["websocket"] as const,
        messageBytesMax: 65_536,
        accept,
        badHandshake: () => new Response("Bad Request", { status: 400 }),
      });
      const { opening } = listen();
      const routes = [
        strict("/open", () => opening),
        strict("/closed", () => new Response("who?", { status: 401 })),
      ];
      const { listener, sessions } = listen({ routes });
      for (const headers of [
        { upgrade: undefined, connection: undefined },
        { upgrade: "h2c" },
        { "sec-websocket-version": "8" },
        { "sec-websocket-version": undefined },
        { "sec-websocket-key": undefined },
        { "sec-websocket-key": "short" },
      ]) {
        const open = await handshake(`${listener.url}/open`, { headers });
        expect(open).toMatchObject({ status: 400, body: "Bad Request" });
        const closed = await handshake(`${listener.url}/closed`, { headers });
        expect(closed).toMatchObject({ status: 401, body: "who?" });
      }
      expect((await fetch(`${listener.url}/open`, { method: "POST" })).status).toBe(426);
      expect(sessions).toHaveLength(0);
      (await connect(`${listener.url}/open`)).destroy();
    });

    test("accept sees url, headers and address, may wait, and may refuse", async () => {
      const seen: string[] = [];
      const { url, opening, listener } = listen({
        routes: [
          {
            path: "/socket",
            transports: ["websocket"],
            messageBytesMax: 65_536,
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
      const routes = [
        {
          path: "/socket",
          transports: ["websocket"] as const,
          messageBytesMax: 65_536,
          accept: failing,
        },
      ];
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
        routes: [{ path: "/socket", transports: ["websocket"], messageBytesMax: 65_536, accept }],
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
});
