import { describe, expect, test } from "bun:test";
import { jsonView } from "../../core/json-text.ts";
import { CONTEXT_BYTES_MAX } from "./limits.ts";
import { canonicalJson, contextBytes, randomContext } from "./task-id.ts";

const view = (text: string) => jsonView(text, { anyNumbers: true });
const canonical = (text: string) => canonicalJson(view(text));
const bytes = (text: string) => contextBytes(view(text));

describe("RFC 8785", () => {
  test("the sample of §3.2.2", () => {
    const sample = String.raw`{
      "numbers": [333333333.3333333, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    expect(canonical(sample)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"EURO$\u000f\nA'B\"\\\\\"/"}`.replace(
        // The runtime's transpiler writes this character as an escape, also in raw text.
        "EURO",
        "\u20ac",
      ),
    );
  });

  test("the sorting of §3.2.3", () => {
    const sample = String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`;
    const names = [
      ...["Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis"],
      ...["Euro Sign", "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh"],
    ];
    const places = names.map((name) => canonical(sample).indexOf(name));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  test.each([
    ["0000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["8000000000000001", "-5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["c340000000000000", "-9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["44b52d02c7e14af7", "1.0000000000000001e+23"],
    ["444b1ae4d6e2ef4e", "999999999999999700000"],
    ["444b1ae4d6e2ef4f", "999999999999999900000"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["41b3de4355555553", "333333333.3333332"],
    ["41b3de4355555554", "333333333.33333325"],
    ["41b3de4355555555", "333333333.3333333"],
    ["41b3de4355555556", "333333333.3333334"],
    ["41b3de4355555557", "333333333.33333343"],
    ["becbf647612f3696", "-0.0000033333333333333333"],
    ["43143ff3c1cb0959", "1424953923781206.2"],
  ])("the number %s of appendix B", (hex, text) => {
    const number = Buffer.from(hex, "hex").readDoubleBE();
    expect(canonical(number.toExponential())).toBe(text);
  });

  test("there is no canonical form of half a surrogate pair, nor of a number beyond doubles", () => {
    for (const text of [String.raw`["\ud83d"]`, String.raw`{"\ude00":1}`, "[1e400]", "-1e400"]) {
      expect(() => canonical(text)).toThrow();
      expect(bytes(text)).toBe("type");
    }
  });
});

test("a number is what its digits say, or it is refused: two contexts are never one task", () => {
  for (const text of [
    ...["1285704473650888702", "9007199254740993", "0.10000000000000000001", "1e-400", "1.5e400"],
    ...["333333333.33333329", "-0", "-0.0", "-0e5", "1e23000000000000000000000", "5e-325"],
    ...[`1${"0".repeat(400)}`, `0.${"0".repeat(200_000)}1`],
  ]) {
    for (const whole of [text, `[${text}]`, `{"a":[{"b":${text}}]}`]) {
      expect([whole.slice(0, 50), bytes(whole)]).toEqual([whole.slice(0, 50), "type"]);
    }
    expect(bytes(`"${text.slice(0, 100)}"`)).toBeInstanceOf(Uint8Array);
  }
  for (const [text, written] of [
    ...[["1285704473650888700", "1285704473650888700"] as const, ["1.10", "1.1"] as const],
    ...[["0.1", "0.1"] as const, ["0e999999999999999999", "0"] as const, ["100E-2", "1"] as const],
    ...[["1e+021", "1e+21"] as const, ["9007199254740992.0", "9007199254740992"] as const],
    ...[[`0.${"0".repeat(300)}1e301`, "1"] as const, ["-12.50", "-12.5"] as const],
  ]) {
    expect(canonical(text)).toBe(written);
  }
});

test("an object with two members of one name is refused, however they are spelled", () => {
  for (const text of [...['{"a":1,"a":1}', '{"a":1,"b":2,"\\u0061":3}', '[{"x":{"a":1,"a":2}}]']]) {
    expect(bytes(text)).toBe("type");
  }
  expect(canonical('{"a":1,"A":2,"b":{"a":3}}')).toBe('{"A":2,"a":1,"b":{"a":3}}');
});

test("a string context is its UTF-8, without normalisation", () => {
  expect(bytes('"é"')).toEqual(Buffer.from("sé"));
  expect(bytes(String.raw`"\u00e9"`)).toEqual(Buffer.from("sé"));
  expect(bytes(String.raw`"e\u0301"`)).toEqual(Buffer.from("se\u0301"));
  expect(bytes(String.raw`"\ud83d"`)).toBe("type");
});

test("the empty string is refused, empty lists and objects are contexts", () => {
  expect(bytes('""')).toBe("empty");
  expect(bytes("{ }")).toEqual(Buffer.from("j{}"));
  expect(bytes("[ ]")).toEqual(Buffer.from("j[]"));
  expect(bytes("0")).toEqual(Buffer.from("j0"));
});

test("a context has up to 4096 bytes, encoded", () => {
  const text = (length: number) => `"${"é".repeat(length / 2)}"`;
  expect(bytes(text(CONTEXT_BYTES_MAX))).toBeInstanceOf(Uint8Array);
  expect(bytes(text(CONTEXT_BYTES_MAX + 2))).toBe("too_long");
  const list = (length: number) => `[ "${"x".repeat(length - 4)}" ]`;
  expect(bytes(list(CONTEXT_BYTES_MAX))).toBeInstanceOf(Uint8Array);
  expect(bytes(list(CONTEXT_BYTES_MAX + 1))).toBe("too_long");
});

test("nesting as deep as JSON may be is no trouble", () => {
  expect(bytes("[".repeat(1000) + "]".repeat(1000))).toBeInstanceOf(Uint8Array);
});

test("a random context equals no context that can be sent", () => {
  expect(randomContext(Uint8Array.of(1, 2))).toEqual(Buffer.from("r\u0001\u0002"));
});
