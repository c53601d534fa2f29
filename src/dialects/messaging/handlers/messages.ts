/** Messages, receipts, history and typing (messaging.md §7.4). */
import { messageChannel, type NewMessage, type Sent } from "../chat/contract.ts";
import type { ClientMessage } from "../client-messages.ts";
import { Refusal } from "../errors.ts";
import { historyEntry, serverMessage, timestamp } from "../server-messages.ts";
import type { MessagingClient } from "../client.ts";
import { DONE, respond, type Answer, type Handlers } from "./answer.ts";

/** §7.4: of one connection, to one target. */
const TYPING_INTERVAL_MS = 2000;

export const messageHandlers: Handlers<
  | "direct-message"
  | "channel-message"
  | "receipt"
  | "typing"
  | "history"
  | "edit-message"
  | "delete-message"
  | "list-conversations"
> = {
  async "direct-message"(session, message) {
    const { context, connectionId, userId } = session;
    const { to, "dedupe-key": dedupeKey } = message.fields;
    const content = { ...contentOf(message), dedupeKey, connectionId };
    const sent = await context.chat.messages.sendDirect(userId, to, content);
    if (sent.repeated) return stored(sent);
    return {
      ...stored(sent),
      afterwards: () => context.telling.direct(sent.message, connectionId),
    };
  },

  /** The channel's listeners have it from the engine, in its order. */
  async "channel-message"(session, message) {
    const { context, connectionId, userId } = session;
    const { "channel-id": channelId, "dedupe-key": dedupeKey } = message.fields;
    const content = { ...contentOf(message), dedupeKey, connectionId };
    const { messages } = context.chat;
    return stored(await session.sending(messages.sendToChannel(userId, channelId, content)));
  },

  async receipt({ context, connectionId, state, userId }, { fields }) {
    const { status, "message-ids": messageIds } = fields;
    const moved = await context.chat.receipts.receipt(userId, { messageIds, status });
    for (const { channelId, sequence } of moved.positions) {
      const own = state.channels.get(channelId);
      if (own !== undefined) own.readSequence = Math.max(own.readSequence, sequence);
    }
    return {
      async afterwards() {
        for (const position of moved.positions) {
          const signal = { kind: "read", ...position, exceptConnection: connectionId } as const;
          await context.telling.signal(userId, signal);
        }
        await context.telling.reports(moved.reports);
      },
    };
  },

  /** Never stored. One that comes too early, or from a subscriber who is not to be seen, is dropped. */
  async typing(session, { fields }) {
    const { context, state, userId: from } = session;
    const { to, "channel-id": channelId, active = true } = fields;
    await requireTarget(session, { to, channelId });
    const target = channelId === undefined ? `to ${to}` : `in ${channelId}`;
    const nowMs = context.runtime.clock.monotonicMs();
    const lastMs = state.typedAtMs.get(target) ?? -Infinity;
    if (nowMs - lastMs < TYPING_INTERVAL_MS) return DONE;
    if ((await context.presence.stateOf(from)).availability === "invisible") return DONE;
    state.typedAtMs.set(target, nowMs);
    if (to !== undefined) {
      const blockers = await context.chat.blocks.blockersOf(from, [to]);
      if (blockers.has(to)) return DONE;
      const message = serverMessage("typing", { from, to, active });
      return { afterwards: () => context.telling.push(to, message, session.connectionId) };
    }
    if (channelId === undefined) return DONE;
    const message = serverMessage("typing", { from, "channel-id": channelId, active });
    await context.telling.note(channelId, { kind: "others", subject: from, message });
    return DONE;
  },

  async history({ context, userId }, { fields }) {
    const { with: other, "channel-id": channelId, ...range } = fields;
    const { messages } = context.chat;
    const page =
      channelId === undefined
        ? await messages.directHistory(userId, other ?? "", range)
        : await messages.channelHistory(userId, channelId, range);
    return respond("history", {
      "channel-id": channelId,
      with: other,
      messages: page.messages.map((message) => historyEntry(message, userId)),
      more: page.more,
    });
  },

  async "edit-message"({ context, connectionId, userId }, message) {
    const { "message-id": messageId } = message.fields;
    const edited = await context.chat.messages.edit(userId, messageId, contentOf(message));
    await context.telling.edited(edited, connectionId);
    return DONE;
  },

  async "delete-message"({ context, connectionId, userId }, { fields }) {
    const deleted = await context.chat.messages.delete(userId, fields["message-id"]);
    await context.telling.edited(deleted, connectionId);
    return DONE;
  },

  async "list-conversations"({ context, userId }, { fields: { limit, before } }) {
    const beforeMs = before === undefined ? undefined : Date.parse(before);
    const page = await context.chat.messages.conversations(userId, { limit, beforeMs });
    const conversations = page.items.map(({ with: other, lastSequence, unread, timeMs }) => ({
      with: other,
      "last-sequence": lastSequence,
      unread,
      timestamp: timestamp(timeMs),
    }));
    return respond("conversations", { conversations, more: page.more });
  },
};

function contentOf({
  fields,
  attributes,
}:
  | ClientMessage<"direct-message">
  | ClientMessage<"channel-message">
  | ClientMessage<"edit-message">): NewMessage {
  return { content: fields.content, contentType: fields["content-type"], attributes };
}

function stored({ message: { messageId, sequence, timeMs } }: Sent): Answer {
  return respond("delivery", {
    "message-id": messageId,
    status: "stored",
    sequence,
    timestamp: timestamp(timeMs),
  });
}

/** A member of the channel, or a subscriber who exists. */
async function requireTarget(
  { context, state, connection }: MessagingClient,
  { to, channelId }: { readonly to: string | undefined; readonly channelId: string | undefined },
): Promise<void> {
  if (channelId !== undefined) {
    const inChannel =
      state.channels.has(channelId) &&
      connection.subscription(messageChannel(channelId)) !== undefined;
    if (!inChannel) throw new Refusal("not-found", "No such channel", { field: channelId });
  } else if (to === undefined || (await context.subscribers.find(to))?.active !== true) {
    throw new Refusal("not-found", "No such subscriber", { field: to ?? "" });
  }
}
