import { expect, test } from "bun:test";
import { claimsText } from "./claims-text.ts";

test("names and types are told, the user short, and no other value", () => {
  const claims = { sub: "a-user-with-a-long-id", exp: 1, secret: "s3cret", channels: ["a", "b"] };
  const text = claimsText(claims);
  expect(text).toBe(
    'the token has "sub" ("a-user-with-…"), "exp" (number), "secret" (string), "channels" (list of 2)',
  );
});
