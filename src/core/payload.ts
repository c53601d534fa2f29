/** Payloads, and clients with theirs, as plain JSON data: between nodes, and in stores. Bytes travel as base64. */
import { jsonOfBytes, storedJson, type CompactJson } from "./json-text.ts";
import type { ClientInfo, Payload } from "./types.ts";

export type PortablePayload = { readonly json: string } | { readonly base64: string };

export function toPortable(payload: Payload): PortablePayload {
  return "json" in payload ? payload : { base64: payload.bytes.toBase64() };
}

export function fromPortable(portable: PortablePayload): Payload {
  return "json" in portable
    ? { json: storedJson(portable.json) }
    : { bytes: Uint8Array.fromBase64(portable.base64) };
}

interface PortableClient {
  readonly connectionId: string;
  readonly userId: string;
  readonly info?: PortablePayload;
  readonly channelInfo?: PortablePayload;
}

export function toPortableClient({
  connectionId,
  userId,
  info,
  channelInfo,
}: ClientInfo): PortableClient {
  return {
    connectionId,
    userId,
    ...(info === undefined ? {} : { info: toPortable(info) }),
    ...(channelInfo === undefined ? {} : { channelInfo: toPortable(channelInfo) }),
  };
}

export function fromPortableClient({
  connectionId,
  userId,
  info,
  channelInfo,
}: PortableClient): ClientInfo {
  return {
    connectionId,
    userId,
    ...(info === undefined ? {} : { info: fromPortable(info) }),
    ...(channelInfo === undefined ? {} : { channelInfo: fromPortable(channelInfo) }),
  };
}

export function clientText(client: ClientInfo): string {
  return JSON.stringify(toPortableClient(client));
}

export function clientFrom(text: string): ClientInfo {
  return fromPortableClient(JSON.parse(text) as PortableClient);
}

/** A payload as it is spliced into JSON; undefined when it is bytes that are not JSON. */
export function jsonOfPayload(payload: Payload): CompactJson | undefined {
  return "json" in payload ? payload.json : jsonOfBytes(payload.bytes);
}
