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
import { hostOf, type FindMount } from "./mounts.ts";
import { BodyMemory, RequestBody } from "./request-body.ts";
import type { Mount, ReadBody } from "./request.ts";

/** Milliseconds for a whole request to arrive: a sender that stalls holds nothing for longer. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** How late these may be noticed; Node's own default would double them. */
const TIMEOUT_CHECK_MS = 5_000;

/** Bytes of all bodies that are being read or worked on; a further one is refused until some are answered. */
export const BODIES_BYTES_MAX = 67_108_864;

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
  /** Milliseconds that a connection may idle between two requests. Callers that keep it for longer find it closed. */
  readonly keepAliveTimeoutMs: number;
  readonly findMount: FindMount;
  readonly fetch: (request: Request, bindings: ApiBindings) => Response | Promise<Response>;
  /** Told of what `fetch` threw; that request alone is answered 500. */
  readonly onBug: (error: unknown, context: string) => void;
}

export interface ApiBindings {
  readonly mount: Mount;
  /** Also of a GET, whose body `Request` cannot carry. */
  readonly readBody: ReadBody;
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
 * Rejects with an `Error` with one clear sentence when it cannot listen. In a worker of `node:cluster` it shares its port with
 * the other workers, whatever is asked for: so does Bun's `node:http`, and only there.
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
  const context: AnswerContext = {
    ...{ options, memory: new BodyMemory(BODIES_BYTES_MAX), isClosing: () => closing },
    lingering: new Set(),
  };
  const serve = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    void answer(context, incoming, outgoing);
  };
  const server: Server =
    tls === undefined
      ? createHttpServer(limits, serve)
      : createHttpsServer({ ...limits, ...tls }, serve);
  server.keepAliveTimeout = options.keepAliveTimeoutMs;
  // Leave to send a body is given where one is read, so that a caller who asks is refused before it sends.
  server.on("checkContinue", serve);
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
        for (const end of context.lingering) end();
        server.closeIdleConnections();
      }),
    cut: () => server.closeAllConnections(),
  };
}

interface AnswerContext {
  readonly options: ApiListenerOptions;
  readonly memory: BodyMemory;
  readonly isClosing: () => boolean;
  /** End answers that wait for what their callers still send. */
  readonly lingering: Set<() => void>;
}

/**
 * One `Request` and one `Response`, and the body by itself: twice the requests per second of an adapter that hands the body over as
 * a stream, measured on Bun 1.4.5.
 */
async function answer(
  { options: { fetch, findMount, onBug }, memory, isClosing, lingering }: AnswerContext,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const invited = incoming.headers.expect === undefined;
  const body = new RequestBody(incoming, memory, () => {
    if (!invited) outgoing.writeContinue();
  });
  try {
    const asked = requestOf(incoming, findMount);
    if (asked === undefined)
      return refuse(outgoing, 400, "The request target or Host is not valid");
    const { request, mount } = asked;
    const onLeave = (callback: () => void) => void outgoing.once("close", callback);
    const readBody: ReadBody = (bytesMax) => body.read(bytesMax);
    const response = await fetch(request, { mount, readBody, onLeave });
    // `response.body` is not asked for: that would make a stream of what is whole, and cost a fifth of the request.
    const bytes = await response.bytes();
    // What was not read of a request would be taken for the next one; and a caller that never pauses would keep its
    // connection, and with it a listener that closes, open for ever.
    if (body.leavesMuch || isClosing()) outgoing.setHeader("Connection", "close");
    if (!BODILESS.has(response.status)) outgoing.setHeader("Content-Length", bytes.length);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    const sent = incoming.method === "HEAD" ? undefined : bytes;
    if (body.leavesMuch) {
      outgoing.write(sent ?? "");
      const end = body.linger(outgoing);
      lingering.add(end);
      outgoing.once("close", () => lingering.delete(end));
    } else {
      outgoing.end(sent);
      body.drop();
    }
  } catch (error) {
    onBug(error, "an API call");
    refuse(outgoing, 500, "internal error");
  } finally {
    body.release();
  }
}

/** The path is the request line's alone. Undefined: it is none, or there are two hosts, or one that is none. */
function requestOf(
  { method = "GET", url = "/", rawHeaders }: IncomingMessage,
  findMount: FindMount,
): { readonly request: Request; readonly mount: Mount } | undefined {
  const headers = new Headers();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] ?? "", rawHeaders[index + 1] ?? "");
  }
  // HTTP/1.0 needs no host; Bun refuses a later request without one. Two become a list, which is no host.
  const host = hostOf(headers.get("host") ?? "localhost");
  const target = URL.parse(url.startsWith("/") ? `http://localhost${url}` : url);
  if (host === undefined || target === null) return undefined;
  const { mount, path } = findMount(host, target.pathname);
  try {
    return {
      request: new Request(`http://localhost${path}${target.search}`, { method, headers }),
      mount,
    };
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
