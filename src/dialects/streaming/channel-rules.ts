/** Which channel names there are and who may do what in them, by name and options alone (centrifugo-protocol.md §4.1, §6, §12). */
import { HubError } from "../../core/errors.ts";
import {
  isOpenedBy,
  joinableOptions,
  PRIVATE_PREFIX,
  USER_BOUNDARY,
  type ChannelOptions,
  type Namespaces,
} from "../../core/namespaces.ts";
import type { ChannelRules } from "./channel-options.ts";
import { StreamingError } from "./errors.ts";

const USER_SEPARATOR = ",";

/** Every channel that this dialect may join has them (src/config/namespaces.ts). */
export function rulesOf({ own }: ChannelOptions): ChannelRules {
  return own["streaming"] as ChannelRules;
}

export interface Asker {
  readonly userId: string;
  readonly subscribed: boolean;
  readonly insecure: boolean;
}

/** For what the server subscribes to, and tokens name: any name that streaming may join. Throws `unknown_channel`. */
export function serverChannelOptions(namespaces: Namespaces, name: string): ChannelOptions {
  const options = joinableOptions(namespaces, name, "streaming");
  if (options === undefined)
    throw new StreamingError("unknown_channel", "Unknown channel namespace");
  return options;
}

/** For what clients name. Throws `bad_request` too: a name that its namespace does not take. */
export function channelOptions(namespaces: Namespaces, name: string): ChannelOptions {
  const options = serverChannelOptions(namespaces, name);
  const start = (isPrivate(name) ? PRIVATE_PREFIX.length : 0) + prefixLength(options);
  const rest = name.slice(start);
  const { channelRegex } = rulesOf(options);
  if (channelRegex === undefined ? !isAscii(rest) : !channelRegex.test(rest)) {
    throw new HubError("bad_request", "The namespace does not take this channel name");
  }
  return options;
}

function prefixLength({ namespace }: ChannelOptions): number {
  return namespace === "" ? 0 : namespace.length + 1;
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) return false;
  return true;
}

export function isPrivate(name: string): boolean {
  return name.startsWith(PRIVATE_PREFIX);
}

/**
 * The users named behind the last `#`; undefined when the channel is not limited to any. A list with an empty id names
 * nobody: the anonymous are not a user, and who wrote `#alice,` meant somebody else too.
 */
export function channelUsers(name: string, options: ChannelOptions): readonly string[] | undefined {
  if (!rulesOf(options).allow_user_limited_channels) return undefined;
  const boundary = name.lastIndexOf(USER_BOUNDARY);
  if (boundary < 0) return undefined;
  const users = name.slice(boundary + 1).split(USER_SEPARATOR);
  return users.includes("") ? [] : users;
}

/** Undefined: the id would be read as several users, or as a part of the name, and the channel be another's too. */
export function personalChannel(namespace: string, userId: string): string | undefined {
  if (userId.includes(USER_BOUNDARY) || userId.includes(USER_SEPARATOR)) return undefined;
  return namespace === "" ? `${USER_BOUNDARY}${userId}` : `${namespace}:${USER_BOUNDARY}${userId}`;
}

/** Without a token: §4.1 rules 8, 10 and 13 to 15. */
export function maySubscribe(name: string, options: ChannelOptions, asker: Asker): boolean {
  if (isPrivate(name) || !isOpenedBy(options, undefined)) return false;
  const users = channelUsers(name, options);
  if (users !== undefined) return users.includes(asker.userId) || asker.insecure;
  const rules = rulesOf(options);
  return (
    asker.insecure ||
    (rules.allow_subscribe_for_client &&
      (asker.userId !== "" || rules.allow_subscribe_for_anonymous))
  );
}

export function mayPublish(options: ChannelOptions, asker: Asker): boolean {
  const rules = rulesOf(options);
  return may(options, asker, {
    client: rules.allow_publish_for_client,
    subscriber: rules.allow_publish_for_subscriber,
    anonymous: rules.allow_publish_for_anonymous,
  });
}

export function mayReadPresence(options: ChannelOptions, asker: Asker): boolean {
  const rules = rulesOf(options);
  return may(options, asker, {
    client: rules.allow_presence_for_client,
    subscriber: rules.allow_presence_for_subscriber,
    anonymous: rules.allow_presence_for_anonymous,
  });
}

export function mayReadHistory(options: ChannelOptions, asker: Asker): boolean {
  const rules = rulesOf(options);
  return may(options, asker, {
    client: rules.allow_history_for_client,
    subscriber: rules.allow_history_for_subscriber,
    anonymous: rules.allow_history_for_anonymous,
  });
}

function may(
  { owner }: ChannelOptions,
  { userId, subscribed, insecure }: Asker,
  allow: { client: boolean; subscriber: boolean; anonymous: boolean },
): boolean {
  // What belongs to another dialect is not streaming's to open up.
  if (insecure && owner === undefined) return true;
  const granted = allow.client || (allow.subscriber && subscribed);
  return granted && (userId !== "" || allow.anonymous);
}
