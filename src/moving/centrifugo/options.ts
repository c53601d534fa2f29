/**
 * Every option of Centrifugo 5 and 6, as `options.json` has them: which there are, and what becomes of each. Those of version 5 are names
 * for those of version 6. Source: `internal/config` and `internal/configtypes` of v6.0.0 to v6.9.1, `main.go` and `internal/rule` of v5.4.9.
 */
import table from "./options.json" with { type: "json" };

/** What becomes of an option. */
export interface Rule {
  /** A key of Carillon's with the same meaning; with `[]` as the option's own path has it. */
  readonly to?: string;
  /** The part of the translation that looks at it. */
  readonly by?: string;
  /** There is no counterpart: a sentence on what there is instead. */
  readonly none?: string;
  /** It needs no option: a sentence on how it is. */
  readonly always?: string;
  /** The value of which nothing is said. */
  readonly unless?: string;
}

/** A name of version 5: of an option of version 6, or of one that was dropped. */
export type Former = { readonly path: string } | { readonly none: string };

interface Group extends Omit<Rule, "unless"> {
  readonly table?: string;
  readonly prefix?: string;
  readonly keys: string;
  readonly unless?: Readonly<Record<string, string | undefined>>;
}

const SHAPES: Readonly<Record<string, string>> = table.shapes;

/** By path; what is in a list has its list with `[]` in front. */
export const OPTIONS: ReadonlyMap<string, Rule> = optionsOf(table.v6);
/** By name; what is in a list, by its list of version 6 and the name. */
export const FORMER: ReadonlyMap<string, Former> = formerOf(table.v5);
/** Paths of lists of tables, without their `[]`. */
export const LISTS: ReadonlySet<string> = new Set(
  [...OPTIONS.keys()].flatMap((path) => /^(.*)\[\]\./.exec(path)?.[1] ?? []),
);

/** Each key of the group with its new name, shapes taken apart. */
function* keysOf(keys: string): Iterable<readonly [key: string, renamed: string]> {
  for (const word of keys.split(" ")) {
    const [, before, shape] = /^(.*)@(\w+)$/.exec(word) ?? [];
    if (shape === undefined) {
      const [key = word, renamed = key] = word.split("=");
      yield [key, renamed];
      continue;
    }
    for (const [key] of keysOf(SHAPES[shape] ?? "")) yield [before + key, before + key];
  }
}

function optionsOf(groups: readonly Group[]): Map<string, Rule> {
  const options = new Map<string, Rule>();
  for (const { table: tables = "", keys, to, unless, ...rule } of groups) {
    for (const within of tables.split(" ")) {
      for (const [key, renamed] of keysOf(keys)) {
        const silent = unless?.[key];
        options.set(joined(within, key), {
          ...rule,
          ...(to === undefined ? {} : { to: joined(to, renamed) }),
          ...(silent === undefined ? {} : { unless: silent }),
        });
      }
    }
  }
  return options;
}

function formerOf(groups: readonly Group[]): Map<string, Former> {
  const former = new Map<string, Former>();
  for (const { table: within = "", prefix = "", keys, none } of groups) {
    const inList = within.endsWith("[]");
    for (const [key, renamed] of keysOf(keys)) {
      const name = inList ? joined(within, prefix + key) : prefix + key;
      former.set(name, none === undefined ? { path: joined(within, renamed) } : { none });
    }
  }
  return former;
}

function joined(within: string, key: string): string {
  return within === "" ? key : `${within}.${key}`;
}
