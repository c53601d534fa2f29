/** Merging of attributes (messaging.md §3, G11). */
import { expect, test } from "bun:test";
import { compactJson } from "../../../core/json-text.ts";
import { mergeAttributes } from "./attributes.ts";

test.each([
  ["{}", "{}", "{}"],
  ['{"a":1,"b":2}', '{"b":3,"c":4}', '{"a":1,"b":3,"c":4}'],
  ['{"a":1,"b":2}', '{"a":null,"x":null}', '{"b":2}'],
  ['{"a":{"x":1}}', '{"a":{"y":null}}', '{"a":{"y":null}}'],
  [
    '{"n":9007199254740993}',
    '{"m":1.0,"q\\"":"\\u00e9"}',
    '{"n":9007199254740993,"m":1.0,"q\\"":"\\u00e9"}',
  ],
  ['{"a":1}', '{"a":2,"a":3}', '{"a":3}'],
  ["{}", '{"__proto__":{"a":1}}', '{"__proto__":{"a":1}}'],
])("%s with %s is %s", (present, changes, merged) => {
  expect(mergeAttributes(compactJson(present), compactJson(changes))).toBe(compactJson(merged));
});
