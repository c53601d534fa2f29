/** What options of several commands take. */
import { expect, test } from "bun:test";
import { addressOf, countUpTo } from "./options.ts";

test("a count is a whole number from 1 up to its limit", () => {
  const upTo9 = countUpTo(9);
  expect([upTo9("1"), upTo9("9")]).toEqual([1, 9]);
  for (const text of ["0", "10", "1.5", "-1", "many", ""]) {
    expect(() => upTo9(text)).toThrow("Not a count up to 9.");
  }
  expect(countUpTo(Infinity)("1000000")).toBe(1_000_000);
  expect(() => countUpTo(Infinity)("0")).toThrow("Not a count.");
});

test("an address is http or https in the end, without a slash at its end", () => {
  expect(addressOf("ws://a.example:1/x//", "--url")).toBe("http://a.example:1/x");
  expect(addressOf("wss://a.example", "--url")).toBe("https://a.example");
  for (const text of ["a.example", "ftp://a.example", "http://", ""]) {
    expect(() => addressOf(text, "--api")).toThrow("--api must be an http, https, ws or wss");
  }
});
