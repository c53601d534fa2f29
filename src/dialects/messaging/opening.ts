/** How a connection begins (messaging.md §4.3, §11.4): its token, its place, its channels, and its subscriber's backlog. */
import { messageChannel, type BacklogItem, type CurrentMessage } from "./chat/contract.ts";
import { invitationMessage, messageFrame, reportMessage } from "./server-messages.ts";
import type { MessagingClient } from "./client.ts";

/** How long a reader that is behind with its backlog is waited for until it is looked at again, milliseconds. */
const PACE_MS = 20;

/** The session's socket is held meanwhile: live messages wait behind the backlog. */
export async function begin(session: MessagingClient): Promise<void> {
  const { context } = session;
  // Under its label first: a token that ends from here on reaches it.
  if (!(await session.requireToken())) return;
  const { count, first } = await context.presence.open(session.open);
  if (count > context.settings.user_connection_limit) {
    session.limitHit("user_connection_limit");
    return session.disconnect({ disconnect: "connection_limit" });
  }
  const tops = await enterAll(session);
  if (first) await sendBacklog(session, tops);
}

/** Each channel's position then: later messages come live. */
async function enterAll(session: MessagingClient): Promise<ReadonlyMap<string, number>> {
  const { connection, context, encoder, member, state, userId } = session;
  const tops = new Map<string, number>();
  const ids = await context.chat.channels.ids(userId);
  const options = { encoder, member, unbroken: true, positioned: true };
  await Promise.all(
    ids.map((id) =>
      connection.subscribe(messageChannel(id), options, ({ position }) => {
        tops.set(id, position?.offset ?? 0);
      }),
    ),
  );
  // Read after it: no note tells it of earlier changes, and notes tell it of all later ones.
  for (const { channelId, revision, member: own } of await context.chat.channels.list(userId)) {
    const { administrator, readSequence } = own;
    if (tops.has(channelId)) {
      state.channels.set(channelId, { administrator, readSequence, revision });
    }
  }
  const over = ids.filter((id) => !state.channels.has(id));
  await Promise.all(over.map((id) => connection.unsubscribe(messageChannel(id))));
  return tops;
}

/** §11.4, in its order. Nothing counts as told before it is written. */
async function sendBacklog(
  session: MessagingClient,
  tops: ReadonlyMap<string, number>,
): Promise<void> {
  const { context, userId } = session;
  for await (const item of context.chat.backlog.read(userId)) {
    await pace(session);
    if (session.over) return;
    if ("invitation" in item) {
      const { invitation } = item;
      session.socket.send(invitationMessage(invitation));
      session.owe((owed) => owed.invitation(invitation));
    } else if ("report" in item) {
      const { report } = item;
      session.state.report(report);
      session.socket.send(reportMessage(report));
      session.owe((owed) => owed.report(report));
    } else sendMessage(session, item, tops);
  }
}

function sendMessage(
  session: MessagingClient,
  { message }: Extract<BacklogItem, { message: CurrentMessage }>,
  tops: ReadonlyMap<string, number>,
): void {
  const { state, userId } = session;
  const { channelId, from, sequence, to = "" } = message;
  if (channelId !== undefined) {
    if (sequence > (tops.get(channelId) ?? 0)) return;
  } else {
    const other = from === userId ? to : from;
    state.written.set(other, sequence);
    session.owe((owed) => owed.direct(other, sequence));
  }
  if (message.deletedBy === undefined) {
    session.socket.send(messageFrame(message, { backlog: true }));
  }
}

/** A backlog may be many times larger than a reader's queue. */
async function pace(session: MessagingClient): Promise<void> {
  const { context, socket } = session;
  const { runtime, settings } = context;
  while (socket.bufferedBytes > settings.queue_max_size / 2 && !session.over) {
    await new Promise<void>((resolve) => runtime.timers.after(PACE_MS, resolve));
  }
}
