/** What the master API asks of a user's sessions, wherever they are (§6.6, §6.7): `hub.signal` bodies, plain JSON data. */
import type { Connection } from "../../core/hub.ts";
import { encodeReply } from "./codec.ts";
import { isCovered } from "./commands.ts";
import type { GusherClient } from "./client.ts";

export type GusherSignal =
  /** `text`: the list as JSON text, as its sender wrote it; the notification repeats it. */
  | { readonly do: "reload"; readonly channels: readonly string[]; readonly text: string }
  | { readonly do: "add"; readonly channel: string };

/** Applies it, then notifies (O7). Settles once both happened; does not reject. */
export async function applySignal(session: GusherClient, signal: GusherSignal): Promise<void> {
  switch (signal.do) {
    case "reload":
      session.grants = signal.channels;
      await endUncovered(session);
      return notify(session, "gusher.reloadchannel", `{"channels":${signal.text}}`);
    case "add": {
      const { channel } = signal;
      if (!session.grants.includes(channel)) session.grants = [...session.grants, channel];
      return notify(session, "gusher.addchannel", JSON.stringify({ channel }));
    }
  }
}

/** Subscribes in progress are among the subscriptions, and are waited for: none outlives its grant. */
async function endUncovered(session: GusherClient): Promise<void> {
  const { connection, context, grants } = session;
  // D3: the original ends what the new list does not name literally.
  const stays = (name: string) =>
    context.settings.strict_reload ? grants.includes(name) : isCovered(session, name);
  const ending = [...connection.subscriptions()]
    .filter(({ channel }) => !stays(channel.name))
    .map(({ channel }) => end(session, connection, channel));
  await Promise.all(ending);
}

async function end(
  session: GusherClient,
  connection: Connection,
  channel: Parameters<Connection["unsubscribe"]>[0],
): Promise<void> {
  try {
    await connection.unsubscribe(channel);
  } catch (error) {
    session.report(error, "ending a subscription");
  }
}

function notify(
  session: GusherClient,
  event: "gusher.reloadchannel" | "gusher.addchannel",
  data: string,
): void {
  // §5.8: the socket's id is empty in notifications.
  session.send(encodeReply(event, { socketId: "", data }));
}
