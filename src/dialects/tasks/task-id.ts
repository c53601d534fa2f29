/** Task ids (task-tokens.md §3.1): the same context gives the same id for ever, and a genuine id is known without a store. */
import { createHmac, timingSafeEqual } from "node:crypto";

export interface TaskIds {
  /** 80 lower-case hexadecimal digits. `context` is what `contextBytes` makes of a task's context. */
  of(context: Uint8Array): string;
  /** The id in lower case when this server made it for this app; undefined for anything else. */
  genuine(id: string): string | undefined;
}

/** What the app's id key is derived for. */
export const idPurpose = (publicId: string): string => `envoy.task-id.v1|${publicId}`;

const HASH_BYTES = 32;
const TAG_BYTES = 8;
const TAG_PREFIX = "t";
const ID = /^[0-9a-fA-F]{80}$/;

/** `key`: the app's own, for all time; API secrets rotate, ids must not. */
export function createTaskIds(key: Uint8Array): TaskIds {
  const hmac = (...parts: readonly (Uint8Array | string)[]) => {
    const made = createHmac("sha256", key);
    for (const part of parts) made.update(part);
    return made.digest();
  };
  const tagOf = (hash: Uint8Array) => hmac(TAG_PREFIX, hash).subarray(0, TAG_BYTES);
  return {
    of(context) {
      const hash = hmac(context);
      return hash.toString("hex") + tagOf(hash).toString("hex");
    },
    genuine(id) {
      if (!ID.test(id)) return undefined;
      const bytes = Buffer.from(id, "hex");
      const tag = tagOf(bytes.subarray(0, HASH_BYTES));
      return timingSafeEqual(tag, bytes.subarray(HASH_BYTES)) ? id.toLowerCase() : undefined;
    },
  };
}
