/** News from others that reach a session: notes of its channels, and signals to its subscriber (messaging.md §8, §11). */
import type { Push } from "../../core/types.ts";
import type { ChannelView, CurrentMessage, Membership, Message } from "./chat/contract.ts";
import { enterChannel, leaveChannel } from "./channel-entry.ts";
import type { FormerChannel } from "./encoder.ts";
import {
  formerMembership,
  membershipModel,
  messageFrame,
  reportMessage,
  serverMessage,
} from "./server-messages.ts";
import type { MessagingClient } from "./client.ts";
import type { MessagingSignal, Removed } from "./signals.ts";
import { availabilityMessage } from "./telling.ts";

/** Whether the connection has it now: the frame is written, or it has seen it before. */
export function applySignal(
  session: MessagingClient,
  signal: MessagingSignal,
): boolean | Promise<boolean> {
  if (signal.kind === "direct") return receiveDirect(session, signal);
  if (signal.exceptConnection === session.connectionId) return false;
  switch (signal.kind) {
    case "push":
      return session.write(signal.message);
    case "report":
      return !session.state.report(signal.report) || session.write(reportMessage(signal.report));
    case "joined":
      return enterAsOther(session, signal.channelId);
    case "left":
      return settleLeft(session, signal);
    case "read": {
      const { channelId, sequence } = signal;
      const own = session.state.channels.get(channelId);
      if (own !== undefined) own.readSequence = Math.max(own.readSequence, sequence);
      return session.write(serverMessage("read-position", { "channel-id": channelId, sequence }));
    }
    case "blocked":
      return showBlocked(session, signal);
  }
}

async function enterAsOther(session: MessagingClient, channelId: string): Promise<boolean> {
  const membership = await session.context.chat.channels.find(session.userId, channelId);
  if (membership === undefined) return false;
  const show = (change: string, now: Membership) =>
    session.push(serverMessage("membership", { change, channel: membershipModel(now) }));
  const entered = await enterChannel(session, membership, {
    since: membership.member.joinSequence,
    reply: () => show("joined", membership),
  });
  if (entered?.missed === true) show("updated", entered.membership);
  return entered !== undefined;
}

/** The changer waits for it: messages under way in this connection's name are sent before. */
async function settleLeft(
  session: MessagingClient,
  signal: Extract<MessagingSignal, { kind: "left" }>,
): Promise<boolean> {
  await session.sent;
  return told(session, signal);
}

/** §8.4: of the one that was removed, and of the others of one that left. */
function told(
  session: MessagingClient,
  {
    channel,
    by,
    reason,
    exceptConnection,
  }: { readonly channel: FormerChannel } & Removed & {
      readonly exceptConnection?: string | undefined;
    },
  change = by === undefined ? "left" : "removed",
): boolean {
  if (!leaveChannel(session, channel)) return false;
  if (exceptConnection === session.connectionId) return false;
  session.push(
    serverMessage("membership", { change, channel: formerMembership(channel), by, reason }),
  );
  return true;
}

interface ReceivedNote {
  /** The news for others than the subject. */
  readonly frame: string;
  readonly push: Extract<Push, { type: "note" }>;
  readonly group: string | undefined;
}

/** In one order with the channel's messages. */
export function receiveNote(session: MessagingClient, { frame, push, group }: ReceivedNote): void {
  const { connectionId, state, userId } = session;
  const channelId = push.channel.name;
  const event = session.encoder.noteOf(push.note);
  const show = (text = frame) => session.push(text, group);
  switch (event.kind) {
    case "others":
      return event.subject === userId ? undefined : show();
    case "all":
      return event.exceptConnection === connectionId ? undefined : show();
    case "left":
      if (event.subject === userId) told(session, event);
      else show();
      return;
    case "role":
      if (event.subject !== userId) return show();
      return showUpdated(session, event.channel, { show, administrator: event.administrator });
    case "updated":
      if (event.exceptConnection === connectionId) return;
      return showUpdated(session, event.channel, { show });
    case "deleted":
      // A channel's id does not come again.
      told(session, { ...event, channel: { ...event.channel, revision: Infinity } }, "deleted");
      return;
    case "watched":
      if (state.watched.get(channelId)?.blocked === false) show();
  }
}

function showUpdated(
  session: MessagingClient,
  channel: ChannelView,
  { show, administrator }: { show: (text: string) => void; administrator?: boolean },
): void {
  const own = session.state.channels.get(channel.channelId);
  // Its news from joining, or since, is newer.
  if (own === undefined || channel.revision <= own.revision) return;
  own.administrator = administrator ?? own.administrator;
  own.revision = channel.revision;
  const lastSequence = session.positionIn(channel.channelId);
  const model = membershipModel({ ...channel, lastSequence, member: own });
  show(serverMessage("membership", { change: "updated", channel: model }));
}

/** Messages read at a time to fill a hole; at the first sight of a conversation, and how many at the most: the backlog had the earlier ones. */
const PAGE = 200;
const FIRST_PAGE = 20;
const FIRST_HOLE_MAX = 200;

/** Ascending and each once; missing ones before it are read first (§11.3). */
function receiveDirect(
  session: MessagingClient,
  signal: Extract<MessagingSignal, { kind: "direct" }>,
): boolean | Promise<boolean> {
  const { other, message, exceptConnection } = signal;
  const { written } = session.state;
  const last = written.get(other);
  const own = exceptConnection === session.connectionId;
  if (last !== undefined && message.sequence <= last) return !own;
  if (last === message.sequence - 1) {
    written.set(other, message.sequence);
    return !own && writeDirect(session, { other, message });
  }
  return own ? false : fillAndWrite(session, { ...signal, last });
}

async function fillAndWrite(
  session: MessagingClient,
  { other, message, last }: { other: string; message: Message; last: number | undefined },
): Promise<boolean> {
  const { sequence } = message;
  const missing =
    last === undefined
      ? await missedSinceOpening(session, other, sequence)
      : await between(session, other, { after: last, before: sequence });
  for (const each of missing) {
    const isOwn = each.connectionId === session.connectionId;
    if (!isOwn && each.deletedBy === undefined) {
      session.push(messageFrame(each, { backlog: true }));
    }
  }
  session.state.written.set(other, sequence);
  return writeDirect(session, { other, message });
}

async function between(
  { context, userId }: MessagingClient,
  other: string,
  range: { readonly after: number; readonly before: number },
): Promise<readonly CurrentMessage[]> {
  const found: CurrentMessage[] = [];
  for (let { after } = range; after < range.before - 1;) {
    const query = { ...range, after, limit: PAGE };
    const page = await context.chat.messages.directHistory(userId, other, query);
    found.push(...page.messages);
    const reached = page.messages.at(-1)?.sequence;
    if (reached === undefined || !page.more) break;
    after = reached;
  }
  return found;
}

/** Behind the deliveries from before this connection: the cursor may be ahead by later ones to the subscriber's other connections. */
async function missedSinceOpening(
  { context, openedMs, userId }: MessagingClient,
  other: string,
  sequence: number,
): Promise<readonly CurrentMessage[]> {
  const { messages, receipts } = context.chat;
  const cursor = await receipts.deliveredUpTo(userId, other);
  const isMissed = ({ from, sequence: at, timeMs }: CurrentMessage) =>
    timeMs > openedMs || (from !== userId && at > cursor);
  const found: CurrentMessage[] = [];
  for (let before = sequence; found.length < FIRST_HOLE_MAX;) {
    const query = { before, limit: FIRST_PAGE };
    const page = await messages.directHistory(userId, other, query);
    const missed = page.messages.filter(isMissed);
    found.unshift(...missed);
    const oldest = page.messages[0];
    if (oldest === undefined || !page.more || !isMissed(oldest)) break;
    before = oldest.sequence;
  }
  return found;
}

/** One that waits for its reader is `received` when it is written. */
function writeDirect(
  session: MessagingClient,
  { other, message }: { readonly other: string; readonly message: Message },
): boolean {
  if (session.write(messageFrame(message))) return true;
  session.owe((owed) => owed.direct(other, message.sequence));
  return false;
}

async function showBlocked(
  session: MessagingClient,
  { by, blocked }: { readonly by: string; readonly blocked: boolean },
): Promise<boolean> {
  const watched = session.state.watched.get(by);
  if (watched === undefined || watched.blocked === blocked) return false;
  watched.blocked = blocked;
  const state = await session.context.presence.stateOf(by);
  const shown = blocked ? hidden(by) : state;
  if (state.availability === "invisible") return false;
  return session.write(availabilityMessage([shown]));
}

/** §7.5: how a blocked subscriber sees the blocker. */
export function hidden(id: string) {
  return { id, status: "", availability: "invisible", attributes: {} } as const;
}
