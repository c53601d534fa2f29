/** Channel patterns that say nothing but words: `room-1|room-2`, `^user:(?:7|8)$`. Comparing texts needs no machine. */
import { PATTERN_WORDS_MAX } from "./limits.ts";

export interface Word {
  readonly text: string;
  /** It begins the name. */
  readonly first: boolean;
  /** It ends the name. */
  readonly last: boolean;
}

/** What means itself in RE2, escaped or not. Lone surrogates do not. */
const LITERAL = /(?:[^\\^$.|?*+()[\]{}\ud800-\udfff]|\\[!-/:-@[-`{-~])+/uy;
/** The flag `s` concerns dots alone. */
const OPEN = /\((?:\?s?:)?(?!\?)/y;
/** Texts put together for a word, on the average: what follows a group is added to each text before it. */
const COPIES_PER_WORD_MAX = 4;

/**
 * The words of which a name has to have one. Undefined when the pattern says more than that, is not an expression, or says more
 * than `PATTERN_WORDS_MAX` words.
 */
export function wordsOf(pattern: string): readonly Word[] | undefined {
  let at = 0;
  let copies = 0;
  const words: Word[] = [];
  do {
    const first = take("^");
    const texts = sequence();
    const last = take("$");
    if (texts === undefined) return undefined;
    for (const text of texts) words.push({ text, first, last });
  } while (take("|"));
  return at === pattern.length && words.length <= PATTERN_WORDS_MAX ? words : undefined;

  function take(char: string): boolean {
    const found = pattern[at] === char;
    if (found) at++;
    return found;
  }

  function match(expression: RegExp): string | undefined {
    expression.lastIndex = at;
    const found = expression.exec(pattern)?.[0];
    at += found?.length ?? 0;
    return found;
  }

  /** Each text that what follows can be, up to where it is something else. */
  function sequence(): readonly string[] | undefined {
    let texts: readonly string[] = [""];
    for (;;) {
      const literal = match(LITERAL)?.replace(/\\(.)/g, "$1");
      const next = literal === undefined ? group() : [literal];
      if (next === "none") return texts;
      if (next === undefined) return undefined;
      copies += texts.length * next.length;
      if (copies > PATTERN_WORDS_MAX * COPIES_PER_WORD_MAX) return undefined;
      texts = texts.flatMap((text) => next.map((end) => text + end));
    }
  }

  function group(): readonly string[] | undefined | "none" {
    if (match(OPEN) === undefined) return "none";
    const texts: string[] = [];
    do {
      const found = sequence();
      if (found === undefined) return undefined;
      for (const text of found) texts.push(text);
    } while (take("|"));
    return take(")") ? texts : undefined;
  }
}

/** Whether a name has one of the words. */
export function wordMatcher(words: readonly Word[]): (name: string) => boolean {
  const texts = (first: boolean, last: boolean) =>
    words.filter((word) => word.first === first && word.last === last).map(({ text }) => text);
  const whole = new Set(texts(true, true));
  const starts = texts(true, false);
  const ends = texts(false, true);
  const parts = texts(false, false);
  return (name) =>
    whole.has(name) ||
    starts.some((text) => name.startsWith(text)) ||
    ends.some((text) => name.endsWith(text)) ||
    parts.some((text) => name.includes(text));
}
