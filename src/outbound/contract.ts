/** What a request is, what it gives, and why it got no answer. */
import type { Timers } from "../core/runtime.ts";
import type { Connections } from "./connections.ts";

/** All addresses of a host name, in order of preference. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

/** Which addresses may be connected to, and how names become addresses. */
export interface OutboundPolicy {
  /** Asked for every address of the host, normalised (`normaliseAddress`). One refusal refuses the host. */
  readonly allowAddress: (address: string) => boolean;
  /** Default: the system's resolver. Not asked for a literal address. */
  readonly lookup?: Lookup;
}

export interface OutboundRequest extends OutboundPolicy {
  /** `http:` or `https:`. User and password are sent as Basic authorization, unless the headers have another. */
  readonly url: string;
  /** Default `GET`. */
  readonly method?: string;
  /** `host`, `connection`, `content-length` and `transfer-encoding` are set here and cannot be chosen. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** For everything together: resolution, connection, request and the whole response. */
  readonly timeoutMs: number;
  /** A longer response body is an error, or cut there with `cutLongBody`. Counted as sent: nothing is decompressed. */
  readonly responseBytesMax: number;
  /** What is beyond `responseBytesMax` is not read, and the connection closed. */
  readonly cutLongBody?: boolean;
  /** PEM certificates to trust in place of the system's. */
  readonly ca?: string;
  /** Absent: a connection of its own, closed behind it. */
  readonly connections?: Connections;
  /** Absent: the system's. */
  readonly timers?: Pick<Timers, "after">;
}

export interface OutboundResponse {
  /** Redirects are answers like any other, and not followed. */
  readonly status: number;
  /** Names in lower case; repeated headers are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The body went on. */
  readonly cut: boolean;
}

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

export function tooLarge(url: URL, what: string): OutboundError {
  return new OutboundError("too_large", `Host "${url.hostname}" answered with ${what}`);
}

export function timedOut(url: URL): OutboundError {
  return new OutboundError("timeout", `Host "${url.hostname}" did not answer in time`);
}
