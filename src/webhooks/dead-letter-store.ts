/** Deliveries that ended `failed`, as they are kept: by the moment of their message, newest first, then by endpoint. */
import type { StoredRecord } from "../core/engine.ts";
import { KSUID_CHARACTERS } from "../core/ksuid.ts";
import type { WebhookDeadLetter } from "./contract.ts";
import { ATTEMPT_RETENTION_MS, type WebhooksContext } from "./context.ts";
import { deadKey } from "./keys.ts";
import type { StoredMessage } from "./message-store.ts";

export interface StoredDeadLetter extends WebhookDeadLetter {
  /** Its message's. */
  readonly order: string;
}

const PREFIX = "dl_";

export function createDeadLetterStore({ records, runtime, observer }: WebhooksContext) {
  const keyOf = (application: string, { order }: { readonly order: string }, endpoint: string) =>
    `${deadKey(application)}${order}/${endpoint}`;

  return {
    async add(
      application: string,
      message: StoredMessage,
      about: Pick<WebhookDeadLetter, "endpointId" | "attempts" | "reason">,
    ): Promise<void> {
      const nowMs = runtime.clock.epochMs();
      const letter: StoredDeadLetter = {
        ...about,
        id: PREFIX + ksuidOf(message.id) + ksuidOf(about.endpointId),
        messageId: message.id,
        eventType: message.eventType,
        failedAtMs: nowMs,
        order: message.order,
      };
      const ttlMs = Math.max(1, Math.min(ATTEMPT_RETENTION_MS, message.expiresAtMs - nowMs));
      const key = keyOf(application, message, about.endpointId);
      await records.put(key, JSON.stringify(letter), { ttlMs });
      observer?.deadLetter?.(about.reason);
    },

    async find(application: string, message: { readonly order: string }, endpoint: string) {
      const record = await records.get(keyOf(application, message, endpoint));
      return record === undefined ? undefined : parseDeadLetter(record);
    },

    /** False: there was none. */
    remove(application: string, message: { readonly order: string }, endpoint: string) {
      return records.delete(keyOf(application, message, endpoint));
    },
  };
}

export type DeadLetterStore = ReturnType<typeof createDeadLetterStore>;

export function parseDeadLetter({ value }: StoredRecord): StoredDeadLetter {
  return JSON.parse(value) as StoredDeadLetter;
}

/** What an id is made of; undefined: it is none. */
export function deadLetterParts(id: string) {
  if (!id.startsWith(PREFIX) || id.length !== PREFIX.length + 2 * KSUID_CHARACTERS) {
    return undefined;
  }
  const message = id.slice(PREFIX.length, -KSUID_CHARACTERS);
  return { messageId: `msg_${message}`, endpointId: `ep_${id.slice(-KSUID_CHARACTERS)}` };
}

function ksuidOf(id: string): string {
  return id.slice(-KSUID_CHARACTERS);
}
