import { describe, expect, test } from "bun:test";
import { RE2JS } from "re2js";
import { ChannelPatterns, compileChannelPattern, warmUpPatterns } from "./channel-pattern.ts";
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

  test("means the same for a name that is followed step by step", () => {
    const names = ["a", "ab", "ba", "bb", "\n"].flatMap((name) => [name, name.repeat(255)]);
    for (const pattern of ["^(?:a|b)+$", "a$", "(?:ab)+$", "^[^b]*$", "b.{100}b", "^\\W"]) {
      // Long programs and long names are; the same behind an alternative that finds nothing is a long program.
      const long = `${pattern}|z(?:[xy]z){60}`;
      expect(names.filter(compileChannelPattern(long))).toEqual(
        names.filter((name) => RE2JS.compile(pattern).test(name)),
      );
    }
  });

  test("takes patterns that people write", () => {
    const uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    const names = Array.from({ length: 100 }, (_, index) => `channel-number-${10_000 + index}`);
    expect(names[42]).toHaveLength(20);
    const patterns = [
      `^(?:user|device):${uuid}$`,
      names.join("|"),
      `^(?:${names.join("|")})$`,
      "(?i)^[a-z]{1,20}:\\pL+$",
      `^(?:${names.slice(0, 20).join("|")}):\\d+$`,
      `^(?:${Array.from({ length: 25 }, (_, index) => `room-${index}-[a-z]+`).join("|")})$`,
      "^.{1,100}$",
      "^\\pL{1,30}$",
    ];
    for (const pattern of patterns) expect([pattern, error(pattern)]).toEqual([pattern, undefined]);
    expect(compileChannelPattern(`^(?:${names.join("|")})$`)("channel-number-10042")).toBe(true);
    expect(compileChannelPattern(names.join("|"))("my channel-number-10042")).toBe(true);
  });

  test("refuses one that is too long, and one that is too much written out, before compiling it", () => {
    expect(error("a".repeat(PATTERN_CHARACTERS_MAX))).toBeUndefined();
    expect(error("a".repeat(PATTERN_CHARACTERS_MAX + 1))).toMatchObject({ code: "bad_request" });
    expect(error(".".repeat(PATTERN_COST_MAX))).toBeUndefined();
    expect(error(".".repeat(PATTERN_COST_MAX + 1))).toMatchObject({ code: "bad_request" });
    const tooMuch = [
      "a".repeat(10_000),
      "(a{1000})".repeat(10),
      "((a{10}){10}){10}".repeat(3),
      "(?:(a*)*){300}",
      "\\pL".repeat(300),
      `(?i)${"\\pL".repeat(50)}`,
      `(?i)${"[B-\\x{1E942}]".repeat(20)}`,
      `[^${"\\pL\\pN".repeat(100)}]`,
      `^(?:${Array.from({ length: 1_001 }, (_, index) => index.toString(36)).join("|")})$`,
    ];
    for (const pattern of tooMuch) {
      expect([pattern, error(pattern)]).toMatchObject([pattern, { code: "bad_request" }]);
    }
  });
});

test("the warm-up ends, whether or not its passes become short", async () => {
  let nowMs = 0;
  const timers = { after: () => ({ cancel() {} }), soon: (callback: () => void) => callback() };
  const standing = { epochMs: () => 0, monotonicMs: () => nowMs };
  await warmUpPatterns({ timers, clock: standing });
  let looks = 0;
  const hasty = { ...standing, monotonicMs: () => ((looks += 1), (nowMs += 100)) };
  await warmUpPatterns({ timers, clock: hasty });
  expect(looks).toBeGreaterThan(100);
});

test("only what says more than words has RE2JS warmed up, once, and waits for it", async () => {
  let turns = 0;
  let goOn = (): void => {};
  /** The first turn waits for the test. */
  const soon = (callback: () => void): void => {
    turns += 1;
    if (turns === 1) goOn = callback;
    else callback();
  };
  const timers = { after: () => ({ cancel() {} }), soon };
  const patterns = new ChannelPatterns({
    timers,
    clock: { epochMs: () => 0, monotonicMs: () => 0 },
  });
  expect((await patterns.compile("^app"))("apple")).toBe(true);
  await expect(patterns.compile("a".repeat(PATTERN_CHARACTERS_MAX + 1))).rejects.toThrow();
  expect([patterns.warm, turns]).toEqual([false, 0]);
  const compiling = Promise.all([patterns.compile("a.c"), patterns.compile("[a-c]")]);
  expect([patterns.warm, turns]).toEqual([true, 1]);
  goOn();
  const [first, second] = await compiling;
  expect([first("abc"), first("ab"), second("b"), second("d")]).toEqual([true, false, true, false]);
  const taken = turns;
  await expect(patterns.compile("(")).rejects.toMatchObject({ code: "bad_request" });
  expect(turns).toBe(taken);
});
