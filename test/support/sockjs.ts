/** A listener with the test services of SockJS, and clients that see each chunk of an answer. */
import { afterEach, expect } from "bun:test";
import { connect as connectTcp, type Socket as TcpSocket } from "node:net";
import type { ClientsListenerOptions } from "../../src/transports/clients-listener.ts";
import { createClientsListener } from "../../src/transports/listener.ts";
import type { SocketRoute } from "../../src/transports/socket.ts";
import { EchoSession, serviceRoutes } from "./sockjs-services.ts";
import { connectRaw, type RawWebSocket } from "./raw-websocket.ts";
import { createTestRuntime } from "./runtime.ts";
import { findMount } from "./websocket-listener.ts";

export const NO_CACHE = "no-store, no-cache, no-transform, must-revalidate, max-age=0";
export const PRELUDE = `${"h".repeat(2048)}\n`;

interface Listening extends Partial<ClientsListenerOptions> {
  readonly route?: (route: SocketRoute) => SocketRoute;
}

/** What `listen` and the clients start ends after each test of the file that calls this. */
export function useSockJs() {
  const cleanups: (() => unknown)[] = [];
  let sessions = 0;
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });

  /** `route`: what becomes of each service. */
  function listen({ route = (one) => one, ...options }: Listening = {}) {
    const runtime = createTestRuntime();
    const opened: EchoSession[] = [];
    const ended = new Set<string>();
    const bugs: unknown[] = [];
    const listener = createClientsListener({
      ...{ hostname: "127.0.0.1", port: 0, trustedProxies: [], findMount, runtime },
      routes: serviceRoutes({ opened: (session) => opened.push(session), ended }).map(route),
      fetch: () => new Response("Not found\n", { status: 404 }),
      onBug: (error) => bugs.push(error),
      ...options,
    });
    cleanups.push(async () => {
      await listener.close();
      expect(bugs).toEqual([]);
    });
    return {
      ...{ listener, runtime, opened, ended, url: listener.url, echo: `${listener.url}/echo` },
      /** The session that was opened last. */
      get session(): EchoSession {
        const last = opened.at(-1);
        if (last === undefined) throw new Error("No session was opened");
        return last;
      },
      /** A session's URL of its own. */
      sessionUrl: (service = "/echo") => `${listener.url}${service}/000/s${(sessions += 1)}`,
    };
  }

  /** A request whose answer is read chunk by chunk. */
  async function stream(
    url: string,
    method = "POST",
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ChunkedAnswer> {
    const answer = await openAnswer(url, method, headers);
    cleanups.push(() => answer.destroy());
    return answer;
  }

  async function websocket(url: string): Promise<RawWebSocket> {
    const client = await connectRaw(url);
    cleanups.push(() => client.destroy());
    return client;
  }

  return {
    listen,
    stream,
    websocket,
    defer: (cleanup: () => unknown) => void cleanups.push(cleanup),
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export async function ask(url: string, method: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { ...init, method });
  const { status, headers } = response;
  return { status, headers, body: await response.text() };
}

export const get = (url: string, headers: Record<string, string> = {}) =>
  ask(url, "GET", { headers });
export const post = (url: string, body?: string, headers: Record<string, string> = {}) =>
  ask(url, "POST", { headers, ...(body === undefined ? {} : { body }) });

/** Opens a session by polling. */
export async function openByPoll(url: string): Promise<void> {
  expect((await post(`${url}/xhr`)).body).toBe("o\n");
}

export interface ChunkedAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The next chunk as it was sent; of an answer without chunks, what came next. Undefined: the answer ended. */
  next(): Promise<string | undefined>;
  /** Resolves when the connection is gone. */
  readonly gone: Promise<void>;
  readonly tcp: TcpSocket;
  destroy(): void;
}

/** Resolves with the answer's head. `version` 1.0 for answers without chunks. */
export function openAnswer(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>> = {},
  version = "1.1",
): Promise<ChunkedAnswer> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const head = Promise.withResolvers<ChunkedAnswer>();
  const gone = Promise.withResolvers<void>();
  const chunks: (string | undefined)[] = [];
  const waiting: ((chunk: string | undefined) => void)[] = [];
  let unread = Buffer.alloc(0);
  let chunked: boolean | undefined;
  let ended = false;
  const give = (chunk: string | undefined) => {
    const taker = waiting.shift();
    if (taker === undefined) chunks.push(chunk);
    else taker(chunk);
  };
  const end = () => {
    if (ended) return;
    ended = true;
    give(undefined);
  };
  const tcp = connectTcp({ host: hostname, port: Number(port) }, () => {
    const lines = Object.entries({ Host: host, ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    tcp.write(`${method} ${pathname}${search} HTTP/${version}\r\n${lines.join("\r\n")}\r\n\r\n`);
  });

  function readHead(): void {
    const at = unread.indexOf("\r\n\r\n");
    if (at === -1) return;
    const [first = "", ...lines] = unread.subarray(0, at).toString("latin1").split("\r\n");
    unread = unread.subarray(at + 4);
    const fields = new Map(
      lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    chunked = fields.get("transfer-encoding") === "chunked";
    head.resolve({
      ...{ status: Number(first.split(" ")[1]), headers: fields, gone: gone.promise, tcp },
      async next() {
        if (chunks.length > 0) return chunks.shift();
        return ended ? undefined : new Promise((resolve) => waiting.push(resolve));
      },
      destroy: () => void tcp.destroy(),
    });
  }

  tcp.on("data", (bytes: Buffer) => {
    unread = Buffer.concat([unread, bytes]);
    if (chunked === undefined) readHead();
    if (chunked === false && unread.length > 0) {
      give(unread.toString());
      unread = Buffer.alloc(0);
    }
    while (chunked === true) {
      const at = unread.indexOf("\r\n");
      if (at === -1) return;
      const size = Number.parseInt(unread.subarray(0, at).toString(), 16);
      if (unread.length < at + 4 + size) return;
      const chunk = unread.subarray(at + 2, at + 2 + size).toString();
      unread = unread.subarray(at + 4 + size);
      if (size === 0) end();
      else give(chunk);
    }
  });
  tcp.on("error", (error) => head.reject(error));
  tcp.on("close", () => {
    end();
    gone.resolve();
    head.reject(new Error("The connection ended without an answer"));
  });
  return head.promise;
}
