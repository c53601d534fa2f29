/** KSUIDs: ids of 27 letters and digits that sort by the second they were made in. Used bare, and behind a prefix as in `org_…`. */
import type { Runtime } from "./runtime.ts";

/** Seconds between the Unix epoch and the KSUIDs' own, 2014-05-13. */
const EPOCH_SECONDS = 1_400_000_000;
const PAYLOAD_BITS = 128n;
export const KSUID_CHARACTERS = 27;
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE = BigInt(ALPHABET.length);
/** Digits that one division gives: as many as fit a safe integer. */
const CHUNK_DIGITS = 8;
const CHUNK = BASE ** BigInt(CHUNK_DIGITS);
const VALUE_MAX = (1n << (32n + PAYLOAD_BITS)) - 1n;

/** A new one: 32 bits of seconds, then a random UUID's 128. Those of one second come in no order. */
export function ksuid({ clock, random }: Pick<Runtime, "clock" | "random">): string {
  const seconds = BigInt(Math.floor(clock.epochMs() / 1000) - EPOCH_SECONDS);
  const payload = BigInt(`0x${random.uuid().replaceAll("-", "")}`);
  return encode((seconds << PAYLOAD_BITS) | payload);
}

/** The second it was made in, as epoch milliseconds; undefined when it is not a KSUID. A prefix up to `_` is skipped. */
export function ksuidTimeMs(id: string): number | undefined {
  const digits = id.slice(id.indexOf("_") + 1);
  if (digits.length !== KSUID_CHARACTERS) return undefined;
  let value = 0n;
  for (const digit of digits) {
    const index = ALPHABET.indexOf(digit);
    if (index < 0) return undefined;
    value = value * BASE + BigInt(index);
  }
  if (value > VALUE_MAX) return undefined;
  return (Number(value >> PAYLOAD_BITS) + EPOCH_SECONDS) * 1000;
}

function encode(value: bigint): string {
  let text = "";
  for (let rest = value; text.length < KSUID_CHARACTERS; rest /= CHUNK) {
    let chunk = Number(rest % CHUNK);
    for (let digit = 0; digit < CHUNK_DIGITS; digit++) {
      text = (ALPHABET[chunk % ALPHABET.length] ?? "") + text;
      chunk = Math.floor(chunk / ALPHABET.length);
    }
  }
  return text.slice(-KSUID_CHARACTERS);
}
