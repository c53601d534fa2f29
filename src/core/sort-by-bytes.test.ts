import { expect, test } from "bun:test";
import { createRandom } from "../../test/support/random.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { Slices } from "./slices.ts";
import { sortByBytes } from "./sort-by-bytes.ts";

/** Either side of where UTF-8 and UTF-16 disagree. */
const PIECES = Array.from("abé\ud7ff\ue000\uf7ff\uf800\uffff😀\u{10000}\u{10ffff}");
const random = createRandom("sort by bytes");

test.each([0, 1, 2, 4_096, 4_097, 12_289, 30_000])("%d names", async (length) => {
  const names = Array.from({ length }, () =>
    Array.from({ length: random.integer(6) }, () => random.pick(PIECES)).join(""),
  );
  const given = [...names];
  const expected = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(await sortByBytes(names, new Slices(createTestRuntime()))).toEqual(expected);
  expect(names).toEqual(given);
});
