/** The `offer` (§2.5): the full set of members, save for those that media alone needs. */
import type { SoraSettings } from "./config.ts";
import type { Connect } from "./connect.ts";
import { object, type Member } from "./member.ts";

/** The version of Sora whose signaling this is. */
export const SORA_VERSION = "2025.2.0";

export interface Offer {
  readonly sdp: string;
  readonly member: Member;
  readonly connect: Connect;
  /** These are JSON texts; `metadata` is the hook's. */
  readonly dataChannels: string;
  readonly iceServers: SoraSettings["webrtc"]["ice_servers"];
  readonly metadata: string | undefined;
}

export function offerText(offer: Offer): string {
  const { sdp, member, connect, dataChannels, metadata, iceServers } = offer;
  const { dataChannelSignaling: signaling, ignoreDisconnectWebsocket: ignores } = connect;
  return object([
    ["type", '"offer"'],
    ["sdp", JSON.stringify(sdp)],
    ["connection_id", `"${member.connectionId}"`],
    ["client_id", JSON.stringify(member.clientId)],
    ["bundle_id", JSON.stringify(member.bundleId)],
    ["session_id", `"${member.sessionId}"`],
    ["channel_id", JSON.stringify(member.channelId)],
    ["version", `"${SORA_VERSION}"`],
    ["metadata", metadata ?? "{}"],
    // The server's own candidates are all in the SDP.
    ["config", `{"iceServers":${JSON.stringify(iceServers)},"iceTransportPolicy":"all"}`],
    ["simulcast", "false"],
    ["simulcast_multicodec", "false"],
    ["spotlight", "false"],
    ["audio", "false"],
    ["video", "false"],
    ["data_channel_signaling", `${signaling}`],
    ["ignore_disconnect_websocket", `${ignores}`],
    ["data_channels", signaling ? dataChannels : "[]"],
    ["rpc_methods", "[]"],
  ]);
}
