/**
 * What is kept of direct conversations beside their messages: up to where a subscriber was given them, which may have some that it was
 * not given, and which are its newest. Kept as long as the messages are.
 */
import type { RecordChange, Records } from "../../../core/engine.ts";
import type { Channel } from "../../../core/types.ts";
import { loaded, type Loaded } from "./channel-records.ts";
import type { Message } from "./contract.ts";
import { conversationsKey, cursorKey, inboxKey, ownNewestKey } from "./keys.ts";
import { OVERLAY_MARGIN_MS, type ChatSettings } from "./settings.ts";

export interface Cursor {
  /** Messages up to it were written to a connection of the subscriber. */
  readonly delivered: number;
  /** The highest that the subscriber reported as read. */
  readonly read: number;
}

export interface StoredConversation {
  readonly with: string;
  readonly sequence: number;
  readonly timeMs: number;
}

export type DirectRecords = ReturnType<typeof createDirectRecords>;

export function createDirectRecords({
  records,
  settings,
}: {
  readonly records: Records;
  readonly settings: ChatSettings;
}) {
  const ttlMs = settings.history_ttl + OVERLAY_MARGIN_MS;

  return {
    async cursor(subscriber: string, { name }: Channel): Promise<Loaded<Cursor>> {
      const record = await records.get(cursorKey(subscriber, name));
      return record === undefined
        ? { value: { delivered: 0, read: 0 }, version: 0 }
        : loaded(record);
    },

    putCursor(subscriber: string, { name }: Channel, cursor: Loaded<Cursor>): RecordChange {
      const { value, version } = cursor;
      const put = JSON.stringify(value);
      return { key: cursorKey(subscriber, name), put, ttlMs, ifVersion: version };
    },

    /** Whether the subscriber has a part in it. Nothing is read of one that it made up. */
    async conversation(subscriber: string, { name }: Channel) {
      const record = await records.get(conversationsKey(subscriber) + name);
      return record && (JSON.parse(record.value) as StoredConversation);
    },

    /**
     * Of a message that was published. Only behind it: an inbox is emptied by whoever finds everything delivered, and then the message is
     * to be there. Unconditional: of two that race either is true, and who reads them looks at the messages themselves.
     */
    index(
      { from, to = "", sequence, timeMs }: Message,
      { name }: Channel,
    ): readonly RecordChange[] {
      const newest = (other: string): string =>
        JSON.stringify({ with: other, sequence, timeMs } satisfies StoredConversation);
      const both =
        from === to ? [] : [{ key: conversationsKey(to) + name, put: newest(from), ttlMs }];
      return [
        { key: inboxKey(to) + name, put: from, ttlMs },
        { key: conversationsKey(from) + name, put: newest(to), ttlMs },
        ...both,
        { key: ownNewestKey(from, name), put: `${sequence}`, ttlMs },
      ];
    },
  };
}
