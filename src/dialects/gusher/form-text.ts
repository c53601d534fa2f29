/** Names and values of a urlencoded form: bytes to text, in steps, since one may be as large as the body. */

/** Bytes of a step, as sent. */
export const STEP_BYTES = 65_536;

/** Pieces that are joined within the step of the last one. */
export const PIECES_MAX = 8;

const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

/** A pause before what cannot be cut, and takes long. */
export const LONG_STEP = "long";

/** Returns undefined for a bad `%` escape and for what is not UTF-8: read leniently, it would reach its subscribers with other characters in it. */
export function* decodeForm(
  bytes: Uint8Array,
): Generator<typeof LONG_STEP | void, string | undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const step = new Uint8Array(Math.min(bytes.length, STEP_BYTES));
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length;) {
    if (at > 0) yield;
    const end = Math.min(bytes.length, at + STEP_BYTES);
    let length = 0;
    while (at < end) {
      let byte = bytes[at] ?? 0;
      if (byte === PERCENT) {
        byte = hexByte(bytes[at + 1]) * 16 + hexByte(bytes[at + 2]);
        if (Number.isNaN(byte)) return undefined;
        at += 2;
      } else if (byte === PLUS) byte = SPACE;
      step[length++] = byte;
      at++;
    }
    try {
      pieces.push(decoder.decode(step.subarray(0, length), { stream: at < bytes.length }));
    } catch {
      return undefined;
    }
  }
  // All of it is copied once more.
  if (pieces.length > PIECES_MAX) yield LONG_STEP;
  return pieces.join("");
}

/** NaN: it is not a hexadecimal digit. */
function hexByte(char: number | undefined): number {
  if (char === undefined) return NaN;
  if (char >= 0x30 && char <= 0x39) return char - 0x30;
  const letter = char | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : NaN;
}
