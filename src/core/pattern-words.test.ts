import { describe, expect, test } from "bun:test";
import { RE2JS } from "re2js";
import { createRandom } from "../../test/support/random.ts";
import { PATTERN_WORDS_MAX } from "./limits.ts";
import { wordMatcher, wordsOf } from "./pattern-words.ts";

const written = (pattern: string) =>
  wordsOf(pattern)?.map(({ text, first, last }) => `${first ? "^" : ""}${text}${last ? "$" : ""}`);
const list = (length: number) => Array.from({ length }, (_, index) => index.toString(36));

describe("wordsOf()", () => {
  test.each([
    ["", [""]],
    ["room", ["room"]],
    ["^", ["^"]],
    ["$", ["$"]],
    ["^$", ["^$"]],
    ["^room$", ["^room$"]],
    ["a|^b|c$|^d$", ["a", "^b", "c$", "^d$"]],
    ["a|", ["a", ""]],
    ["^(?:a|b)$", ["^a$", "^b$"]],
    ["^(?s:a|b)$", ["^a$", "^b$"]],
    ["^user:(7|8|)x", ["^user:7x", "^user:8x", "^user:x"]],
    ["(a|b)(c|d)", ["ac", "ad", "bc", "bd"]],
    ["(a|(b|c)d)e", ["ae", "bde", "cde"]],
    ["a\\.b\\-c\\|d", ["a.b-c|d"]],
    ["a b,é😀\n", ["a b,é😀\n"]],
  ])("%j says %j", (pattern, words) => {
    expect(written(pattern)).toEqual(words);
  });

  test.each([
    ...[
      "a*",
      "a+",
      "a?",
      "a{2}",
      ".",
      "[a]",
      "\\d",
      "\\n",
      "\\Qa\\E",
      "(?i)a",
      "(?=a)",
      "(?P<n>a)",
    ],
    ...["(?:a|b)*", "^^a", "a$b", "(^a|b)", "(a", "a)", "a\\", "\ud83d"],
  ])("%j says something else", (pattern) => {
    expect(wordsOf(pattern)).toBeUndefined();
  });

  test("says up to so many words, and what takes too many steps to write out is something else", () => {
    expect(wordsOf(`^n:(?:${list(PATTERN_WORDS_MAX).join("|")}):m$`)).toHaveLength(
      PATTERN_WORDS_MAX,
    );
    expect(wordsOf(list(PATTERN_WORDS_MAX + 1).join("|"))).toBeUndefined();
    expect(wordsOf("(a|b)".repeat(9))).toHaveLength(2 ** 9);
    expect(wordsOf("(a|b)".repeat(10))).toBeUndefined();
    expect(wordsOf(`(?:${list(500).join("|")})${"(a)".repeat(500)}`)).toBeUndefined();
  });
});

test("finds the names that RE2JS finds", () => {
  const random = createRandom("pattern words");
  const text = () =>
    Array.from({ length: random.integer(3) }, () => random.pick(["a", "b", "\\.", "é"])).join("");
  const alternatives = (depth: number): string =>
    Array.from({ length: 1 + random.integer(3) }, () =>
      depth > 0 && random.chance(0.5) ? `${text()}(?:${alternatives(depth - 1)})${text()}` : text(),
    ).join("|");
  for (let round = 0; round < 500; round++) {
    const parts = Array.from({ length: 1 + random.integer(2) }, () => {
      const [first, last] = [random.chance(0.3) ? "^" : "", random.chance(0.3) ? "$" : ""];
      return `${first}${text()}(${alternatives(1)})${text()}${last}`;
    });
    const pattern = parts.join("|");
    const words = wordsOf(pattern);
    const names = Array.from({ length: 20 }, () =>
      Array.from({ length: random.integer(6) }, () => random.pick(["a", "b", ".", "é"])).join(""),
    );
    const machine = RE2JS.compile(pattern);
    const found = words && names.filter(wordMatcher(words));
    expect([pattern, found]).toEqual([pattern, names.filter((name) => machine.test(name))]);
  }
});
