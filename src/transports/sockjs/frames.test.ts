/** What goes into frames and what transports make of them (sockjs.md §6). */
import { expect, test } from "bun:test";
import { createFormats, encodeMessage } from "./frames.ts";
import { MESSAGES_PER_ARRAY_MAX, readArray, readFrame } from "./messages.ts";

const EVERY_UNIT = String.fromCharCode(...Array.from({ length: 65_536 }, (_, unit) => unit));

test("the ranges that transports spoil are escaped, in lower case; the rest is as it is", () => {
  const spoilt = [...range(0x200c, 0x200f), ...range(0x2028, 0x202f), ...range(0x2060, 0x206f)];
  for (const unit of [...spoilt, ...range(0xfff0, 0xffff), 0xd800, 0xdfff]) {
    expect(encodeMessage(String.fromCharCode(unit))).toBe(`"\\u${unit.toString(16)}"`);
  }
  for (const unit of [0x200b, 0x2010, 0x2027, 0x2030, 0x205f, 0x2070, 0xffef, 0x7f, 0xff]) {
    const text = String.fromCharCode(unit);
    expect(encodeMessage(text)).toBe(`"${text}"`);
  }
  expect(encodeMessage("\0\u001f")).toBe(String.raw`"\u0000\u001f"`);
  expect(encodeMessage("🛎")).toBe('"🛎"');
  expect(JSON.parse(encodeMessage(EVERY_UNIT))).toBe(EVERY_UNIT);
});

test("bytes are the text that they are in UTF-8", () => {
  expect(encodeMessage(new TextEncoder().encode("é"))).toBe('"é"');
});

test("an event's percent signs are encoded, and nothing else that its client would decode", () => {
  const { eventsource } = createFormats();
  for (const message of ["%20", "100%", "a\r\n\0b", EVERY_UNIT]) {
    const frame = `a[${encodeMessage(message)}]`;
    const event = eventsource.wrap(frame);
    const data = event.slice("data: ".length, -4);
    expect(data).not.toMatch(/[\r\n\0]/);
    expect(decodeURI(data)).toBe(frame);
  }
});

test("no message ends or begins an element of a script", () => {
  const { htmlfile, jsonp } = createFormats();
  for (const message of ["</script><script>alert(1)</script>", "<!--<script>", "</SCRIPT >"]) {
    const frame = `a[${encodeMessage(message)}]`;
    const html = htmlfile("c").wrap(frame);
    const argument = html.slice("<script>\np(".length, -");\n</script>\r\n".length);
    expect(argument).not.toContain("<");
    expect(JSON.parse(argument)).toBe(frame);
    expect(jsonp("c").wrap(frame)).not.toContain("<");
  }
});

test("an array may have MESSAGES_PER_ARRAY_MAX messages, and not one more", () => {
  const most = Array.from({ length: MESSAGES_PER_ARRAY_MAX }, () => "x");
  expect(readArray(JSON.stringify(most))).toEqual(most);
  expect(readFrame(JSON.stringify(most))).toEqual(most);
  expect(readArray(JSON.stringify([...most, "x"]))).toBe("too_many");
  expect(readFrame(JSON.stringify([...most, "x"]))).toBe("too_many");
});

test("what is in an array and no string is left out; a frame that is no array is one message", () => {
  expect(readArray('["a",1,null,["b"],{"c":1},"d"]')).toEqual(["a", "d"]);
  expect(readFrame('"a"')).toEqual(["a"]);
  expect(readFrame('{"a": 1}')).toEqual(['{"a": 1}']);
  expect(readFrame("")).toEqual([]);
  for (const text of ["[", "undefined", "a"]) {
    expect([readArray(text), readFrame(text)]).toEqual(["broken", "broken"]);
  }
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
