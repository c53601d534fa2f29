import { RE2JS } from "re2js";
import { describe, expect, test } from "bun:test";
import { randomFrom } from "../../../test/support/random.ts";
import { grantMatches, isGranted, isGrantedLiterally } from "./grants.ts";

const RULES = { starEmpty: false };

describe("§5.3: grants", () => {
  test.each([
    ["AA", "AA", true],
    ["AA", "aa", false],
    ["AA", "AAA", false],
    ["app*", "apple", true],
    ["app*", "app", false],
    ["app*", "app*", true],
    ["t*st", "test", true],
    ["t*st", "tst", false],
    ["*x", "x", false],
    ["a*c*e", "abcde", true],
    ["a**", "ab", false],
    ["a**", "abc", true],
    ["room.*", "roomx1", false],
    ["room.*", "room.x", true],
    ["app*", "app\nx", false],
    ["app*", "app\r\u2028x", true],
    ["*", "", true],
    ["*", "a\nb", true],
    ["**", "a", false],
    ["**", "\u{1f514}", false],
    ["**", "\u{1f514}a", true],
    ["", "", true],
    ["", "a", false],
    ["a*a", "a", false],
    ["a*a", "aa", false],
    ["ab*ab", "abab", false],
    ["ab*ab", "abxab", true],
    ["(a+)+$*", "(a+)+$b", true],
  ])("%j and %j: %p", (grant, name, matches) => {
    expect(grantMatches(grant, name, RULES)).toBe(matches);
  });

  test("D13: with starEmpty a star also stands for nothing", () => {
    const rules = { starEmpty: true };
    expect(grantMatches("app*", "app", rules)).toBe(true);
    expect(grantMatches("t*st", "tst", rules)).toBe(true);
    expect(grantMatches("ab*ab", "abab", rules)).toBe(true);
    expect(grantMatches("ab*ab", "ab", rules)).toBe(false);
    expect(grantMatches("a*", "a\nb", rules)).toBe(false);
  });

  test("one of several grants is enough; none allows nothing", () => {
    expect(isGranted(["x", "app*"], "apple", RULES)).toBe(true);
    expect(isGranted([], "", RULES)).toBe(false);
  });

  test("literally, only a lone star is more than its text", () => {
    expect(isGrantedLiterally(["app*"], "apple")).toBe(false);
    expect(isGrantedLiterally(["app*"], "app*")).toBe(true);
    expect(isGrantedLiterally(["*"], "apple")).toBe(true);
    expect(isGrantedLiterally([], "apple")).toBe(false);
  });

  test("agrees with RE2 on random grants and names, in both modes", () => {
    const random = randomFrom(7);
    const text = (letters: string, lengthMax: number) =>
      Array.from({ length: random.integer(lengthMax + 1) }, () =>
        random.pick(Array.from(letters)),
      ).join("");
    for (let round = 0; round < 20_000; round++) {
      const grant = text("ab\n*\u{1f514}", 8);
      const name = text("ab\n\u{1f514}", 10);
      for (const starEmpty of [false, true]) {
        const star = starEmpty ? "[^\\n]*" : "[^\\n]+";
        const pattern = grant
          .split("*")
          .map((part) => RE2JS.quote(part))
          .join(star);
        const expected = grant === "*" || grant === name || RE2JS.matches(pattern, name);
        if (grantMatches(grant, name, { starEmpty }) !== expected) {
          throw new Error(JSON.stringify({ grant, name, starEmpty, expected }));
        }
      }
    }
  });

  test("many stars over a long name that does not match take no time to speak of", () => {
    const grant = `${"a*".repeat(8000)}b`;
    const name = "a".repeat(100_000);
    for (let round = 0; round < 100; round++) expect(grantMatches(grant, name, RULES)).toBe(false);
  });
});
