/** The two encodings (centrifugo-protocol.md §1.1): JSON objects separated by LF in text frames, and Protobuf messages behind their length as a varint in binary frames. */
import type { Frame } from "../../core/types.ts";
import { decodeJson } from "./json-decode.ts";
import { encodeJsonPush, encodeJsonReply } from "./json-encode.ts";
import { decodeProtobuf } from "./protobuf-decode.ts";
import { encodeProtobufPush, encodeProtobufReply } from "./protobuf-encode.ts";
import type { Codec } from "./protocol.ts";

export const jsonCodec: Codec = {
  name: "json",
  decode: decodeJson,
  encodeReply: encodeJsonReply,
  encodePush: encodeJsonPush,
  join: (frames) => frames.join("\n"),
  ping: "{}",
};

export const protobufCodec: Codec = {
  name: "protobuf",
  decode: decodeProtobuf,
  encodeReply: encodeProtobufReply,
  encodePush: encodeProtobufPush,
  join: joinBytes,
  // §2.1: an empty reply is its length alone.
  ping: Uint8Array.of(0),
};

function joinBytes(frames: readonly Frame[]): Uint8Array {
  const parts = frames.map(bytesOf);
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function bytesOf(frame: Frame): Uint8Array {
  if (typeof frame === "string") throw new TypeError("A text frame among Protobuf frames");
  return frame;
}
