/** Which browser origins an app's list lets in. */
import { describe, expect, test } from "bun:test";
import { createOriginCheck } from "./origins.ts";

describe("createOriginCheck()", () => {
  const check = createOriginCheck(["https://*.shop.example", "http://localhost:*", "null"]);

  test.each([
    ...["https://a.shop.example", "https://a.b.shop.example", "HTTPS://A.Shop.Example"],
    ...["http://localhost:3000", "null", "", null],
  ])("%p is let in", (origin) => {
    expect(check(origin)).toBe(true);
  });

  test.each([
    "https://evil.example#.shop.example",
    "https://evil.example/.shop.example",
    "https://evil.example@.shop.example",
    "https://evil.example?.shop.example",
    "https://evil.example\\.shop.example",
    "https://evil.example:80.shop.example",
    "https://evil.example:443#.shop.example",
    "https://evil.example .shop.example",
    "https://evil.example%2f.shop.example",
    "https://evil.example\n.shop.example",
    "https://evil.example\0.shop.example",
    "https://evil.example,.shop.example",
    "https://evil.example[.shop.example",
    "https://user:password@a.shop.example",
    "https://a.shop.example/",
    "https://a.shop.example.",
    "https://shop.example",
    "http://a.shop.example",
    "https://a.shop.example:8443",
    "http://localhost:1@evil.example",
    "http://localhost:123456",
    "http://localhost:",
  ])("%p is not", (origin) => {
    expect(check(origin)).toBe(false);
  });

  test("* alone lets in anything, and no list only what has no origin", () => {
    expect(createOriginCheck(["*"])("https://evil.example#")).toBe(true);
    const none = createOriginCheck([]);
    expect([none(null), none(""), none("https://a.example")]).toEqual([true, true, false]);
  });
});
