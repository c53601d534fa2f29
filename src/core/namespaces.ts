/**
 * Namespaces: which options a channel has and which dialects may join it, both decided by its name alone.
 * What only one dialect has a use for is in `own`, and that dialect's.
 */
import type { HistoryLimits } from "./engine.ts";
import type { Reach } from "./types.ts";

/** What holds in a channel for every dialect. */
export interface ChannelOptions {
  /** The namespace's own name; `""` for channels without one. */
  readonly namespace: string;
  /** Dialects whose connections may join. */
  readonly dialects: readonly string[];
  /** The dialect whose alone the names with a leading `$` or any `#` are. Absent: they are names like others. */
  readonly openingRules?: string;
  /** The dialect whose calls alone reach the channel. */
  readonly owner?: string;
  /** The dialect whose authority alone opens the channel. */
  readonly openedBy?: string;
  /** Absent: the channel keeps no history. */
  readonly history?: HistoryLimits;
  readonly presence: boolean;
  readonly joinLeave: boolean;
  /** `""`: JSON, and from Protobuf clients and servers bytes of any kind, save none at all; `binary` takes these too. */
  readonly publicationDataFormat: "" | "json" | "json_object" | "binary";
  /** What one dialect alone asks for, by its name. */
  readonly own: Readonly<Record<string, unknown>>;
}

export interface Namespaces {
  readonly withoutNamespace: ChannelOptions;
  readonly named: ReadonlyMap<string, ChannelOptions>;
  /** Dialects to which an unknown prefix is not a channel; to the others it is part of a free name. */
  readonly knowPrefixes: readonly string[];
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

/** The options under which connections of `dialect` may join the channel; undefined when they may not. */
export function joinableOptions(
  namespaces: Namespaces,
  name: string,
  dialect: string,
): ChannelOptions | undefined {
  const { knowPrefixes, withoutNamespace } = namespaces;
  const free = knowPrefixes.includes(dialect) ? undefined : withoutNamespace;
  const options = optionsOf(namespaces, name) ?? free;
  if (options === undefined || !options.dialects.includes(dialect)) return undefined;
  const { openingRules = dialect } = options;
  return openingRules !== dialect && hasOpeningRule(name) ? undefined : options;
}

/** A token opens `$…`, and the users named behind a `#` may join. */
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
export function isOpenedBy({ openedBy }: ChannelOptions, authority: string | undefined): boolean {
  return openedBy === undefined || openedBy === authority;
}
