/** Every word for a refusal or an end that this build says, with its meaning and what each wire shows for it: one table. */
import { CONFIG_WORDS } from "../config/words.ts";
import { START_WORDS } from "../core/start-error.ts";
import { CORE_WORDS, type Explained } from "../core/words.ts";
import type { Dialect } from "./dialect.ts";
import type { ErrorsPart, Shown } from "./shown.ts";
import { SHARED_WORDS } from "./words.ts";

export interface ErrorEntry extends Explained {
  readonly word: string;
  readonly shown: readonly ShownBy[];
}

export interface ShownBy extends Omit<Shown, "word"> {
  /** The dialect, or what else shows it. */
  readonly by: string;
}

export type NamedPart = readonly [by: string, part: ErrorsPart];

/** In alphabetical order. Throws for a word that is explained twice, and for one that is shown and not explained. */
export function errorEntries(parts: readonly NamedPart[]): readonly ErrorEntry[] {
  const words = new Map<string, Explained>();
  const own = parts.map(([, part]) => part.words);
  for (const table of [CORE_WORDS, SHARED_WORDS, CONFIG_WORDS, START_WORDS, ...own]) {
    for (const [word, explained] of Object.entries(table)) {
      if (words.has(word)) throw new Error(`The word "${word}" is explained twice`);
      words.set(word, explained);
    }
  }
  const shown = new Map<string, ShownBy[]>();
  for (const [by, part] of parts) {
    for (const { word, ...row } of part.shown) {
      if (!words.has(word)) throw new Error(`The word "${word}" of ${by} is not explained`);
      const rows = shown.get(word) ?? [];
      const same = rows.some(
        (known) => known.by === by && known.as === row.as && known.code === row.code,
      );
      if (!same) shown.set(word, [...rows, { by, ...row }]);
    }
  }
  return [...words]
    .map(([word, explained]) => ({ word, ...explained, shown: shown.get(word) ?? [] }))
    .toSorted((a, b) => (a.word < b.word ? -1 : 1));
}

/** Of the listed dialects. */
export async function dialectErrors(dialects: readonly Dialect[]): Promise<readonly NamedPart[]> {
  const named = dialects.map(async ({ name, errors }) => [name, await errors?.()] as const);
  return (await Promise.all(named)).flatMap(([name, part]) =>
    part === undefined ? [] : [[name, part] as const],
  );
}

/** Those that a word, a code or a text of a wire leads to; ignoring case. */
export function findErrors(entries: readonly ErrorEntry[], asked: string): readonly ErrorEntry[] {
  const wanted = asked.toLowerCase();
  const byWord = entries.filter(({ word }) => word.toLowerCase() === wanted);
  const byWire = entries.filter(({ shown }) =>
    shown.some(({ code, text }) =>
      [code, text].some((part) => {
        const known = part?.toLowerCase();
        // Development mode's explanation stands behind it.
        return known !== undefined && (wanted === known || wanted.startsWith(`${known}: `));
      }),
    ),
  );
  return [...new Set([...byWord, ...byWire])];
}
