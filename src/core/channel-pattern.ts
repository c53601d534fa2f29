/**
 * Patterns over channel names: RE2 expressions, found anywhere in a name, in time linear in its length. What compiling one
 * and holding it against a name may cost is bounded before RE2JS sees it, since neither can be interrupted.
 */
import { RE2JS } from "re2js";
import { HubError } from "./errors.ts";
import { PATTERN_CHARACTERS_MAX, PATTERN_COST_MAX } from "./limits.ts";

/** Throws HubError `bad_request` for what is no RE2 expression, and beyond the limits. */
export function compileChannelPattern(pattern: string): (name: string) => boolean {
  if (pattern.length > PATTERN_CHARACTERS_MAX || patternCost(pattern) > PATTERN_COST_MAX) {
    throw new HubError("bad_request", "The channel pattern is too large");
  }
  const literal = literalMatcher(pattern);
  if (literal !== undefined) return literal;
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (cause) {
    throw new HubError("bad_request", "The channel pattern does not compile", { cause });
  }
  // Unlike `matcher().find()` it looks for no groups, which is five times as fast.
  return (name) => compiled.test(name);
}

/** Nothing special between the anchors. */
const LITERAL = /^(\^?)([-\w:@/#=,;!~ ]*)(\$?)$/;

/** What most patterns are, as a search for text: cheaper, most of all before RE2JS is warm (bench/pattern-push.ts). */
function literalMatcher(pattern: string): ((name: string) => boolean) | undefined {
  const found = LITERAL.exec(pattern);
  if (found === null) return undefined;
  const [, start, text = "", end] = found;
  if (start !== "") return end === "" ? (name) => name.startsWith(text) : (name) => name === text;
  return end === "" ? (name) => name.includes(text) : (name) => name.endsWith(text);
}

/** Units of `PATTERN_COST_MAX`, measured on RE2JS 2.10: compiling, and the first name, each take about 5 µs for one. */
const COST = {
  character: 1,
  operator: 2,
  class: 4,
  /** A Unicode class has hundreds of ranges. */
  unicodeClass: 25,
  foldedUnicodeClass: 70,
  foldedNegation: 30,
  /** RE2JS folds each character of a range by itself. */
  foldedWideRange: 1_000,
} as const;

const FOLDS = /\(\?[A-Za-z]*i/;
const REPEAT = /\{(\d+)(?:,(\d*))?\}/y;
const CLASS = /\[\^?\]?(?:\[:\^?\w+:\]|\\[^]|[^\\\]])*\]/y;
const QUOTED = /\\Q([^]*?)(?:\\E|$)/y;
const UNICODE_CLASS = /\\[pP]/g;
/** A range that may reach beyond ASCII. */
const WIDE_RANGE = /-(?:\\[x0-9]|[^\0-\x7f])/;

/**
 * What the pattern would cost with its repetitions written out. Text that is no expression has some cost as well: that
 * it is none is for the compiler to find.
 */
export function patternCost(pattern: string): number {
  const folded = FOLDS.test(pattern);
  /** Of the groups that are open, outermost first. */
  const groups: number[] = [];
  let sum = 0;
  /** The cost of what a repetition here would repeat. */
  let atom = 0;
  let at = 0;

  function add(cost: number, characters: number): void {
    sum += cost;
    atom = cost;
    at += characters;
  }

  while (at < pattern.length) {
    const char = pattern[at];
    const repeat = char === "{" ? matchAt(REPEAT, pattern, at) : null;
    if (repeat !== null) {
      const times = Math.max(1, Number(repeat[1]), Number(repeat[2] ?? 0));
      sum += atom * (times - 1) + COST.operator;
      atom = atom * times + COST.operator;
      at += repeat[0].length;
    } else if (char === "*" || char === "+" || char === "?") {
      sum += COST.operator;
      atom += COST.operator;
      at++;
    } else if (char === "(") {
      groups.push(sum);
      sum = COST.operator;
      atom = 0;
      at++;
    } else if (char === ")") {
      atom = sum;
      sum += groups.pop() ?? 0;
      at++;
    } else if (char === "\\") {
      const quoted = matchAt(QUOTED, pattern, at);
      if (quoted !== null) {
        sum += (quoted[1] ?? "").length * COST.character;
        atom = COST.character;
        at += quoted[0].length;
      } else add(escapeCost(pattern[at + 1], folded), 2);
    } else {
      const found = char === "[" ? matchAt(CLASS, pattern, at) : null;
      if (found === null) add(COST.character, 1);
      else add(classCost(found[0], folded), found[0].length);
    }
  }
  // Groups that were never closed.
  return groups.reduce((total, outer) => total + outer, sum);
}

function matchAt(expression: RegExp, text: string, at: number): RegExpExecArray | null {
  expression.lastIndex = at;
  return expression.exec(text);
}

function escapeCost(letter: string | undefined, folded: boolean): number {
  if (letter !== "p" && letter !== "P") return COST.class;
  return folded ? COST.foldedUnicodeClass : COST.unicodeClass;
}

function classCost(text: string, folded: boolean): number {
  const unicode = text.match(UNICODE_CLASS)?.length ?? 0;
  const cost =
    COST.class + text.length + unicode * (folded ? COST.foldedUnicodeClass : COST.unicodeClass);
  if (!folded) return cost;
  return (
    cost +
    (text.startsWith("[^") ? COST.foldedNegation : 0) +
    (WIDE_RANGE.test(text) ? COST.foldedWideRange : 0)
  );
}
