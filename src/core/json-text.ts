/**
 * JSON as text: checked, compacted and cut into the slices that payloads are made of, never parsed and written again,
 * so that numbers, member order and escapes stay as their sender wrote them.
 */
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  checkJson,
  isSpace,
  type JsonCheckOptions,
} from "./json-check.ts";
import { HubError } from "./errors.ts";

declare const compact: unique symbol;

/** One JSON value as text, without white space outside strings, all of whose numbers are doubles. It is made in this file alone. */
export type CompactJson = string & { readonly [compact]: true };

/** The same text without white space outside strings. Throws HubError `bad_request` when it is not one JSON value. */
export function compactJson(text: string): CompactJson {
  return trusted(checkJson(text) ? withoutSpace(text) : text);
}

/** Of a value of our own making. */
export function jsonOf(value: {} | null): CompactJson {
  return trusted(JSON.stringify(value));
}

/** For what comes back from where only compact JSON was put: an engine's store, and other nodes. */
export function storedJson(text: string): CompactJson {
  return trusted(text);
}

function trusted(text: string): CompactJson {
  return text as CompactJson;
}

/** Compact JSON text of UTF-8 bytes; undefined when they are not JSON. A byte order mark is not JSON. */
export function jsonOfBytes(bytes: Uint8Array): CompactJson | undefined {
  try {
    return compactJson(strictUtf8.decode(bytes));
  } catch (error) {
    if (error instanceof HubError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** As `JSON.parse` takes it. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * For values of which only named members count. A member called `__proto__` is refused at any depth: what is made of the value
 * later would lose it, or take it for a prototype. Throws HubError `bad_request` for it, and when the text is not one JSON value.
 */
export function parseJson(text: string): unknown {
  checkJson(text);
  // Only a text with one of these can spell the name.
  if (!/__proto__|\\u/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (name, value: unknown) => {
    if (name !== "__proto__") return value;
    throw new HubError("bad_request", 'JSON has a member called "__proto__"');
  });
}

/** Throws HubError `bad_request` when the text is not one JSON value; from then on the view cannot fail, unless a bound is asked for. */
export function jsonView(text: string, { anyNumbers = false }: JsonCheckOptions = {}): JsonView {
  const tape: number[] = [];
  const spaced = checkJson(text, tape, { anyNumbers });
  const start = spaced ? skipSpace(text, 0) : 0;
  return new JsonView({ text, spaced, anyNumbers, tape }, start, text.length, 0);
}

/**
 * The values of a text that has one behind the other, with or without white space between them; all but the last are objects.
 * Of more than `countMax`, one more than that. Throws HubError `bad_request` likewise.
 */
export function jsonViews(text: string, countMax: number): readonly JsonView[] {
  const views: JsonView[] = [];
  for (let at = skipSpace(text, 0); at < text.length && views.length <= countMax;) {
    const end = objectEnd(text, at) ?? text.length;
    views.push(jsonView(text.slice(at, end)));
    at = skipSpace(text, end);
  }
  return views;
}

/** Where the object that begins here ends, going by its braces and strings alone; undefined when none begins here, or it has no end. */
export function objectEnd(text: string, start: number): number | undefined {
  if (text.charCodeAt(start) !== OPEN_BRACE) return undefined;
  let depth = 0;
  for (let at = start; at < text.length;) {
    const char = text.charCodeAt(at);
    at = char === QUOTE ? stringEnd(text, at) : at + 1;
    if (char === OPEN_BRACE) depth++;
    else if (char === CLOSE_BRACE && --depth === 0) return at;
  }
  return undefined;
}

/** One value inside checked JSON text. Nothing is parsed until asked for. */
export class JsonView {
  readonly #source: Source;
  readonly #start: number;
  readonly #end: number;
  readonly #container: number;

  constructor(source: Source, start: number, end: number, container: number) {
    this.#source = source;
    this.#start = start;
    this.#end = end;
    this.#container = container;
  }

  get kind(): JsonKind {
    switch (this.#source.text.charCodeAt(this.#start)) {
      case OPEN_BRACE:
        return "object";
      case OPEN_BRACKET:
        return "array";
      case QUOTE:
        return "string";
      case 0x74:
      case 0x66:
        return "boolean";
      case 0x6e:
        return "null";
      default:
        return "number";
    }
  }

  /** The value's compact text. Throws HubError `bad_request` for a number that no double holds, if the view takes any. */
  get json(): CompactJson {
    return this.#source.anyNumbers ? compactJson(this.raw) : trusted(this.raw);
  }

  /** The value's compact text, as its sender wrote it. */
  get raw(): string {
    const { text, spaced } = this.#source;
    const slice = text.slice(this.#start, this.#end);
    const compact = spaced ? withoutSpace(slice) : slice;
    // The engine keeps the whole text alive behind each slice of it: a kept payload must not hold a whole batch.
    return text.length - slice.length > RETAINED_CHARS_MAX ? copyOf(compact) : compact;
  }

  /** A member's or item's text exactly as it came, white space included. */
  get source(): string {
    return this.#source.text.slice(this.#start, this.#end);
  }

  /** As `JSON.parse` reads it: a number may lose digits, and a member called `__proto__` is one of the object's own. */
  get value(): unknown {
    const slice = this.#source.text.slice(this.#start, this.#end);
    return slice.charCodeAt(0) === QUOTE && slice.endsWith('"')
      ? stringValue(slice)
      : JSON.parse(slice);
  }

  /** The named member of an object; undefined when there is none, or this is not an object. */
  member(name: string): JsonView | undefined {
    const { text } = this.#source;
    let found: JsonView | undefined;
    this.#walk(OPEN_BRACE, (view, nameStart, nameEnd) => {
      if (isNamed(text, nameStart, nameEnd, name)) found = view;
    });
    return found;
  }

  /**
   * The object's members of these names in their order, if it has no others; of several with one name the last counts. Undefined where it
   * has others, spells one of these with escapes, or is no object: `members` tells then, which makes texts of all names.
   */
  only(names: readonly string[]): readonly (JsonView | undefined)[] | undefined {
    const { text } = this.#source;
    if (this.kind !== "object") return undefined;
    const found: (JsonView | undefined)[] = names.map(() => undefined);
    let others = false;
    this.#walk(OPEN_BRACE, (view, nameStart, nameEnd) => {
      const length = nameEnd - nameStart - 2;
      for (let index = 0; index < names.length; index++) {
        const name = names[index] ?? "";
        if (name.length !== length || !text.startsWith(name, nameStart + 1)) continue;
        found[index] = view;
        return true;
      }
      others = true;
      return false;
    });
    return others ? undefined : found;
  }

  /**
   * An object's members in order; of several with one name the last counts, as in `JSON.parse`. Empty when this is not an object. Throws
   * HubError `bad_request` for more than `countMax`: making the list costs far more than checking the text did.
   */
  members(countMax = Infinity): ReadonlyMap<string, JsonView> {
    const members = new Map<string, JsonView>();
    let count = 0;
    this.#eachMember((name, view) => {
      if (++count > countMax) {
        throw new HubError("bad_request", `An object has more than ${countMax} members`);
      }
      members.set(name, view);
    });
    return members;
  }

  /** An object's members in order, each of several with one name. Empty when this is not an object. */
  entries(): readonly (readonly [name: string, value: JsonView])[] {
    const entries: (readonly [string, JsonView])[] = [];
    this.#eachMember((name, view) => entries.push([name, view]));
    return entries;
  }

  #eachMember(visit: (name: string, view: JsonView) => unknown): void {
    const { text } = this.#source;
    this.#walk(OPEN_BRACE, (view, nameStart, nameEnd) => {
      visit(stringValue(text.slice(nameStart, nameEnd)), view);
    });
  }

  /** An array's items; empty when this is not an array. Of one with more than `countMax` items, one more than that. */
  items(countMax = Infinity): readonly JsonView[] {
    const items: JsonView[] = [];
    this.#walk(OPEN_BRACKET, (view) => items.push(view) <= countMax);
    return items;
  }

  /** Ends early when `visit` returns false. */
  #walk(
    opener: number,
    visit: (view: JsonView, nameStart: number, nameEnd: number) => boolean | void,
  ): void {
    const { text, tape } = this.#source;
    if (text.charCodeAt(this.#start) !== opener) return;
    let container = this.#container + 1;
    let at = skipSpace(text, this.#start + 1);
    let nameStart = at;
    let nameEnd = at;
    while (!isClose(text.charCodeAt(at))) {
      if (opener === OPEN_BRACE) {
        nameStart = at;
        nameEnd = stringEnd(text, at);
        at = skipSpace(text, skipSpace(text, nameEnd) + 1);
      }
      const nested = isOpen(text.charCodeAt(at));
      const end = nested ? tapeAt(tape, container * 2) : scalarEnd(text, at);
      const more = visit(new JsonView(this.#source, at, end, container), nameStart, nameEnd);
      if (more === false) return;
      if (nested) container = tapeAt(tape, container * 2 + 1);
      at = skipSpace(text, end);
      if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
    }
  }
}

export type JsonKind = "object" | "array" | "string" | "number" | "boolean" | "null";

interface Source {
  readonly text: string;
  /** Whether there is white space outside strings, anywhere in the text. */
  readonly spaced: boolean;
  readonly anyNumbers: boolean;
  /** See `checkJson`. */
  readonly tape: readonly number[];
}

/** What a slice may keep alive besides itself. */
const RETAINED_CHARS_MAX = 4096;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function withoutSpace(text: string): string {
  const length = text.length;
  const pieces: string[] = [];
  let pieceStart = 0;
  let at = 0;
  while (at < length) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) at = stringEnd(text, at);
    else if (isSpace(char)) {
      if (at > pieceStart) pieces.push(text.slice(pieceStart, at));
      pieceStart = at = skipSpace(text, at);
    } else at++;
  }
  if (pieceStart === 0) return text;
  pieces.push(text.slice(pieceStart));
  return pieces.join("");
}

/** `join` copies, where `slice` and `+` may share: measured on Bun 1.4.5 in json-text.test.ts. */
export function copyOf(text: string): string {
  return [text.slice(0, 1), text.slice(1)].join("");
}

function isNamed(text: string, start: number, end: number, name: string): boolean {
  const quoted = text.slice(start, end);
  return quoted.includes("\\")
    ? stringValue(quoted) === name
    : quoted.length === name.length + 2 && quoted.startsWith(name, 1);
}

function stringValue(quoted: string): string {
  return quoted.includes("\\") ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
}

// What follows looks for ends only, and relies on checked text for the right ones.

function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

function stringEnd(text: string, start: number): number {
  const length = text.length;
  for (let at = start + 1; at < length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) return at + 1;
    if (char === BACKSLASH) at++;
  }
  return length;
}

function scalarEnd(text: string, start: number): number {
  if (text.charCodeAt(start) === QUOTE) return stringEnd(text, start);
  let at = start;
  while (at < text.length && !endsScalar(text.charCodeAt(at))) at++;
  return at;
}

function endsScalar(char: number): boolean {
  return char === COMMA || isClose(char) || isSpace(char);
}

function isOpen(char: number): boolean {
  return char === OPEN_BRACE || char === OPEN_BRACKET;
}

function isClose(char: number): boolean {
  return char === CLOSE_BRACE || char === CLOSE_BRACKET;
}

function tapeAt(tape: readonly number[], index: number): number {
  const value = tape[index];
  if (value === undefined) throw new Error("The tape does not fit its text");
  return value;
}
