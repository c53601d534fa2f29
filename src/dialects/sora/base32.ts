/** Identifiers as Sora writes them (sora-push.md §2.2): a UUID in Base32, 26 upper-case characters. */

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BITS = 5;
const CHARACTERS = 26;

/** Most significant bit first, two zero bits at the end: 128 bits make 26 characters of 5. */
export function base32OfUuid(uuid: string): string {
  let value = BigInt(`0x${uuid.replaceAll("-", "")}`) << 2n;
  let text = "";
  for (let index = 0; index < CHARACTERS; index += 1) {
    text = (ALPHABET[Number(value & 31n)] ?? "") + text;
    value >>= BigInt(BITS);
  }
  return text;
}
