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
import { listenAlone } from "./listen-failure.ts";

/** Milliseconds for a whole request to arrive: a sender that stalls holds nothing for longer. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** How late these may be noticed; Node's own default would double them. */
const TIMEOUT_CHECK_MS = 5_000;

/** Bytes of a request's body; one that is larger is not read. */
export const REQUEST_BODY_BYTES_MAX = 10_485_760;

/** Bytes of a request's headers: room for an access token of 64 KiB. */
const HEADER_BYTES_MAX = 81_920;

/** Statuses whose answers have neither a body nor its length. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

export interface ApiListenerOptions {
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
  /** PEM text. Absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly fetch: (request: Request, bindings: ApiBindings) => Response | Promise<Response>;
  /** Told of what `fetch` threw; that request alone is answered 500. */
  readonly onBug: (error: unknown, context: string) => void;
}

export interface ApiBindings {
  /** Whole, and empty without one: `Request` cannot carry the body of a GET. Undefined: larger than `REQUEST_BODY_BYTES_MAX`. */
  readonly body: Uint8Array | undefined;
  readonly onLeave: (callback: () => void) => void;
}

export interface ApiListener {
  readonly url: string;
  readonly port: number;
  /** Requests under way are answered, and each connection ends behind its answer; idle ones are closed. */
  close(): Promise<void>;
  /** Drops what is left: requests that do not come to an end. */
  cut(): void;
}

/**
 * Rejects with an `Error` with one clear sentence when it cannot listen. In a worker of \`node:cluster\` it shares its port with
 * the other workers, whatever is asked for: so does Bun's \`node:http\`, and only there.
 */
export async function createApiListener(options: ApiListenerOptions): Promise<ApiListener> {
  const { hostname, port, tls } = options;
  const limits = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
  };
  let closing = false;
  const serve = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    void answer(options, incoming, outgoing, () => closing);
  };
  const server: Server =
    tls === undefined
      ? createHttpServer(limits, serve)
      : createHttpsServer({ ...limits, ...tls }, serve);
  await listenAlone(server, { hostname, port });
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

/**
 * Body first, then one `Request` and one `Response`: twice the requests per second of an adapter that hands the body
 * over as a stream, measured on Bun 1.4.5.
 */
async function answer(
  { fetch, onBug }: ApiListenerOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  isClosing: () => boolean,
): Promise<void> {
  try {
    const body = await readBody(incoming);
    const request = requestOf(incoming, body);
    if (request === undefined) return refuse(outgoing, 400, "The request target is not valid");
    const onLeave = (callback: () => void) => void outgoing.once("close", callback);
    const response = await fetch(request, { body, onLeave });
    // `response.body` is not asked for: that would make a stream of what is whole, and cost a fifth of the request.
    const bytes = await response.bytes();
    // What was not read of a request would be taken for the next one; and a caller that never pauses would keep its
    // connection, and with it a listener that closes, open for ever.
    if (body === undefined || isClosing()) outgoing.setHeader("Connection", "close");
    if (!BODILESS.has(response.status)) outgoing.setHeader("Content-Length", bytes.length);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(incoming.method === "HEAD" ? undefined : bytes);
  } catch (error) {
    // The caller left, or sent a body that is none.
    if (isAborted(error)) return refuse(outgoing, 400, "The body did not arrive whole");
    onBug(error, "an API call");
    refuse(outgoing, 500, "internal error");
  }
}

/** Undefined when it is too large, or says that it will be. */
function readBody(incoming: IncomingMessage): Promise<Uint8Array | undefined> {
  if (Number(incoming.headers["content-length"] ?? 0) > REQUEST_BODY_BYTES_MAX) {
    return Promise.resolve(undefined);
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    incoming.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= REQUEST_BODY_BYTES_MAX) chunks.push(chunk);
      else {
        incoming.pause();
        resolve(undefined);
      }
    });
    incoming.on("end", () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    incoming.on("error", reject);
  });
}

function requestOf(incoming: IncomingMessage, body: Uint8Array | undefined): Request | undefined {
  const { method = "GET", url = "/", rawHeaders } = incoming;
  const target = url.startsWith("/") ? `http://${incoming.headers.host ?? "localhost"}${url}` : url;
  const headers = new Headers();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
  }
  const carriesBody =
    method !== "GET" && method !== "HEAD" && body !== undefined && body.length > 0;
  try {
    return new Request(target, { method, headers, ...(carriesBody ? { body } : {}) });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** The rest of a request that is refused unread would be taken for the next one. */
function refuse(outgoing: ServerResponse, status: number, text: string): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  outgoing.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", Connection: "close" });
  outgoing.end(`${text}\n`);
}

function isAborted(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ECONNRESET";
}
