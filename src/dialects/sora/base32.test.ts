import { expect, test } from "bun:test";
import { base32OfUuid } from "./base32.ts";

test("a UUID is 26 characters, its bits first and two zero bits behind them", () => {
  expect(base32OfUuid("00000000-0000-0000-0000-000000000000")).toBe("0".repeat(26));
  expect(base32OfUuid("ffffffff-ffff-ffff-ffff-ffffffffffff")).toBe(`${"Z".repeat(25)}W`);
});

test("the published identifier is what a version 4 UUID becomes", () => {
  // published/003-sora-push.txt, decoded by hand: its last two bits are padding, its version is 4.
  const published = "C0YTCRZM715BKATBXWFPKTYGRM";
  const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  let value = 0n;
  for (const letter of published) value = (value << 5n) | BigInt(alphabet.indexOf(letter));
  expect(value & 3n).toBe(0n);
  const hex = (value >> 2n).toString(16).padStart(32, "0");
  expect(hex[12]).toBe("4");
  expect(base32OfUuid(hex)).toBe(published);
});
