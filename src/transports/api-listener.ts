/**
 * The `api` listener: HTTP for servers and operators, on `node:http`, which hands over the body of a GET where
 * Bun's own server drops it.
 */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";

/** Milliseconds for a whole request to arrive: a sender that stalls holds nothing for longer. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** How late these may be noticed; Node's own default would double them. */
const TIMEOUT_CHECK_MS = 5_000;

export interface ApiListenerOptions {
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
  /** PEM text. Absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly fetch: (request: Request) => Response | Promise<Response>;
}

export interface ApiListener {
  readonly url: string;
  readonly port: number;
  /** Requests under way are answered, and each connection ends behind its answer; idle ones are closed. */
  close(): Promise<void>;
  /** Drops what is left: requests that do not come to an end. */
  cut(): void;
}

/** Rejects with an `Error` with one clear sentence when it cannot listen. */
export async function createApiListener(options: ApiListenerOptions): Promise<ApiListener> {
  const { hostname, port, tls } = options;
  // The global Request and Response stay the runtime's own.
  const listener = getRequestListener(options.fetch, { overrideGlobalObjects: false });
  const limits = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
  };
  let closing = false;
  const serve = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    // A caller that never pauses would keep its connection, and with it the listener, open for ever.
    if (closing) outgoing.setHeader("Connection", "close");
    void listener(incoming, outgoing);
  };
  const server: Server =
    tls === undefined
      ? createHttpServer(limits, serve)
      : createHttpsServer({ ...limits, ...tls }, serve);
  await listen(server, { hostname, port });
  const bound = (server.address() as AddressInfo).port;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    url: `${tls === undefined ? "http" : "https"}://${host}:${bound}`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        closing = true;
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
    cut: () => server.closeAllConnections(),
  };
}

/** Whether reading a request's body failed because its sender left, or sent a body that is none: no bug of ours. */
export function isAborted(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ECONNRESET";
}

function listen(
  server: Server,
  { hostname, port }: { hostname: string; port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(new Error(listenFailure(error, hostname, port), { cause: error }));
    });
    server.listen({ host: hostname, port, exclusive: true }, () => resolve());
  });
}

function listenFailure(error: NodeJS.ErrnoException, hostname: string, port: number): string {
  if (error.code === "EADDRINUSE") return `Port ${port} on ${hostname} is already in use`;
  if (error.code === "EACCES") return `Listening on port ${port} of ${hostname} is not permitted`;
  if (error.code === "EADDRNOTAVAIL") return `"${hostname}" is not an address of this machine`;
  return `Cannot listen on port ${port} of "${hostname}": ${error.message}`;
}
