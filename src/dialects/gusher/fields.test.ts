import { describe, expect, test } from "bun:test";
import { readFields, jsonOfField } from "./fields.ts";

const FORM = "application/x-www-form-urlencoded";

interface Sent {
  readonly query?: string;
  readonly type?: string;
  readonly body?: string | Uint8Array | FormData | undefined;
}

/** `data` and `event`, as far as they were found. */
async function read({ query = "", type, body }: Sent): Promise<Record<string, string>> {
  const sent = new Response(body ?? null);
  const contentType = type ?? (body instanceof FormData ? sent.headers.get("content-type") : null);
  const request = new Request(`http://localhost/push${query}`, {
    method: "POST",
    headers: contentType === null ? {} : { "Content-Type": contentType },
  });
  const fields = await readFields(request, { names: ["data", "event"], body: await sent.bytes() });
  return Object.fromEntries(fields);
}

function form(fields: Readonly<Record<string, string | Blob>>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
}

describe("where fields come from", () => {
  test.each<[string, Sent, Record<string, string>]>([
    ["a form", { type: FORM, body: "data=a+b%20%C3%A9&event=e" }, { data: "a b é", event: "e" }],
    ["a form in some charset", { type: `${FORM}; charset=latin1`, body: "data=a" }, { data: "a" }],
    ["a type in capitals", { type: FORM.toUpperCase(), body: "data=a" }, { data: "a" }],
    ["raw UTF-8 in a form", { type: FORM, body: "data=é\u{1f600}" }, { data: "é\u{1f600}" }],
    ["the query", { query: "?data=a%26b&event=e" }, { data: "a&b", event: "e" }],
    ["both", { query: "?data=q&event=q", type: FORM, body: "data=b" }, { data: "b", event: "q" }],
    ["a repeated field", { type: FORM, body: "data=1&data=2", query: "?data=3" }, { data: "1" }],
    ["an empty one", { type: FORM, body: "data=&x", query: "?data=3" }, { data: "" }],
    ["one without a value", { type: FORM, body: "data" }, { data: "" }],
    ["others", { type: FORM, body: "x=1&&=2&data=a=b" }, { data: "a=b" }],
    ["a body without a type", { body: new TextEncoder().encode("data=a") }, {}],
    ["plain text", { type: "text/plain", body: "data=a", query: "?event=e" }, { event: "e" }],
    [
      "multipart",
      { body: form({ data: '{"a": 1}', event: "é" }) },
      { data: '{"a": 1}', event: "é" },
    ],
    ["a file", { body: form({ data: new Blob(["a"]), event: "e" }) }, { event: "e" }],
  ])("%s", async (_name, sent, fields) => {
    expect(await read(sent)).toEqual(fields);
  });

  test.each<[string, string, Record<string, string>]>([
    ["strings are their text", '{"data":"a\\u00e9","event":""}', { data: "aé", event: "" }],
    ["other values are as they were sent", '{"data": {"b" : 1e2} }', { data: '{"b" : 1e2}' }],
    ["numbers keep their digits", '{"data":9007199254740993}', { data: "9007199254740993" }],
    ["null is absent", '{"data":null}', {}],
    ["a list is no object", '["data"]', {}],
  ])("JSON: %s", async (_name, body, fields) => {
    expect(await read({ type: "application/json", body })).toEqual(fields);
  });
});

describe("what cannot be read is absent", () => {
  test.each<[string, Sent, Record<string, string>]>([
    ["a bad escape", { type: FORM, body: "data=%zz&event=e" }, { event: "e" }],
    ["half an escape", { type: FORM, body: "data=%&event=e" }, { event: "e" }],
    ["an escape that is no UTF-8", { type: FORM, body: "data=%ff&event=e" }, { event: "e" }],
    ["a raw semicolon", { type: FORM, body: "data=a;b&event=e" }, { event: "e" }],
    ["one in the query", { query: "?data=a;b&event=e" }, { event: "e" }],
    ["an escaped one is none", { type: FORM, body: "data=a%3Bb" }, { data: "a;b" }],
    ["bytes that are no UTF-8", { type: FORM, body: Uint8Array.of(0x64, 0xff) }, {}],
    ["JSON that is none", { type: "application/json", body: '{"data":1' }, {}],
    ["JSON too deep", { type: "application/json", body: `{"data":${"[".repeat(5000)}` }, {}],
    ["multipart without a boundary", { type: "multipart/form-data", body: "--x" }, {}],
    ["multipart cut off", { type: "multipart/form-data; boundary=x", body: "--x\r\nContent" }, {}],
  ])("%s", async (_name, sent, fields) => {
    expect(await read(sent)).toEqual(fields);
  });

  test("a body that the listener did not read counts as none", async () => {
    const request = new Request("http://localhost/?data=q", {
      method: "POST",
      headers: { "Content-Type": FORM },
    });
    const fields = await readFields(request, { names: ["data"], body: undefined });
    expect([...fields]).toEqual([["data", "q"]]);
  });
});

test("10 MB of small pairs are read in time linear in their number", async () => {
  const body = "a=%41&".repeat(1_700_000) + "data=end";
  expect(await read({ type: FORM, body })).toEqual({ data: "end" });
});

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
  expect<unknown>(jsonOfField(text)).toBe(json);
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
  expect<unknown>(jsonOfField(text)).toBe(JSON.stringify(text));
});

test("text with a lone surrogate is escaped, so that it can be sent as UTF-8", () => {
  expect<unknown>(jsonOfField("a\ud800b")).toBe('"a\\ud800b"');
});

test("many large numbers cost time linear in the text", () => {
  const numbers = `[${Array(30_000).fill("9".repeat(308)).join(",")}]`;
  expect<unknown>(jsonOfField(numbers)).toBe(numbers);
  expect<unknown>(jsonOfField(`[${"1e1,".repeat(100_000)}1e309]`)).toStartWith('"[1e1');
});
