import { randomBytes } from "node:crypto";
import { expect, test } from "bun:test";
import { createMasterKeys } from "./master-key.ts";
import { createSealing } from "./sealing.ts";

const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const sealingOf = (current: Uint8Array, previous: readonly Uint8Array[] = []) =>
  createSealing(createMasterKeys(current, previous).derive("test"), randomBytes);

test("what was sealed is opened, and shows nothing", () => {
  const sealing = sealingOf(one);
  for (const text of ["", "whsec_ü", "x".repeat(10_000)]) {
    const sealed = sealing.seal(text);
    expect(sealing.open(sealed)).toBe(text);
    expect(sealing.seal(text)).not.toBe(sealed);
    if (text !== "")
      expect(Buffer.from(sealed, "base64url").toString("latin1")).not.toContain(text);
  }
});

test("a former master key still opens, another does not", () => {
  const sealed = sealingOf(one).seal("text");
  expect(sealingOf(two, [one]).open(sealed)).toBe("text");
  expect(() => sealingOf(two).open(sealed)).toThrow("not sealed by a key that is known");
  const other = createSealing(createMasterKeys(one).derive("other"), randomBytes);
  expect(() => other.open(sealed)).toThrow();
});

test("nothing else is opened", () => {
  const sealing = sealingOf(one);
  const sealed = Buffer.from(sealing.seal("text"), "base64url");
  for (let index = 0; index < sealed.length; index++) {
    const changed = Buffer.from(sealed);
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(() => sealing.open(changed.toString("base64url"))).toThrow();
  }
  for (const text of ["", "a", sealed.subarray(0, 27).toString("base64url")]) {
    expect(() => sealing.open(text)).toThrow();
  }
});
