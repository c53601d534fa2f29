/**
 * The one way out: a single HTTP request to a URL that may come from outside, to an address that was checked.
 * On node:http and node:https, since Bun's fetch obeys proxy variables. Retries and signatures are the callers'.
 */

import { lookup as lookupDns } from "node:dns/promises";
import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";
import { normaliseAddress } from "./addresses.ts";

export type OutboundErrorReason =
  | "invalid_url"
  | "blocked_address"
  | "dns"
  | "connect"
  | "tls"
  | "timeout"
  | "too_large"
  | "protocol";

/** Messages name the host only: paths and queries carry secrets, and a blocked address must not leak. */
export class OutboundError extends Error {
  readonly reason: OutboundErrorReason;

  constructor(reason: OutboundErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "OutboundError";
    this.reason = reason;
  }
}

/** All addresses of a host name, in order of preference. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

export interface OutboundRequest {
  /** `http:` or `https:`, without user and password. */
  readonly url: string;
  /** Default `GET`. */
  readonly method?: string;
  /** `host`, `connection`, `content-length` and `transfer-encoding` are set here and cannot be chosen. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** For everything together: resolution, connection, request and the whole response. */
  readonly timeoutMs: number;
  /** A longer response body is an error, never cut. Counted as sent: nothing is decompressed. */
  readonly responseBytesMax: number;
  /** Asked for every address of the host, normalised (`normaliseAddress`). One refusal refuses the host. */
  readonly allowAddress: (address: string) => boolean;
  /** Default: the system's resolver. Not asked for a literal address. */
  readonly lookup?: Lookup;
  /** PEM certificates to trust in place of the system's. */
  readonly ca?: string;
}

export interface OutboundResponse {
  /** Redirects are answers like any other, and not followed. */
  readonly status: number;
  /** Names in lower case; repeated headers are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Protects the deadline from a host with many dead addresses: the others are checked, but not tried. */
const ADDRESSES_TRIED_MAX = 4;

/** Of the whole deadline, what one address may use until it is connected, TLS included (`webhooks.md` §6). */
export const CONNECT_TIMEOUT_MS = 5000;

/** Throws `OutboundError` for everything that is not a complete response. */
export async function request(options: OutboundRequest): Promise<OutboundResponse> {
  const url = parseUrl(options.url);
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), options.timeoutMs);
  try {
    const addresses = await beforeDeadline(resolve(url, options), deadline.signal, url);
    return await exchangeWithOneOf(addresses, url, options, deadline.signal);
  } finally {
    clearTimeout(timer);
  }
}

async function exchangeWithOneOf(
  addresses: readonly string[],
  url: URL,
  options: OutboundRequest,
  deadline: AbortSignal,
): Promise<OutboundResponse> {
  const tried = addresses.slice(0, ADDRESSES_TRIED_MAX);
  for (const [index, address] of tried.entries()) {
    try {
      return await exchange(url, address, options, deadline);
    } catch (error) {
      // Only a failed connection moves on: from then on the request may have had its effect.
      const unconnected = error instanceof OutboundError && error.reason === "connect";
      if (!unconnected || index === tried.length - 1) throw error;
    }
  }
  throw new OutboundError("dns", `Host "${url.hostname}" has no address`);
}

function parseUrl(text: string): URL {
  // The parser also brings every spelling of an IPv4 address (2130706433, 0x7f.1) to the dotted one.
  const url = URL.parse(text);
  if (url === null) throw new OutboundError("invalid_url", "URL cannot be parsed");
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new OutboundError("invalid_url", `URL scheme "${url.protocol}" is not http or https`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new OutboundError("invalid_url", "URL must not contain a user or password");
  }
  return url;
}

async function resolve(url: URL, options: OutboundRequest): Promise<readonly string[]> {
  const host = bareHost(url);
  const found = isIP(host) === 0 ? await lookUp(host, options.lookup) : [host];
  const addresses = new Set<string>();
  for (const address of found) {
    const normalised = normaliseAddress(address);
    if (normalised === undefined || !options.allowAddress(normalised)) {
      throw new OutboundError("blocked_address", `Host "${url.hostname}" has a blocked address`);
    }
    addresses.add(normalised);
  }
  return [...addresses];
}

async function lookUp(host: string, lookup: Lookup = lookUpSystem): Promise<readonly string[]> {
  try {
    return await lookup(host);
  } catch (cause) {
    throw new OutboundError("dns", `Host "${host}" cannot be resolved`, { cause });
  }
}

async function lookUpSystem(host: string): Promise<readonly string[]> {
  return (await lookupDns(host, { all: true })).map(({ address }) => address);
}

function beforeDeadline<Value>(
  work: Promise<Value>,
  deadline: AbortSignal,
  url: URL,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const expire = () => reject(timedOut(url));
    deadline.addEventListener("abort", expire, { once: true });
    work.then(resolve, reject).finally(() => deadline.removeEventListener("abort", expire));
  });
}

/** One request to one address. Rejects with reason `connect` only while nothing has been sent. */
function exchange(
  url: URL,
  address: string,
  options: OutboundRequest,
  deadline: AbortSignal,
): Promise<OutboundResponse> {
  return new Promise((resolve, reject) => {
    let stage: "connect" | "tls" | "protocol" = "connect";
    let outgoing: ClientRequest;
    try {
      outgoing = open(url, address, options);
    } catch (cause) {
      reject(new OutboundError("protocol", `Request to "${url.hostname}" is malformed`, { cause }));
      return;
    }
    const finish = (outcome: OutboundResponse | OutboundError) => {
      clearTimeout(connecting);
      deadline.removeEventListener("abort", expire);
      if (outcome instanceof OutboundError) reject(outcome);
      else resolve(outcome);
      outgoing.destroy();
    };
    const fail = (cause: Error) => finish(failure(stage, url, cause));
    const expire = () => finish(timedOut(url));
    const connecting = setTimeout(() => {
      const reason = stage === "connect" ? "connect" : "timeout";
      finish(new OutboundError(reason, `Connection to "${url.hostname}" took too long`));
    }, CONNECT_TIMEOUT_MS);
    const connected = () => {
      stage = "protocol";
      clearTimeout(connecting);
    };

    outgoing.on("socket", (socket) => {
      const secure = url.protocol === "https:";
      socket.once("connect", secure ? () => (stage = "tls") : connected);
      if (secure) socket.once("secureConnect", connected);
    });
    outgoing.on("error", fail);
    // A switch of protocols nobody asked for; without a listener it would leave the request open.
    outgoing.on("upgrade", () => fail(new Error("Unexpected upgrade")));
    outgoing.on("response", (response) => {
      connected();
      receive(response, options.responseBytesMax, url, finish, fail);
    });
    // Whatever ended it without one of the above: the first outcome counts.
    outgoing.on("close", () => fail(new Error("Connection closed without a response")));
    deadline.addEventListener("abort", expire, { once: true });
    if (deadline.aborted) expire();
    else outgoing.end(options.body);
  });
}

function open(url: URL, address: string, options: OutboundRequest): ClientRequest {
  const host = bareHost(url);
  const common = {
    // The checked address itself, so that nothing resolves the name a second time.
    host: address,
    port: url.port === "" ? undefined : Number(url.port),
    path: url.pathname + url.search,
    method: options.method ?? "GET",
    headers: headersFor(url, options),
    // A connection of its own: a pooled one is keyed by address and name, and would be used past this check.
    agent: false,
  };
  if (url.protocol === "http:") return requestHttp(common);
  return requestHttps({
    ...common,
    servername: isIP(host) === 0 ? host : "",
    // Said aloud, for the environment (NODE_TLS_REJECT_UNAUTHORIZED) can change the default.
    rejectUnauthorized: true,
    ...(options.ca !== undefined && { ca: options.ca }),
  });
}

function headersFor(url: URL, { headers, body }: OutboundRequest): Record<string, string> {
  const result: Record<string, string> = {
    "user-agent": "carillon",
    accept: "*/*",
    "accept-encoding": "identity",
  };
  for (const [name, value] of Object.entries(headers ?? {})) result[name.toLowerCase()] = value;
  delete result["transfer-encoding"];
  delete result["content-length"];
  if (body !== undefined) result["content-length"] = String(Buffer.byteLength(body));
  result.host = url.host;
  result.connection = "close";
  return result;
}

function receive(
  response: IncomingMessage,
  bytesMax: number,
  url: URL,
  finish: (outcome: OutboundResponse | OutboundError) => void,
  fail: (cause: Error) => void,
): void {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  response.on("data", (chunk: Uint8Array) => {
    bytes += chunk.length;
    if (bytes > bytesMax) finish(tooLarge(url, `a body of more than ${bytesMax} bytes`));
    else chunks.push(chunk);
  });
  response.on("end", () => {
    finish({
      status: response.statusCode ?? 0,
      headers: joinHeaders(response),
      body: Buffer.concat(chunks),
    });
  });
  response.on("aborted", () => fail(new Error("Connection closed within the response")));
  response.on("error", fail);
}

function joinHeaders(response: IncomingMessage): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, values] of Object.entries(response.headersDistinct)) {
    if (values !== undefined) joined[name] = values.join(", ");
  }
  return joined;
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

function tooLarge(url: URL, what: string): OutboundError {
  return new OutboundError("too_large", `Host "${url.hostname}" answered with ${what}`);
}

function timedOut(url: URL): OutboundError {
  return new OutboundError("timeout", `Host "${url.hostname}" did not answer in time`);
}

/** Without the brackets of an IPv6 literal. */
function bareHost(url: URL): string {
  return url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
}
