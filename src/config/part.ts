/** What a dialect adds to the configuration. The whole is put together of these, so that it names none of them. */
import type { z } from "zod";
import type { ChannelOptions } from "../core/namespaces.ts";
import type { ParsedSigningKey } from "./apps.ts";
import type { Joiner } from "./channel-options.ts";
import type { Path, Problem } from "./problem.ts";
import type { BaseConfig, ParsedBase } from "./schema.ts";

/** A `use` of signing keys. */
export interface KeyUse {
  readonly use: string;
  /** Claims by which its tokens are told apart where one key serves several uses. */
  readonly marks?: readonly string[];
  /** What is wrong with such a key, beside what holds for all. */
  readonly problems?: (key: ParsedSigningKey, path: Path) => Iterable<Problem>;
  /** Its keys sign as well, and may be private ones. */
  readonly signs?: boolean;
  /** It has a secret and no algorithm to choose. */
  readonly plainSecret?: boolean;
}

/** A namespace that a dialect brings: as a file would say it, and by whose authority it stands. */
export interface BroughtNamespace extends Pick<ChannelOptions, "owner" | "openedBy"> {
  readonly settings: { readonly name: string } & Readonly<Record<string, unknown>>;
}

/** `Config`: the whole, as far as the part looks at it. */
export interface ConfigPart<Config extends BaseConfig = BaseConfig> extends Joiner {
  /** Served whatever is said. Otherwise the table of its name has `enabled`, and development mode serves it. */
  readonly always?: boolean;
  /** Tables of the file. */
  readonly sections: Readonly<Record<string, z.ZodType>>;
  readonly keyUses: readonly KeyUse[];
  /** First path segments that are its own, where no app's may be. */
  readonly reservedSegments: readonly string[];
  /** Of API keys. */
  scopes(config: Config): Iterable<string>;
  /** What does not fit together. Takes what the schema has accepted. */
  problems?(config: Parsed<Config>): Iterable<Problem>;
  /** What is allowed and yet seldom meant. */
  warnings?(config: Config): Iterable<Problem>;
  /** Namespaces that it brings; what the configuration says of the same one wins. */
  namespaces?(config: Config): readonly BroughtNamespace[];
  /** Tables of development mode. */
  readonly development?: Readonly<Record<string, object>>;
  /** Keys of development mode, by use; what is absent is the well-known secret. */
  readonly developmentKeys?: readonly Readonly<Record<string, string>>[];
}

export type Parsed<Config> = Omit<Config, "api_keys" | "signing_keys"> &
  Pick<ParsedBase, "api_keys" | "signing_keys">;

/** Whether the dialect is served. */
export function isServed(part: ConfigPart, config: Pick<ParsedBase, "development">): boolean {
  if (part.always === true || config.development) return true;
  const section = (config as Readonly<Record<string, unknown>>)[part.name];
  return (section as { readonly enabled?: unknown } | undefined)?.enabled === true;
}
