/** The connect command: who this is, what it is subscribed to from the start, and one answer for all of it (centrifugo-protocol.md §3.1, §14). */
import type { ConnectGrant, SubscriptionGrant } from "../../core/authority.ts";
import {
  channelOptions,
  maySubscribe,
  personalChannel,
  serverChannelOptions,
} from "./channel-rules.ts";
import { CloseError, isRefusal } from "./errors.ts";
import type { ConnectRequest, ConnectResult, SubscribeResult } from "./protocol.ts";
import type { ConnectingClient } from "./client.ts";
import {
  expiry,
  plan,
  subscribeResult,
  unexpired,
  withClaims,
  type SubscribePlan,
} from "./subscribe.ts";

/** Runs the command to its answer. Rejects with CloseError or DisconnectError; a Refusal is answered here, since it ends the session. */
export async function connect(
  session: ConnectingClient,
  id: number,
  request: ConnectRequest,
): Promise<void> {
  try {
    const grant = await authenticate(session, request);
    if (!session.connecting) return;
    session.identify(grant);
    const plans = planSubscriptions(session, grant, request);
    limitConnections(session, plans.size, grant.userConnectionsMax);
    session.enter(grant.standing);
    if (grant.confirm !== undefined) await granted(grant.confirm());
    endOthers(session);
    const subs = plans.size === 0 ? NO_SUBS : await subscribeAll(session, plans.values());
    if (!session.connecting) return;
    session.accept(id, { connect: connectResult(session, subs) });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    session.refuse(id, error);
  }
}

const NO_SUBS: ReadonlyMap<string, SubscribeResult> = new Map();

function connectResult(
  { connectionId, context, expires: end, framePings }: ConnectingClient,
  subs: ReadonlyMap<string, SubscribeResult>,
): ConnectResult {
  const { runtime, settings, serverVersion: version } = context;
  const { expires, ttl } = expiry(context, end?.atMs);
  const pings = settings.ping_interval > 0 && !framePings;
  return {
    client: connectionId,
    version,
    expires,
    ttl,
    subs: subs.size > 0 ? subs : undefined,
    ping: pings ? Math.ceil(settings.ping_interval / 1000) : undefined,
    pong: pings || undefined,
    time: settings.connect_include_server_time ? runtime.clock.epochMs() : undefined,
  };
}

/** The decision of §3.1, in its order. */
async function authenticate(
  session: ConnectingClient,
  request: ConnectRequest,
): Promise<ConnectGrant> {
  const { authority, runtime, settings } = session.context;
  if (request.token !== "") {
    const grant = await granted(authority.connect({ token: request.token }));
    if (grant.userId === "" && settings.disallow_anonymous_connection_tokens) {
      throw new CloseError("permission_denied", withClaims("The token names no user", grant));
    }
    return settings.insecure ? withoutExpiry(grant) : unexpired(grant, runtime.clock.epochMs());
  }
  const anonymous = settings.allow_anonymous_connect_without_token || settings.insecure;
  const { userId: headerUserId } = session;
  if (!anonymous && headerUserId === "") {
    throw new CloseError("bad_request", "The connect has no token");
  }
  return { userId: anonymous ? "" : headerUserId, subscriptions: new Map() };
}

function withoutExpiry(grant: ConnectGrant): ConnectGrant {
  const { expiresAtMs: _, ...rest } = grant;
  return rest;
}

/** An invalid token closes the connection; an expired one is answered, so that the client fetches another. */
export async function granted<Grant>(granting: Promise<Grant>): Promise<Grant> {
  try {
    return await granting;
  } catch (error) {
    const invalid = isRefusal(error) && error.code === "invalid_token";
    throw invalid ? new CloseError("invalid_token", error) : error;
  }
}

function planSubscriptions(
  session: ConnectingClient,
  grant: ConnectGrant,
  request: ConnectRequest,
): ReadonlyMap<string, SubscribePlan> {
  const { context, userId } = session;
  const { hub, settings } = context;
  const plans = new Map<string, SubscribePlan>();
  const add = (name: string, subscription: SubscriptionGrant, fromToken: boolean): void => {
    const options = serverChannelOptions(hub.namespaces, name);
    const input = {
      name,
      options,
      grant: subscription,
      request: request.subs.get(name),
      fromToken,
    };
    plans.set(name, plan(context, session, { ...input, serverSide: true }));
  };
  for (const [name, subscription] of grant.subscriptions) {
    if (name !== "") add(name, subscription, true);
  }
  const { subscribe_to_user_personal_channel: personal } = settings;
  if (personal.enabled && userId !== "") {
    const name = personalChannel(personal.personal_channel_namespace, userId);
    if (name === undefined) {
      const detail = 'A user id with "," or "#" has no personal channel';
      session.tell("Channel left out", { word: "bad_request", detail });
    } else if (!plans.has(name)) add(name, {}, false);
  }
  for (const name of request.subs.keys()) {
    if (!plans.has(name) && mayAskFor(session, name)) add(name, {}, false);
  }
  return plans;
}

/** §14: channels that the client could not subscribe to by itself are dropped without a word. */
function mayAskFor({ context, userId }: ConnectingClient, name: string): boolean {
  const { hub, settings } = context;
  try {
    const options = channelOptions(hub.namespaces, name);
    const asker = { userId, subscribed: true, insecure: settings.insecure };
    return maySubscribe(name, options, asker);
  } catch (error) {
    if (isRefusal(error) && error.code === "unknown_channel") {
      throw new CloseError("bad_request", error);
    }
    if (isRefusal(error)) return false;
    throw error;
  }
}

function limitConnections(
  session: ConnectingClient,
  channels: number,
  userConnectionsMax: number | undefined,
): void {
  const { context, userId } = session;
  const { hub, settings } = context;
  if (channels > settings.channel_limit) {
    session.limitHit("channel_limit");
    throw new CloseError("channel_limit");
  }
  const limit = userConnectionsMax ?? settings.user_connection_limit;
  if (limit > 0 && userId !== "" && hub.connectionsOf(userId) >= limit) {
    session.limitHit("user_connection_limit");
    throw new CloseError("connection_limit");
  }
}

/** §12: with `single_connection` the newest connection of a user is the only one. */
function endOthers(session: ConnectingClient): void {
  const { hub, settings } = session.context;
  const { enabled, single_connection } = settings.subscribe_to_user_personal_channel;
  if (!enabled || !single_connection || session.userId === "") return;
  const ending = hub.disconnect(
    { user: session.userId },
    { disconnect: "connection_limit" },
    { exceptConnections: [session.connectionId] },
  );
  session.aside("ending the user's other connections", ending);
}

async function subscribeAll(
  session: ConnectingClient,
  plans: Iterable<SubscribePlan>,
): Promise<ReadonlyMap<string, SubscribeResult>> {
  const subs = new Map<string, SubscribeResult>();
  for (const subscribePlan of plans) {
    const { channel, options } = subscribePlan;
    await session.connection?.subscribe(channel, options, (subscribed) => {
      subs.set(channel.name, subscribeResult(session.context, subscribePlan, subscribed));
    });
  }
  return subs;
}
