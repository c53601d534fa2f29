/** The official client's own Protobuf codec, as a peer for ours: it is internal there, so it is taken from an instance. */
import { Centrifuge } from "centrifuge/build/protobuf";
import type { ClientCommand } from "./streaming-messages.ts";

/** Replies as plain objects: payloads as the JSON they hold, 64-bit numbers as numbers; its empty lists and maps are there. */
export interface CentrifugePeer {
  encode(commands: readonly ClientCommand[]): Uint8Array;
  decode(frame: Uint8Array): unknown[];
}

interface PeerCodec {
  encodeCommands(commands: readonly unknown[]): Uint8Array;
  decodeReplies(frame: Uint8Array): object[];
}

export function createCentrifugePeer(): CentrifugePeer {
  const client = new Centrifuge("ws://127.0.0.1:1/connection/websocket");
  const codec = Reflect.get(client, "_codec") as PeerCodec;
  return {
    encode: (commands) => codec.encodeCommands(commands.map(withBytes)),
    decode: (frame) => codec.decodeReplies(frame).map(plain),
  };
}

/** The SDK's users hand over bytes: here they are the JSON text of the sample's `data`. */
function withBytes(value: unknown): unknown {
  return mapMembers(value, (name, member) =>
    name === "data" ? new TextEncoder().encode(JSON.stringify(member)) : withBytes(member),
  );
}

const PAYLOADS = new Set(["data", "conn_info", "chan_info"]);

/** Its messages hold what came in as own properties, and 64-bit numbers as Long. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null && "low" in value) return Number(value);
  return mapMembers(value, (name, member) =>
    PAYLOADS.has(name) && member instanceof Uint8Array
      ? JSON.parse(new TextDecoder().decode(member))
      : plain(member),
  );
}

function mapMembers(value: unknown, map: (name: string, member: unknown) => unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, map(name, member)]),
  );
}
