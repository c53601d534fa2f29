import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../test/support/random.ts";
import type { Payload } from "./types.ts";
import { HubError } from "./errors.ts";
import { JSON_DEPTH_MAX } from "./json-check.ts";
import {
  compactJson,
  type JsonView,
  jsonOfBytes,
  jsonView,
  jsonViews,
  objectEnd,
  parseJson,
} from "./json-text.ts";

const VALID = [
  ...["{}", "[]", '""', "0", "-0", "1e308", "1E+2", "-1.50e-07", "true", "false", "null"],
  ...["9007199254740993", '"\\u0041\\/\\ud800"', '"\u2028\u007f"', '{"a":1,"a":2}', "[[],{}]"],
];

const INVALID = [
  ...["", " ", "[", "]", "{", "}", '"', '"\\"', "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "{]"],
  ...[
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{"a" 1}',
    "{a:1}",
    "{,}",
    "{1:2}",
    '{"a":1]',
    '{"a":1 "b":2}',
  ],
  ...["01", "-", "+1", ".5", "1.", "1e", "1e+", "-01", "0x1", "NaN", "Infinity", "- 1", "1 .5"],
  ...["tru", "nul", "truefalse", "True", "t", "1 2", "[]]", "{}{}", "[];", "(1)", "'a'", "/**/1"],
  ...[
    '"\\x"',
    '"\\u12g4"',
    '"\\u123',
    '"\\u123"',
    '"\\',
    '"a\tb"',
    '"a\nb"',
    '"\u0000"',
    "\ufeff1",
  ],
  ...["\u00a01", "1\u2028", "\f1", "\v1", "1\u0000", "[1,,2]", '["a":1]', '"a" "b"', ","],
];

for (const text of VALID) {
  test(`compactJson() leaves ${JSON.stringify(text)} untouched`, () => {
    expect<unknown>(compactJson(text)).toBe(text);
  });
}

for (const text of INVALID) {
  test(`compactJson() refuses ${JSON.stringify(text)}, as JSON.parse does`, () => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(codeOf(() => compactJson(text))).toBe("bad_request");
    expect(codeOf(() => jsonView(text))).toBe("bad_request");
  });
}

test("compactJson() removes white space outside strings and nothing else", () => {
  expect<unknown>(compactJson('\t{ "a b" : [ 1 ,\r\n 2.50 , "x  y\\n" ] , "c":{ } }\n')).toBe(
    '{"a b":[1,2.50,"x  y\\n"],"c":{}}',
  );
  expect<unknown>(compactJson(" 9007199254740993 ")).toBe("9007199254740993");
});

test("compactJson() takes nesting up to the limit and not one level more", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  expect<unknown>(compactJson(nested(JSON_DEPTH_MAX))).toBe(nested(JSON_DEPTH_MAX));
  expect(codeOf(() => compactJson(nested(JSON_DEPTH_MAX + 1)))).toBe("bad_request");
  for (const hostile of ["[", '{"a":', "[[],"]) {
    expect(codeOf(() => compactJson(hostile.repeat(1_000_000)))).toBe("bad_request");
  }
});

test("compactJson() says where, but nothing of the text, when it refuses", () => {
  expect(() => compactJson('{"secret":secret}')).toThrow(
    "Not valid JSON: unexpected character at character 10",
  );
});

test("jsonOfBytes() gives undefined for what is not UTF-8 JSON", () => {
  expect<unknown>(jsonOfBytes(Buffer.from('{ "ü": 1 }'))).toBe('{"ü":1}');
  expect<unknown>(jsonOfBytes(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined();
  expect<unknown>(jsonOfBytes(Buffer.from('\ufeff"a"'))).toBeUndefined();
  expect<unknown>(jsonOfBytes(new Uint8Array())).toBeUndefined();
  expect<unknown>(jsonOfBytes(Buffer.from("[1]"))).toBe("[1]");
});

test("jsonViews() gives values that stand one behind the other", () => {
  const raws = (text: string, countMax = 9) => jsonViews(text, countMax).map(({ raw }) => raw);
  expect(raws("")).toEqual([]);
  expect(raws(" \n\t ")).toEqual([]);
  expect(raws('{"a": "}{\\""}\n\n{"b":{}}{} \r\n')).toEqual(['{"a":"}{\\""}', '{"b":{}}', "{}"]);
  expect(raws("{}[{}]")).toEqual(["{}", "[{}]"]);
  expect(raws("7")).toEqual(["7"]);
  expect(raws("{}{}{}", 3)).toHaveLength(3);
  expect(raws("{}{}{}{}{", 3)).toHaveLength(4);
  for (const broken of [
    "{",
    "{}{",
    "{}}",
    "{},{}",
    "7 8",
    "[]{}",
    '{"a":"}',
    "{}\u00a0{}",
    "{a}",
  ]) {
    expect(() => jsonViews(broken, 9)).toThrow(HubError);
  }
});

test("objectEnd() steps over strings, and knows where there is no object", () => {
  expect(objectEnd('x{"}":["\\"}"]}y', 1)).toBe(14);
  for (const none of ["", "{", '{"}', "[]", " {}"]) expect(objectEnd(none, 0)).toBeUndefined();
});

test("jsonView() cuts payloads out of a command and of HTTP bodies verbatim", () => {
  const data = '{"n":9007199254740993,"s":"} , ]\\"","e":1e-400}';
  const command = jsonView(`{"id":3,"publish":{"channel":"c","data": ${data} }}`);
  expect(command.member("publish")?.member("data")?.raw).toBe(data);
  expect(command.member("id")?.value).toBe(3);
  const batch = jsonView(
    `{ "commands": [ {"publish":{"channel":"a","data":${data}}}, {"broadcast":{"channels":["b","c"],"data":[ 1, 2 ]}} ] }`,
  );
  const [publish, broadcast] = batch.member("commands")?.items() ?? [];
  expect(publish?.member("publish")?.member("data")?.raw).toBe(data);
  expect(broadcast?.member("broadcast")?.member("data")?.raw).toBe("[1,2]");
  expect(
    broadcast
      ?.member("broadcast")
      ?.member("channels")
      ?.items()
      .map((item) => item.value),
  ).toEqual(["b", "c"]);
});

test("member() reads escaped names, and the last of several counts", () => {
  const view = jsonView('{"data":1,"d\\u0061ta":2,"\\n":3,"\\\\n":4,"__proto__":5}');
  expect(view.member("data")?.raw).toBe("2");
  expect(view.member("\n")?.raw).toBe("3");
  expect(view.member("\\n")?.raw).toBe("4");
  expect(view.member("__proto__")?.raw).toBe("5");
  expect(view.member("d\\u0061ta")).toBeUndefined();
  expect(view.member("toString")).toBeUndefined();
});

test("members() takes as many as it is asked to, and refuses one more", () => {
  const view = jsonView('{"a":1,"b":2,"a":3}');
  expect([...view.members(3)].map(([name, { value }]) => [name, value])).toEqual([
    ["a", 3],
    ["b", 2],
  ]);
  expect(() => view.members(2)).toThrow("An object has more than 2 members");
  expect(jsonView("[1,2,3]").members(0).size).toBe(0);
});

test("only() gives the members asked for, the last of several, and none where there are others or escapes", () => {
  const only = (text: string) =>
    jsonView(text)
      .only(["a", "bc"])
      ?.map((view) => view?.raw);
  expect(only('{ "bc" : {"x":[1, 2]} , "a" : 1 }')).toEqual(["1", '{"x":[1,2]}']);
  expect(only('{"a":1,"bc":2,"a":null}')).toEqual(["null", "2"]);
  expect(only('{"bc":2}')).toEqual([undefined, "2"]);
  expect(only("{}")).toEqual([undefined, undefined]);
  for (const text of ['{"a":1,"b":2}', '{"a":1,"abc":2}', '{"a":1,"":2}', '{"a":1,"b\\u0063":2}']) {
    expect(only(text)).toBeUndefined();
  }
  for (const text of ["[]", '"a"', "null", "1"]) expect(only(text)).toBeUndefined();
});

test("a view of another kind has no members and no items", () => {
  for (const text of ["[1]", "1", '"a"', "null", "true"]) {
    expect(jsonView(text).member("a")).toBeUndefined();
    expect(jsonView(text).members().size).toBe(0);
  }
  expect(jsonView('{"a":1}').items()).toEqual([]);
  const items = (count: number) =>
    jsonView("[1,[2],3]")
      .items(count)
      .map(({ raw }) => raw);
  expect([items(3), items(2), items(1)]).toEqual([
    ["1", "[2]", "3"],
    ["1", "[2]", "3"],
    ["1", "[2]"],
  ]);
});

test("a kept slice does not keep the text it was cut from", () => {
  const kept: string[] = [];
  Bun.gc(true);
  const before = process.memoryUsage.rss();
  for (let index = 0; index < 300; index++) {
    const text = Buffer.from(`{"x":"${"y".repeat(1_000_000)}","data":{"a":${index}}}`).toString();
    kept.push(jsonView(text).member("data")?.raw ?? "");
    if (index % 20 === 0) Bun.gc(true);
  }
  Bun.gc(true);
  expect(process.memoryUsage.rss() - before).toBeLessThan(200_000_000);
  expect(kept[299]).toBe('{"a":299}');
});

test("random JSON with random white space comes out as JSON.stringify writes it, and views agree with JSON.parse", () => {
  const random = createRandom("json-text values");
  for (let round = 0; round < 3_000; round++) {
    const value = random.json(5);
    const compact = JSON.stringify(value);
    const spaced = spread(random, compact);
    expect<unknown>(compactJson(spaced)).toBe(compact);
    expectSame(jsonView(spaced), JSON.parse(spaced));
  }
});

test("random damage is refused exactly when JSON.parse refuses it or finds a number without end", () => {
  const random = createRandom("json-text damage");
  const alphabet = Array.from('{}[]",:\\ \n\t0123456789.eE+-truefalsn/u\u0001é\u00a0');
  let valid = 0;
  for (let round = 0; round < 20_000; round++) {
    const characters = Array.from(spread(random, JSON.stringify(random.json(3))));
    for (let edits = random.integer(3); edits > 0; edits--) {
      const at = random.integer(characters.length + 1);
      characters.splice(
        at,
        random.integer(2),
        ...(random.chance(0.7) ? [random.pick(alphabet)] : []),
      );
    }
    const text = characters.join("");
    const parsed = attempt(() => finite(JSON.parse(text)));
    const compact = attempt(() => compactJson(text));
    if (compact.ok !== parsed.ok) throw new Error(`Not as JSON.parse: ${JSON.stringify(text)}`);
    if (!compact.ok) continue;
    valid++;
    expect(JSON.parse(compact.value)).toEqual(parsed.value);
    expect(jsonView(text).raw).toBe(compact.value);
  }
  expect(valid).toBeGreaterThan(1_000);
});

/** Throws for one that `JSON.parse` took for infinite. */
function finite(value: unknown): unknown {
  if (value === Infinity || value === -Infinity) throw new RangeError("Infinite");
  if (typeof value === "object" && value !== null) Object.values(value).forEach(finite);
  return value;
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return error instanceof HubError ? error.code : String(error);
  }
  return undefined;
}

function attempt<Value>(action: () => Value) {
  try {
    return { ok: true, value: action() } as const;
  } catch {
    return { ok: false, value: undefined } as const;
  }
}

/** White space between any two tokens, none inside them. */
function spread(random: Random, compact: string): string {
  const space = () => (random.chance(0.2) ? random.pick([" ", "\n", "\t", "\r\n", "   "]) : "");
  const tokens = compact.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^{}[\],:"]+/g) ?? [];
  return tokens.map((token) => space() + token).join("") + space();
}

function expectSame(view: JsonView, value: unknown): void {
  expect(view.value).toEqual(value);
  expect(JSON.parse(view.raw)).toEqual(value);
  if (Array.isArray(value)) {
    expect(view.kind).toBe("array");
    const items = view.items();
    expect(items.length).toBe(value.length);
    for (const [index, item] of items.entries()) expectSame(item, value[index]);
  } else if (typeof value === "object" && value !== null) {
    expect(view.kind).toBe("object");
    expect([...view.members().keys()].toSorted()).toEqual(Object.keys(value).toSorted());
    for (const [name, member] of Object.entries(value)) {
      const found = view.member(name);
      if (found === undefined) throw new Error(`Member ${JSON.stringify(name)} was not found`);
      expectSame(found, member);
    }
  } else expect(view.kind).toBe(value === null ? "null" : (typeof value as "string"));
}

test("a number that no double holds is refused, wherever it stands, unless it is asked for", () => {
  const largest = `${"9".repeat(308)}`;
  for (const good of ["1e308", "-1.7976931348623157E+308", "1e-400", largest, `${largest}.5e-9`]) {
    expect<unknown>(compactJson(`[${good}]`)).toBe(`[${good}]`);
  }
  for (const text of ["1e400", "-1e400", "1E+309", `1${largest}`, `-1${largest}.5`]) {
    for (const whole of [text, `[${text}]`, `{"a":{"b":${text}}}`]) {
      expect(() => compactJson(whole)).toThrow("no double holds");
      expect(() => jsonView(whole)).toThrow(HubError);
      expect(() => parseJson(whole)).toThrow(HubError);
      expect<unknown>(jsonOfBytes(Buffer.from(whole))).toBeUndefined();
      expect(jsonView(whole, { anyNumbers: true }).source).toBe(whole);
    }
    expect<unknown>(compactJson(JSON.stringify(text))).toBe(JSON.stringify(text));
  }
});

test("parseJson() refuses a member called __proto__, however it is spelled, and takes it as a value", () => {
  for (const name of ["__proto__", "\\u005f_proto__", "__\\u0070roto__"]) {
    for (const text of [`{"${name}":{}}`, `[{"a":{"b":[{"${name}":1}]}}]`]) {
      expect(() => parseJson(text)).toThrow('a member called "__proto__"');
    }
    expect(parseJson(`["${name}"]`)).toEqual(["__proto__"]);
  }
  const value = { ["\u00fc"]: ["__proto", "\\u005f_proto__"], constructor: null, a: 1.5 };
  expect(parseJson(JSON.stringify(value))).toEqual(value);
  expect(() => parseJson("{")).toThrow(HubError);
});

test("text that nobody has checked is no payload", () => {
  // @ts-expect-error: what this file has not made does not count as compact.
  const payload: Payload = { json: "{ }" };
  expect(payload).not.toEqual({ json: compactJson("{ }") });
});

test("json is compact JSON also of a view that takes any numbers", () => {
  const view = jsonView('{ "a": [ 1 ], "b": [ 1e400 ] }', { anyNumbers: true });
  expect<unknown>(view.member("a")?.json).toBe("[1]");
  expect(view.member("b")?.raw).toBe("[1e400]");
  expect(codeOf(() => view.member("b")?.json)).toBe("bad_request");
});
