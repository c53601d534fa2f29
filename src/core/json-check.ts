/** Checks JSON text against RFC 8259 in one pass, without building values: no recursion, no garbage, a bound on nesting. */
import { HubError } from "./errors.ts";

/**
 * Arrays and objects inside one another. It protects every parser that reads the text after us: those of other
 * languages refuse or overflow at 1,000 (Jackson, Python) to 10,000 (Go), and so does JSON.stringify here soon after.
 */
export const JSON_DEPTH_MAX = 1000;

/** Shorter ones without an exponent are below the largest double. */
const SAFE_DIGITS_MAX = 308;

export interface JsonCheckOptions {
  /** Also numbers beyond the largest double, such as `1e400`, which most readers take for infinite or refuse. */
  readonly anyNumbers?: boolean;
}

/**
 * Whether the text has white space outside strings. Throws HubError `bad_request` when it is not one JSON value, or has a
 * number that no double holds.
 * `tape` receives two numbers for each array and object, in the order in which they open: where it ends (exclusive),
 * and how many had opened by then. So a reader steps over a container without looking inside.
 */
export function checkJson(
  text: string,
  tape?: number[],
  { anyNumbers = false }: JsonCheckOptions = {},
): boolean {
  const length = text.length;
  const closers: number[] = [];
  const opened: number[] = [];
  let expected: Expected = VALUE;
  let spaced = false;
  let at = 0;
  while (at < length) {
    const char = text.charCodeAt(at);
    if (isSpace(char)) {
      spaced = true;
      at++;
    } else if (expected === AFTER_VALUE) {
      const closer = closers[closers.length - 1];
      if (closer === undefined) throw invalid("text after the value", at);
      if (char === closer) close(closers, opened, at, tape);
      else if (char === COMMA) expected = closer === CLOSE_BRACE ? NAME : VALUE;
      else throw invalid("expected a comma or the end of the list", at);
      at++;
    } else if (expected === COLON) {
      if (char !== COLON_SIGN) throw invalid("expected a colon", at);
      expected = VALUE;
      at++;
    } else if (expected === NAME || expected === NAME_OR_END) {
      if (char === QUOTE) {
        at = checkString(text, at);
        expected = COLON;
      } else if (char === CLOSE_BRACE && expected === NAME_OR_END) {
        close(closers, opened, at, tape);
        expected = AFTER_VALUE;
        at++;
      } else throw invalid("expected a member name", at);
    } else if (char === OPEN_BRACE || char === OPEN_BRACKET) {
      if (closers.length === JSON_DEPTH_MAX) {
        throw new HubError("bad_request", `JSON is nested deeper than ${JSON_DEPTH_MAX} levels`);
      }
      closers.push(char + 2);
      if (tape !== undefined) {
        opened.push(tape.length);
        tape.push(0, 0);
      }
      expected = char === OPEN_BRACE ? NAME_OR_END : VALUE_OR_END;
      at++;
    } else if (char === CLOSE_BRACKET && expected === VALUE_OR_END) {
      close(closers, opened, at, tape);
      expected = AFTER_VALUE;
      at++;
    } else {
      at = checkScalar(text, at, char, anyNumbers);
      expected = AFTER_VALUE;
    }
  }
  if (expected !== AFTER_VALUE || closers.length > 0) throw invalid("unexpected end", length);
  return spaced;
}

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const COMMA = 0x2c;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
const COLON_SIGN = 0x3a;

/** JSON's white space, which is less than JavaScript's. */
export function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}

const VALUE = 0;
const VALUE_OR_END = 1;
const NAME = 2;
const NAME_OR_END = 3;
const COLON = 4;
const AFTER_VALUE = 5;
type Expected =
  | typeof VALUE
  | typeof VALUE_OR_END
  | typeof NAME
  | typeof NAME_OR_END
  | typeof COLON
  | typeof AFTER_VALUE;

function close(closers: number[], opened: number[], at: number, tape: number[] | undefined): void {
  closers.pop();
  const entry = opened.pop();
  if (tape === undefined || entry === undefined) return;
  tape[entry] = at + 1;
  tape[entry + 1] = tape.length / 2;
}

function checkScalar(text: string, at: number, first: number, anyNumbers: boolean): number {
  switch (first) {
    case QUOTE:
      return checkString(text, at);
    case 0x74: // t
      return checkWord(text, at, "true");
    case 0x66: // f
      return checkWord(text, at, "false");
    case 0x6e: // n
      return checkWord(text, at, "null");
    default:
      return checkNumber(text, at, anyNumbers);
  }
}

function checkWord(text: string, at: number, word: string): number {
  if (!text.startsWith(word, at)) throw invalid("unexpected character", at);
  return at + word.length;
}

function checkString(text: string, start: number): number {
  const length = text.length;
  let at = start + 1;
  while (at < length) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) return at + 1;
    if (char < 0x20) throw invalid("control character in a string", at);
    at = char === BACKSLASH ? checkEscape(text, at + 1) : at + 1;
  }
  throw invalid("unterminated string", start);
}

function checkEscape(text: string, at: number): number {
  const char = text.charAt(at);
  if (char === "u") {
    for (let digit = at + 1; digit <= at + 4; digit++) {
      if (!isHexDigit(text.charCodeAt(digit))) throw invalid("bad escape", at);
    }
    return at + 5;
  }
  if (char === "" || !'"\\/bfnrt'.includes(char)) throw invalid("bad escape", at);
  return at + 1;
}

function checkNumber(text: string, start: number, anyNumbers: boolean): number {
  let at = start;
  if (text.charCodeAt(at) === 0x2d) at++; // -
  // A leading zero stands alone: 01 is not a number.
  at = text.charCodeAt(at) === 0x30 ? at + 1 : checkDigits(text, at);
  if (text.charCodeAt(at) === 0x2e) at = checkDigits(text, at + 1); // .
  const letter = text.charCodeAt(at);
  const exponent = letter === 0x65 || letter === 0x45; // e, E
  if (exponent) {
    const sign = text.charCodeAt(at + 1);
    at = checkDigits(text, sign === 0x2b || sign === 0x2d ? at + 2 : at + 1);
  }
  const large = exponent || at - start > SAFE_DIGITS_MAX;
  if (large && !anyNumbers && !Number.isFinite(Number(text.slice(start, at)))) {
    const where = `at character ${start}`;
    throw new HubError("bad_request", `JSON has a number that no double holds ${where}`);
  }
  return at;
}

function checkDigits(text: string, start: number): number {
  const length = text.length;
  let at = start;
  while (at < length && isDigit(text.charCodeAt(at))) at++;
  if (at === start) throw invalid("unexpected character", start);
  return at;
}

function isDigit(char: number): boolean {
  return char >= 0x30 && char <= 0x39;
}

function isHexDigit(char: number): boolean {
  return isDigit(char) || (char >= 0x41 && char <= 0x46) || (char >= 0x61 && char <= 0x66);
}

/** Says where, never what: the text is a payload. */
function invalid(problem: string, at: number): HubError {
  return new HubError("bad_request", `Not valid JSON: ${problem} at character ${at}`);
}
