/** A real receiver on a free port of its own: it keeps every request as it came, and answers as the test says. */
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createServer as createSecureServer } from "node:https";
import { readFileSync } from "node:fs";
import type { AddressInfo, Socket } from "node:net";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** `webhook-id`. */
  readonly id: string;
}

/** `count` is the number of requests so far, this one included. */
export type Answer = (
  response: ServerResponse,
  received: Received,
  count: number,
) => void | Promise<void>;

export interface ReceiverOptions {
  readonly answer?: Answer;
  /** With the certificate of `test/fixtures/tls`, which nobody trusts by itself. */
  readonly tls?: boolean;
}

export interface Receiver extends AsyncDisposable {
  readonly port: number;
  /** By the loopback address. */
  readonly url: string;
  readonly received: readonly Received[];
  readonly connections: number;
  /** Replaces how it answers from now on. */
  answer: Answer;
  /** Resolves once there have been this many requests. */
  reached(count: number): Promise<void>;
}

const FIXTURES = new URL("../fixtures/tls/", import.meta.url);
export const RECEIVER_CERT = readFileSync(new URL("cert.pem", FIXTURES), "utf8");

export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}, body = ""): Answer =>
  (response) =>
    void response.writeHead(code, headers).end(body);

export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const received: Received[] = [];
  const sockets = new Set<Socket>();
  const waiting = new Set<{ readonly count: number; readonly resolve: () => void }>();
  let connections = 0;

  const handle = (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const { method = "", url: path = "", headers } = incoming;
      const one = {
        ...{ method, path, headers, body: Buffer.concat(chunks) },
        id: String(headers["webhook-id"]),
      };
      received.push(one);
      for (const waiter of waiting) {
        if (received.length < waiter.count) continue;
        waiting.delete(waiter);
        waiter.resolve();
      }
      void receiver.answer(response, one, received.length);
    });
  };
  const key = () => readFileSync(new URL("key.pem", FIXTURES), "utf8");
  const server =
    options.tls === true
      ? createSecureServer({ cert: RECEIVER_CERT, key: key() }, handle)
      : createServer(handle);
  // Its connections outlive the senders' patience, so that the senders decide.
  server.keepAliveTimeout = 60_000;
  server.on("connection", (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    port,
    url: `${options.tls === true ? "https" : "http"}://127.0.0.1:${port}/in`,
    received,
    get connections() {
      return connections;
    },
    answer: options.answer ?? status(204),
    reached(count) {
      if (received.length >= count) return Promise.resolve();
      return new Promise((resolve) => void waiting.add({ count, resolve }));
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return receiver;
}
