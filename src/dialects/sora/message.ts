/** Messages to one connection or many: JSON text on a WebSocket, and on a label that compresses a zlib stream (§3.2). */
import { deflateSync, inflateSync } from "node:zlib";
import type { Encoder } from "../../core/hub.ts";
import { jsonOfPayload } from "../../core/payload.ts";
import type { Frame, Payload, Push } from "../../core/types.ts";

/** Compressed once, however many are sent it. */
export class Message {
  readonly text: string;
  #compressed: Uint8Array | undefined;

  constructor(text: string) {
    this.text = text;
  }

  frame(compress: boolean): Frame {
    if (!compress) return this.text;
    return (this.#compressed ??= deflateSync(this.text));
  }
}

/** One zlib stream (RFC 1950). */
export function deflated(bytes: Uint8Array): Uint8Array {
  return deflateSync(bytes);
}

/** The inflated bytes; undefined: not a zlib stream, or longer than `bytesMax` when inflated. */
export function inflated(bytes: Uint8Array, bytesMax: number): Uint8Array | undefined {
  try {
    return inflateSync(bytes, { maxOutputLength: bytesMax });
  } catch {
    return undefined;
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a message on a label for signaling; undefined: the bytes are not one. */
export function textOf(
  frame: Frame,
  { compress, bytesMax }: { readonly compress: boolean; readonly bytesMax: number },
): string | undefined {
  if (typeof frame === "string") return compress ? undefined : frame;
  const bytes = compress ? inflated(frame, bytesMax) : frame;
  try {
    return bytes && strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** §1.4; data that is not an object arrives as `{"value":…}` (DESIGN.md §3). Undefined: bytes that are not JSON. */
function pushText(data: Payload): string | undefined {
  const json = jsonOfPayload(data);
  if (json === undefined) return undefined;
  return `{"data":${json.startsWith("{") ? json : `{"value":${json}}`},"type":"push"}`;
}

function encoderOf(name: string, frameOf: (text: string) => Frame): Encoder {
  return {
    name,
    encode(push: Push) {
      if (push.type === "publication") {
        const text = pushText(push.publication.data);
        return text === undefined ? { disconnect: "uncarriable" } : frameOf(text);
      }
      if (push.type !== "direct") return undefined;
      // No position promises it, so a message that this wire cannot carry costs nobody the connection.
      const text = pushText(push.data);
      return text === undefined ? undefined : frameOf(text);
    },
  };
}

export const textEncoder = encoderOf("sora.text", (text) => text);
export const zlibEncoder = encoderOf("sora.zlib", (text) => deflateSync(text));
