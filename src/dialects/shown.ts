/** How a dialect tells what its wire shows for each word. */
import type { Words } from "../core/words.ts";
import type { Word } from "./every-word.ts";

/** One thing that a wire shows. */
export interface Shown {
  readonly word: Word;
  /** Where: `error`, `close`, `HTTP`. */
  readonly as: string;
  /** As the protocol has it: a number, or a code in text. */
  readonly code: string;
  /** What stands beside the code. */
  readonly text?: string;
}

/** A dialect's part of the page of errors. */
export interface ErrorsPart {
  readonly words: Words;
  readonly shown: readonly Shown[];
}

interface Row {
  readonly code: number | string;
  readonly text?: string | undefined;
}

/** Rows of a table whose keys are the words, or whose entries name them. */
export function shownOf<Key extends string, Entry>(
  as: string,
  table: Readonly<Record<Key, Entry>>,
  row: (
    entry: Entry,
    key: Key,
  ) => Row & ([Key] extends [Word] ? { readonly word?: Word } : { readonly word: Word }),
): readonly Shown[] {
  return Object.entries<Entry>(table).map(([key, entry]) => {
    const { code, text, word } = row(entry, key as Key);
    const shown = { as, code: `${code}`, ...(text === undefined ? {} : { text }) };
    // Where an entry may leave it out, the type says that the key is one.
    return { word: word ?? (key as Word), ...shown };
  });
}

/** Rows of words that are in no table of the dialect. */
export function shownAs(
  as: string,
  rows: readonly (readonly [code: number | string, word: Word, text?: string])[],
): readonly Shown[] {
  return rows.map(([code, word, text]) => {
    return { word, as, code: `${code}`, ...(text === undefined ? {} : { text }) };
  });
}
