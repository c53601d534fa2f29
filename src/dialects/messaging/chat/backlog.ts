/**
 * A subscriber's missed messages (messaging.md §11.4), read while they are taken. Of each conversation a few messages are in memory at a time,
 * and they come oldest first over all of them.
 */
import type { Channel } from "../../../core/types.ts";
import type { ChatContext } from "./context.ts";
import type {
  Backlog,
  BacklogItem,
  Channels,
  CurrentMessage,
  Receipts,
  Report,
} from "./contract.ts";
import type { DirectRecords } from "./direct-records.ts";
import type { History } from "./history.ts";
import { directChannel } from "./ids.ts";
import type { Pending } from "./invitations.ts";
import { inboxKey, reportsKey } from "./keys.ts";
import { messageChannel } from "./contract.ts";
import type { StoredReport } from "./receipts.ts";
import { BACKLOG_CHANNEL_MESSAGES_MAX, BACKLOG_MESSAGES_MAX } from "./settings.ts";

export interface BacklogParts {
  readonly channels: Pick<Channels, "list">;
  readonly receipts: Pick<Receipts, "delivered">;
  readonly direct: DirectRecords;
  readonly history: History;
  readonly pending: Pending;
}

/** Messages of one conversation in memory. */
const LOOKAHEAD = 4;
/** Conversations whose messages come in one order; those beyond come behind them. */
const INBOX_PAGE = 100;
const REPORTS_PAGE = 500;

interface Start {
  readonly channel: Channel;
  readonly after: number;
}

export function createBacklog({ records }: ChatContext, parts: BacklogParts): Backlog {
  const { channels, receipts, direct, history, pending } = parts;

  async function* messagesFrom({ channel, after }: Start): AsyncGenerator<CurrentMessage> {
    for (let at = after; ;) {
      const messages = await history.read(channel, { after: at, limit: LOOKAHEAD });
      yield* await history.current(channel, messages);
      const last = messages.at(-1);
      if (last === undefined) return;
      at = last.sequence;
    }
  }

  /** Those that are still `stored`. An inbox without any is emptied, or it would be read each time. */
  async function* undelivered(subscriber: string, other: string): AsyncGenerator<CurrentMessage> {
    const channel = directChannel(subscriber, other);
    const { value } = await direct.cursor(subscriber, channel);
    let last = value.delivered;
    let found = false;
    for await (const message of messagesFrom({ channel, after: last })) {
      last = message.sequence;
      const { to, status, deletedBy } = message;
      if (to !== subscriber || status !== "stored" || deletedBy !== undefined) continue;
      found = true;
      yield message;
    }
    if (!found) await receipts.delivered(subscriber, other, last);
  }

  async function* directMessages(subscriber: string): AsyncGenerator<CurrentMessage> {
    const prefix = inboxKey(subscriber);
    for (let after = prefix; ;) {
      const found = await records.list(prefix, { after, limit: INBOX_PAGE });
      yield* oldestFirst(found.map(({ value: other }) => undelivered(subscriber, other)));
      const last = found.at(-1);
      if (last === undefined || found.length < INBOX_PAGE) return;
      after = last.key;
    }
  }

  /**
   * Where each channel's part begins: its newest messages, of which the oldest over all channels are left out until the rest is few
   * enough. Of messages only their times are kept for it.
   */
  async function starts(subscriber: string): Promise<readonly Start[]> {
    let newest: {
      readonly channel: Channel;
      readonly sequence: number;
      readonly timeMs: number;
    }[] = [];
    for (const { channelId, member, lastSequence } of await channels.list(subscriber)) {
      const after = Math.max(member.deliveredSequence, member.joinSequence);
      if (lastSequence <= after) continue;
      const channel = messageChannel(channelId);
      const limit = BACKLOG_CHANNEL_MESSAGES_MAX;
      const found = await history.newest(channel, { after, limit });
      newest = [...newest, ...found.map(({ sequence, timeMs }) => ({ channel, sequence, timeMs }))]
        .sort((a, b) => b.timeMs - a.timeMs || b.sequence - a.sequence)
        .slice(0, BACKLOG_MESSAGES_MAX);
    }
    const first = new Map<string, Start>();
    for (const { channel, sequence } of newest) {
      const after = Math.min(sequence - 1, first.get(channel.name)?.after ?? Infinity);
      first.set(channel.name, { channel, after });
    }
    return [...first.values()];
  }

  async function* channelMessages(subscriber: string): AsyncGenerator<CurrentMessage> {
    const found = await starts(subscriber);
    for await (const message of oldestFirst(found.map(messagesFrom))) {
      if (message.deletedBy === undefined) yield message;
    }
  }

  async function* reports(sender: string): AsyncGenerator<Report> {
    const prefix = reportsKey(sender);
    for (let after = prefix; ;) {
      const found = await records.list(prefix, { after, limit: REPORTS_PAGE });
      const page = found.map(({ value, version }) => {
        return { sender, ...(JSON.parse(value) as StoredReport), version };
      });
      yield* page.sort((a, b) => a.timeMs - b.timeMs);
      const last = found.at(-1);
      if (last === undefined || found.length < REPORTS_PAGE) return;
      after = last.key;
    }
  }

  return {
    async *read(subscriber): AsyncGenerator<BacklogItem> {
      for (const { told, ...invitation } of await pending(subscriber)) {
        if (!told) yield { invitation };
      }
      for await (const message of directMessages(subscriber)) yield { message };
      for await (const message of channelMessages(subscriber)) yield { message };
      for await (const report of reports(subscriber)) yield { report };
    },
  };
}

/** Merges lists that are ascending. */
async function* oldestFirst(
  sources: readonly AsyncGenerator<CurrentMessage>[],
): AsyncGenerator<CurrentMessage> {
  type Head = { readonly source: AsyncGenerator<CurrentMessage>; message: CurrentMessage };
  const heads: Head[] = [];
  try {
    for (const source of sources) {
      const { value, done } = await source.next();
      if (done !== true) heads.push({ source, message: value });
    }
    while (heads.length > 0) {
      const oldest = heads.reduce((a, b) => (b.message.timeMs < a.message.timeMs ? b : a));
      yield oldest.message;
      const { value, done } = await oldest.source.next();
      if (done === true) heads.splice(heads.indexOf(oldest), 1);
      else oldest.message = value;
    }
  } finally {
    // The reader may stop in the middle.
    await Promise.all(sources.map((source) => source.return(undefined)));
  }
}
