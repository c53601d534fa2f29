/**
 * The WebRTC library, node-datachannel: loaded when peers are first offered, and kept from ending the process. What its callbacks throw
 * would abort it, and so would calls that it does not guard itself: see `Guard`, and `peer.ts` for how a peer is made.
 */
import type { PeerConnection, RtcConfig } from "node-datachannel";

export type { DataChannel as NativeChannel, PeerConnection as NativePeer } from "node-datachannel";

/**
 * Bytes that SCTP takes of a peer's frames before they count as waiting. The library's own default is four times as much, which a
 * thousand readers that stop would fill.
 */
const SEND_BUFFER_BYTES = 262_144;

export interface Library {
  createPeer(config: RtcConfig): PeerConnection;
}

/** Runs a callback of the library's; whatever it throws goes to `onBug` instead. */
export type Guard = <Args extends unknown[]>(
  callback: (...args: Args) => void,
) => (...args: Args) => void;

export async function loadLibrary(): Promise<Library> {
  const library = await import("node-datachannel");
  library.setSctpSettings({ sendBufferSize: SEND_BUFFER_BYTES });
  return { createPeer: (config) => new library.PeerConnection("peer", config) };
}
