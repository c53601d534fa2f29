/** Channels: making, joining, leaving, listing, changing (messaging.md §7.2). */
import { enterChannel, leaveChannel } from "../channel-entry.ts";
import type { ChannelChanges } from "../chat/contract.ts";
import type { ClientMessage } from "../client-messages.ts";
import { Refusal } from "../errors.ts";
import {
  formerMembership,
  membershipModel,
  raw,
  subscriberModel,
  type Members,
} from "../server-messages.ts";
import { respond, type Answer, type Handlers } from "./answer.ts";

export const channelHandlers: Handlers<
  | "create-channel"
  | "join-channel"
  | "leave-channel"
  | "list-channels"
  | "list-subscribers"
  | "update-channel"
  | "delete-channel"
  | "discover-channels"
> = {
  async "create-channel"(session, message) {
    const { context, connectionId, userId: from } = session;
    const created = await context.chat.channels.create(from, settingsOf(message));
    await enterChannel(session, created, { since: created.lastSequence, reply: () => {} });
    await context.telling.created(from, created.channelId, connectionId);
    return respond("invitation", {
      "channel-id": created.channelId,
      name: created.name,
      from,
      administrator: true,
      "invite-token": created.inviteToken,
      attributes: raw(created.attributes),
    });
  },

  /** The others are told before this connection is in: it does not hear of itself. */
  async "join-channel"(session, { fields }) {
    const { context, connectionId, state, userId } = session;
    const { membership, changed } = await context.chat.channels.join(userId, {
      channelId: fields["channel-id"],
      inviteToken: fields["invite-token"],
    });
    const { channelId, lastSequence, member } = membership;
    if (changed) await context.telling.joined(userId, channelId, connectionId);
    const entered = await enterChannel(session, membership, {
      since: changed ? member.joinSequence : lastSequence,
      reply: () => {},
    });
    if (entered === undefined || !state.channels.has(channelId)) {
      throw new Refusal("not-found", "The membership has ended");
    }
    return membershipAnswer("joined", membershipModel(entered.membership));
  },

  async "leave-channel"(session, { fields: { "channel-id": channelId } }) {
    const { context, connectionId: exceptConnection, userId } = session;
    const left = await context.chat.channels.leave(userId, channelId);
    leaveChannel(session, left.channel);
    await context.telling.left(userId, left, { exceptConnection });
    return membershipAnswer("left", formerMembership(left.channel));
  },

  async "list-channels"({ context, userId }) {
    const memberships = await context.chat.channels.list(userId);
    return respond("channels", { channels: memberships.map(membershipModel), more: false });
  },

  async "list-subscribers"({ context, userId }, { fields }) {
    const { "channel-id": channelId, after, limit } = fields;
    const page = await context.chat.members.list(userId, channelId, { after, limit });
    const subscribers = await Promise.all(
      page.items.map(async ({ subscriber, administrator }) =>
        subscriberModel(await context.presence.stateOf(subscriber), administrator),
      ),
    );
    return respond("subscribers", { "channel-id": channelId, subscribers, more: page.more });
  },

  async "update-channel"(session, message) {
    const { context, connectionId, state, userId } = session;
    const { "channel-id": channelId } = message.fields;
    const updated = await context.chat.channels.update(userId, channelId, settingsOf(message));
    const own = state.channels.get(channelId);
    if (own !== undefined) own.revision = Math.max(own.revision, updated.revision);
    await context.telling.updated(updated, connectionId);
    return membershipAnswer("updated", membershipModel(updated));
  },

  async "delete-channel"(session, { fields: { "channel-id": channelId } }) {
    const { context, connectionId, userId } = session;
    const deleted = await context.chat.channels.delete(userId, channelId);
    leaveChannel(session, { ...deleted, revision: Infinity });
    await context.telling.deleted(deleted, userId, connectionId);
    return membershipAnswer("deleted", formerMembership(deleted));
  },

  async "discover-channels"({ context, userId }, { fields: { after, limit } }) {
    const page = await context.chat.channels.discover(userId, { after, limit });
    const channels = page.items.map(({ membership, ...channel }): Members => {
      if (membership !== undefined) return membershipModel(membership);
      const { attributes, subscribers } = channel;
      return { ...formerMembership(channel), attributes: raw(attributes), subscribers };
    });
    return respond("channels", { channels, more: page.more });
  },
};

function settingsOf({
  fields,
  attributes,
}: ClientMessage<"create-channel"> | ClientMessage<"update-channel">): ChannelChanges {
  const { name, access, "invite-token": inviteToken } = fields;
  return { name, access, inviteToken, attributes };
}

function membershipAnswer(change: string, channel: Members): Answer {
  return respond("membership", { change, channel });
}
