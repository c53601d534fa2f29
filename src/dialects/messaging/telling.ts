/**
 * Telling subscribers' connections on every node what happened: members of a channel by notes of the channel, one subscriber's
 * connections by signals (messaging.md §7, §8, §11). Before its ack, a change has taken effect on every node that answered.
 */
import type { Hub } from "../../core/hub.ts";
import { jsonOf } from "../../core/json-text.ts";
import type { Reached } from "../../core/types.ts";
import {
  messageChannel,
  type ChannelView,
  type Chat,
  type Edited,
  type Invitation,
  type Left,
  type Member,
  type Message,
  type Report,
} from "./chat/contract.ts";
import { DIALECT, watchChannel, type ChannelNote } from "./encoder.ts";
import type { Presence, PublicState } from "./presence.ts";
import {
  invitationMessage,
  raw,
  serverMessage,
  subscriberModel,
  timestamp,
} from "./server-messages.ts";
import type { MessagingSignal } from "./signals.ts";

/** Calls of all nodes for one event: a node that does not answer so often is away. */
const TELL_TIMES_MAX = 3;

export interface TellingOptions {
  readonly hub: Hub;
  readonly chat: Chat;
  readonly presence: Pick<Presence, "stateOf">;
  /** Of work that nothing waits for. */
  readonly onError: (error: unknown) => void;
}

export interface Removal {
  readonly by: string;
  readonly reason: string | undefined;
}

export class Telling {
  readonly #hub: Hub;
  readonly #chat: Chat;
  readonly #presence: Pick<Presence, "stateOf">;
  readonly #onError: (error: unknown) => void;

  constructor({ hub, chat, presence, onError }: TellingOptions) {
    this.#onError = onError;
    this.#hub = hub;
    this.#chat = chat;
    this.#presence = presence;
  }

  note(channelId: string, note: ChannelNote): Promise<void> {
    return this.#hub.note(messageChannel(channelId), { dialect: DIALECT, json: jsonOf(note) });
  }

  /** How many connections took it. A node that is late is asked again, so that a signal must bear repetition. */
  async signal(user: string, signal: MessagingSignal): Promise<number> {
    let reached: Reached | undefined;
    for (let times = 0; times < TELL_TIMES_MAX; times++) {
      reached = await this.#hub.signal({ user }, DIALECT, signal);
      if (reached.nodesAnswered >= reached.nodesAsked) break;
    }
    return reached?.matched ?? 0;
  }

  /** One server message to a subscriber's connections. */
  push(user: string, message: string, exceptConnection?: string): Promise<number> {
    return this.signal(user, { kind: "push", message, exceptConnection });
  }

  /** To the other members, and to the new one's other connections, which join the channel as well. */
  async joined(member: string, channelId: string, exceptConnection: string): Promise<void> {
    const model = subscriberModel(await this.#presence.stateOf(member));
    const message = serverMessage("subscriber-joined", {
      "channel-id": channelId,
      subscriber: model,
    });
    await this.note(channelId, { kind: "others", subject: member, message });
    await this.signal(member, { kind: "joined", channelId, exceptConnection });
  }

  created(creator: string, channelId: string, exceptConnection: string): Promise<unknown> {
    return this.signal(creator, { kind: "joined", channelId, exceptConnection });
  }

  async left(
    subject: string,
    { channel, successor }: Left,
    options: { readonly exceptConnection?: string; readonly cause?: "left" | "deactivated" } = {},
  ): Promise<void> {
    const { exceptConnection, cause = "left" } = options;
    const { channelId } = channel;
    const message = serverMessage("subscriber-left", {
      "channel-id": channelId,
      id: subject,
      cause,
    });
    await this.note(channelId, { kind: "left", subject, message, channel, exceptConnection });
    if (successor !== undefined) await this.role(channel, successor);
    await this.#settleLeft(subject, channel, { exceptConnection });
  }

  async removed(subject: string, channel: ChannelView, { by, reason }: Removal): Promise<void> {
    const { channelId } = channel;
    const message = serverMessage("subscriber-left", {
      "channel-id": channelId,
      id: subject,
      cause: "removed",
      by,
    });
    await this.note(channelId, { kind: "left", subject, message, channel, by, reason });
    await this.#settleLeft(subject, channel, { by, reason });
  }

  /** Where the note is on its way yet: nothing of the channel is sent once this is answered. */
  #settleLeft(
    subject: string,
    { channelId, name, revision }: ChannelView,
    about: { exceptConnection?: string | undefined; by?: string; reason?: string | undefined },
  ): Promise<unknown> {
    const channel = { channelId, name, revision };
    return this.signal(subject, { kind: "left", channel, ...about });
  }

  /** `subscriber-updated` to the others, `membership` to the one. */
  async role(channel: ChannelView, { subscriber, administrator }: Member): Promise<void> {
    const { channelId } = channel;
    const message = serverMessage("subscriber-updated", {
      "channel-id": channelId,
      subscriber: subscriberModel(await this.#presence.stateOf(subscriber), administrator),
    });
    const about = { subject: subscriber, administrator, message, channel };
    await this.note(channelId, { kind: "role", ...about });
  }

  updated(channel: ChannelView, exceptConnection: string): Promise<void> {
    return this.note(channel.channelId, { kind: "updated", channel, exceptConnection });
  }

  deleted(channel: ChannelView, by: string, exceptConnection: string): Promise<void> {
    const { channelId, name, revision } = channel;
    const former = { channelId, name, revision };
    return this.note(channelId, { kind: "deleted", channel: former, by, exceptConnection });
  }

  async invited(invitations: readonly Invitation[]): Promise<void> {
    const told = await Promise.all(
      invitations.map(async (invitation) => {
        const reached = await this.push(invitation.subscriber, invitationMessage(invitation));
        return reached > 0 ? [invitation] : [];
      }),
    );
    const written = told.flat();
    if (written.length > 0) await this.#chat.invitations.told(written);
  }

  /** §11.2. A message that no connection of the recipient took stays `stored`. */
  async direct(message: Message, exceptConnection: string): Promise<void> {
    const { from, to = "", sequence } = message;
    if (to !== from) {
      const own = { kind: "direct", other: to, message, exceptConnection } as const;
      this.signal(from, own).catch(this.#onError);
    }
    const signal = { kind: "direct", other: from, message, exceptConnection } as const;
    if ((await this.signal(to, signal)) > 0) await this.delivered(to, from, sequence);
  }

  /** Direct messages of `other` up to `sequence` were written to a connection of the recipient. */
  async delivered(recipient: string, other: string, sequence: number): Promise<void> {
    await this.reports(await this.#chat.receipts.delivered(recipient, other, sequence));
  }

  /** §8.3: to all connections of the senders; kept for a sender without connections. */
  async reports(reports: readonly Report[]): Promise<void> {
    const told: Report[] = [];
    // One after the other: a message's statuses come in the order in which it reached them.
    for (const report of reports) {
      if ((await this.signal(report.sender, { kind: "report", report })) > 0) told.push(report);
    }
    if (told.length > 0) await this.#chat.receipts.reportsTold(told);
  }

  /** §5.1: to every co-member, once for each shared channel, and to those who watch. */
  async availability(state: PublicState): Promise<void> {
    const { id } = state;
    const memberships = await this.#chat.channels.list(id);
    const notes = memberships.map(({ channelId, member }) => {
      const message = serverMessage("availability", {
        "channel-id": channelId,
        subscribers: [subscriberModel(state, member.administrator)],
      });
      return this.note(channelId, { kind: "others", subject: id, message });
    });
    const message = availabilityMessage([state]);
    const watched: ChannelNote = { kind: "watched", subject: id, message };
    const toWatchers = this.#hub.note(watchChannel(id), {
      dialect: DIALECT,
      json: jsonOf(watched),
    });
    await Promise.all([...notes, toWatchers]);
  }

  /** `message-updated` or `message-deleted` to every other subscriber who has it. */
  async edited(edited: Edited, exceptConnection: string): Promise<void> {
    const { message, channelId, subscribers = [] } = edited;
    const text = editMessage(message);
    if (channelId !== undefined) {
      await this.note(channelId, { kind: "all", exceptConnection, message: text });
      return;
    }
    await Promise.all(subscribers.map((id) => this.push(id, text, exceptConnection)));
  }
}

export function availabilityMessage(states: readonly PublicState[], replyTo?: string): string {
  const subscribers = states.map((state) => subscriberModel(state));
  return serverMessage("availability", { subscribers }, replyTo);
}

function editMessage(message: Edited["message"]): string {
  const { messageId, deletedBy, editedMs = 0 } = message;
  if (deletedBy !== undefined) {
    return serverMessage("message-deleted", { "message-id": messageId, by: deletedBy });
  }
  return serverMessage("message-updated", {
    "message-id": messageId,
    "content-type": message.contentType,
    content: message.content,
    attributes: raw(message.attributes),
    timestamp: timestamp(editedMs),
  });
}
