/** The configured channel options in the core's words, and streaming's. */
import { RE2JS } from "re2js";
import type { ChannelOptions, Namespaces } from "../core/namespaces.ts";
import type { ChannelRules } from "../dialects/streaming/channel-rules.ts";
import { dialectsOf, type ChannelSettings } from "./channel-options.ts";
import { isServed, type ConfigPart } from "./part.ts";
import { joiningDialects } from "./rules.ts";
import type { BaseConfig } from "./schema.ts";

export function createNamespaces(parts: readonly ConfigPart[], config: BaseConfig): Namespaces {
  const { channel } = config;
  const joining = joiningDialects(parts, config);
  const brought = parts.flatMap((part) =>
    isServed(part, config) ? [...(part.namespaces?.(config) ?? [])] : [],
  );
  const shared = { metaTtlMs: channel.history_meta_ttl, enabled: joining };
  const named = new Map(brought);
  // After those, so that a public one has the options that it is given here.
  for (const settings of channel.namespaces) {
    named.set(settings.name, channelOptionsOf(settings, { namespace: settings.name, ...shared }));
  }
  return {
    withoutNamespace: channelOptionsOf(channel.without_namespace, { namespace: "", ...shared }),
    named,
    knowPrefixes: ["streaming"],
  };
}

export function channelOptionsOf(
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
  const { names, implied } = dialectsOf(settings, { named: namespace !== "", enabled });
  return {
    namespace,
    dialects: names,
    // Listed for a namespace by name, a dialect may join whatever the name says.
    ...(implied && names.includes("streaming") ? { openingRules: "streaming" } : {}),
    ...(size > 0 ? { history } : {}),
    presence: settings.presence,
    joinLeave: settings.join_leave,
    publicationDataFormat: settings.publication_data_format,
    own: { streaming: rulesOf(settings) },
  };
}

function rulesOf(settings: ChannelSettings): ChannelRules {
  const { channel_regex: pattern } = settings;
  const regex = pattern === "" ? undefined : RE2JS.compile(pattern);
  return {
    forcePositioning: settings.force_positioning,
    allowPositioning: settings.allow_positioning,
    forceRecovery: settings.force_recovery,
    allowRecovery: settings.allow_recovery,
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
  };
}
