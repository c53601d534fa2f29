/**
 * The contract between `webrtc/` and the dialects whose sessions open DataChannels themselves. Each labelled channel is a `Socket` with
 * a `Session` of the dialect's, as a WebSocket is one.
 */
import type { Frame } from "../core/types.ts";
import type { OpenSession } from "./socket.ts";

export interface PeerChannelOptions {
  readonly label: string;
  /** Default "". */
  readonly protocol?: string;
  /** Default true. */
  readonly ordered?: boolean;
  /** Not both. Absent: reliable. */
  readonly maxRetransmits?: number | undefined;
  readonly maxPacketLifeTimeMs?: number | undefined;
  /** `open` runs when the DataChannel opened. A text message is a string, a binary one is bytes, both ways. */
  readonly opening: OpenSession;
  /**
   * A frame larger than the peer's SDP takes (RFC 8841 `a=max-message-size`), in its place; nothing of it is sent. Absent: it is
   * counted and left out.
   */
  readonly oversized?: (frame: Frame) => void;
}

export type PeerEnd =
  /** By `close`, or by `Peers.close`. */
  | "closed"
  /** The peer closed it (DTLS alert, SCTP abort). */
  | "left"
  /** Not connected in time. */
  | "timeout"
  /** ICE consent lost, DTLS or SCTP failed, hostile packets. */
  | "failed"
  /** A bug was logged. */
  | "bug";

export interface PeerEvents {
  /** Once: ICE, DTLS and SCTP are up. Channels open behind it, each by its `opening.open`. */
  connected(): void;
  /** Once: every channel of the offer is open (at once behind `connected` when it has none). */
  opened(): void;
  /** The last call, once, whatever ended it; what it took is freed. Runs within `close` or `terminate` where no answer was taken. Sessions of its channels were `closed` before it. */
  ended(end: PeerEnd): void;
}

export interface PeerCandidate {
  readonly candidate: string;
  readonly sdpMid?: string | null | undefined;
  readonly sdpMLineIndex?: number | null | undefined;
}

export interface Peer {
  /** SDP with all candidates of the server; one m=application section, also without channels. */
  readonly offer: string;
  /** False: no answer to this offer, or not expected now; the peer stays as it is. */
  answer(sdp: string): Promise<boolean>;
  /** Names of mDNS and the empty one that ends them are dropped: true. Before `answer` they wait. False: no candidate, or too many. */
  addCandidate(candidate: PeerCandidate): boolean;
  /** The same session once more, for a `re-offer`; its answer goes to `answer`. */
  reoffer(): Promise<string>;
  /**
   * Sends what waits, resets each stream, and closes the connection when the client has closed its own or a second later. To be called
   * behind the last frames. `ended` comes later, at most 6 s if the client takes nothing more.
   */
  close(): void;
  /** At once: what waits is lost. */
  terminate(): void;
}

/** Counted now, and behind the blank line since the start. */
export interface PeersStats {
  readonly peers: number;
  readonly connected: number;
  readonly channels: number;

  readonly offered: number;
  /** As many as may be were open, or no port was to be had. */
  readonly refused: number;
  /** Not connected in time, or lost. */
  readonly failed: number;
  /** Frames that were larger than their peer takes. */
  readonly oversized: number;
}

export interface Peers {
  /**
   * Undefined: as many as may be are open, or no port is free; nothing was kept. Rejects only for a bug. `events` are not called before the
   * promise resolves.
   */
  offer(channels: readonly PeerChannelOptions[], events: PeerEvents): Promise<Peer | undefined>;
  readonly stats: PeersStats;
  /** Calls `shutdown` of every channel's session. */
  shutdown(): void;
  /** Ends all of them, and waits until their sockets are freed. Afterwards `offer` gives undefined. */
  close(): Promise<void>;
}
