/** The contract between transports, which carry frames, and dialects, which give them meaning. The transport calls the session. */
import type { GroupMember } from "../core/fanout.ts";
import type { Frame } from "../core/types.ts";
import type { Mount, ReadBody } from "./request.ts";

export type TransportName = "websocket" | "sockjs" | "sse" | "http_stream" | "webrtc";

export interface Socket {
  readonly transport: TransportName;
  readonly member: GroupMember;
  /** Bytes accepted by `send` and the groups that the peer's kernel has not taken yet. */
  readonly bufferedBytes: number;
  /** Monotonic milliseconds of the last inbound byte, pongs included. */
  readonly lastReceivedMs: number;
  /**
   * What is sent now is written at once: to a connection, or to an answer that waits for it. False: it waits for a reader that is
   * behind, or for the next answer of a session that has none. To be asked before `send`.
   */
  readonly writable: boolean;
  /** In call order with group frames. False: nothing is sent, since the socket is closed or over its bound. */
  send(frame: Frame): boolean;
  /** What `sending` sends goes out in one write, where the transport can. */
  together(sending: () => void): void;
  /** A transport-level ping, where the transport has one. */
  ping(): void;
  /**
   * Sends what is buffered, then the close. `session.closed` runs once, perhaps before this returns.
   * Codes are the caller's to get right; a reason is cut to 123 bytes. A peer that has not closed within 5 s is cut.
   */
  close(code: number, reason: string): void;
  /** Drops the connection at once, without a close where the transport has one: what is buffered is lost. */
  terminate(): void;
}

export interface Session {
  /**
   * One inbound frame. While a returned promise is pending, later frames wait: frames of one socket are handled one by
   * one and in order. A rejection is a bug: the transport logs it and closes this socket as `failed`.
   */
  receive(frame: Frame): void | Promise<void>;
  /**
   * The peer takes less than it is sent: the session's bound on buffered bytes is passed. It sends its code and closes
   * before it returns; otherwise the transport closes. Once per socket; never within a call of the session's own.
   */
  slow(): void;
  /** A bug in this session or its transport was logged; closes with the dialect's internal error before it returns, or the transport does. */
  failed(): void;
  /** The server stops: close with the dialect's code that sends the client elsewhere. */
  shutdown(): void;
  /** The last call. */
  closed(code: number, reason: string): void;
}

/** What a session's opener may know of the request. */
export interface SocketRequest {
  readonly url: URL;
  readonly headers: Headers;
  /** The client's address: the peer's, or what a trusted proxy says it is. */
  readonly address: string;
  readonly mount: Mount;
  /** What the `:name` segments of the route's path stand for, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
}

export interface OpenSession {
  readonly open: (socket: Socket) => Session;
  /** Echoed as `Sec-WebSocket-Protocol`; absent: none is, and browsers that offered some give up. */
  readonly subprotocol?: string | undefined;
  /** Largest inbound message in bytes; above it the socket is closed with 1009. */
  readonly messageBytesMax: number;
  /** Bytes that may wait for the peer; a frame that would pass it calls `session.slow`, unless nothing else waits. */
  readonly bufferedBytesMax: number;
  /**
   * Asked for each later request of a session that HTTP requests carry, sending or receiving: a Response refuses it, and the session
   * does not notice. A session that was closed hands its close to a receiving request that is refused with 401, and to none that is
   * refused otherwise. Absent: a request that knows the session's id is let through.
   */
  readonly admit?: (request: SocketRequest) => Response | undefined | Promise<Response | undefined>;
  /** Whose session it is: those that HTTP requests carry are counted by it, within one process, also while they are being closed. */
  readonly holder?: string;
}

export interface SocketRoute {
  /**
   * Exact path on its listener, below the prefix of whichever app. A `:name` segment stands for one segment that is not empty and, decoded, has no `/`; a
   * route without any is looked at first, then the others in their order. With `sockjs` the base of what SockJS serves, without `:name`.
   */
  readonly path: string;
  readonly transports: readonly TransportName[];
  /** The largest that any session of it has: a listener holds no more of a message whose end has not come than its routes' largest. */
  readonly messageBytesMax: number;
  /** Decides before the upgrade, and before it is looked at whether the request is one: a Response refuses, anything else opens the session. */
  accept(request: SocketRequest): Response | OpenSession | Promise<Response | OpenSession>;
  /** The answer to an accepted request that is not a WebSocket handshake. Absent: 400 or 426, as the listener sees fit. */
  badHandshake?(): Response;
  /** With `sockjs` among the transports: how it is served. Absent: by its defaults. */
  readonly sockjs?: SockJsRoute;
}

/** The transports of SockJS, as its paths name them; `websocket` is the raw one as well. */
export type SockJsTransport =
  | "websocket"
  | "xhr"
  | "xhr_streaming"
  | "eventsource"
  | "htmlfile"
  | "jsonp";

/**
 * A route's SockJS, below its path: greeting, `/info`, iframe pages, `/{server}/{session}/{transport}`, the raw WebSocket at `/websocket`
 * and, with an upgrade, at the path itself. Sessions see a `Socket` as any other: a frame is a message, without SockJS's framing.
 *
 * `accept` is asked for each WebSocket and for each first request of a session that HTTP requests carry, and for one of a session that
 * is not known; what it accepts may not be opened. `OpenSession.admit` is asked for the later ones. Neither is asked for the greeting,
 * the iframe pages, OPTIONS and `/info`. A refusal that says nothing about CORS is sent with the route's headers for it.
 */
export interface SockJsRoute {
  /** Refuses `/info`. Absent: anybody may ask. */
  readonly admitInfo?: (
    request: SocketRequest,
  ) => Response | undefined | Promise<Response | undefined>;
  /** Pages whose scripts may see the answers. Absent: those of all origins. It refuses nothing: that is `accept`'s to do. */
  readonly allowsOrigin?: (origin: string, mount: Mount) => boolean;
  /** Switched off: 404. Default: none. */
  readonly disabled?: readonly SockJsTransport[];
  /** Sends the cookie `JSESSIONID`, by which some load balancers are sticky. Default: false. */
  readonly cookie?: boolean;
  /** Of the iframe page: an absolute URL or path. Default: the client library that this server serves below the path. */
  readonly scriptUrl?: string;
  /** Bytes after which a streaming answer ends, and its client asks for the next one. Default: 131,072. */
  readonly responseBytesMax?: number;
  /** Of one inbound array: a WebSocket frame, or a sender's body. Default: twice the route's `messageBytesMax` and 1,024. */
  readonly arrayBytesMax?: number;
  /** Milliseconds after which it ends likewise, for proxies that cut what takes longer. Default: it takes as long as it takes. */
  readonly responseMsMax?: number;
  /** Milliseconds of silence before a heartbeat. Default: 25,000. */
  readonly heartbeatMs?: number;
  /** Milliseconds that a session waits for its client's next receiving request, and a closed one keeps its close. Default: 5,000. */
  readonly disconnectDelayMs?: number;
}

/** A session's socket from the side of who brings its frames, when HTTP requests carry it one after the other. */
export interface CarriedSocket {
  /** One inbound frame. */
  received(frame: Frame): void;
  /** Frames go to this outlet from here on, those that wait first. The one before it is cut. */
  attach(outlet: Outlet): void;
  /** The outlet is gone; the session lives on, and what it took counts as sent. */
  detach(outlet: Outlet): void;
  /** The outlet takes frames again. */
  drained(outlet: Outlet): void;
  /** The peer is gone, and will not come back. */
  ended(code: number, reason: string): void;
}

/** Where a carried socket writes. */
export interface Outlet {
  /** Bytes that it took and its peer has not. */
  readonly bufferedBytes: number;
  /** `write` would take a frame. */
  readonly writable: boolean;
  /** False: it takes nothing now, and has not taken this frame. */
  write(frame: Frame): boolean;
  ping(): void;
  /** What was written goes out first. The outlet's owner then calls `ended`. */
  close(code: number, reason: string): void;
  /** Drops what its peer has not taken. */
  terminate(): void;
}

/** What a stream's bytes look like. */
export interface StreamOptions {
  /** `Content-Type`, and whatever its clients need besides. */
  readonly headers: Readonly<Record<string, string>>;
  /** The first bytes. Until there are some, a client sees no answer at all. */
  readonly opening: string;
  readonly frame: (frame: Frame) => string | Uint8Array;
  /** Default: the socket's pings write nothing. */
  readonly ping?: string;
  /** The last bytes; `""`: none. */
  readonly close: (code: number, reason: string) => string;
  /** The client left before the end: its socket is to be `ended`, or waits for another answer. */
  readonly left: () => void;
}

/** What the `clients` listener lends to HTTP routes, beside the request. */
export interface ClientsRequest {
  /** The client's address: the peer's, or what a trusted proxy says it is. */
  readonly address: string;
  readonly mount: Mount;
  /** Not of a GET: Bun drops its body. */
  readonly readBody: ReadBody;
  /**
   * Lifts the bound on this request's duration. An answer that waits needs it, since Bun counts from the request's start and
   * nothing that is read or written extends it. Call it once the body is read. Afterwards the connection may idle without a
   * bound until its next request.
   */
  readonly keepOpen: () => void;
  /** Runs `callback` when the client leaves before its answer is whole. */
  readonly onLeave: (callback: () => void) => void;
  /** Opens a session for this and later requests: it is counted, and told when the server stops. Its frames wait until an answer takes them. */
  readonly openSocket: (transport: TransportName, opening: OpenSession) => CarriedSocket;
  /** The answer that takes a socket's frames, for as long as its client reads. Not of a HEAD, which has no body. */
  readonly stream: (socket: CarriedSocket, options: StreamOptions) => Response;
}
