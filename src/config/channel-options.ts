/** The options of channels: centrifugo-protocol.md §13 in its own names, which dialects may join, and what these have options of their own for. */
import { z } from "zod";
import { duration } from "./durations.ts";
import { count, flag } from "./kinds.ts";
import type { Path, Problem } from "./problem.ts";

/** A dialect whose connections may join channels, as far as channels differ for it. */
export interface Joiner {
  readonly name: string;
  /** Its connections join channels, so that namespaces may admit it. */
  readonly joinsChannels: boolean;
  readonly channels?: OwnChannels;
}

/** What channels are to one dialect, beside what they are to all. */
export interface OwnChannels {
  /** Options that it alone has a use for. */
  readonly options?: z.ZodRawShape;
  /** A named namespace that names no dialect admits it. */
  readonly admittedUnsaid?: boolean;
  /** An unknown prefix is not a channel to it, where to others it is part of a free name. */
  readonly knowsPrefixes?: boolean;
  /** Names with a leading `$` or a `#` are its alone, where it is among those that may join by default. */
  readonly hasOpeningRules?: boolean;
  /** Its clients take bytes that are not JSON. */
  readonly takesBytes?: boolean;
  /** What it makes of the options, once. */
  rulesOf?(settings: ChannelSettings): unknown;
  /** What does not fit together. */
  problems?(settings: ChannelSettings, path: Path): Iterable<Problem>;
}

/** Names of the dialects of which this holds. */
export function joinersWith(
  joiners: readonly Joiner[],
  trait: "admittedUnsaid" | "knowsPrefixes" | "hasOpeningRules" | "takesBytes",
): readonly string[] {
  return joiners.filter(({ channels }) => channels?.[trait] === true).map(({ name }) => name);
}

const optionsOf = (joiners: readonly Joiner[]) => {
  const joining = joiners.filter(({ joinsChannels }) => joinsChannels).map(({ name }) => name);
  const [unsaid, ruling, bytes] = [
    JSON.stringify(joinersWith(joiners, "admittedUnsaid")),
    joinersWith(joiners, "hasOpeningRules").join(" and "),
    joinersWith(joiners, "takesBytes").join(" and "),
  ];
  return {
    dialects: z
      .array(z.enum(joining))
      .min(1)
      .refine((names) => new Set(names).size === names.length, "must name each dialect once")
      .optional()
      .describe(
        `Dialects that may join; a named namespace admits \`${unsaid}\` unless it says otherwise. ` +
          "Channels without one admit every dialect in development mode; elsewhere it must be said once several are enabled. " +
          `With \`${ruling}\`, names with a leading \`$\` or a \`#\` are ${ruling}'s alone, unless a named namespace lists another dialect.`,
      ),
    history_size: count(0, "Publications kept per channel, and for how long. History needs both."),
    history_ttl: duration()
      .prefault("0s")
      .describe("Publications kept per channel, and for how long. History needs both."),
    history_meta_ttl: duration()
      .optional()
      .describe("In place of `channel.history_meta_ttl`; at least `history_ttl`."),
    presence: flag(false, "Keep who is in the channel."),
    join_leave: flag(false, "Tell clients that ask of joins and leaves."),
    publication_data_format: z
      .enum(["", "json", "json_object", "binary"])
      .default("")
      .describe(
        `What data must be. Empty: any JSON, or bytes (not none) from Protobuf clients and \`b64data\`; those that are not JSON disconnect clients that speak JSON. \`json_object\`: a JSON object. \`binary\`: any bytes, also none, only where ${bytes} alone may join.`,
      ),
    ...(Object.assign({}, ...joiners.map(({ channels }) => channels?.options)) as object),
  };
};

export const withoutNamespaceOf = (joiners: readonly Joiner[]) =>
  z.strictObject(optionsOf(joiners));

export const namespaceOf = (joiners: readonly Joiner[]) =>
  z.strictObject({
    name: z
      .string()
      .regex(/^[-a-zA-Z0-9_.]{2,}$/, "must be two or more of letters, digits, `-`, `_` and `.`")
      .describe("Part of a channel's name before the first `:`."),
    ...optionsOf(joiners),
  });

export type ChannelSettings = z.output<ReturnType<typeof withoutNamespaceOf>>;

/**
 * The dialects that may join, said or implied. `named`: a namespace of its own, not `without_namespace`, whose list has to be
 * said and so says nothing of names with a `$` or `#`.
 */
export function dialectsOf(
  joiners: readonly Joiner[],
  { dialects }: ChannelSettings,
  place: { readonly named: boolean; readonly enabled: readonly string[] },
): { readonly names: readonly string[]; readonly implied: boolean } {
  const unsaid = place.named ? joinersWith(joiners, "admittedUnsaid") : place.enabled;
  return { names: dialects ?? unsaid, implied: dialects === undefined || !place.named };
}
