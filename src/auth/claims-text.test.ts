import { expect, test } from "bun:test";
import { claimsText, createTellers } from "./claims-text.ts";

const claims = { sub: "a-user-with-a-long-id", exp: 1, secret: "s3cret", channels: ["a", "b"] };

test("names and types are told, the user short, and no other value", () => {
  expect(claimsText(claims)).toBe(
    'the token has "sub" ("a-user-with-…"), "exp" (number), "secret" (string), "channels" (list of 2)',
  );
  expect(claimsText({ sub: "\0", "\0": 1 })).toBe(
    'the token has "sub" ("\\u0000"), "\\u0000" (number)',
  );
  expect(claimsText({ sub: 1 })).toBe('the token has "sub" (number)');
  expect(claimsText({})).toBe("the token has no claims");
});

test("tokens whose claims have the same names and types share what tells of them", () => {
  const tellerOf = createTellers();
  const tell = tellerOf(claims);
  expect(tellerOf({ ...claims, sub: "bob", exp: 2 })).toBe(tell);
  expect(tell("bob")).toBe(claimsText({ ...claims, sub: "bob" }));
  const others = [{ ...claims, exp: "2" }, { ...claims, channels: [] }, { sub: "bob", exp: 1 }, {}];
  for (const other of others) {
    expect(tellerOf(other)).not.toBe(tell);
    expect(tellerOf(other)("bob")).toBe(
      claimsText({ ...other, ...("sub" in other ? { sub: "bob" } : {}) }),
    );
  }
});
