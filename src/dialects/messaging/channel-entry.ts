/** How a session comes into its channels' groups and out of them. */
import type { Subscribed } from "../../core/hub.ts";
import { messageChannel, type Membership } from "./chat/contract.ts";
import type { FormerChannel } from "./encoder.ts";
import type { MessagingClient } from "./client.ts";
import type { OwnMembership } from "./session-state.ts";

export interface Entry {
  /** Messages above this sequence are sent, live or from the history. */
  readonly since: number;
  /** Runs in the moment of entering, before anything of the channel is sent. Not when the session was in already. */
  readonly reply: (subscribed: Subscribed) => void;
}

export interface Entered {
  /** As it is once the session is in. */
  readonly membership: Membership;
  /** It changed since it was read, and nobody told the session: it was not in yet. */
  readonly missed: boolean;
}

/** Undefined: it is not a member any more. One after the other, since two may ask for one channel at once. */
export function enterChannel(
  session: MessagingClient,
  membership: Membership,
  entry: Entry,
): Promise<Entered | undefined> {
  return session.inTurn(() => enter(session, membership, entry));
}

async function enter(
  session: MessagingClient,
  membership: Membership,
  { since, reply }: Entry,
): Promise<Entered | undefined> {
  const { connection, context, encoder, state, userId } = session;
  const { channelId, lastSequence, member, revision } = membership;
  const own = state.channels.get(channelId);
  // It may have been removed and have come back, and be told of the removal yet: that is older than this.
  if (own !== undefined) return { membership, missed: bringUpToDate(own, membership) };
  const { administrator, readSequence } = member;
  const options = {
    ...{ encoder, member: session.member, unbroken: true },
    recoverSince: { epoch: "", offset: since },
  };
  await connection.subscribe(messageChannel(channelId), options, (subscribed) => {
    state.channels.set(channelId, { administrator, readSequence, revision });
    reply(subscribed);
    const channel = messageChannel(channelId);
    for (const publication of subscribed.publications) {
      const frame = encoder.encode({ type: "publication", channel, publication });
      if (typeof frame === "string") session.push(frame);
    }
  });
  // One that was removed between the join and now was told so when it was not in yet.
  const now = await context.chat.channels.find(userId, channelId);
  if (now === undefined) {
    state.channels.delete(channelId);
    await connection.unsubscribe(messageChannel(channelId));
    return undefined;
  }
  const missed = bringUpToDate(state.channels.get(channelId), now);
  // Messages above it come.
  return { membership: { ...now, lastSequence }, missed };
}

/** What changes from here on is told. */
function bringUpToDate(own: OwnMembership | undefined, now: Membership): boolean {
  if (own === undefined || own.revision >= now.revision) return false;
  own.administrator = now.member.administrator;
  own.readSequence = Math.max(own.readSequence, now.member.readSequence);
  own.revision = now.revision;
  return true;
}

/** From here on nothing of the channel is sent. False: it was not in, or has come back since. */
export function leaveChannel(session: MessagingClient, former: FormerChannel): boolean {
  const { channelId, revision } = former;
  const own = session.state.channels.get(channelId);
  if (own === undefined || revision <= own.revision) return false;
  session.state.channels.delete(channelId);
  const left = session.connection.unsubscribe(messageChannel(channelId));
  session.aside("leaving a channel", left);
  return true;
}
