/** Messages as they are now, by sequence number (messaging.md §7.4, §8.8). */
import type { Channel } from "../../../core/types.ts";
import { Refusal } from "../errors.ts";
import type { ChatContext } from "./context.ts";
import {
  messageChannel,
  type CurrentMessage,
  type HistoryPage,
  type HistoryRange,
  type Message,
  type Messages,
} from "./contract.ts";
import type { DirectRecords } from "./direct-records.ts";
import { directChannel, isDirect, readMessageId } from "./ids.ts";
import { readMessage } from "./message-data.ts";
import { currentMessage, overlaysOf } from "./overlays.ts";
import { HISTORY_PAGE, HISTORY_PAGE_BYTES_MAX } from "./settings.ts";

export interface History extends Pick<Messages, "channelHistory" | "directHistory"> {
  /** Ascending, those above `after`. */
  read(
    channel: Channel,
    range: { readonly after: number; readonly limit: number },
  ): Promise<readonly Message[]>;
  /** The newest `limit` above `after`, ascending. */
  newest(
    channel: Channel,
    range: { readonly after: number; readonly limit: number },
  ): Promise<readonly Message[]>;
  /** With edits, deletions and, of direct ones, the status. */
  current(channel: Channel, messages: readonly Message[]): Promise<readonly CurrentMessage[]>;
  /** The message that the caller may refer to by its id; undefined: there is no such message. `unkept`: the message is never kept. */
  find(caller: string, messageId: string): Promise<FoundMessage | "unkept" | undefined>;
}

export interface FoundMessage {
  readonly channel: Channel;
  readonly message: Message;
  /** Of a channel's message: whether the caller is an administrator there. */
  readonly administrator: boolean;
}

const EMPTY: HistoryPage = { messages: [], more: false };

export function createHistory(context: ChatContext, direct: DirectRecords): History {
  const { hub, records, subscribers, channelRecords } = context;

  async function query(
    channel: Channel,
    options: {
      readonly limit: number;
      readonly since?: number | undefined;
      readonly reverse?: boolean;
    },
  ) {
    const { limit, since, reverse = false } = options;
    const { publications } = await hub.history(channel, {
      limit,
      reverse,
      ...(since === undefined ? {} : { since: { epoch: "", offset: since } }),
    });
    return publications.flatMap((publication) => {
      const message = readMessage(channel, publication);
      return message === undefined ? [] : [{ message, bytes: bytesOf(message) }];
    });
  }

  async function current(
    channel: Channel,
    messages: readonly Message[],
  ): Promise<readonly CurrentMessage[]> {
    const [first] = messages;
    if (first === undefined) return [];
    const overlays = await overlaysOf(records, channel, messages);
    const delivered = isDirect(channel) ? await deliveredOf(channel, first) : undefined;
    return messages.map((message) =>
      currentMessage(message, overlays.get(message.sequence), delivered?.(message)),
    );
  }

  /** Up to where each of the two was given the other's messages. */
  async function deliveredOf(channel: Channel, { from, to = "" }: Message) {
    const [one, other] = await Promise.all([
      direct.cursor(from, channel),
      direct.cursor(to, channel),
    ]);
    return ({ to: recipient }: Message) => (recipient === to ? other : one).value.delivered;
  }

  /** `above`: messages up to it are not the caller's. */
  async function page(
    channel: Channel,
    { before, after, limit = HISTORY_PAGE }: HistoryRange,
    above: number,
  ): Promise<HistoryPage> {
    const forward = after !== undefined;
    const since = forward ? Math.max(after, above) : before;
    const found = await query(channel, { limit: limit + 1, since, reverse: !forward });
    const visible = found.filter(
      ({ message: { sequence } }) =>
        sequence > above && (before === undefined || sequence < before),
    );
    const fitting = visible.slice(0, Math.min(limit, countOfBytes(visible)));
    const messages = fitting.map(({ message }) => message);
    if (!forward) messages.reverse();
    return { messages: await current(channel, messages), more: visible.length > fitting.length };
  }

  async function findInChannel(caller: string, channel: Channel, sequence: number) {
    const member = await channelRecords.member(channel.name, caller);
    const exists = member !== undefined && (await channelRecords.channel(channel.name));
    if (!exists || sequence <= member.value.joinSequence) return undefined;
    return { administrator: member.value.administrator };
  }

  return {
    current,

    async read(channel, { after, limit }) {
      const found = await query(channel, { limit, since: after });
      return found.map(({ message }) => message);
    },

    async newest(channel, { after, limit }) {
      const found = await query(channel, { limit, reverse: true });
      const messages = found.map(({ message }) => message).reverse();
      return messages.filter(({ sequence }) => sequence > after);
    },

    async find(caller, messageId) {
      const place = readMessageId(messageId);
      if (place === undefined || place === "unkept") return place;
      const { channel, sequence } = place;
      if (sequence === 0) return undefined;
      // Before the conversation itself, so that ids that were made up make no stream.
      const part = isDirect(channel)
        ? (await direct.conversation(caller, channel)) && { administrator: false }
        : await findInChannel(caller, channel, sequence);
      if (part === undefined) return undefined;
      const [found] = await query(channel, { limit: 1, since: sequence - 1 });
      if (found?.message.messageId !== messageId) return undefined;
      return { channel, message: found.message, ...part };
    },

    async channelHistory(caller, channelId, range) {
      const { member } = await channelRecords.requireMember(caller, channelId);
      return page(messageChannel(channelId), range, member.value.joinSequence);
    },

    async directHistory(caller, other, range) {
      const channel = directChannel(caller, other);
      if ((await direct.conversation(caller, channel)) !== undefined) {
        return page(channel, range, 0);
      }
      if ((await subscribers.find(other)) !== undefined) return EMPTY;
      throw new Refusal("not-found", "There is no such subscriber", { field: "with" });
    },
  };
}

/** As JSON, about. */
function bytesOf({ content, attributes }: Message): number {
  return Buffer.byteLength(JSON.stringify(content)) + Buffer.byteLength(attributes);
}

/** How many of them fit one answer: one at the least. */
function countOfBytes(found: readonly { readonly bytes: number }[]): number {
  let total = 0;
  const beyond = found.findIndex(({ bytes }, index) => {
    total += bytes;
    return index > 0 && total > HISTORY_PAGE_BYTES_MAX;
  });
  return beyond === -1 ? found.length : beyond;
}
