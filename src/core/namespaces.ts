/**
 * Namespaces: which options a channel has and which dialects may join it, both decided by its name alone.
 * The permissions among the options are for dialects to apply; the hub applies history, presence and join/leave.
 */
import type { HistoryLimits } from "./engine.ts";
import type { Reach } from "./types.ts";

/** Named as in Centrifugo's configuration (centrifugo-protocol.md §13), in this code's spelling. */
export interface ChannelOptions {
  /** The namespace's own name; `""` for channels without one. */
  readonly namespace: string;
  /**
   * Dialects whose connections may join. `implied`: not listed for these channels in particular, so that names with a
   * leading `$` or any `#` stay streaming's, where it is among them.
   */
  readonly dialects: { readonly names: readonly string[]; readonly implied: boolean };
  /** The dialect whose calls alone reach the channel and, unless any client may subscribe, whose authority alone opens it. */
  readonly owner?: string;
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
  /** `""`: JSON, and from Protobuf clients and servers bytes of any kind, save none at all; `binary` takes these too. */
  readonly publicationDataFormat: "" | "json" | "json_object" | "binary";
}

export interface Namespaces {
  readonly withoutNamespace: ChannelOptions;
  readonly named: ReadonlyMap<string, ChannelOptions>;
}

/** Marks a channel that only a subscription token opens. */
export const PRIVATE_PREFIX = "$";
/** Marks the users that may join, behind it. */
export const USER_BOUNDARY = "#";
const BOUNDARY = ":";

/** The part before the first `:` behind a leading `$`; undefined without one, or when it is empty. */
export function namespaceOf(name: string): string | undefined {
  const start = name.startsWith(PRIVATE_PREFIX) ? PRIVATE_PREFIX.length : 0;
  const end = name.indexOf(BOUNDARY, start);
  return end <= start ? undefined : name.slice(start, end);
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
  const { names, implied } = options.dialects;
  const isStreamings = implied && names.includes("streaming") && hasOpeningRule(name);
  return isStreamings && dialect !== "streaming" ? undefined : options;
}

/** A token opens `$…`, and the users named behind a `#` may join: what streaming's clients count on. */
function hasOpeningRule(name: string): boolean {
  return name.startsWith(PRIVATE_PREFIX) || name.includes(USER_BOUNDARY);
}

/** Whether a call with this reach may push to the channel, and see it in lists: the one rule for every dialect's API. */
export function isReachable(namespaces: Namespaces, name: string, reach: Reach): boolean {
  if (reach === "all") return true;
  const owner = optionsOf(namespaces, name)?.owner;
  if (owner !== undefined) return reach.includes(owner);
  return reach.some((dialect) => joinableOptions(namespaces, name, dialect) !== undefined);
}

/** Whether a grant of this authority, or none, may open the channel. */
export function isOpenedBy(
  { owner, allowSubscribeForClient }: ChannelOptions,
  authority: string | undefined,
): boolean {
  return owner === undefined || allowSubscribeForClient || owner === authority;
}
