/** The options of channels that this dialect alone has a use for: centrifugo-protocol.md §13 in its own names. */
import { z } from "zod";
import type { ChannelSettings, OwnChannels } from "../../config/channel-options.ts";
import { flag } from "../../config/kinds.ts";
import type { Path, Problem } from "../../config/problem.ts";
import { loadRe2 } from "../../core/re2.ts";

/** Longer expressions are a mistake, and cost memory per namespace. */
const CHANNEL_REGEX_CHARACTERS_MAX = 1024;

const regex = z
  .string()
  .max(CHANNEL_REGEX_CHARACTERS_MAX)
  .superRefine((pattern, context) => {
    try {
      loadRe2().compile(pattern);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      context.addIssue({ code: "custom", message: `must be an RE2 expression: ${reason}` });
    }
  });

const off = (description: string) => flag(false, description);

/** Of keys that belong together, which the reference page tells of once. */
const forAnonymous = off("Extends the permissions of clients and subscribers to anonymous ones.");
const forClient = off(
  "A client with a user may subscribe without a token, publish, ask who is there, read the history.",
);
const forSubscriber = off("A subscribed client may publish, ask who is there, read the history.");
const positioning = off(
  "Tell every subscription, or those that ask, when it missed a publication. The first needs history.",
);
const recovery = off(
  "Every subscription, or those that ask, recover what they missed. The first needs history.",
);

const options = {
  force_positioning: positioning,
  allow_positioning: positioning,
  force_recovery: recovery,
  allow_recovery: recovery,
  force_push_join_leave: off("Tell every subscriber of joins and leaves."),
  allow_subscribe_for_client: forClient,
  allow_subscribe_for_anonymous: forAnonymous,
  allow_publish_for_client: forClient,
  allow_publish_for_subscriber: forSubscriber,
  allow_publish_for_anonymous: forAnonymous,
  allow_presence_for_client: forClient,
  allow_presence_for_subscriber: forSubscriber,
  allow_presence_for_anonymous: forAnonymous,
  allow_history_for_client: forClient,
  allow_history_for_subscriber: forSubscriber,
  allow_history_for_anonymous: forAnonymous,
  allow_user_limited_channels: off(
    "Only the users after the last `#` of a name such as `chat#41,42` may subscribe.",
  ),
  channel_regex: regex
    .default("")
    .describe(
      "RE2 expression that the name behind the namespace must match. Empty: it must be ASCII.",
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
    const compiled = loadRe2().compile(pattern);
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
