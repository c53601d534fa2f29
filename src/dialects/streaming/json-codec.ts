/** The JSON encoding (centrifugo-protocol.md §1.1): objects separated by LF, in text frames. */
import { decodeJson } from "./json-decode.ts";
import { encodeJsonPush, encodeJsonReply } from "./json-encode.ts";
import type { Codec } from "./protocol.ts";

export const jsonCodec: Codec = {
  name: "json",
  decode: decodeJson,
  encodeReply: encodeJsonReply,
  encodePush: encodeJsonPush,
  join: (frames) => frames.join("\n"),
  ping: "{}",
};
