/** What a channel pattern costs to compile and to hold against a name, told before RE2JS sees it, which nothing can interrupt. */

/** Units of `PATTERN_COST_MAX`: about the instructions that RE2JS 2.10 makes of each, and more where they cost more to make. */
const COST = {
  character: 1,
  operator: 2,
  class: 2,
  /** Of the text of a class that is written out. */
  classCharacter: 0.25,
  /** A Unicode class has hundreds of ranges. */
  unicodeClass: 15,
  foldedUnicodeClass: 50,
  foldedNegation: 30,
  /** RE2JS folds each character of a range by itself. */
  foldedWideRange: 1_000,
} as const;

const FOLDS = /\(\?[A-Za-z]*i/;
/** With what says which kind of group it is. */
const OPEN = /\((?:\?(?:P?<\w*>|[A-Za-z-]*:?))?/y;
const REPEAT = /\{(\d+)(?:,(\d*))?\}/y;
const CLASS = /\[\^?\]?(?:\[:\^?\w+:\]|\\[^]|[^\\\]])*\]/y;
const QUOTED = /\\Q([^]*?)(?:\\E|$)/y;
/** With the name or number in braces that some have. */
const ESCAPE = /\\(?:([pP])(?:\{[^{}]{0,64}\}|[^])?|x\{[^{}]{0,64}\}|[^]|$)/y;
const UNICODE_CLASS = /\\[pP]/g;
/** A range that may reach beyond ASCII. */
const WIDE_RANGE = /-(?:\\[x0-9]|[^\0-\x7f])/;

/**
 * What the pattern would cost with its repetitions written out. Text that is not an expression has some cost as well: that
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
      at += matchAt(OPEN, pattern, at)?.[0].length ?? 1;
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
      } else {
        const [text = "", unicode] = matchAt(ESCAPE, pattern, at) ?? [];
        add(escapeCost(unicode !== undefined, folded), text.length);
      }
    } else if (char === "[") {
      const found = matchAt(CLASS, pattern, at);
      // A class without an end is not an expression; and to look for the end of each "[" of many would take long.
      if (found === null) break;
      add(classCost(found[0], folded), found[0].length);
    } else add(COST.character, 1);
  }
  // Groups that were never closed.
  return groups.reduce((total, outer) => total + outer, sum);
}

function matchAt(expression: RegExp, text: string, at: number): RegExpExecArray | null {
  expression.lastIndex = at;
  return expression.exec(text);
}

function escapeCost(unicode: boolean, folded: boolean): number {
  if (!unicode) return COST.class;
  return folded ? COST.foldedUnicodeClass : COST.unicodeClass;
}

function classCost(text: string, folded: boolean): number {
  const unicode = text.match(UNICODE_CLASS)?.length ?? 0;
  const cost =
    COST.class +
    text.length * COST.classCharacter +
    unicode * (folded ? COST.foldedUnicodeClass : COST.unicodeClass);
  if (!folded) return cost;
  return (
    cost +
    (text.startsWith("[^") ? COST.foldedNegation : 0) +
    (WIDE_RANGE.test(text) ? COST.foldedWideRange : 0)
  );
}
