import { describe, expect, test } from "bun:test";
import { compileChannelPattern, patternCost } from "./channel-pattern.ts";
import { PATTERN_CHARACTERS_MAX, PATTERN_COST_MAX } from "./limits.ts";

const NAMES = ["App1", "App2", "AA", "my App", "a.b", "é", "x\ny"];
const matching = (pattern: string) => NAMES.filter(compileChannelPattern(pattern));
const error = (pattern: string): unknown => {
  try {
    compileChannelPattern(pattern);
    return undefined;
  } catch (thrown) {
    return thrown;
  }
};

describe("compileChannelPattern()", () => {
  test.each([
    ["^App", ["App1", "App2"]],
    ["App", ["App1", "App2", "my App"]],
    ["^(?i)app\\d$", ["App1", "App2"]],
    ["a\\.b", ["a.b"]],
    ["^.$", ["é"]],
    ["^x\\ny$", ["x\ny"]],
    ["zzz", []],
    ["", NAMES],
    ["^", NAMES],
    ["$", NAMES],
    ["^$", []],
    ["^AA$", ["AA"]],
    ["App$", ["my App"]],
    ["y$", ["x\ny"]],
    ["x$", []],
    ["A p", []],
  ])("%s", (pattern, found) => {
    expect(matching(pattern)).toEqual(found);
  });

  test("means the same whether it is a text or an expression that says the same", () => {
    for (const text of ["App", "^App", "App$", "^AA$", "^", "$", "^$", "A", "y", ""]) {
      expect(matching(text)).toEqual(matching(`(?:${text})`));
    }
  });

  test.each(["[", "(", "a**", "(?=a)", "(?<=a)b", "(a)\\1", "a{1001}", "(a{1000}){1000}", "\\"])(
    "%s is no RE2 expression",
    (pattern) => {
      expect(error(pattern)).toMatchObject({ code: "bad_request" });
    },
  );

  test("takes patterns that people write", () => {
    const uuid = "^user:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
    const names = Array.from({ length: 100 }, (_, index) => `room-${index}`);
    for (const pattern of [uuid, `^(?:${names.join("|")})$`, "(?i)^[a-z]{1,20}:\\pL+$"]) {
      expect(error(pattern)).toBeUndefined();
    }
    expect(compileChannelPattern(`^(?:${names.join("|")})$`)("room-42")).toBe(true);
  });

  test("refuses one that is too long, and one that is too much written out, before compiling it", () => {
    expect(error("a".repeat(PATTERN_CHARACTERS_MAX))).toBeUndefined();
    const tooMuch = [
      "a".repeat(PATTERN_CHARACTERS_MAX + 1),
      "a".repeat(10_000),
      "(a{1000})".repeat(10),
      "((a{10}){10}){10}".repeat(3),
      "(?:(a*)*){300}",
      "\\pL".repeat(300),
      `(?i)${"\\pL".repeat(50)}`,
      `(?i)${"[B-\\x{1E942}]".repeat(20)}`,
      `[^${"\\pL\\pN".repeat(100)}]`,
    ];
    for (const pattern of tooMuch) {
      expect([pattern, error(pattern)]).toMatchObject([pattern, { code: "bad_request" }]);
    }
  });
});

describe("patternCost()", () => {
  test.each([
    ["abc", 3],
    ["a{3}", 1 * 3 + 2],
    ["(ab){3}c", (2 + 2) * 3 + 2 + 1],
    ["((a{10}){10}){10}", (2 + (2 + (10 + 2)) * 10 + 2) * 10 + 2],
    ["a{,5}", 5],
    ["\\Qa{1000}*\\E", 8],
    ["[a{1000}]b", 4 + 9 + 1],
    ["[]a]{2}", (4 + 4) * 2 + 2],
    ["[[:alpha:]*]", 4 + 12],
    ["(a", 3],
    ["a)", 1],
    ["\\", 4],
  ])("%s costs %d", (pattern, cost) => {
    expect(patternCost(pattern)).toBe(cost);
  });

  test("of any text is a number, found in time linear in its length", () => {
    const hostile = ["[", "(", ")", "{1000}", "\\Q", "[[:", "\\", "(?i)[^", "a{1,1000}"];
    for (const piece of hostile) {
      const pattern = piece.repeat(1000).slice(0, PATTERN_CHARACTERS_MAX);
      expect(patternCost(pattern)).toBeGreaterThanOrEqual(0);
    }
    expect(patternCost("((a{1000}){1000}){1000}")).toBeGreaterThan(PATTERN_COST_MAX);
  });
});
