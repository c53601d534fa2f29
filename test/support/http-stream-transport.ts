/** A transport for tests over real HTTP: a stream down, a POST per message up, and one that says that the client ends. */
import type { Fanout } from "../../src/core/fanout.ts";
import type { Frame } from "../../src/core/types.ts";
import { createClientsListener } from "../../src/transports/listener.ts";
import { LocalGroups } from "../../src/transports/local-groups.ts";
import type { CarriedSocket, OpenSession, StreamOptions } from "../../src/transports/socket.ts";
import type { TransportClient, TransportUnderTest } from "../conformance/transport/under-test.ts";
import { createTestRuntime } from "./runtime.ts";
import { openStream, type StreamClient } from "./stream-client.ts";
import { findMount } from "./websocket-listener.ts";

type Close = readonly [code: number, reason: string];

/** A wire format and what reads it. */
interface Format extends Omit<StreamOptions, "left"> {
  readonly separator: string;
  /** Undefined: neither a frame nor a close. */
  readonly read: (block: string) => string | Close | undefined;
}

/** Server-sent events: <https://html.spec.whatwg.org/multipage/server-sent-events.html> §9.2.5. */
export const SSE: Format = {
  ...{ headers: { "Content-Type": "text/event-stream" }, opening: ":\n\n", ping: ":\n\n" },
  frame: (frame) => `${String(frame).replaceAll(/^/gm, "data: ")}\n\n`,
  close: (code, reason) => `event: close\ndata: ${JSON.stringify([code, reason])}\n\n`,
  separator: "\n\n",
  read(block) {
    const data = block.match(/^data: .*$/gm)?.map((line) => line.slice("data: ".length));
    if (data === undefined) return undefined;
    const text = data.join("\n");
    return block.startsWith("event: close\n") ? (JSON.parse(text) as Close) : text;
  },
};

export const JSON_LINES: Format = {
  ...{ headers: { "Content-Type": "application/x-ndjson" }, opening: "\n", ping: "\n" },
  frame: (frame) => `${JSON.stringify(String(frame))}\n`,
  close: (code, reason) => `${JSON.stringify([code, reason])}\n`,
  separator: "\n",
  read: (block) => (block === "" ? undefined : (JSON.parse(block) as string | Close)),
};

export async function createHttpStreamTransport(format: Format): Promise<TransportUnderTest> {
  const runtime = createTestRuntime();
  const bugs: unknown[] = [];
  const openings: OpenSession[] = [];
  const sockets = new Map<string, CarriedSocket>();
  const clients: StreamClient[] = [];
  const posts: Promise<unknown>[] = [];
  let fanout: Fanout | undefined;

  const listener = createClientsListener({
    ...{ hostname: "127.0.0.1", port: 0, trustedProxies: [], findMount, routes: [], runtime },
    onBug: (error) => bugs.push(error),
    async fetch({ method, url }, { readBody, openSocket, stream }) {
      const { pathname: id, searchParams } = new URL(url);
      if (method === "GET") {
        const opening = openings[Number(id.slice(1))];
        if (opening === undefined) return new Response("no such session", { status: 404 });
        const socket = openSocket("http_stream", opening);
        sockets.set(id, socket);
        return stream(socket, { ...format, left: () => socket.ended(1006, "") });
      }
      const body = await readBody(100_000);
      const code = searchParams.get("code");
      if (typeof body === "string") return new Response(body, { status: 400 });
      if (code === null) sockets.get(id)?.received(Buffer.from(body).toString());
      else sockets.get(id)?.ended(Number(code), searchParams.get("reason") ?? "");
      return new Response(null, { status: 204 });
    },
  });

  return {
    ...{ runtime, bugs },
    get fanout() {
      // Nothing can have joined before a session was opened.
      return fanout ?? new LocalGroups();
    },
    async connect(open, limits) {
      const id = openings.length;
      openings.push({
        ...limits,
        open(socket) {
          ({ fanout } = socket.member);
          return open(socket);
        },
      });
      const url = `${listener.url}/${id}`;
      const client = await openStream(url, format.separator);
      clients.push(client);
      return clientOf(url, client, { ...format, onPost: (post) => void posts.push(post) });
    },
    async close() {
      // A case need not wait for what it sent.
      await Promise.all(posts);
      for (const client of clients) client.destroy();
      await listener.close();
    },
  };
}

interface ClientOptions extends Format {
  readonly onPost: (post: Promise<unknown>) => void;
}

function clientOf(url: string, stream: StreamClient, options: ClientOptions): TransportClient {
  const { read, onPost } = options;
  let close: Close | undefined;
  // One POST after the other: two connections have no order.
  let sending: Promise<unknown> = Promise.resolve();
  function post(query: string, body: Frame): void {
    sending = sending.then(() => fetch(url + query, { method: "POST", body: body as string }));
    onPost(sending);
  }

  async function take(): Promise<Frame | undefined> {
    for (;;) {
      const block = await stream.next();
      if (block === undefined) return undefined;
      const meant = read(block);
      if (typeof meant === "string") return meant;
      if (meant !== undefined) close = meant;
    }
  }

  return {
    send: (message) => post("", message),
    async next() {
      const message = await take();
      if (message === undefined) throw new Error("The stream ended");
      return message;
    },
    async ended() {
      const messages: Frame[] = [];
      for (let one = await take(); one !== undefined; one = await take()) messages.push(one);
      const [code, reason] = ((await stream.whole) ? close : undefined) ?? [1006, ""];
      return { code, reason, messages };
    },
    close: (code, reason) => post(`?code=${code}&reason=${reason}`, ""),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  };
}
