/** A subscriber's direct conversations, newest first (messaging.md §7.4). */
import type { ChatContext } from "./context.ts";
import type { Conversation, Messages, Page } from "./contract.ts";
import type { DirectRecords, StoredConversation } from "./direct-records.ts";
import { directChannel } from "./ids.ts";
import { conversationsKey, ownNewestKey } from "./keys.ts";
import { LIST_PAGE } from "./settings.ts";

/** Records read at a time, of which the newest are kept. */
const READ_PAGE = 500;

export function createConversations(
  { records, hub }: ChatContext,
  direct: DirectRecords,
): Pick<Messages, "conversations"> {
  /** The newest `limit` before the moment. */
  async function newest(
    caller: string,
    { limit, beforeMs }: { readonly limit: number; readonly beforeMs: number },
  ): Promise<readonly StoredConversation[]> {
    let kept: StoredConversation[] = [];
    const prefix = conversationsKey(caller);
    for (let after = prefix; ;) {
      const found = await records.list(prefix, { after, limit: READ_PAGE });
      const all = found.map(({ value }) => JSON.parse(value) as StoredConversation);
      kept = [...kept, ...all.filter(({ timeMs }) => timeMs < beforeMs)]
        .sort((a, b) => b.timeMs - a.timeMs || (a.with < b.with ? -1 : 1))
        .slice(0, limit);
      const last = found.at(-1);
      if (last === undefined || found.length < READ_PAGE) return kept;
      after = last.key;
    }
  }

  /** A sender has read all earlier messages: unread ones are behind both positions. */
  async function shown(caller: string, stored: StoredConversation): Promise<Conversation> {
    const { with: other, timeMs } = stored;
    const channel = directChannel(caller, other);
    const [own, cursor, page] = await Promise.all([
      records.get(ownNewestKey(caller, channel.name)),
      direct.cursor(caller, channel),
      hub.history(channel, { limit: 0 }),
    ]);
    const lastSequence = Math.max(page.position.offset, stored.sequence);
    const seen = Math.max(cursor.value.read, Number(own?.value ?? 0));
    return { with: other, lastSequence, unread: Math.max(0, lastSequence - seen), timeMs };
  }

  return {
    async conversations(
      caller,
      { limit = LIST_PAGE, beforeMs = Infinity },
    ): Promise<Page<Conversation>> {
      const found = await newest(caller, { limit: limit + 1, beforeMs });
      const items = await Promise.all(found.slice(0, limit).map((each) => shown(caller, each)));
      return { items, more: found.length > limit };
    },
  };
}
