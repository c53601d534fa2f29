/** Subscriptions that the server makes and ends once a client is connected (centrifugo-protocol.md §14, §3.4). */
import type { ConnectGrant } from "../../core/authority.ts";
import type { StreamPosition } from "../../core/types.ts";
import type { OverridingGrant } from "./authority.ts";
import { serverChannelOptions } from "./channel-rules.ts";
import { CloseError, isRefusal, UNSUBSCRIBE_CODES } from "./errors.ts";
import type { SubscribeRequest } from "./protocol.ts";
import type { StreamingClient } from "./client.ts";
import { channelOf, detailOf, plan, subscribeResult } from "./subscribe.ts";

export interface ServerSubscription {
  readonly name: string;
  readonly grant: OverridingGrant;
  readonly recoverSince?: StreamPosition | undefined;
  readonly fromToken: boolean;
}

/** Subscribes, and tells the client by a push. False: it holds the channel already, or as many as it may. */
export async function subscribeFromServer(
  session: StreamingClient,
  { name, grant, recoverSince, fromToken }: ServerSubscription,
): Promise<boolean> {
  const { connection, context } = session;
  // §17: connections that hold it already are left alone.
  if (connection === undefined || connection.subscription(channelOf(name)) !== undefined)
    return false;
  if (connection.subscriptionCount >= context.settings.channel_limit) {
    session.limitHit("channel_limit");
    return false;
  }
  const options = serverChannelOptions(context.hub.namespaces, name);
  const request = recoverSince === undefined ? undefined : recoverRequest(name, recoverSince);
  const made = plan(context, session, {
    ...{ name, options, grant, request, fromToken, serverSide: true },
  });
  try {
    await connection.subscribe(made.channel, made.options, (subscribed) => {
      const result = subscribeResult(context, made, subscribed);
      const { publications = [], ...rest } = result;
      session.push({ channel: name, subscribe: rest });
      // The push has no room for them (§2, Subscribe): they follow as publications.
      for (const pub of publications) session.push({ channel: name, pub });
      session.reschedule();
    });
  } catch (error) {
    // The client was faster.
    if (isRefusal(error) && error.code === "already_subscribed") return false;
    throw error;
  }
  return true;
}

/** Whether there was a subscription to end; the client is told by a push. */
export async function unsubscribeFromServer(
  session: StreamingClient,
  name: string,
): Promise<boolean> {
  if (!(await session.connection?.unsubscribe(channelOf(name)))) return false;
  session.push({ channel: name, unsubscribe: UNSUBSCRIBE_CODES.server });
  return true;
}

/** Whether a new token names exactly the channels that the connection has from its tokens (§3.4). */
export function sameChannels(
  session: StreamingClient,
  { subscriptions }: Pick<ConnectGrant, "subscriptions">,
): boolean {
  const named = channelsFromTokens(session);
  return named.length === subscriptions.size && named.every((name) => subscriptions.has(name));
}

/**
 * Leaves the channels that a new token no longer names, and joins those that only it names (event-streaming.md §9.5). Where that
 * cannot be done the connection is to end, so that it comes back to the right ones: throws CloseError.
 */
export async function changeChannels(
  session: StreamingClient,
  { subscriptions }: Pick<ConnectGrant, "subscriptions">,
): Promise<void> {
  try {
    for (const name of channelsFromTokens(session)) {
      if (!subscriptions.has(name)) await unsubscribeFromServer(session, name);
    }
    for (const [name, grant] of subscriptions) {
      await subscribeFromServer(session, { name, grant, fromToken: true });
    }
  } catch (error) {
    if (!isRefusal(error)) throw error;
    session.report(error, "changing channels at a refresh");
    throw new CloseError("other_channels", error);
  }
}

function channelsFromTokens({ connection }: StreamingClient): string[] {
  return [...(connection?.subscriptions() ?? [])]
    .filter((subscription) => detailOf(subscription).fromToken)
    .map(({ channel }) => channel.name);
}

function recoverRequest(channel: string, since: StreamPosition): SubscribeRequest {
  return {
    channel,
    token: "",
    recover: true,
    epoch: since.epoch,
    offset: since.offset,
    positioned: true,
    recoverable: true,
    join_leave: false,
    delta: "",
    filtered: false,
    flag: 0,
    type: 0,
  };
}
