/** The options of channels: centrifugo-protocol.md §13 in its own names, and which dialects may join. */
import { RE2JS } from "re2js";
import { z } from "zod";
import { duration } from "./durations.ts";

/** Longer expressions are a mistake, and cost memory per namespace. */
const CHANNEL_REGEX_CHARACTERS_MAX = 1024;

const flag = (description: string) => z.boolean().default(false).describe(description);

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

/** `joining`: names of the dialects that may be admitted. */
const optionsOf = (joining: readonly string[]) => ({
  dialects: z
    .array(z.enum(joining))
    .min(1)
    .refine((names) => new Set(names).size === names.length, "must name each dialect once")
    .optional()
    .describe(
      'Dialects whose connections may join. A named namespace admits `["streaming"]` unless it says otherwise. ' +
        "Channels without a namespace admit every enabled dialect in development mode; elsewhere it must be said once more than one is enabled. " +
        "Where `streaming` is among them, names with a leading `$` or a `#` are streaming's alone, unless a named namespace lists another dialect.",
    ),
  history_size: z
    .int()
    .min(0)
    .default(0)
    .describe("Publications kept per channel; 0: no history. Needs `history_ttl`."),
  history_ttl: duration()
    .prefault("0s")
    .describe("How long a publication is kept. Needs `history_size`."),
  history_meta_ttl: duration()
    .optional()
    .describe(
      "How long a stream's epoch and top offset outlive its last publication, at least `history_ttl`. Default: `channel.history_meta_ttl`.",
    ),
  force_positioning: flag(
    "Every subscription is told when it missed a publication. Needs history.",
  ),
  allow_positioning: flag("A client may ask to be told when it missed a publication."),
  force_recovery: flag("Every subscription recovers what it missed. Needs history."),
  allow_recovery: flag("A client may ask to recover what it missed."),
  presence: flag("Keep who is in the channel."),
  join_leave: flag("Tell of joins and leaves to the clients that ask for it."),
  force_push_join_leave: flag("Tell of joins and leaves to every subscriber."),
  allow_subscribe_for_client: flag("Any client with a user may subscribe without a token."),
  allow_subscribe_for_anonymous: flag("Widens `allow_subscribe_for_client` to anonymous clients."),
  allow_publish_for_client: flag("Any client with a user may publish."),
  allow_publish_for_subscriber: flag("A client that is subscribed may publish."),
  allow_publish_for_anonymous: flag("Widens the permissions to publish to anonymous clients."),
  allow_presence_for_client: flag("Any client with a user may ask who is in the channel."),
  allow_presence_for_subscriber: flag("A client that is subscribed may ask who is in the channel."),
  allow_presence_for_anonymous: flag("Widens the permissions for presence to anonymous clients."),
  allow_history_for_client: flag("Any client with a user may read the history."),
  allow_history_for_subscriber: flag("A client that is subscribed may read the history."),
  allow_history_for_anonymous: flag("Widens the permissions for history to anonymous clients."),
  allow_user_limited_channels: flag(
    "The user ids behind the last `#` of a channel's name, separated by commas, may subscribe, and nobody else.",
  ),
  channel_regex: regex
    .default("")
    .describe(
      "RE2 expression that must match in the channel's name behind the namespace. Empty: that part must be ASCII.",
    ),
  publication_data_format: z
    .enum(["", "json", "json_object", "binary"])
    .default("")
    .describe(
      "What a publication's data must be. Empty: any JSON or, from Protobuf clients and `b64data`, any bytes but none; clients whose protocol is JSON are disconnected by bytes that are not. `json`: any JSON. `json_object`: a JSON object. `binary`: any bytes and none at all, only where streaming alone may join.",
    ),
});

export const withoutNamespaceOf = (joining: readonly string[]) =>
  z.strictObject(optionsOf(joining));

export const namespaceOf = (joining: readonly string[]) =>
  z.strictObject({
    name: z
      .string()
      .regex(/^[-a-zA-Z0-9_.]{2,}$/, "must be two or more of letters, digits, `-`, `_` and `.`")
      .describe("The part of a channel's name before the first `:`."),
    ...optionsOf(joining),
  });

export type ChannelSettings = z.output<ReturnType<typeof withoutNamespaceOf>>;

/**
 * The dialects that may join, said or implied. `named`: a namespace of its own, not `without_namespace`, whose list has to be
 * said and so says nothing of names with a `$` or `#`.
 */
export function dialectsOf(
  settings: ChannelSettings,
  place: { readonly named: boolean; readonly enabled: readonly string[] },
): { readonly names: readonly string[]; readonly implied: boolean } {
  const { dialects } = settings;
  const names = dialects ?? (place.named ? ["streaming"] : place.enabled);
  return { names, implied: dialects === undefined || !place.named };
}
