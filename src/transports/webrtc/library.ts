/**
 * The WebRTC library, node-datachannel: loaded when peers are first opened, and kept from ending the process. What its callbacks throw
 * would abort it, and so would calls that it does not guard itself: see `Guard`, and `peer.ts` for how an offer is made.
 */
import type { PeerConnection, RtcConfig } from "node-datachannel";
import type { WebrtcSettings } from "../../config/webrtc.ts";

export type { DataChannel as NativeChannel, PeerConnection as NativePeer } from "node-datachannel";

/**
 * Bytes that SCTP takes of a peer's frames before they count as waiting. The library's own default is four times as much, which a
 * thousand readers that stop would fill.
 */
const SEND_BUFFER_BYTES = 262_144;

export interface Library {
  createPeer(name: string): PeerConnection;
}

/** Runs a callback of the library's; whatever it throws goes to `onBug` instead. */
export type Guard = <Args extends unknown[]>(
  callback: (...args: Args) => void,
) => (...args: Args) => void;

export async function loadLibrary(settings: WebrtcSettings): Promise<Library> {
  const library = await import("node-datachannel");
  library.setSctpSettings({ sendBufferSize: SEND_BUFFER_BYTES });
  const config = configOf(settings);
  return { createPeer: (name) => new library.PeerConnection(name, config) };
}

function configOf(settings: WebrtcSettings): RtcConfig {
  const { stun_server: stun, port_min: portRangeBegin, port_max: portRangeEnd } = settings;
  return {
    iceServers: stun === undefined ? [] : [`stun:${stun}`],
    bindAddress: settings.host,
    ...(portRangeEnd === 0 ? {} : { portRangeBegin, portRangeEnd }),
    // A larger message arrives cut to this size, and is refused as too large.
    maxMessageSize: settings.message_size_limit + 1,
  };
}
