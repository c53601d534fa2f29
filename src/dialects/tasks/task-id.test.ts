import { expect, test } from "bun:test";
import { createMasterKeys } from "../../auth/master-key.ts";
import { jsonView } from "../../core/json-text.ts";
import { contextBytes, createTaskIds, idPurpose } from "./task-id.ts";

const MASTER = createMasterKeys(Uint8Array.from({ length: 32 }, (_, index) => index));
const idsOf = (publicId: string) => createTaskIds(MASTER.derive(idPurpose(publicId))[0]);
const demo = idsOf("demo");

function idOf(json: string, ids = demo): string {
  const context = contextBytes(jsonView(json));
  if (typeof context === "string") throw new Error(context);
  return ids.of(context);
}

const VECTORS = [
  [
    '"c549-4375-9b27-142e2ff2c031"',
    "0ac4305f1099e2e546cfe73d63917ba099d5130015ae6dbb60a3301d3eb79ea36b3e7dd39f7079ef",
  ],
  [
    '{"b":[true,null],"a":1}',
    "238c219ef94b29b83816fc76db5d5178e93e7bcbaa090e596328a9233e6feecb32c2b751fe03aeeb",
  ],
] as const;

test.each(VECTORS)("the specification's vector for %s", (context, id) => {
  expect(idOf(context)).toBe(id);
  expect(demo.genuine(id)).toBe(id);
});

test("the order and spelling of a context's members do not matter, its type does", () => {
  expect(idOf('{"a":1.0, "b" : [true,null]}')).toBe(VECTORS[1][1]);
  expect(idOf('"1"')).not.toBe(idOf("1"));
  // A string that spells a canonical object is another context than the object.
  expect(idOf('"{\\"a\\":1}"')).not.toBe(idOf('{"a":1}'));
});

test("another app has other ids, and each knows its own only", () => {
  const other = idsOf("other");
  const [[context, id]] = VECTORS;
  expect(idOf(context, other)).not.toBe(id);
  expect(other.genuine(id)).toBeUndefined();
  expect(demo.genuine(idOf(context, other))).toBeUndefined();
});

test("a changed digit, another length and other characters are not genuine, upper case is", () => {
  const [[, id]] = VECTORS;
  expect(demo.genuine(id.toUpperCase())).toBe(id);
  for (let at = 0; at < id.length; at++) {
    const digit = id[at] === "0" ? "1" : "0";
    expect(demo.genuine(id.slice(0, at) + digit + id.slice(at + 1))).toBeUndefined();
  }
  for (const text of ["", id.slice(1), `${id}0`, `${id.slice(1)}g`, `${id}\n`, "0".repeat(80)]) {
    expect(demo.genuine(text)).toBeUndefined();
  }
});
