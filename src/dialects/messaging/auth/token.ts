/** Tokens as texts: their form, their kept hash, and the checks before a search (messaging.md §13.2). */
import { createHash, randomBytes } from "node:crypto";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const TOKEN_CHARACTERS = 32;
const KEY_ID_CHARACTERS = 22;

/** The form of the tokens that this server makes: nothing else is looked for among them. */
export const OWN_TOKEN = /^XI[A-Za-z0-9]{32}$/;

/** Names a key to its owner, and says nothing of its token. */
export const KEY_ID = /^KY[A-Za-z0-9]{22}$/;

/** Three parts that could be a JWT's. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export const newToken = (): string => `XI${randomText(TOKEN_CHARACTERS)}`;
export const newKeyId = (): string => `KY${randomText(KEY_ID_CHARACTERS)}`;

export const isJwt = (token: string): boolean => JWT.test(token);

/** The hash by which a token is kept and found: the time of a search tells nothing of the token's text. */
export const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");

/** Of a JWT its signed part alone: a signature can have several spellings, and each would be a token of its own. */
export const hashOfJwt = (token: string): string => hashOf(token.slice(0, token.lastIndexOf(".")));

/** The latest time that a date can hold; a claim beyond it means for ever. */
const DATE_MS_MAX = 8.64e15;

/** Epoch milliseconds of a claim's seconds (RFC 7519 §2, with fractions). */
export function momentOf(seconds: number): number {
  const epochMs = seconds * 1000;
  return epochMs > DATE_MS_MAX ? Infinity : epochMs;
}

/** Evenly: bytes beyond the last whole multiple of the letters are thrown away. */
function randomText(length: number): string {
  const even = 256 - (256 % LETTERS.length);
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < even && text.length < length) text += LETTERS[byte % LETTERS.length];
    }
  }
  return text;
}
