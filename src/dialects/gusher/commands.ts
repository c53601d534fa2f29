/** What each command does and answers (§5.3 to §5.7). */
import { claimsText, shortened } from "../../auth/claims-text.ts";
import { HubError } from "../../core/errors.ts";
import { joinableOptions } from "../../core/namespaces.ts";
import { CHANNELS, type Channel } from "../../core/types.ts";
import { encoder, type Command, type RequestedChannels } from "./codec.ts";
import { SUBSCRIBE_FAILURES } from "./errors.ts";
import { isGranted, isGrantedLiterally } from "./grants.ts";
import type { GusherClient, RefusalAbout } from "./client.ts";

export function runCommand(session: GusherClient, command: Command): void | Promise<void> {
  switch (command.event) {
    case "gusher.subscribe":
      return subscribe(session, command.channel);
    case "gusher.multi_subscribe":
      return multiSubscribe(session, command.channels);
    case "gusher.unsubscribe":
      return unsubscribe(session, command.channel);
    case "gusher.querychannel":
      return session.reply("gusher.querychannel_succeeded", dataOf({ channels: session.grants }));
    case "gusher.ping":
      return ping(session, command.data);
    case "gusher.remote":
      return remote(session, command);
  }
}

/** §5.3: a repetition succeeds again, and one subscription is all there is. */
async function subscribe(session: GusherClient, name: string): Promise<void> {
  const { connection, member } = session;
  const data = { channel: name };
  const channel = channelOf(name);
  const refuse = (why: Why) =>
    session.refuse("gusher.subscribe_error", data, { ...why, channel: name });
  const succeed = () => session.reply("gusher.subscribe_succeeded", dataOf(data));
  if (!isCovered(session, name)) return refuse(notGranted(session, name));
  if (!isJoinable(session, name)) return refuse(notJoinable(name));
  if (connection.subscription(channel) !== undefined) return succeed();
  if (!hasRoom(session, 1)) return refuse(NO_ROOM);
  try {
    await connection.subscribe(channel, { encoder, member }, succeed);
  } catch (error) {
    fail(session, error, refuse);
  }
}

/** §5.4: all or nothing. No publication of the channels passes the answer: the socket is held until it is sent. */
async function multiSubscribe(
  session: GusherClient,
  { names, malformed }: RequestedChannels,
): Promise<void> {
  const { connection, member } = session;
  const data = { channel: names };
  const refuse = (why: Why, channel?: string) =>
    session.refuse("gusher.multi_subscribe_error", data, {
      ...why,
      ...(channel === undefined ? {} : { channel }),
    });
  if (names.length === 0 || malformed) return refuse(NO_LIST);
  const forbidden = names.find((name) => !isListed(session, name));
  if (forbidden !== undefined) return refuse(notGranted(session, forbidden), forbidden);
  const elsewhere = names.find((name) => !isJoinable(session, name));
  if (elsewhere !== undefined) return refuse(notJoinable(elsewhere), elsewhere);
  const missing = [...new Set(names)]
    .map(channelOf)
    .filter((channel) => connection.subscription(channel) === undefined);
  if (!hasRoom(session, missing.length)) return refuse(NO_ROOM);
  member.hold();
  try {
    const joining = missing.map((channel) =>
      connection.subscribe(channel, { encoder, member }, () => {}),
    );
    const joined = await Promise.allSettled(joining);
    const failed = joined.find((result) => result.status === "rejected");
    if (failed === undefined)
      return session.reply("gusher.multi_subscribe_succeeded", dataOf(data));
    await Promise.all(missing.map((channel) => connection.unsubscribe(channel)));
    fail(session, failed.reason, refuse);
  } finally {
    member.release();
  }
}

/** For the log. */
type Why = Omit<RefusalAbout, "channel">;
const NO_LIST: Why = {
  word: "bad_request",
  detail: "The list must hold at least one channel name, each a string",
};
const NO_ROOM: Why = {
  word: "channel_limit",
  detail: "The connection has channel_limit subscriptions already",
};

/** Of a channel's name, in the log. */
const NAME_CHARACTERS_MAX = 200;

function notGranted(session: GusherClient, name: string): Why {
  const opening = `No entry of the token's claim "gusher.channels" allows ${shown(name)}`;
  return { word: "permission_denied", detail: `${opening}; ${claimsOf(session)}` };
}

function remoteNotGranted(session: GusherClient, name: string): Why {
  const opening = `The token's claim "gusher.remotes" does not have ${shown(name)} as true`;
  return { word: "permission_denied", detail: `${opening}; ${claimsOf(session)}` };
}

function notJoinable(name: string): Why {
  const detail = `The channel's name is too long, or its namespace does not admit gusher: ${shown(name)}`;
  return { word: "unknown_channel", detail };
}

/** The claims themselves are gone: a connection has what was granted by them. */
function claimsOf({ userId: user_id, grants: channels, remotes }: GusherClient): string {
  return claimsText({ user_id, channels, remotes }, "user_id");
}

function shown(name: string): string {
  return shortened(name, NAME_CHARACTERS_MAX);
}

/** §5.5: succeeds by the grant alone, whether or not there was a subscription (K11). */
async function unsubscribe(session: GusherClient, name: string): Promise<void> {
  const data = { channel: name };
  if (!isCovered(session, name)) {
    const about = { ...notGranted(session, name), channel: name };
    return session.refuse("gusher.unsubscribe_error", data, about);
  }
  await session.connection.unsubscribe(channelOf(name));
  session.reply("gusher.unsubscribe_succeeded", dataOf(data));
}

/** §5.6. */
function ping(session: GusherClient, data: Extract<Command, { event: "gusher.ping" }>["data"]) {
  const { settings, runtime } = session.context;
  const time = Math.floor(runtime.clock.epochMs() / 1000);
  if (!settings.strict_ping) return session.reply("gusher.pong_succeeded", data.raw, { time });
  const { source, kind } = data;
  const bytes = Buffer.from(kind === "string" ? source.slice(1, -1) : source);
  session.reply("gusher.querychannel_succeeded", dataOf(bytes.toString("base64")), { time });
}

/** §5.7, §8: the job's members are in the original's order, and the payload is spliced in as it came. A job that cannot be queued drops the connection. */
async function remote(
  session: GusherClient,
  command: Extract<Command, { event: "gusher.remote" }>,
): Promise<void> {
  const { context, userId, connectionId, remotes } = session;
  const { remote: name, uid, payload, debug } = command;
  const data = { remote: name, msg: null };
  // Queues are named in UTF-8, which has no form for half a surrogate pair: two such names would be one queue.
  const allowed = name.isWellFormed() && Object.hasOwn(remotes, name) && remotes[name] === true;
  if (!allowed) {
    return session.refuse("gusher.remote_error", data, remoteNotGranted(session, name));
  }
  const appKey = context.hub.app;
  const about = dataOf({ user_id: userId, socket_id: connectionId, uid, app_key: appKey });
  const job = `${about.slice(0, -1)},"data":${payload}}`;
  try {
    const { queue, jobLists } = context;
    if (jobLists === undefined) await queue.add(`${appKey}@${name}`, { payload: job });
    else await jobLists.push(name, job);
  } catch (error) {
    if (error instanceof HubError && error.code === "limit_exceeded") {
      session.limitHit("queue_jobs_max");
    }
    throw error;
  }
  if (debug) session.reply("gusher.remote_succeeded", dataOf(data));
}

/** Whether the grants allow the name (§5.3). */
export function isCovered({ grants, context }: GusherClient, name: string): boolean {
  return isGranted(grants, name, { starEmpty: context.settings.grant_star_empty });
}

/** The same for a name in a list, where the original knows no globs (D2). */
function isListed(session: GusherClient, name: string): boolean {
  return session.context.settings.strict_multi_subscribe
    ? isGrantedLiterally(session.grants, name)
    : isCovered(session, name);
}

/** Whether there is such a channel for this dialect, whatever the grants say. */
function isJoinable(session: GusherClient, name: string): boolean {
  const { hub, channelBytesMax } = session.context;
  if (Buffer.byteLength(name) <= channelBytesMax) {
    return joinableOptions(hub.namespaces, name, "gusher") !== undefined;
  }
  session.limitHit("channel.max_length");
  return false;
}

function hasRoom(session: GusherClient, more: number): boolean {
  const { connection, context } = session;
  if (connection.subscriptionCount + more <= context.settings.channel_limit) return true;
  session.limitHit("channel_limit");
  return false;
}

/** A subscribe that the hub refused: answered so, or the connection ends and its client comes back. */
function fail(session: GusherClient, error: unknown, refuse: (why: Why) => void): void {
  if (!(error instanceof HubError)) throw error;
  const failure = SUBSCRIBE_FAILURES[error.code];
  if (failure === "refused") return refuse({ word: error.code, detail: error.message });
  session.report(error, "subscribing");
  session.disconnect({ disconnect: failure });
}

function channelOf(name: string): Channel {
  return { space: CHANNELS, name };
}

function dataOf(value: unknown): string {
  return JSON.stringify(value);
}
