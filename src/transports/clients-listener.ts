/** The contract of the `clients` listener. */
import type { Fanout } from "../core/fanout.ts";
import type { Runtime } from "../core/runtime.ts";
import type { BunApiHandler } from "./bun-api-handler.ts";
import type { FindMount } from "./mounts.ts";
import type { Peers } from "./peers.ts";
import type { SocketStats } from "./session-socket.ts";
import type { ClientsRequest, SocketRoute } from "./socket.ts";

export interface ClientsListenerOptions {
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
  /** Other processes of this server listen on the same port. Default: an error if anybody does. */
  readonly shared?: boolean;
  /** PEM text. Absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Those processes, when sessions that HTTP requests carry are to be served by them. */
  readonly peers?: Peers;
  /** Addresses and CIDR ranges whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  readonly findMount: FindMount;
  /** Those of other transports are ignored. */
  readonly routes: readonly SocketRoute[];
  /** All requests but upgrades of the routes. */
  readonly fetch: (request: Request, lent: ClientsRequest) => Response | Promise<Response>;
  /** Answers the API's calls here as well: what is no path of a client's is given to it. */
  readonly api?: Pick<BunApiHandler, "handle">;
  readonly runtime: Runtime;
  /** Told of what a session or `fetch` threw; one socket or request is affected. */
  readonly onBug: (error: unknown, context: string) => void;
  /** Default 4 MiB. A session's `bufferedBytesMax` counts as at most half of it. */
  readonly backpressureLimitBytes?: number;
  /** Default 128 KiB, with `api` 1 MiB; above it Bun answers 413. */
  readonly requestBodyBytesMax?: number;
}

export interface ListenerStats extends Readonly<SocketStats> {
  /** Group publications, whatever number of sockets each reached. */
  readonly published: number;
  /** Requests to a socket's path that the route, or what they lacked as a handshake, refused. */
  readonly refused: number;
}

export interface ClientsListener {
  /** With the address that is listened on, without a trailing slash. */
  readonly url: string;
  readonly port: number;
  readonly fanout: Fanout;
  /** Open now. */
  sockets(): number;
  /** Bytes that peers have yet to take, over all open sockets. */
  unsentBytes(): number;
  stats(): ListenerStats;
  /** New upgrades and requests get 503 `shutting down`; sockets and requests under way live on. */
  stopAccepting(): void;
  /** Leaves the port to the processes that share it. What was taken before lives on, and is answered, each connection once. */
  stopListening(): void;
  /** Has each session close its socket with its dialect's code for it. */
  shutdown(): void;
  /** Ends what is left with 1001 and frees the port. */
  close(): Promise<void>;
}
