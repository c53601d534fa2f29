/** The `api` listener on `node:http`. */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { BAD_TARGET, textAnswer, type ApiAnswer, type ApiCall } from "./api-call.ts";
import {
  BODIES_BYTES_MAX,
  REQUEST_TIMEOUT_MS,
  TIMEOUT_CHECK_MS,
  type ApiListener,
  type ApiListenerOptions,
} from "./api-listener.ts";
import { createTargets, type CallTarget } from "./call-target.ts";
import { listenAlone } from "./listen-failure.ts";
import { BodyMemory, RequestBody } from "./request-body.ts";
import type { BodyRefusal, Mount } from "./request.ts";

const HEADERS_TIMEOUT_MS = 10_000;

/** Bytes of a request's headers: room for an access token of 64 KiB. */
const HEADER_BYTES_MAX = 81_920;

/** Statuses whose answers have neither a body nor its length. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

const BUG = textAnswer(500, "internal error\n");

/**
 * In a worker of `node:cluster` it shares its port with the other workers, whatever is asked for: so does Bun's `node:http`, and
 * only there.
 */
export async function createNodeApiListener(options: ApiListenerOptions): Promise<ApiListener> {
  const { hostname, port, tls, answer, onBug } = options;
  const limits = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    // Node's own default would double how late they are noticed.
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
  };
  const findTarget = createTargets(options.findMount);
  const memory = new BodyMemory(BODIES_BYTES_MAX);
  /** End answers that wait for what their callers still send. */
  const lingering = new Set<() => void>();
  let ending = false;

  function serve(incoming: IncomingMessage, outgoing: ServerResponse, invite?: () => void): void {
    const headers = new RawHeaders(incoming.rawHeaders);
    // HTTP/1.0 needs no host; Bun refuses a later request without one. Two become a list, which is not a host.
    const target = findTarget(headers.get("host") ?? "localhost", incoming.url ?? "/");
    if (target === undefined) return refuse(outgoing, BAD_TARGET);
    const body = new RequestBody(incoming, { headers, memory, invite });
    const call = new NodeCall({ incoming, outgoing, headers, target, body });
    const failed = (error: unknown): void => {
      onBug(error, "an API call");
      body.release();
      refuse(outgoing, BUG);
    };
    try {
      const answered = answer(call);
      if (answered instanceof Promise) {
        answered.then((value) => finish(call, value)).catch(failed);
      } else finish(call, answered);
    } catch (error) {
      failed(error);
    }
  }

  function finish(
    { method, outgoing, body }: NodeCall,
    { status, headers, body: text }: ApiAnswer,
  ) {
    const sent = method === "HEAD" ? "" : text;
    // What was not read of a request would be taken for the next one; and a caller that never pauses would keep its
    // connection, and with it a listener that closes, open for ever.
    if (ending || body.leavesMuch) outgoing.setHeader("Connection", "close");
    if (!BODILESS.has(status)) outgoing.setHeader("Content-Length", Buffer.byteLength(sent));
    outgoing.writeHead(status, headers);
    if (body.leavesMuch) {
      outgoing.write(sent);
      const end = body.linger(outgoing);
      lingering.add(end);
      outgoing.once("close", () => lingering.delete(end));
    } else {
      outgoing.end(sent);
      body.drop();
    }
    body.release();
  }

  const server: Server =
    tls === undefined ? createHttpServer(limits) : createHttpsServer({ ...limits, ...tls });
  server.on("request", (incoming, outgoing) => serve(incoming, outgoing));
  server.keepAliveTimeout = options.keepAliveTimeoutMs;
  // Leave to send a body is given where one is read, so that a caller who asks is refused before it sends.
  server.on("checkContinue", (incoming: IncomingMessage, outgoing: ServerResponse) =>
    serve(incoming, outgoing, () => outgoing.writeContinue()),
  );
  await listenAlone(server, { hostname, port });
  const bound = (server.address() as AddressInfo).port;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    url: `${tls === undefined ? "http" : "https"}://${host}:${bound}`,
    port: bound,
    endConnections() {
      ending = true;
    },
    close: () =>
      new Promise((resolve) => {
        ending = true;
        server.close(() => resolve());
        for (const end of lingering) end();
        server.closeIdleConnections();
      }),
    cut: () => server.closeAllConnections(),
  };
}

/** The rest of a request that is refused unread would be taken for the next one. */
function refuse(outgoing: ServerResponse, { status, headers, body }: ApiAnswer): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  outgoing.writeHead(status, { ...headers, Connection: "close" });
  outgoing.end(body);
}

interface NodeCallParts {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly headers: RawHeaders;
  readonly target: CallTarget;
  readonly body: RequestBody;
}

class NodeCall implements ApiCall {
  readonly method: string;
  readonly path: string;
  readonly mount: Mount;
  readonly headers: RawHeaders;
  readonly outgoing: ServerResponse;
  readonly body: RequestBody;
  readonly #search: string;

  constructor({ incoming, outgoing, headers, target, body }: NodeCallParts) {
    this.method = incoming.method ?? "GET";
    this.path = target.path;
    this.mount = target.mount;
    this.headers = headers;
    this.outgoing = outgoing;
    this.body = body;
    this.#search = target.search;
  }

  get url(): string {
    return `http://localhost${this.path}${this.#search}`;
  }

  readBody(bytesMax: number): Promise<Uint8Array | BodyRefusal> {
    return this.body.read(bytesMax);
  }

  onLeave(callback: () => void): void {
    this.outgoing.once("close", callback);
  }

  toRequest(): Request {
    return new Request(this.url, { method: this.method, headers: this.headers.toHeaders() });
  }
}

/** Names and values in turn, as they came: looked through when one is asked for, since few ever are. */
class RawHeaders {
  readonly #raw: readonly string[];

  constructor(raw: readonly string[]) {
    this.#raw = raw;
  }

  get(name: string): string | null {
    const raw = this.#raw;
    let found: string | null = null;
    for (let index = 0; index < raw.length; index += 2) {
      const given = raw[index] ?? "";
      if (given.length !== name.length || given.toLowerCase() !== name.toLowerCase()) continue;
      const value = raw[index + 1] ?? "";
      found = found === null ? value : `${found}, ${value}`;
    }
    return found;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  toHeaders(): Headers {
    const headers = new Headers();
    for (let index = 0; index < this.#raw.length; index += 2) {
      headers.append(this.#raw[index] ?? "", this.#raw[index + 1] ?? "");
    }
    return headers;
  }
}
