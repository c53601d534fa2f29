/** A list's items, found by brackets and strings alone: for a text that is too large to be judged in one go. */
import { HubError } from "./errors.ts";
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  isSpace,
} from "./json-check.ts";
import { copyOf } from "./json-text.ts";

/** Characters that are looked through between two pauses. */
const STEP_CHARACTERS = 16_384;

/**
 * Each item's text, white space around it included, which is yet to be checked: only then the whole is known to be a list.
 * Undefined is a pause, for whoever works in slices. Throws HubError `bad_request` when the text cannot be a list, and
 * `limit_exceeded` for an item of more than `charactersMax`.
 */
export function* listItems(
  text: string,
  charactersMax: number,
): Generator<string | undefined, void> {
  let depth = 0;
  let inString = false;
  let ended = false;
  let start = 0;
  let first = true;
  let pauseAt = STEP_CHARACTERS;
  for (let at = 0; at < text.length; at++) {
    if (at >= pauseAt) {
      yield undefined;
      pauseAt = at + STEP_CHARACTERS;
    }
    const char = text.charCodeAt(at);
    if (depth === 0) {
      if (isSpace(char)) continue;
      if (char !== OPEN_BRACKET || ended)
        throw new HubError("bad_request", "The text must be a list");
      depth = 1;
      start = at + 1;
      continue;
    }
    const ends = depth === 1 && !inString && (char === COMMA || char === CLOSE_BRACKET);
    if (ends) {
      const item = text.slice(start, at);
      ended = char === CLOSE_BRACKET;
      // `[]` has no item, where `[,]` has two that are none.
      if (!(first && ended && BLANK.test(item))) yield copyOf(item);
      first = false;
      start = at + 1;
      if (ended) depth = 0;
    } else if (at - start >= charactersMax) {
      throw new HubError("limit_exceeded", "An item is too large");
    } else if (inString) {
      if (char === BACKSLASH) at++;
      else if (char === QUOTE) inString = false;
    } else if (char === QUOTE) inString = true;
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) depth++;
    else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) {
      if (--depth === 0) throw new HubError("bad_request", "A bracket closes what is not open");
    }
  }
  if (!ended) throw new HubError("bad_request", "The list has no end");
}

/** JSON's white space alone. */
const BLANK = /^[ \t\n\r]*$/;
