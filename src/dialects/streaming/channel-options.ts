/** The options of channels that this dialect alone has a use for: centrifugo-protocol.md §13 in its own names. */
import { RE2JS } from "re2js";
import { z } from "zod";
import type { ChannelSettings, OwnChannels } from "../../config/channel-options.ts";
import { flag } from "../../config/kinds.ts";
import type { Path, Problem } from "../../config/problem.ts";

/** Longer expressions are a mistake, and cost memory per namespace. */
const CHANNEL_REGEX_CHARACTERS_MAX = 1024;

const regex = z
  .string()
  .max(CHANNEL_REGEX_CHARACTERS_MAX)
  .superRefine((pattern, context) => {
    try {
      RE2JS.compile(pattern);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      context.addIssue({ code: "custom", message: `must be an RE2 expression: ${reason}` });
    }
  });

const off = (description: string) => flag(false, description);

const options = {
  force_positioning: off("Every subscription is told when it missed a publication. Needs history."),
  allow_positioning: off("A client may ask to be told when it missed a publication."),
  force_recovery: off("Every subscription recovers what it missed. Needs history."),
  allow_recovery: off("A client may ask to recover what it missed."),
  force_push_join_leave: off("Tell of joins and leaves to every subscriber."),
  allow_subscribe_for_client: off("Any client with a user may subscribe without a token."),
  allow_subscribe_for_anonymous: off("Widens `allow_subscribe_for_client` to anonymous clients."),
  allow_publish_for_client: off("Any client with a user may publish."),
  allow_publish_for_subscriber: off("A client that is subscribed may publish."),
  allow_publish_for_anonymous: off("Widens the permissions to publish to anonymous clients."),
  allow_presence_for_client: off("Any client with a user may ask who is in the channel."),
  allow_presence_for_subscriber: off("A client that is subscribed may ask who is in the channel."),
  allow_presence_for_anonymous: off("Widens the permissions for presence to anonymous clients."),
  allow_history_for_client: off("Any client with a user may read the history."),
  allow_history_for_subscriber: off("A client that is subscribed may read the history."),
  allow_history_for_anonymous: off("Widens the permissions for history to anonymous clients."),
  allow_user_limited_channels: off(
    "The user ids behind the last `#` of a channel's name, separated by commas, may subscribe, and nobody else.",
  ),
  channel_regex: regex
    .default("")
    .describe(
      "RE2 expression that must match in the channel's name behind the namespace. Empty: that part must be ASCII.",
    ),
};

type OwnSettings = ChannelSettings & z.output<z.ZodObject<typeof options>>;

/** A channel's options as this dialect reads them. */
export type ChannelRules = Omit<z.output<z.ZodObject<typeof options>>, "channel_regex"> & {
  /** Must match somewhere in the name's part behind the namespace; absent: that part is ASCII. */
  readonly channelRegex?: { test(name: string): boolean };
};

export const channels: OwnChannels = {
  options,
  admittedUnsaid: true,
  knowsPrefixes: true,
  hasOpeningRules: true,
  takesBytes: true,

  rulesOf({ channel_regex: pattern, ...settings }: OwnSettings): ChannelRules {
    if (pattern === "") return settings;
    const compiled = RE2JS.compile(pattern);
    return { ...settings, channelRegex: { test: (name) => compiled.matcher(name).find() } };
  },

  *problems(settings: OwnSettings, path: Path): Iterable<Problem> {
    if (settings.history_size > 0 || settings.history_ttl > 0) return;
    for (const forced of ["force_recovery", "force_positioning"] as const) {
      if (!settings[forced]) continue;
      yield { path: [...path, forced], message: 'needs "history_size" and "history_ttl"' };
    }
  },
};
