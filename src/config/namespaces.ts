/** The configured channel options in the core's words. */
import { RE2JS } from "re2js";
import type { ChannelOptions, Namespaces } from "../core/namespaces.ts";
import { dialectsOf, withoutNamespace, type ChannelSettings } from "./channel-options.ts";
import { eventsNamespaces, type EventsNamespace } from "./events.ts";
import { enabledDialects, servesEvents, type Config } from "./schema.ts";

export function createNamespaces(config: Config): Namespaces {
  const { channel } = config;
  const shared = { metaTtlMs: channel.history_meta_ttl, enabled: enabledDialects(config) };
  const named = new Map<string, ChannelOptions>();
  for (const entry of servesEvents(config) ? eventsNamespaces(config.events.namespaces) : []) {
    named.set(entry.name, eventsOptionsOf(entry, channel.history_meta_ttl));
  }
  // After those, so that a public one has the options that it is given here.
  for (const settings of channel.namespaces) {
    named.set(settings.name, optionsOf(settings, { namespace: settings.name, ...shared }));
  }
  return {
    withoutNamespace: optionsOf(channel.without_namespace, { namespace: "", ...shared }),
    named,
  };
}

function optionsOf(
  settings: ChannelSettings,
  {
    namespace,
    metaTtlMs,
    enabled,
  }: {
    readonly namespace: string;
    readonly metaTtlMs: number;
    readonly enabled: readonly string[];
  },
): ChannelOptions {
  const { history_size: size, history_ttl: ttlMs } = settings;
  const history = { size, ttlMs, metaTtlMs: settings.history_meta_ttl ?? metaTtlMs };
  const regex = settings.channel_regex === "" ? undefined : RE2JS.compile(settings.channel_regex);
  return {
    namespace,
    dialects: dialectsOf(settings, { named: namespace !== "", enabled }),
    ...(size > 0 ? { history } : {}),
    forcePositioning: settings.force_positioning,
    allowPositioning: settings.allow_positioning,
    forceRecovery: settings.force_recovery,
    allowRecovery: settings.allow_recovery,
    presence: settings.presence,
    joinLeave: settings.join_leave,
    forcePushJoinLeave: settings.force_push_join_leave,
    allowSubscribeForClient: settings.allow_subscribe_for_client,
    allowSubscribeForAnonymous: settings.allow_subscribe_for_anonymous,
    allowPublishForClient: settings.allow_publish_for_client,
    allowPublishForSubscriber: settings.allow_publish_for_subscriber,
    allowPublishForAnonymous: settings.allow_publish_for_anonymous,
    allowPresenceForClient: settings.allow_presence_for_client,
    allowPresenceForSubscriber: settings.allow_presence_for_subscriber,
    allowPresenceForAnonymous: settings.allow_presence_for_anonymous,
    allowHistoryForClient: settings.allow_history_for_client,
    allowHistoryForSubscriber: settings.allow_history_for_subscriber,
    allowHistoryForAnonymous: settings.allow_history_for_anonymous,
    allowUserLimitedChannels: settings.allow_user_limited_channels,
    ...(regex === undefined
      ? {}
      : { channelRegex: { test: (name) => regex.matcher(name).find() } }),
    publicationDataFormat: settings.publication_data_format,
  };
}

/** event-streaming.md §8, §10.2: private ones open to a token alone, nobody publishes, presence is off. */
function eventsOptionsOf(entry: EventsNamespace, metaTtlMs: number): ChannelOptions {
  const { name, visibility, history_size: size, history_ttl_s: ttlS, recover } = entry;
  const open = visibility === "public";
  const closed = withoutNamespace.parse({
    dialects: ["streaming"],
    ...{ allow_subscribe_for_client: open, allow_subscribe_for_anonymous: open },
    ...(size > 0 ? { history_size: size, history_ttl: ttlS } : {}),
    force_recovery: recover && size > 0,
  });
  const options = optionsOf(closed, {
    namespace: name,
    enabled: ["streaming"],
    metaTtlMs: Math.max(metaTtlMs, ttlS * 1000),
  });
  return { ...options, owner: "events" };
}
