/** What a frame says, as text to look at. */

/** Characters that are shown of what is longer. */
const SHOWN_MAX = 4_000;
/** RFC 1950: how compressed data of Sora's DataChannels begins. */
const ZLIB = 0x78;

export async function textOfFrame(data: unknown): Promise<string> {
  if (typeof data === "string") return shorten(data);
  if (data instanceof Blob) return textOfFrame(await data.arrayBuffer());
  const bytes = bytesOf(data);
  if (bytes === undefined) return "";
  const plain = bytes[0] === ZLIB ? await inflate(bytes).catch(() => bytes) : bytes;
  return shorten(new TextDecoder().decode(plain));
}

function bytesOf(data: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (!ArrayBuffer.isView(data)) return undefined;
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function shorten(text: string): string {
  if (text.length <= SHOWN_MAX) return text;
  return `${text.slice(0, SHOWN_MAX)} … ${text.length - SHOWN_MAX} more characters`;
}
