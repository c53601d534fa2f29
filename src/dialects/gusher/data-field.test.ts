import { expect, test } from "bun:test";
import { jsonOfField } from "./data-field.ts";

test.each([
  ["5", "5"],
  ["-0.5e3", "-0.5e3"],
  ["null", "null"],
  ["true", "true"],
  ['"quoted"', '"quoted"'],
  [' { "a" : [ 1 ] } ', '{"a":[1]}'],
  ["\n[]\t", "[]"],
  ['{"b":1,"a":9007199254740993}', '{"b":1,"a":9007199254740993}'],
  ['{"a":1,"a":2}', '{"a":1,"a":2}'],
  ['"1e400"', '"1e400"'],
  ["1e308", "1e308"],
  ["1e-400", "1e-400"],
])("%s is JSON, and that value", (text, json) => {
  expect(jsonOfField(text)).toBe(json);
});

test.each([
  "",
  "hello",
  "{broken",
  "007",
  "+1",
  ".5",
  "'a'",
  "undefined",
  "NaN",
  "Infinity",
  '{"a":1}{"b":2}',
  "1 2",
  "[1,]",
  '"open',
  "\ufeff1",
  " ",
  // D11, also inside a document: as a value it would not survive a float64.
  "1e400",
  "-1E+999",
  '{"a":[1e400]}',
  `1${"0".repeat(309)}`,
  "[".repeat(2000) + "]".repeat(2000),
])("%s is text, and a string", (text) => {
  expect(jsonOfField(text)).toBe(JSON.stringify(text));
});

test("text with a lone surrogate is escaped, so that it can be sent as UTF-8", () => {
  expect(jsonOfField("a\ud800b")).toBe('"a\\ud800b"');
});

test("many large numbers cost time linear in the text", () => {
  const numbers = `[${Array(30_000).fill("9".repeat(308)).join(",")}]`;
  expect(jsonOfField(numbers)).toBe(numbers);
  expect(jsonOfField(`[${"1e1,".repeat(100_000)}1e309]`)).toStartWith('"[1e1');
});
