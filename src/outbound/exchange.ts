/** One request and its response, with one address. On node:http and node:https, since Bun's fetch obeys proxy variables. */

import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";
import type { Timers } from "../core/runtime.ts";
import type { Connections, PooledOptions } from "./connections.ts";
import {
  OutboundError,
  timedOut,
  tooLarge,
  type OutboundRequest,
  type OutboundResponse,
} from "./contract.ts";

/** Of the whole deadline, what one address may use until it is connected, TLS included (`webhooks.md` §6). */
export const CONNECT_TIMEOUT_MS = 5000;

/** A kept connection ended before it answered: its other end had closed it, and a new one may do. */
export class StaleConnection extends Error {}

export interface Exchange {
  readonly url: URL;
  /** Checked. */
  readonly address: string;
  readonly options: OutboundRequest;
  readonly connections: Connections | undefined;
  readonly timers: Pick<Timers, "after">;
  readonly deadline: AbortSignal;
}

/** Rejects with reason `connect` only while nothing has been sent. */
export function exchange(asked: Exchange): Promise<OutboundResponse> {
  const { url, options, deadline } = asked;
  return new Promise((resolve, reject) => {
    let stage: "connect" | "tls" | "protocol" = "connect";
    let answered = false;
    const malformed = (cause: unknown) =>
      new OutboundError("protocol", `Request to "${url.hostname}" is malformed`, { cause });
    let outgoing: ClientRequest;
    try {
      outgoing = open(asked);
    } catch (cause) {
      reject(malformed(cause));
      return;
    }
    const settle = () => {
      connecting.cancel();
      deadline.removeEventListener("abort", expire);
    };
    const refuse = (error: Error) => {
      settle();
      reject(error);
      outgoing.destroy();
    };
    const finish = (received: OutboundResponse) => {
      settle();
      resolve(received);
      if (received.cut || asked.connections === undefined) outgoing.destroy();
    };
    const fail = (cause: Error) => {
      const stale = outgoing.reusedSocket && !answered;
      refuse(stale ? new StaleConnection() : failure(stage, url, cause));
    };
    const expire = () => refuse(timedOut(url));
    const connecting = asked.timers.after(CONNECT_TIMEOUT_MS, () => {
      const reason = stage === "connect" ? "connect" : "timeout";
      refuse(new OutboundError(reason, `Connection to "${url.hostname}" took too long`));
    });
    const connected = () => {
      stage = "protocol";
      connecting.cancel();
    };

    outgoing.on("socket", (socket) => {
      if (outgoing.reusedSocket) return connected();
      const secure = url.protocol === "https:";
      socket.once("connect", secure ? () => (stage = "tls") : connected);
      if (secure) socket.once("secureConnect", connected);
    });
    outgoing.on("error", fail);
    // A switch of protocols nobody asked for; without a listener it would leave the request open.
    outgoing.on("upgrade", () => fail(new Error("Unexpected upgrade")));
    outgoing.on("response", (response) => {
      answered = true;
      connected();
      receive(response, asked, { finish, refuse, fail });
    });
    // Whatever ended it without one of the above: the first outcome counts.
    outgoing.on("close", () => fail(new Error("Connection closed without a response")));
    deadline.addEventListener("abort", expire, { once: true });
    if (deadline.aborted) return expire();
    try {
      // Where headers are put together, which also finds fault with them.
      outgoing.end(options.body);
    } catch (cause) {
      refuse(malformed(cause));
    }
  });
}

function open({ url, address, options, connections }: Exchange): ClientRequest {
  const host = bareHost(url);
  const secure = url.protocol === "https:";
  const common = {
    // The checked address itself, so that nothing resolves the name a second time.
    host: address,
    port: url.port === "" ? undefined : Number(url.port),
    path: url.pathname + url.search,
    method: options.method ?? "GET",
    headers: headersFor(url, options, connections !== undefined),
    origin: url.origin,
    // The default agent keeps connections by address and name alone, and would go past the check.
    agent: (secure ? connections?.secure : connections?.plain) ?? false,
  } satisfies PooledOptions & Record<string, unknown>;
  if (!secure) return requestHttp(common);
  return requestHttps({
    ...common,
    servername: isIP(host) === 0 ? host : "",
    // Said aloud, for the environment (NODE_TLS_REJECT_UNAUTHORIZED) can change the default.
    rejectUnauthorized: true,
    ...(options.ca !== undefined && { ca: options.ca }),
  });
}

function headersFor(
  url: URL,
  { headers, body }: OutboundRequest,
  keep: boolean,
): Record<string, string> {
  const result: Record<string, string> = {
    "user-agent": "carillon",
    accept: "*/*",
    "accept-encoding": "identity",
  };
  const { username, password } = url;
  if (username !== "" || password !== "") {
    const credentials = [username, password].map(decoded).join(":");
    result["authorization"] = `Basic ${Buffer.from(credentials).toString("base64")}`;
  }
  for (const [name, value] of Object.entries(headers ?? {})) result[name.toLowerCase()] = value;
  delete result["transfer-encoding"];
  delete result["content-length"];
  if (body !== undefined) result["content-length"] = String(Buffer.byteLength(body));
  result["host"] = url.host;
  result["connection"] = keep ? "keep-alive" : "close";
  return result;
}

/** A lone `%` is not an escape, and stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The first of its calls counts. */
function receive(
  response: IncomingMessage,
  { options, url }: Exchange,
  { finish, refuse, fail }: Outcomes,
): void {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const received = (cut: boolean): OutboundResponse => {
    const body = Buffer.concat(chunks).subarray(0, options.responseBytesMax);
    return { status: response.statusCode ?? 0, headers: joinHeaders(response), body, cut };
  };
  response.on("data", (chunk: Uint8Array) => {
    if (bytes > options.responseBytesMax) return;
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes <= options.responseBytesMax) return;
    if (options.cutLongBody === true) finish(received(true));
    else refuse(tooLarge(url, `a body of more than ${options.responseBytesMax} bytes`));
  });
  response.on("end", () => finish(received(false)));
  response.on("aborted", () => fail(new Error("Connection closed within the response")));
  response.on("error", fail);
}

interface Outcomes {
  readonly finish: (received: OutboundResponse) => void;
  readonly refuse: (error: Error) => void;
  readonly fail: (cause: Error) => void;
}

function joinHeaders(response: IncomingMessage): Record<string, string> {
  const headers = Object.entries(response.headersDistinct);
  return Object.fromEntries(headers.map(([name, values = []]) => [name, values.join(", ")]));
}

function failure(stage: "connect" | "tls" | "protocol", url: URL, cause: Error): OutboundError {
  const code = "code" in cause ? cause.code : undefined;
  if (code === "HPE_HEADER_OVERFLOW") return tooLarge(url, "headers that are too long");
  const message = {
    connect: `Cannot connect to "${url.hostname}"`,
    tls: `No trusted TLS connection to "${url.hostname}"`,
    protocol: `No complete HTTP response from "${url.hostname}"`,
  }[stage];
  return new OutboundError(stage, message, { cause });
}

/** Without the brackets of an IPv6 literal. */
export function bareHost(url: URL): string {
  return url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
}
