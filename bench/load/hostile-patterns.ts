/** Channel patterns that are to cost as much as they may, and names that are to make them. */
import { compileChannelPattern } from "../../src/core/channel-pattern.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Random } from "../../test/support/random.ts";

const ATOMS = [
  ...[
    "a",
    "b",
    "a",
    "b",
    "k",
    "é",
    "ſ",
    "Ω",
    ".",
    "(?s).",
    "[ab]",
    "[^a]",
    "[a-z]",
    "[acegikmoqsuwy]",
  ],
  ...["\\d", "\\w", "\\W", "\\s", "\\pL", "\\PN", "\\p{Lu}", "\\p{Greek}", "[\\pL\\d]", "[^\\pL]"],
  ...["[a-\\x{10ffff}]", "[[:alpha:]]", "[^a-z0-9_ ]", "\\x41", "\\x{1F600}", "\\Qab\\E"],
];
const EMPTY = ["\\b", "\\B", "^", "$", "\\A", "\\z", "(?m)^", "(?i)", "(?U)"];
const QUANTIFIERS = [
  ...["", "", "", "*", "+", "?", "*?", "??"],
  ...["{2}", "{0,3}", "{5,}", "{20}", "{0,50}", "{100}", "{0,200}", "{300}"],
];
/** What is repeated as often as it may be, to begin with. */
const FAMILIES = [
  ...[
    "(a|b)",
    "(?:a|b)",
    "(a*)*",
    "((.*)*)*",
    ".*",
    "(?:.*a)",
    "a?",
    "(a?b?)",
    "[ab]?",
    ".?",
    "[^a]",
  ],
  ...[
    "\\pL",
    "(?i)\\pL",
    "(?i)[^k]",
    "(?i)k",
    "(?i)s?",
    "(?i)Ω?",
    "(?:é|ü)",
    "\\p{Lu}",
    "(?:\\b|a)",
  ],
  ...["[a-\\x{10ffff}]", "[acegikmoqsuwy]", "room-\\d+|", "(?:ab|ac|b)?"],
];
const BEGINNINGS = ["", "^", "(?:a|b)*a"];
const ENDS = ["", "$", "x"];

/** Bytes of a name, by default. */
const NAME_BYTES = 255;
/** Shorter names are matched in another way. */
const NAME_LENGTHS = [NAME_BYTES, 100, 64, 48, 32, 20];

export function hostileNames(random: Random): readonly string[] {
  const of = (pieces: readonly string[]) => {
    let name = "";
    while (Buffer.byteLength(name) <= NAME_BYTES - 4) name += random.pick(pieces);
    return name;
  };
  const ascii = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index));
  const beyond = Array.from({ length: 500 }, (_, index) => String.fromCharCode(0x80 + index));
  const alphabets = [
    ["a"],
    ["a", "b"],
    ["a", "b", " ", "1"],
    ascii,
    beyond,
    ["Ω", "ſ", "k"],
    ["room-12 "],
  ];
  return alphabets.flatMap((alphabet) => {
    const name = of(alphabet);
    return NAME_LENGTHS.map((length) => name.slice(0, length));
  });
}

/** Undefined: it is no pattern, or refused. */
export function tryCompile(pattern: string): ((name: string) => boolean) | undefined {
  try {
    return compileChannelPattern(pattern);
  } catch (error) {
    if (error instanceof HubError) return undefined;
    throw error;
  }
}

/** Each family, as large as it is allowed. */
export function* families(): Iterable<string> {
  const times: ((piece: string, count: number) => string)[] = [
    (piece, count) => piece.repeat(count),
    (piece, count) => `(?:${piece}){${count}}`,
    (piece, count) => `(?:${piece}){0,${count}}`,
  ];
  for (const family of FAMILIES) {
    for (const [index, repeated] of times.entries()) {
      const [beginning = "", end = ""] = [BEGINNINGS[index], ENDS[index]];
      for (const [first, last] of [
        [beginning, end],
        ["", "$"],
        ["^", ""],
      ] as const) {
        const written = (count: number) => first + repeated(family, count) + last;
        yield written(largest((count) => tryCompile(written(count)) !== undefined));
      }
    }
  }
}

function largest(allowed: (count: number) => boolean): number {
  let [least, most] = [1, 4_096];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (allowed(middle)) least = middle;
    else most = middle - 1;
  }
  return least;
}

export function randomPattern(random: Random, depth = 3): string {
  let pattern = sequence(random, depth);
  while (random.chance(0.35)) pattern += `|${sequence(random, depth)}`;
  return pattern;
}

function sequence(random: Random, depth: number): string {
  return Array.from({ length: 1 + random.integer(3) }, () => piece(random, depth)).join("");
}

function piece(random: Random, depth: number): string {
  if (random.chance(0.2)) return random.pick(EMPTY);
  const group = depth > 0 && random.chance(0.4);
  const atom = group
    ? `${random.pick(["(", "(?:"])}${randomPattern(random, depth - 1)})`
    : random.pick(ATOMS);
  return atom + random.pick(QUANTIFIERS);
}

/** Mostly no pattern any more, or a cheaper one; now and then a dearer one. */
export function mutate(random: Random, pattern: string): string {
  const from = random.integer(pattern.length + 1);
  const to = Math.min(pattern.length, from + random.integer(20) + 1);
  const [before, between, behind] = [
    pattern.slice(0, from),
    pattern.slice(from, to),
    pattern.slice(to),
  ];
  switch (random.integer(7)) {
    case 0:
      return before + piece(random, 2) + between + behind;
    case 1:
      return before + behind;
    case 2:
      return before + between.repeat(1 + random.integer(30)) + behind;
    case 3:
      return `(?:${pattern})${random.pick(QUANTIFIERS)}`;
    case 4:
      return `${before}(?:${between})${random.pick(QUANTIFIERS)}${behind}`;
    case 5:
      return pattern.replace(/\d+/g, () => String(random.integer(500)));
    default:
      return (
        random.pick(["^", "(?i)", "(?s)", ".*"]) + pattern + random.pick(["$", "x", "\\z", "|b"])
      );
  }
}
