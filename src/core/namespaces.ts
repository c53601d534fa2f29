/**
 * Namespaces: which options a channel has and which dialects may join it, both decided by its name alone.
 * The permissions among the options are for dialects to apply; the hub applies history, presence and join/leave.
 */
import type { HistoryLimits } from "./engine.ts";

/** Named as in Centrifugo's configuration (centrifugo-protocol.md §13), in this code's spelling. */
export interface ChannelOptions {
  /** The namespace's own name; `""` for channels without one. */
  readonly namespace: string;
  /** Dialects whose connections may join. `implied`: nothing was said, so names with a leading `$` or any `#` stay streaming's. */
  readonly dialects: { readonly names: readonly string[]; readonly implied: boolean };
  /** Absent: the channel keeps no history. */
  readonly history?: HistoryLimits;
  readonly forcePositioning: boolean;
  readonly allowPositioning: boolean;
  readonly forceRecovery: boolean;
  readonly allowRecovery: boolean;
  readonly presence: boolean;
  readonly joinLeave: boolean;
  readonly forcePushJoinLeave: boolean;
  readonly allowSubscribeForClient: boolean;
  readonly allowSubscribeForAnonymous: boolean;
  readonly allowPublishForClient: boolean;
  readonly allowPublishForSubscriber: boolean;
  readonly allowPublishForAnonymous: boolean;
  readonly allowPresenceForClient: boolean;
  readonly allowPresenceForSubscriber: boolean;
  readonly allowPresenceForAnonymous: boolean;
  readonly allowHistoryForClient: boolean;
  readonly allowHistoryForSubscriber: boolean;
  readonly allowHistoryForAnonymous: boolean;
  readonly allowUserLimitedChannels: boolean;
  /** Must match somewhere in the name's part behind the namespace; absent: that part is ASCII. */
  readonly channelRegex?: { test(name: string): boolean };
  readonly publicationDataFormat: "json" | "json_object" | "binary";
}

export interface Namespaces {
  readonly withoutNamespace: ChannelOptions;
  readonly named: ReadonlyMap<string, ChannelOptions>;
}

/** Marks a channel that only a subscription token opens. */
export const PRIVATE_PREFIX = "$";
const BOUNDARY = ":";

/** The part before the first `:` behind a leading `$`; undefined without one. */
export function namespaceOf(name: string): string | undefined {
  const start = name.startsWith(PRIVATE_PREFIX) ? PRIVATE_PREFIX.length : 0;
  const end = name.indexOf(BOUNDARY, start);
  return end < 0 ? undefined : name.slice(start, end);
}

/** The options of a channel for servers' calls, which no dialect restricts; undefined when the namespace does not exist. */
export function optionsOf(namespaces: Namespaces, name: string): ChannelOptions | undefined {
  const namespace = namespaceOf(name);
  return namespace === undefined ? namespaces.withoutNamespace : namespaces.named.get(namespace);
}

/**
 * The options under which connections of `dialect` may join the channel; undefined when they may not.
 * Only streaming knows prefixes: to the other dialects an unknown one is part of a free name.
 */
export function joinableOptions(
  namespaces: Namespaces,
  name: string,
  dialect: string,
): ChannelOptions | undefined {
  const named = optionsOf(namespaces, name);
  const options = named ?? (dialect === "streaming" ? undefined : namespaces.withoutNamespace);
  if (options === undefined || !options.dialects.names.includes(dialect)) return undefined;
  const streamingOnly = name.startsWith(PRIVATE_PREFIX) || name.includes("#");
  return streamingOnly && options.dialects.implied && dialect !== "streaming" ? undefined : options;
}
