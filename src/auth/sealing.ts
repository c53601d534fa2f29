/** Texts that are unreadable at rest: AES-256-GCM under keys of the master key's. */
import { createCipheriv, createDecipheriv } from "node:crypto";
import type { DerivedKeys } from "./master-key.ts";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export interface Sealing {
  seal(text: string): string;
  /** Throws for what none of the keys sealed. */
  open(sealed: string): string;
}

/** Seals with the current key, opens with every one. `randomBytes` must be cryptographically secure. */
export function createSealing(
  keys: DerivedKeys,
  randomBytes: (count: number) => Uint8Array,
): Sealing {
  return {
    seal(text) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", keys[0], nonce);
      const sealed = Buffer.concat([nonce, cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([sealed, cipher.getAuthTag()]).toString("base64url");
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, "base64url");
      for (const key of keys) {
        const text = opened(bytes, key);
        if (text !== undefined) return text;
      }
      throw new Error("The text was not sealed by a key that is known");
    },
  };
}

function opened(bytes: Buffer, key: Uint8Array): string | undefined {
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const end = bytes.length - TAG_BYTES;
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(bytes.subarray(end));
    const text = [decipher.update(bytes.subarray(NONCE_BYTES, end)), decipher.final()];
    return Buffer.concat(text).toString("utf8");
  } catch {
    // Another key's, or not as it was sealed.
    return undefined;
  }
}
