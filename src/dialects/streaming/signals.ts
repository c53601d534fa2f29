/** What the server API asks of sessions, wherever they are (centrifugo-protocol.md §17): `hub.signal` bodies, plain JSON data. */
import type { Revocation } from "../../core/authority.ts";
import { fromPortable, type PortablePayload } from "../../core/payload.ts";
import type { StreamPosition } from "../../core/types.ts";
import type { OverridingGrant, SubscriptionOverride } from "./authority.ts";
import { subscribeFromServer, unsubscribeFromServer } from "./server-side.ts";
import type { StreamingClient } from "./client.ts";
import { expiry } from "./subscribe.ts";

export type Signal =
  | {
      readonly do: "subscribe";
      readonly channel: string;
      readonly info?: PortablePayload | undefined;
      readonly data?: PortablePayload | undefined;
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
      readonly info?: PortablePayload | undefined;
    }
  | Revocation;

/** Whether it concerned the session. A promise settles once it took effect; it does not reject. Only a revocation concerns one that still connects. */
export function handleSignal(session: StreamingClient, signal: Signal): boolean | Promise<boolean> {
  if (signal.do === "revoke") return revoke(session, signal);
  if (!session.connected) return false;
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
  session: StreamingClient,
  doing: string,
  work: Promise<boolean>,
): Promise<boolean> {
  try {
    return await work;
  } catch (error) {
    session.report(error, doing);
    return false;
  }
}

function subscribe(
  session: StreamingClient,
  {
    channel,
    info,
    data,
    expiresAtMs,
    override,
    recoverSince,
  }: Extract<Signal, { do: "subscribe" }>,
): Promise<boolean> {
  const grant: OverridingGrant = {
    ...(info === undefined ? {} : { channelInfo: fromPortable(info) }),
    ...(data === undefined ? {} : { data: fromPortable(data) }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(override === undefined ? {} : { override }),
  };
  return subscribeFromServer(session, { name: channel, grant, recoverSince, fromToken: false });
}

async function unsubscribe(session: StreamingClient, name: string): Promise<boolean> {
  const { connection } = session;
  if (connection === undefined) return false;
  const names =
    name === "" ? [...connection.subscriptions()].map(({ channel }) => channel.name) : [name];
  let any = false;
  for (const each of names) any = (await unsubscribeFromServer(session, each)) || any;
  return any;
}

function refresh(session: StreamingClient, signal: Extract<Signal, { do: "refresh" }>): void {
  const nowMs = session.context.runtime.clock.epochMs();
  const { expired, expiresAtMs = Infinity } = signal;
  if (expired || expiresAtMs <= nowMs) {
    return session.closeAs("connection_expired");
  }
  session.expireAt(signal.expiresAtMs);
  if (signal.info !== undefined) session.info = fromPortable(signal.info);
  session.push({ refresh: expiry(session.context, signal.expiresAtMs) });
}

function revoke(session: StreamingClient, { issuedBeforeMs, reason }: Revocation): boolean {
  if (session.standing === undefined || session.standing.issuedAtMs > issuedBeforeMs) return false;
  session.disconnect(reason);
  return true;
}
