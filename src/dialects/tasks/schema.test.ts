import { describe, expect, test } from "bun:test";
import { createRandom } from "../../../test/support/random.ts";
import type { JsonView } from "../../core/json-text.ts";
import { RpcError } from "./errors.ts";
import { foldedMembers, readJson } from "./schema.ts";

const read = (text: string | Uint8Array, strict = false): JsonView =>
  readJson(typeof text === "string" ? Buffer.from(text) : text, { strict });

function failure(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return error.rpc;
  }
}

describe("trailing commas", () => {
  test.each([
    ['{"a":1,}', { a: 1 }],
    ["[1,2,]", [1, 2]],
    ['{"a":[true , ] ,\n}', { a: [true] }],
    ['{"a":{"b":"x",},}', { a: { b: "x" } }],
    ['{"a":",}",}', { a: ",}" }],
    ['{"a":"\\",}",}', { a: '",}' }],
    ['[[],{},"",]', [[], {}, ""]],
  ])("%s is tolerated, unless strict", (text, value) => {
    expect(read(text).value).toEqual(value);
    expect(failure(() => read(text, true))).toBe("parse_error");
  });

  test.each([
    ...[
      "[,]",
      "{,}",
      "[1,,]",
      '{"a":1,,}',
      '{"a":,}',
      ",",
      "[1],",
      '{"a",}',
      "[1,",
      '"a,',
      '{,"a":1}',
    ],
    ...["[1,\u00a0]", "[1,]]", "[1,}", "// [1]", "[1 /* , */]", "['a',]", "[NaN,]", "", "{a:1,}"],
  ])("%s is no JSON either way", (text) => {
    expect(failure(() => read(text))).toBe("parse_error");
    expect(failure(() => read(text, true))).toBe("parse_error");
  });

  test("wherever they are put in any JSON, its value stays", () => {
    const random = createRandom("trailing commas");
    for (let round = 0; round < 2_000; round++) {
      const value = random.json(4);
      const spaced = JSON.stringify(value, null, random.chance(0.5) ? 1 : 0);
      // As a writer that ends every member and item with one would.
      const text = withCommas(value, () => random.pick(["", " ", "\n\t"]));
      expect(read(text).value).toEqual(JSON.parse(spaced));
      expect(read(spaced).source).toBe(spaced);
    }
  });

  test("time is linear in what is sent", () => {
    for (const text of [
      " ".repeat(262_144),
      `[${"1, ".repeat(80_000)}`,
      `["${"\\".repeat(262_000)}`,
    ]) {
      expect(failure(() => read(text))).toBe("parse_error");
    }
  });
});

function withCommas(value: unknown, space: () => string): string {
  if (Array.isArray(value)) {
    return `[${value.map((item) => `${withCommas(item, space)}${space()},${space()}`).join("")}]`;
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}:${withCommas(member, space)}${space()},${space()}`,
  );
  return `{${members.join("")}}`;
}

test("what is no UTF-8 is no JSON", () => {
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc3, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
  ]) {
    expect(failure(() => read(Uint8Array.from(bytes)))).toBe("parse_error");
  }
});

test("nesting beyond what readers take is no JSON", () => {
  expect(read(`${"[".repeat(1000)}${"]".repeat(1000)}`).kind).toBe("array");
  expect(failure(() => read(`${"[".repeat(1001)}${"]".repeat(1001)}`))).toBe("parse_error");
});

test("members are found in any case, two that differ in case only are ambiguous", () => {
  const members = foldedMembers(read('{"Jsonrpc":"2.0","METHOD":"m","id":1}'));
  expect([...members.keys()]).toEqual(["jsonrpc", "method", "id"]);
  for (const text of ['{"id":1,"Id":1}', '{"id":1,"x":0,"ID":2}', '{"other":1,"Other":1}']) {
    expect(failure(() => foldedMembers(read(text)))).toBe("invalid_request");
  }
});
