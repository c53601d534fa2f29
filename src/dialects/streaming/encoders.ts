/** Pushes of the core as frames of this protocol (centrifugo-protocol.md §7): each codec with and without join and leave. */
import type { Disconnect } from "../../core/errors.ts";
import type { Encoder } from "../../core/hub.ts";
import type { ClientInfo, Frame, Publication, Push } from "../../core/types.ts";
import { jsonCodec, protobufCodec } from "./codecs.ts";
import {
  UncarriablePayload,
  type Codec,
  type WireClientInfo,
  type WirePublication,
  type WirePush,
} from "./protocol.ts";

/** A connection's subscriptions that want join and leave pushes are in groups of their own (§4.2). */
export interface Encoders {
  readonly json: Encoder;
  readonly jsonJoinLeave: Encoder;
  readonly protobuf: Encoder;
  readonly protobufJoinLeave: Encoder;
}

/** One set serves all connections of the process: an encoder's name is its group's. */
export function createEncoders(): Encoders {
  return {
    json: withoutJoinLeave(jsonCodec),
    jsonJoinLeave: withJoinLeave(jsonCodec),
    protobuf: withoutJoinLeave(protobufCodec),
    protobufJoinLeave: withJoinLeave(protobufCodec),
  };
}

export function wireInfo({ userId, connectionId, info, channelInfo }: ClientInfo): WireClientInfo {
  return {
    user: userId,
    client: connectionId,
    ...(info && { conn_info: info }),
    ...(channelInfo && { chan_info: channelInfo }),
  };
}

/** `withTime`: for history answers; pushes have no `time` (§7). */
export function wirePublication(
  { data, publisher, position, tags, timeMs, version }: Publication,
  options?: { readonly withTime?: boolean },
): WirePublication {
  return {
    data,
    ...(publisher && { info: wireInfo(publisher) }),
    ...(position && { offset: position.offset }),
    ...(tags && { tags }),
    ...(options?.withTime && { time: timeMs }),
    // §5.1: so a subscriber of an empty channel learns it.
    ...(position?.offset === 1 && { epoch: position.epoch }),
    ...(version && { version }),
  };
}

function withoutJoinLeave(codec: Codec): Encoder {
  return {
    name: `streaming.${codec.name}`,
    join: (frames) => codec.join(frames),
    encode: (push) =>
      push.type === "join" || push.type === "leave" ? undefined : encode(codec, push),
  };
}

function withJoinLeave(codec: Codec): Encoder {
  return {
    name: `streaming.${codec.name}+join_leave`,
    join: (frames) => codec.join(frames),
    encode: (push) => encode(codec, push),
  };
}

function encode(codec: Codec, push: Push): Frame | Disconnect | undefined {
  // Another dialect's own.
  if (push.type === "note") return undefined;
  try {
    return codec.encodePush(wirePush(push));
  } catch (error) {
    // §1.3: a payload that is not JSON closes JSON clients, with 3506.
    if (error instanceof UncarriablePayload) return { disconnect: "uncarriable" };
    throw error;
  }
}

function wirePush(push: Exclude<Push, { type: "note" }>): WirePush {
  switch (push.type) {
    case "publication":
      return { channel: push.channel.name, pub: wirePublication(push.publication) };
    case "join":
      return { channel: push.channel.name, join: { info: wireInfo(push.client) } };
    case "leave":
      return { channel: push.channel.name, leave: { info: wireInfo(push.client) } };
    case "direct":
      return { message: { data: push.data } };
  }
}
