/** Connections: which there are, and the end of some. */
import { z } from "zod";
import type { ConnectionRow } from "../../core/pages.ts";
import { CHANNELS, type Target } from "../../core/types.ts";
import {
  AdminError,
  adminOperation,
  isoTime,
  pageAnswer,
  pageQueryOf,
  pageRequest,
  pageViewOf,
  type AdminOperation,
} from "../../dialects/admin-operation.ts";
import { channelName, spaceParameter } from "./channels.ts";
import { appOf, type AdminContext } from "./context.ts";

const count = z.int().min(0);
const text = z.string();

const connectionAnswer = z
  .strictObject({
    ...{ connection: text, node: text, dialect: text },
    user: text.describe("Empty: anonymous."),
    connected_at: z.iso.datetime(),
    subscriptions: count,
    unsent_bytes: count.describe(
      "What waits on the server because the client reads slowly; what its system has taken is not in it.",
    ),
    channels: z
      .array(z.strictObject({ channel: text, space: text.optional() }))
      .describe("The first ten of its subscriptions; `space` where it is not `channels`."),
  })
  .meta({ title: "admin_connection" });

export const reachedAnswer = {
  nodes_answered: count,
  nodes_asked: count.describe("More than have answered: some may not have done it."),
};

export function connectionOperations(context: AdminContext): readonly AdminOperation[] {
  return [
    adminOperation({
      method: "GET",
      path: "connections",
      summary: "Connections on all nodes, in the order of their ids",
      request: z.strictObject({
        user: text.optional().describe("Only this user's; empty: anonymous ones."),
        user_prefix: text.optional().describe("Only users whose id begins so."),
        dialect: text.optional(),
        channel: text.optional().describe("Only those that are subscribed to it."),
        ...{ space: spaceParameter, ...pageRequest },
      }),
      answer: pageAnswer(connectionAnswer),
      async run(call) {
        const { user, user_prefix, dialect, channel, space, ...page } = call.request;
        const found = await appOf(context, call).hub.connectionPage({
          ...pageQueryOf(page),
          ...(user === undefined ? {} : { user }),
          ...(user_prefix === undefined ? {} : { userPrefix: user_prefix }),
          ...(dialect === undefined ? {} : { dialect }),
          ...(channel === undefined ? {} : { channel: { space, name: channel } }),
        });
        return pageViewOf(found, connectionView);
      },
    }),
    adminOperation({
      method: "POST",
      path: "kick",
      summary: "End the connections of a user or channel, or one, and keep their clients away",
      request: z.strictObject({
        user: z.string().min(1, "must not be empty").optional(),
        connection: z.string().min(1, "must not be empty").optional(),
        ...{ channel: channelName.optional(), space: spaceParameter },
        dialect: text.optional().describe("Only connections of this dialect."),
        reconnect: z
          .boolean()
          .default(false)
          .describe("Send the clients back, to connect anew, instead of away."),
      }),
      answer: z.strictObject({ matched: count, ...reachedAnswer }),
      async run(call) {
        const { reconnect } = call.request;
        const { matched, nodesAnswered, nodesAsked } = await appOf(context, call).hub.disconnect(
          targetOf(call.request),
          { disconnect: reconnect ? "sent_back" : "ended" },
        );
        return { matched, nodes_answered: nodesAnswered, nodes_asked: nodesAsked };
      },
    }),
  ];
}

function connectionView(row: ConnectionRow) {
  const { id, node, dialect, user, connectedMs, subscriptions, unsentBytes, channels } = row;
  return {
    ...{ connection: id, node, dialect, user, connected_at: isoTime(connectedMs), subscriptions },
    unsent_bytes: unsentBytes,
    channels: channels.map(({ space, name }) =>
      space === CHANNELS ? { channel: name } : { channel: name, space },
    ),
  };
}

interface Named {
  readonly user?: string | undefined;
  readonly connection?: string | undefined;
  readonly channel?: string | undefined;
  readonly space: string;
  readonly dialect?: string | undefined;
}

/** A connection together with its user or channel is that one only if it has them. */
function targetOf({ user, connection, channel, space, dialect }: Named): Target {
  const reach = dialect === undefined ? {} : { reach: [dialect] };
  const named = channel === undefined ? undefined : { space, name: channel };
  if (connection !== undefined) {
    return {
      ...{ connection, ...reach },
      ...(user === undefined ? {} : { user }),
      ...(named === undefined ? {} : { channel: named }),
    };
  }
  if (user !== undefined && named !== undefined) {
    throw new AdminError("bad_request", 'Give "user" or "channel", not both');
  }
  if (user !== undefined) return { user, ...reach };
  if (named !== undefined) return { channel: named, ...reach };
  throw new AdminError("bad_request", 'Give "user", "connection" or "channel"');
}
