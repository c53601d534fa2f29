/** Members and invitations (messaging.md §7.3). */
import { invitationMembers, serverMessage } from "../server-messages.ts";
import { DONE, respond, type Handlers } from "./answer.ts";

export const memberHandlers: Handlers<
  | "invite"
  | "decline-invitation"
  | "cancel-invitation"
  | "list-invitations"
  | "remove-subscriber"
  | "set-administrator"
> = {
  async invite({ context, userId }, { fields }) {
    const { "channel-id": channelId, subscribers, note } = fields;
    const invited = await context.chat.invitations.invite(userId, channelId, { subscribers, note });
    return { afterwards: () => context.telling.invited(invited) };
  },

  async "decline-invitation"({ context, userId: subscriber }, { fields }) {
    const { "channel-id": channelId, reason } = fields;
    const { from } = await context.chat.invitations.decline(subscriber, channelId);
    const declined = serverMessage("invitation-declined", {
      ...{ "channel-id": channelId, subscriber, reason },
    });
    return { afterwards: () => context.telling.push(from, declined) };
  },

  async "cancel-invitation"({ context, userId }, { fields }) {
    const { "channel-id": channelId, subscriber } = fields;
    await context.chat.invitations.cancel(userId, channelId, subscriber);
    const cancelled = serverMessage("invitation-cancelled", { "channel-id": channelId });
    return { afterwards: () => context.telling.push(subscriber, cancelled) };
  },

  async "list-invitations"({ context, userId }) {
    const invitations = await context.chat.invitations.list(userId);
    return respond("invitations", { invitations: invitations.map(invitationMembers) });
  },

  /** Nothing of the channel reaches the removed one once this is acknowledged. */
  async "remove-subscriber"({ context, userId: by }, { fields }) {
    const { "channel-id": channelId, subscriber, ban, reason } = fields;
    const channel = await context.chat.members.remove(by, channelId, { subscriber, ban });
    await context.telling.removed(subscriber, channel, { by, reason });
    return DONE;
  },

  async "set-administrator"({ context, userId }, { fields }) {
    const { "channel-id": channelId, subscriber, administrator } = fields;
    const change = { subscriber, administrator };
    const made = await context.chat.members.setAdministrator(userId, channelId, change);
    if (made.changed) await context.telling.role(made.channel, made.member);
    return DONE;
  },
};
