/** The configured channel options in the core's words, and in those of the dialects that have options of their own. */
import type { ChannelOptions, Namespaces } from "../core/namespaces.ts";
import {
  dialectsOf,
  joinersWith,
  namespaceOf,
  type ChannelSettings,
  type Joiner,
} from "./channel-options.ts";
import { isServed, type ConfigPart } from "./part.ts";
import { joiningDialects } from "./rules.ts";
import type { BaseConfig } from "./schema.ts";

export function createNamespaces(parts: readonly ConfigPart[], config: BaseConfig): Namespaces {
  const { channel } = config;
  const shared = {
    joiners: parts,
    metaTtlMs: channel.history_meta_ttl,
    enabled: joiningDialects(parts, config),
  };
  const named = new Map<string, ChannelOptions>();
  const table = namespaceOf(parts);
  for (const part of parts.filter((candidate) => isServed(candidate, config))) {
    for (const { settings, ...authority } of part.namespaces?.(config) ?? []) {
      const parsed = table.parse(settings);
      const options = channelOptionsOf(parsed, { namespace: parsed.name, ...shared });
      named.set(parsed.name, { ...options, ...authority });
    }
  }
  // After those, so that a public one has the options that it is given here.
  for (const settings of channel.namespaces) {
    named.set(settings.name, channelOptionsOf(settings, { namespace: settings.name, ...shared }));
  }
  return {
    withoutNamespace: channelOptionsOf(channel.without_namespace, { namespace: "", ...shared }),
    named,
    knowPrefixes: joinersWith(parts, "knowsPrefixes"),
  };
}

function channelOptionsOf(
  settings: ChannelSettings,
  place: {
    readonly namespace: string;
    readonly joiners: readonly Joiner[];
    readonly metaTtlMs: number;
    readonly enabled: readonly string[];
  },
): ChannelOptions {
  const { namespace, joiners, metaTtlMs, enabled } = place;
  const { history_size: size, history_ttl: ttlMs } = settings;
  const history = { size, ttlMs, metaTtlMs: settings.history_meta_ttl ?? metaTtlMs };
  const { names, implied } = dialectsOf(joiners, settings, { named: namespace !== "", enabled });
  const ruling = joinersWith(joiners, "hasOpeningRules").find((name) => names.includes(name));
  const own = joiners.flatMap(({ name, channels }) =>
    channels?.rulesOf === undefined ? [] : [[name, channels.rulesOf(settings)] as const],
  );
  return {
    namespace,
    dialects: names,
    // Listed for a namespace by name, a dialect may join whatever the name says.
    ...(implied && ruling !== undefined ? { openingRules: ruling } : {}),
    ...(size > 0 ? { history } : {}),
    presence: settings.presence,
    joinLeave: settings.join_leave,
    publicationDataFormat: settings.publication_data_format,
    own: Object.fromEntries(own),
  };
}
