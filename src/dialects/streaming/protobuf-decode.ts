/** Commands out of Protobuf frames (centrifugo-protocol.md §1.1, §1.4, §2.1). `bytes` fields stay bytes. */
import type { Frame, Payload } from "../../core/types.ts";
import { type Fields, readCommand } from "./protobuf-schema.ts";
import {
  type Command,
  type ConnectRequest,
  MalformedFrame,
  METHODS,
  type Request,
  type SubscribeRequest,
} from "./protocol.ts";

export function* decodeProtobuf(frame: Frame): Generator<Command, void, undefined> {
  if (typeof frame === "string") throw new MalformedFrame("Protobuf comes in binary frames");
  if (frame.length === 0) throw new MalformedFrame("The frame is empty");
  for (let at = 0; at < frame.length;) {
    const { start, end } = messageBounds(frame, at);
    yield decodeCommand(frame.subarray(start, end));
    at = end;
  }
}

/** Beyond this a varint has no meaning in Protobuf. */
const VARINT_BYTES_MAX = 10;

/** A length is believed only as far as the frame goes, so that it can neither allocate nor overflow. */
function messageBounds(frame: Uint8Array, at: number): { start: number; end: number } {
  let length = 0;
  for (let digit = 0; digit < VARINT_BYTES_MAX; digit++) {
    const byte = frame[at + digit];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * digit);
    if (byte >= 0x80) continue;
    const start = at + digit + 1;
    if (length > frame.length - start) break;
    return { start, end: start + length };
  }
  throw new MalformedFrame("A message is longer than its frame");
}

function decodeCommand(message: Uint8Array): Command {
  const fields = readCommand(message);
  const id = fields.integer("id");
  const request = firstRequest(fields);
  return request ? { id, request } : { id };
}

/** §1.4: in this order. */
function firstRequest(command: Fields): Request | undefined {
  for (const method of METHODS) {
    const fields = command.message(method);
    if (fields) return decodeRequest(method, fields);
  }
  return undefined;
}

function decodeRequest(method: Request["method"], fields: Fields): Request {
  switch (method) {
    case "connect":
      return { method, params: connectRequest(fields) };
    case "ping":
      return { method };
    case "subscribe":
      return { method, params: subscribeRequest(fields) };
    case "publish":
      return {
        method,
        params: {
          channel: fields.string("channel"),
          type: fields.integer("type"),
          ...payload(fields),
        },
      };
    case "unsubscribe":
    case "presence":
    case "presence_stats":
      return { method, params: { channel: fields.string("channel") } };
    case "history": {
      const since = fields.message("since");
      return {
        method,
        params: {
          channel: fields.string("channel"),
          limit: fields.integer("limit"),
          reverse: fields.boolean("reverse"),
          ...(since && {
            since: { offset: since.integer("offset"), epoch: since.string("epoch") },
          }),
        },
      };
    }
    case "rpc":
      return { method, params: { method: fields.string("method"), ...payload(fields) } };
    case "send":
      return { method, params: payload(fields) };
    case "refresh":
      return { method, params: { token: fields.string("token") } };
    case "sub_refresh":
      return {
        method,
        params: { channel: fields.string("channel"), token: fields.string("token") },
      };
  }
}

function connectRequest(fields: Fields): ConnectRequest {
  const subs = fields
    .messages("subs")
    .map(([channel, sub]) => [channel, subscribeRequest(sub)] as const);
  return {
    token: fields.string("token"),
    subs: new Map(subs),
    name: fields.string("name"),
    version: fields.string("version"),
    ...payload(fields),
  };
}

function subscribeRequest(fields: Fields): SubscribeRequest {
  return {
    channel: fields.string("channel"),
    token: fields.string("token"),
    recover: fields.boolean("recover"),
    epoch: fields.string("epoch"),
    offset: fields.integer("offset"),
    positioned: fields.boolean("positioned"),
    recoverable: fields.boolean("recoverable"),
    join_leave: fields.boolean("join_leave"),
    delta: fields.string("delta"),
    filtered: fields.has("tf"),
    flag: fields.integer("flag"),
    type: fields.integer("type"),
    ...payload(fields),
  };
}

/** Empty bytes are absent: proto3 cannot tell them apart. */
function payload(fields: Fields): { readonly data?: Payload } {
  const bytes = fields.bytes("data");
  return bytes ? { data: { bytes } } : {};
}
