/** Replies and pushes as Protobuf messages (centrifugo-protocol.md §2): the wire's own objects, payloads as bytes. */
import type { Payload } from "../../core/types.ts";
import { writeReply } from "./protobuf-schema.ts";
import type {
  ConnectResult,
  Result,
  SubscribeResult,
  WireClientInfo,
  WirePublication,
  WirePush,
} from "./protocol.ts";

export function encodeProtobufReply(id: number, result: Result): Uint8Array {
  return writeReply({ id, ...resultFields(result) });
}

export function encodeProtobufPush(push: WirePush): Uint8Array {
  return writeReply({ push: pushFields(push) });
}

type Fields = Readonly<Record<string, unknown>>;

/** Names agree with the schema's; only payloads, maps and what holds them are rewritten. */
function resultFields(result: Result): Fields {
  if ("connect" in result) return { connect: connectResult(result.connect) };
  if ("subscribe" in result) return { subscribe: subscribeResult(result.subscribe) };
  if ("presence" in result) {
    return { presence: { presence: mapFields(result.presence.presence, clientInfo) } };
  }
  if ("history" in result) {
    const { publications, epoch, offset } = result.history;
    return { history: { publications: publications.map(publication), epoch, offset } };
  }
  if ("rpc" in result) return { rpc: { data: bytes(result.rpc.data) } };
  return result;
}

function pushFields(push: WirePush): Fields {
  if ("pub" in push) return { channel: push.channel, pub: publication(push.pub) };
  if ("join" in push) return { channel: push.channel, join: { info: clientInfo(push.join.info) } };
  if ("leave" in push) {
    return { channel: push.channel, leave: { info: clientInfo(push.leave.info) } };
  }
  if ("message" in push) return { message: { data: bytes(push.message.data) } };
  if ("subscribe" in push) {
    // The push's message has fields of its own numbers; those of the result that it lacks are not written.
    return { channel: push.channel, subscribe: subscribeResult(push.subscribe) };
  }
  return push;
}

function connectResult(result: ConnectResult): Fields {
  return {
    ...result,
    data: bytes(result.data),
    subs: result.subs && mapFields(result.subs, subscribeResult),
  };
}

function subscribeResult(result: SubscribeResult): Fields {
  return {
    ...result,
    data: bytes(result.data),
    publications: result.publications?.map(publication),
  };
}

function publication({ data, info, ...rest }: WirePublication): Fields {
  return { ...rest, data: bytes(data), info: info && clientInfo(info) };
}

function clientInfo({ user, client, conn_info, chan_info }: WireClientInfo): Fields {
  return { user, client, conn_info: bytes(conn_info), chan_info: bytes(chan_info) };
}

function mapFields<Value>(
  map: ReadonlyMap<string, Value>,
  fieldsOf: (value: Value) => Fields,
): Fields {
  return Object.fromEntries(Array.from(map, ([key, value]) => [key, fieldsOf(value)]));
}

const utf8 = new TextEncoder();

function bytes(payload: Payload | undefined): Uint8Array | undefined {
  if (payload === undefined) return undefined;
  return "json" in payload ? utf8.encode(payload.json) : payload.bytes;
}
