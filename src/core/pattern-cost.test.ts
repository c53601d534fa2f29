import { expect, test } from "bun:test";
import { PATTERN_CHARACTERS_MAX, PATTERN_COST_MAX } from "./limits.ts";
import { patternCost } from "./pattern-cost.ts";

test.each([
  ["abc", 3],
  ["a{3}", 1 * 3 + 2],
  ["(ab){3}c", (2 + 2) * 3 + 2 + 1],
  ["((a{10}){10}){10}", (2 + (2 + (10 + 2)) * 10 + 2) * 10 + 2],
  ["a{,5}", 5],
  ["\\Qa{1000}*\\E", 8],
  ["[a{1000}]b", 2 + 9 / 4 + 1],
  ["[]a]{2}", (2 + 4 / 4) * 2 + 2],
  ["[[:alpha:]*]", 2 + 12 / 4],
  ["\\d{2}", 2 * 2 + 2],
  ["\\x{1000}", 2],
  ["\\pL", 15],
  ["\\p{Greek}a", 15 + 1],
  ["(?i)\\P{Lu}", 2 + 50],
  ["(?:ab)+", 2 + 2 + 2],
  ["(?P<name>a)(?<other>b)(?s-m:c)", 3 * (2 + 1)],
  ["[\\pL\\pN]", 2 + 8 / 4 + 30],
  ["(a", 3],
  ["a)", 1],
  ["\\", 2],
  ["a[b", 1],
])("%s costs %d", (pattern, cost) => {
  expect(patternCost(pattern)).toBe(cost);
});

test("any text has a cost, and much in few characters a large one", () => {
  const hostile = ["[", "(", ")", "{1000}", "\\Q", "[[:", "\\", "\\p{", "(?i)[^", "a{1,1000}"];
  for (const piece of hostile) {
    const pattern = piece.repeat(PATTERN_CHARACTERS_MAX).slice(0, PATTERN_CHARACTERS_MAX);
    expect(patternCost(pattern)).toBeGreaterThanOrEqual(0);
  }
  expect(patternCost("((a{1000}){1000}){1000}")).toBeGreaterThan(PATTERN_COST_MAX);
});
