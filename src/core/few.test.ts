import { expect, test } from "bun:test";
import { createRandom } from "../../test/support/random.ts";
import { countOf, eachOf, hasOne, withOne, withoutOne, type Few } from "./few.ts";

test("is what a set is, whatever comes and goes", () => {
  const random = createRandom("few");
  const values = Array.from({ length: 5 }, (_, id) => ({ id }));
  let few: Few<{ id: number }>;
  const set = new Set<{ id: number }>();
  for (let step = 0; step < 2_000; step++) {
    const value = random.pick(values);
    if (random.chance(0.5)) {
      few = withOne(few, value);
      set.add(value);
    } else {
      few = withoutOne(few, value);
      set.delete(value);
    }
    expect([...eachOf(few)]).toEqual([...set]);
    expect(countOf(few)).toBe(set.size);
    for (const each of values) expect(hasOne(few, each)).toBe(set.has(each));
  }
});

test("one alone is kept as it is", () => {
  const value = {};
  expect(withOne(undefined, value)).toBe(value);
  expect(withoutOne(value, value)).toBeUndefined();
});
