import { expect, test } from "bun:test";
import { errorEntries, findErrors } from "../dialects/errors.ts";
import { errorLines, errorsPage } from "../dialects/errors-page.ts";
import type { ErrorsPart } from "../dialects/shown.ts";
import { allErrors } from "./errors.ts";

const entries = await allErrors();

test("docs/errors.md is what `carillon errors --page` prints", async () => {
  const page = await Bun.file(new URL("../../docs/errors.md", import.meta.url)).text();
  expect(page).toBe(errorsPage(entries));
});

test("each word has a meaning, a cause and a remedy, as sentences", () => {
  for (const { word, means, cause, remedy } of entries) {
    for (const text of [means, cause, remedy]) {
      expect(`${word}: ${text}`).toMatch(/^[a-z][a-z_]*: [A-Z`"].*\.$/);
    }
  }
});

test("an entry is found by its word, a close code, an error code or a reason, in any case", () => {
  const found = (asked: string) => findErrors(entries, asked).map(({ word }) => word);
  expect(found("no_pong")).toEqual(["no_pong"]);
  expect(found("3500")).toEqual(["invalid_token"]);
  expect(found("-32004")).toEqual(["task_not_found"]);
  expect(found("MISSINGSERVICE")).toEqual(["bad_request"]);
  expect(found("invalid token: its claim")).toEqual(["invalid_token"]);
  expect(found("insufficient state")).toEqual(["missed", "other_channels"]);
  expect(found("invalid-field")).toEqual(["invalid_field"]);
  expect(found("no_such_word")).toEqual([]);
});

test("an entry's lines name what each wire shows", () => {
  const [slow] = findErrors(entries, "slow");
  expect(slow && errorLines(slow)).toEqual(
    expect.arrayContaining(["slow", "  streaming: close 3008 slow", "  sora: close 4490 TOO-SLOW"]),
  );
});

test("a word that is explained twice, and one that is shown and not explained, are mistakes", () => {
  const text = { means: "A.", cause: "B.", remedy: "C." };
  const twice = { words: { slow: text }, shown: [] };
  expect(() => errorEntries([["x", twice]])).toThrow('"slow" is explained twice');
  // @ts-expect-error No table explains it.
  const unknown: ErrorsPart = { words: {}, shown: [{ word: "y", as: "close", code: "1" }] };
  expect(() => errorEntries([["x", unknown]])).toThrow('"y" of x is not explained');
});
