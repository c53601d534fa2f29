/** What each command does once a session is connected (centrifugo-protocol.md §4, §6). */
import type { ConnectGrant } from "../../core/authority.ts";
import { HubError } from "../../core/errors.ts";
import { requireUnicode } from "../../core/names.ts";
import type { StreamPosition } from "../../core/types.ts";
import {
  channelOptions,
  mayPublish,
  mayReadHistory,
  mayReadPresence,
  type Asker,
} from "./channel-rules.ts";
import { granted } from "./connect.ts";
import { wireInfo, wirePublication } from "./encoders.ts";
import { CloseError, isRefusal, StreamingError } from "./errors.ts";
import type {
  HistoryRequest,
  PublishRequest,
  Request,
  Result,
  SubscribeRequest,
  WireClientInfo,
} from "./protocol.ts";
import { changeChannels, sameChannels } from "./server-side.ts";
import type { StreamingClient } from "./client.ts";
import {
  channelOf,
  detailOf,
  expiresOf,
  expiry,
  planSubscribe,
  shown,
  subscribeResult,
  theirs,
  unexpired,
  withClaims,
} from "./subscribe.ts";

type Runnable = Exclude<Request, { readonly method: "connect" | "send" | "ping" }>;

/** The answer, or undefined when the command answered by itself. Rejects with a Refusal, CloseError or DisconnectError. */
export async function runCommand(
  session: StreamingClient,
  id: number,
  request: Runnable,
): Promise<Result | undefined> {
  switch (request.method) {
    case "subscribe":
      return subscribe(session, id, request.params);
    case "unsubscribe":
      await session.connection?.unsubscribe(channelOf(required(request.params.channel)));
      return { unsubscribe: {} };
    case "publish":
      return publish(session, request.params);
    case "presence":
      return presence(session, required(request.params.channel));
    case "presence_stats":
      return presenceStats(session, required(request.params.channel));
    case "history":
      return history(session, request.params);
    case "rpc":
      return rpc(session, request.params.method);
    case "refresh":
      return refresh(session, id, request.params.token);
    case "sub_refresh":
      return subRefresh(session, request.params);
  }
}

/** §3.2: a missing channel is the client's fault, not the channel's. Throws `bad_request` for an invalid name. */
function required(channel: string): string {
  if (channel === "") throw new CloseError("bad_request", "The channel is missing");
  requireUnicode(channel, "channel's name");
  return channel;
}

function askerOf(session: StreamingClient, channel: string): Asker {
  const subscribed = session.connection?.subscription(channelOf(channel))?.active === true;
  return { userId: session.userId, subscribed, insecure: session.context.settings.insecure };
}

/** Options of the namespace alone open this, by whether the client has a user or a subscription. */
function denied(
  option: "publish" | "presence" | "history",
  message: string,
  { session, name }: { readonly session: StreamingClient; readonly name: string },
): StreamingError {
  const { userId, subscribed } = askerOf(session, name);
  const who = `${userId === "" ? "is anonymous" : "has a user"} and is ${subscribed ? "" : "not "}subscribed`;
  const why = `No option allow_${option}_for_… of the namespace opens ${shown(name)} to this client, which ${who}`;
  return new StreamingError("permission_denied", message, withClaims(why, session));
}

/** §4.1 in its order; the first three checks here, the rest in `planSubscribe`. */
async function subscribe(
  session: StreamingClient,
  id: number,
  request: SubscribeRequest,
): Promise<undefined> {
  const { connection, context } = session;
  const name = required(request.channel);
  if (Buffer.byteLength(name) > context.channelBytesMax) {
    session.limitHit("channel.max_length");
    throw new HubError("bad_request", "The channel name is too long");
  }
  if (connection?.subscription(channelOf(name)) !== undefined) {
    throw new HubError("already_subscribed", "Already subscribed");
  }
  if ((connection?.subscriptionCount ?? 0) >= context.settings.channel_limit) {
    session.limitHit("channel_limit");
    throw new HubError("limit_exceeded", "The connection holds as many channels as it may");
  }
  const plan = await planSubscribe(context, session, request);
  await connection?.subscribe(plan.channel, plan.options, (subscribed) => {
    session.reply(id, { subscribe: subscribeResult(context, plan, subscribed) });
    if (plan.options.detail.expires !== undefined) session.reschedule();
  });
  return undefined;
}

async function publish(session: StreamingClient, request: PublishRequest): Promise<Result> {
  const { hub } = session.context;
  const channel = channelOf(required(request.channel));
  const options = channelOptions(hub.namespaces, channel.name);
  if (request.type !== 0)
    throw new HubError("bad_request", "The namespace takes stream subscriptions only");
  const { data = { bytes: new Uint8Array() } } = request;
  if (options.publicationDataFormat !== "binary" && "bytes" in data && data.bytes.length === 0) {
    throw new HubError("bad_request", "A publication needs data");
  }
  if (!mayPublish(options, askerOf(session, channel.name))) {
    throw denied("publish", "Publishing is not allowed", { session, name: channel.name });
  }
  const channelInfo = session.connection?.subscription(channel)?.options.channelInfo;
  const publisher = channelInfo === undefined ? session.client : { ...session.client, channelInfo };
  if (data instanceof HubError) throw data;
  await hub.publish(channel, { data, publisher });
  session.context.metrics.count("publications", { dialect: "streaming", by: "client" });
  return { publish: {} };
}

async function presence(session: StreamingClient, name: string): Promise<Result> {
  const channel = readablePresence(session, name);
  const clients = await session.context.hub.presence(channel);
  const entries = clients.map((info): [string, WireClientInfo] => [
    info.connectionId,
    wireInfo(info),
  ]);
  return { presence: { presence: new Map(entries) } };
}

async function presenceStats(session: StreamingClient, name: string): Promise<Result> {
  const channel = readablePresence(session, name);
  const { clients, users } = await session.context.hub.presenceStats(channel);
  return { presence_stats: { num_clients: clients, num_users: users } };
}

function readablePresence(session: StreamingClient, name: string) {
  const options = channelOptions(session.context.hub.namespaces, name);
  if (!options.presence) throw new HubError("not_available", "The channel keeps no presence");
  if (!mayReadPresence(options, askerOf(session, name))) {
    throw denied("presence", "Reading presence is not allowed", { session, name });
  }
  return channelOf(name);
}

async function history(session: StreamingClient, request: HistoryRequest): Promise<Result> {
  const { hub, settings } = session.context;
  const name = required(request.channel);
  const options = channelOptions(hub.namespaces, name);
  if (options.history === undefined) {
    throw new HubError("not_available", "The channel keeps no history");
  }
  if (!mayReadHistory(options, askerOf(session, name))) {
    throw denied("history", "Reading history is not allowed", { session, name });
  }
  const max = settings.history_max_publication_limit;
  const limit = request.limit < 0 || request.limit > max ? max : request.limit;
  const { since, reverse } = request;
  if (reverse && since?.offset === 0) {
    throw new HubError("bad_request", "Nothing lies before offset 0");
  }
  const page = await hub.history(channelOf(name), historyQuery(limit, since, reverse));
  const publications = page.publications.map((publication) =>
    wirePublication(publication, { withTime: true }),
  );
  return { history: { publications, ...page.position } };
}

function historyQuery(limit: number, since: StreamPosition | undefined, reverse: boolean) {
  return { limit, reverse, ...(since === undefined ? {} : { since }) };
}

async function rpc(session: StreamingClient, method: string): Promise<Result> {
  const { rpc_ping: ping } = session.context.settings;
  if (ping.enabled && method === ping.method) return { rpc: {} };
  // §6: an RPC namespace that nobody configured is unknown; a plain method has nothing that answers it.
  const code = method.includes(":") ? "method_not_found" : "not_available";
  throw new StreamingError(code, "The method has no handler");
}

async function refresh(session: StreamingClient, id: number, token: string): Promise<undefined> {
  const { authority, runtime, serverVersion: version } = session.context;
  if (token === "") throw new CloseError("bad_request", "A refresh needs a token");
  const nowMs = runtime.clock.epochMs();
  const refreshing = authority.refresh({ token, connection: session });
  const grant = await expiredCloses(granted(refreshing), nowMs);
  if (grant.userId !== session.userId) {
    const detail = "The token belongs to another user than the connection";
    throw new CloseError("invalid_token", withClaims(detail, grant));
  }
  if (grant.standing === undefined && !sameChannels(session, grant)) {
    throw new CloseError("other_channels", "The new token must name the same channels");
  }
  session.standOn(grant.standing);
  if (grant.confirm !== undefined) await granted(grant.confirm());
  session.expireAt(grant.expiresAtMs);
  const { connectionId: client } = session;
  const left = expiry(session.context, grant.expiresAtMs);
  session.reply(id, { refresh: { client, version, ...left } });
  if (grant.standing !== undefined) await changeChannels(session, grant);
  return undefined;
}

/** §3.4: a connection that shows an expired token has expired. */
async function expiredCloses(granting: Promise<ConnectGrant>, nowMs: number) {
  try {
    return unexpired(await granting, nowMs);
  } catch (error) {
    const expired =
      isRefusal(error) && (error.code === "token_expired" || error.code === "expired");
    throw expired ? new CloseError("connection_expired", error) : error;
  }
}

async function subRefresh(
  session: StreamingClient,
  request: { readonly channel: string; readonly token: string },
): Promise<Result> {
  const { authority, runtime } = session.context;
  const name = required(request.channel);
  const subscription = session.connection?.subscription(channelOf(name));
  if (subscription === undefined) {
    const detail = `The connection has no subscription to ${shown(name)}`;
    throw new StreamingError("permission_denied", "Not subscribed", detail);
  }
  if (request.token === "") throw new HubError("bad_request", "A refresh needs a token");
  const nowMs = runtime.clock.epochMs();
  const given = authority.subscribe({ token: request.token, connection: session });
  const grant = await granted(theirs(unexpired(await granted(given), nowMs), name, session));
  subscription.detail = { ...detailOf(subscription), expires: expiresOf(grant, runtime.clock) };
  session.reschedule();
  return { sub_refresh: expiry(session.context, grant.expiresAtMs) };
}
