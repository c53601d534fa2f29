/** The `sign` header of task-tokens.md §4.2: HMAC-SHA512 over the body as it came, in hexadecimal. */
import { createHmac, timingSafeEqual } from "node:crypto";

export interface SigningSecret {
  /** Its UTF-8 bytes are the key. */
  readonly secret: string;
  /** Epoch milliseconds from which on it verifies nothing: for a former secret. Absent: never. */
  readonly untilMs?: number;
}

export interface SignedCall {
  /** The header `public-id`; undefined without it. */
  readonly publicId: string | undefined;
  /** The header `sign`, likewise. */
  readonly sign: string | undefined;
  /** The header `sign-timestamp`, likewise; when present it is signed with the body. */
  readonly timestamp: string | undefined;
  readonly body: Uint8Array;
}

export type Hmac = (secret: string, parts: readonly (string | Uint8Array)[]) => Uint8Array;

const SIGN_BYTES = 64;
const SIGN = /^[0-9a-f]{128}$/i;
/** Compared with at the least, so that an app with one secret takes as long as one that is changing it. */
const SECRETS_MIN = 2;

/** By public id. */
export type SigningSecrets = ReadonlyMap<string, readonly SigningSecret[]>;

/**
 * Whether a call is signed with one of its app's secrets. An unknown app and a wrong signature cost the same: the number of
 * hashes over the body depends on the configuration alone.
 */
export function createSignatureCheck(
  apps: SigningSecrets,
  hmac: Hmac = hmacSha512,
): (call: SignedCall, nowMs: number) => boolean {
  const compared = Math.max(SECRETS_MIN, ...[...apps.values()].map(({ length }) => length));
  return ({ publicId = "", sign = "", timestamp, body }, nowMs) => {
    const secrets = apps.get(publicId) ?? [];
    const wellFormed = SIGN.test(sign);
    const given = wellFormed ? Buffer.from(sign, "hex") : Buffer.alloc(SIGN_BYTES);
    const parts = timestamp === undefined ? [body] : [`${timestamp}.`, body];
    let matched = false;
    for (let index = 0; index < compared; index++) {
      const { secret, untilMs = Infinity } = secrets[index] ?? DECOY;
      const equal = timingSafeEqual(hmac(secret, parts), given);
      // To the end, also after a match.
      if (equal && wellFormed && nowMs < untilMs) matched = true;
    }
    return matched;
  };
}

/** Never matches, whatever was sent. */
const DECOY: SigningSecret = { secret: "no app's", untilMs: -Infinity };

function hmacSha512(secret: string, parts: readonly (string | Uint8Array)[]): Uint8Array {
  const mac = createHmac("sha512", secret);
  for (const part of parts) mac.update(part);
  return mac.digest();
}
