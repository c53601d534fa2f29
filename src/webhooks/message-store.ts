/** Messages as they are kept: the body as it is sent, behind one line of what else is known; and the log that lists them. */
import type { StoredRecord } from "../core/engine.ts";
import { WebhookError, type WebhookOwner } from "./contract.ts";
import type { WebhooksContext } from "./context.ts";
import { logKey, messageKey } from "./keys.ts";

export interface StoredMessage {
  readonly id: string;
  /** Where it stands in the log. */
  readonly order: string;
  readonly eventType: string;
  readonly channels: readonly string[];
  readonly acceptedAtMs: number;
  readonly bytes: number;
  /** It and all that belongs to it is gone then. */
  readonly expiresAtMs: number;
  /** Those that it matched when it was accepted. */
  readonly endpoints: readonly string[];
  /** About endpoints and messages themselves, or a test: never replayed as missing, and no notice tells of it. */
  readonly internal?: true;
}

export interface FoundMessage {
  readonly message: StoredMessage;
  /** Undefined: erased. */
  readonly body: string | undefined;
  readonly version: number;
}

export function createMessageStore({ records, runtime }: WebhooksContext) {
  async function find(application: string, id: string): Promise<FoundMessage | undefined> {
    const record = await records.get(messageKey(application, id));
    return record === undefined ? undefined : parse(record);
  }

  function leftMs({ expiresAtMs }: StoredMessage): number {
    return Math.max(1, expiresAtMs - runtime.clock.epochMs());
  }

  return {
    find,

    async require({ applicationId }: WebhookOwner, id: string): Promise<FoundMessage> {
      const found = await find(applicationId, id);
      if (found === undefined) throw new WebhookError("not_found", "The message does not exist.");
      return found;
    },

    /** False: its id is known already. */
    async add(application: string, message: StoredMessage, body: string): Promise<boolean> {
      const put = { ttlMs: leftMs(message), ifVersion: 0 };
      const text = `${JSON.stringify(message)}\n${body}`;
      return (await records.put(messageKey(application, message.id), text, put)) !== undefined;
    },

    /** Again: nothing happens. */
    async log(application: string, message: StoredMessage): Promise<void> {
      const put = { ttlMs: leftMs(message) };
      await records.put(logKey(application) + message.order, JSON.stringify(message), put);
    },

    /** Leaves everything but the body. */
    async erase(application: string, { message, version }: FoundMessage): Promise<void> {
      const put = { ttlMs: leftMs(message), ifVersion: version };
      await records.put(messageKey(application, message.id), JSON.stringify(message), put);
    },
  };
}

export type MessageStore = ReturnType<typeof createMessageStore>;

/** An entry of the log. */
export function logged({ value }: StoredRecord): StoredMessage {
  return JSON.parse(value) as StoredMessage;
}

function parse({ value, version }: StoredRecord): FoundMessage {
  const end = value.indexOf("\n");
  const head = end < 0 ? value : value.slice(0, end);
  const body = end < 0 ? undefined : value.slice(end + 1);
  return { message: JSON.parse(head) as StoredMessage, body, version };
}
