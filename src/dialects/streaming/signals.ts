/** What the server API asks of sessions, wherever they are (centrifugo-protocol.md §17): `hub.signal` bodies, plain JSON data. */
import type { SubscriptionGrant, SubscriptionOverride } from "../../core/authority.ts";
import { HubError } from "../../core/errors.ts";
import type { Payload, StreamPosition } from "../../core/types.ts";
import { channelOptions } from "./channel-rules.ts";
import { UNSUBSCRIBE_CODES } from "./errors.ts";
import type { SubscribeRequest } from "./protocol.ts";
import type { StreamingSession } from "./session.ts";
import { channelOf, expiry, plan, subscribeResult } from "./subscribe.ts";

/** Payloads as JSON data; bytes travel as base64. */
type Portable = { readonly json: string } | { readonly base64: string };

export type Signal =
  | {
      readonly do: "subscribe";
      readonly channel: string;
      readonly info?: Portable | undefined;
      readonly data?: Portable | undefined;
      readonly expiresAtMs?: number | undefined;
      readonly recoverSince?: StreamPosition | undefined;
      readonly override?: SubscriptionOverride | undefined;
    }
  /** `channel` `""`: all. */
  | { readonly do: "unsubscribe"; readonly channel: string }
  | {
      readonly do: "refresh";
      readonly expired: boolean;
      /** Absent: the connection does not expire any more. */
      readonly expiresAtMs?: number | undefined;
      readonly info?: Portable | undefined;
    };

/** Whether it concerned the session. A promise settles once it took effect; it does not reject. */
export function handleSignal(
  session: StreamingSession,
  signal: Signal,
): boolean | Promise<boolean> {
  switch (signal.do) {
    case "subscribe":
      return reported(session, "a server-side subscribe", subscribe(session, signal));
    case "unsubscribe":
      return reported(session, "a server-side unsubscribe", unsubscribe(session, signal.channel));
    case "refresh":
      refresh(session, signal);
      return true;
  }
}

async function reported(
  session: StreamingSession,
  doing: string,
  work: Promise<boolean>,
): Promise<boolean> {
  try {
    return await work;
  } catch (error) {
    session.context.onError(error, { connection: session.connectionId, doing });
    return false;
  }
}

async function subscribe(
  session: StreamingSession,
  signal: Extract<Signal, { do: "subscribe" }>,
): Promise<boolean> {
  const { connection, context } = session;
  const name = signal.channel;
  // §17: connections that hold it already are left alone.
  if (connection === undefined || connection.subscription(channelOf(name)) !== undefined)
    return false;
  if (connection.subscriptionCount >= context.settings.channelLimit) {
    context.metrics.count("limits_hit", { limit: "channel_limit" });
    return false;
  }
  const { info, data, expiresAtMs, override, recoverSince } = signal;
  const grant: SubscriptionGrant = {
    ...(info === undefined ? {} : { channelInfo: payloadFrom(info) }),
    ...(data === undefined ? {} : { data: payloadFrom(data) }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(override === undefined ? {} : { override }),
  };
  const options = channelOptions(context.hub.namespaces, name);
  const request = recoverSince === undefined ? undefined : recoverRequest(name, recoverSince);
  const made = plan(context, session, { name, options, grant, request, serverSide: true });
  try {
    await connection.subscribe(made.channel, made.options, (subscribed) => {
      const result = subscribeResult(made, subscribed, context.runtime.clock.epochMs());
      const { publications = [], ...rest } = result;
      session.push({ channel: name, subscribe: rest });
      // The push has no room for them (§2, Subscribe): they follow as publications.
      for (const pub of publications) session.push({ channel: name, pub });
      session.reschedule();
    });
  } catch (error) {
    // The client was faster.
    if (error instanceof HubError && error.code === "already_subscribed") return false;
    throw error;
  }
  return true;
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

async function unsubscribe(session: StreamingSession, name: string): Promise<boolean> {
  const { connection } = session;
  if (connection === undefined) return false;
  const names =
    name === "" ? [...connection.subscriptions()].map(({ channel }) => channel.name) : [name];
  let any = false;
  for (const each of names) {
    if (!(await connection.unsubscribe(channelOf(each)))) continue;
    any = true;
    session.push({ channel: each, unsubscribe: UNSUBSCRIBE_CODES.server });
  }
  return any;
}

function refresh(session: StreamingSession, signal: Extract<Signal, { do: "refresh" }>): void {
  if (signal.expired) return session.disconnect({ disconnect: "connection_expired" });
  session.expiresAtMs = signal.expiresAtMs;
  if (signal.info !== undefined) session.info = payloadFrom(signal.info);
  session.reschedule();
  const nowMs = session.context.runtime.clock.epochMs();
  session.push({ refresh: expiry(signal.expiresAtMs, nowMs) });
}

function payloadFrom(portable: Portable): Payload {
  return "json" in portable ? portable : { bytes: Uint8Array.fromBase64(portable.base64) };
}
