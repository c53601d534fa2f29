import { expect, test } from "bun:test";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { SLICE_MS } from "./limits.ts";
import { Slices, type SlicesOptions } from "./slices.ts";

const ITEMS = Array.from({ length: 1_000 }, (_, index) => index);

/** Slices on a clock that visits and other turns of the event loop move, and how long each turn was held. */
function createSlices(turnMs = 0, options: SlicesOptions = {}) {
  const runtime = createTestRuntime();
  const holdsMs: number[] = [];
  let nowMs = 0;
  let turnStartMs = 0;
  const clock = { ...runtime.clock, monotonicMs: () => nowMs };
  const timers = {
    ...runtime.timers,
    soon(callback: () => void) {
      holdsMs.push(nowMs - turnStartMs);
      nowMs += turnMs;
      turnStartMs = nowMs;
      runtime.timers.soon(callback);
    },
  };
  const slices = new Slices({ clock, timers }, options);
  const spend = (ms: number): void => {
    nowMs += ms;
  };
  return { slices, spend, holdsMs };
}

test.each([0, 0.001, 0.01, 0.1, 0.9, 4])(
  "visits of %d ms: each item in order, and no turn is held for longer than a slice and a visit",
  async (costMs) => {
    const { slices, spend, holdsMs } = createSlices();
    const visited: number[] = [];
    await slices.each(ITEMS, (item) => {
      visited.push(item);
      spend(costMs);
    });
    expect(visited).toEqual(ITEMS);
    expect(Math.max(...holdsMs)).toBeLessThan(SLICE_MS + costMs + 0.001);
  },
);

test("costly visits behind cheap ones are noticed at once", async () => {
  const { slices, spend, holdsMs } = createSlices();
  await slices.each(ITEMS, (item) => spend(item > 500 ? 4 : 0.001));
  expect(Math.max(...holdsMs)).toBeLessThan(SLICE_MS + 4);
});

test("what costs next to nothing is visited so many at a time between two looks at the clock", async () => {
  const { slices, spend, holdsMs } = createSlices();
  const visited: number[] = [];
  const visit = (item: number): void => {
    visited.push(item);
    spend(SLICE_MS / 10);
  };
  await slices.each(ITEMS, visit, { betweenLooks: 25 });
  expect(visited).toEqual(ITEMS);
  expect(holdsMs.slice(1)).toEqual(holdsMs.slice(1).map(() => expect.closeTo(2.5 * SLICE_MS)));
  expect(holdsMs).toHaveLength(ITEMS.length / 25);
});

test("the first slice is a turn of its own, and the parts of a job share the slices", async () => {
  const { slices, spend, holdsMs } = createSlices();
  spend(8);
  for (let part = 0; part < 10; part++) await slices.each([1, 2], () => spend(1));
  const full = Math.ceil(20 / SLICE_MS) - 1;
  expect(holdsMs).toEqual([8, ...Array<number>(full).fill(SLICE_MS)]);
});

test("leaves the rest undone once nobody waits for it any more", async () => {
  const { slices, spend } = createSlices(90, { deadlineMs: 1_000 });
  let visits = 0;
  await slices.each(ITEMS, () => {
    visits++;
    spend(10);
  });
  // Turns of 100 ms, a slice of one visit in each: the one that begins at 1,000 ms is the last.
  expect(visits).toBe(10);
});

test("map() begins each in its slice, and answers in order, whoever ends first", async () => {
  const { slices, spend, holdsMs } = createSlices();
  const ends = ITEMS.map(() => Promise.withResolvers<void>());
  const mapping = slices.map(ITEMS, async (item) => {
    spend(1);
    if (item === ITEMS.length - 1) for (const { resolve } of ends.toReversed()) resolve();
    await ends[item]?.promise;
    return item;
  });
  expect(await mapping).toEqual(ITEMS);
  expect(Math.max(...holdsMs)).toBeLessThan(SLICE_MS + 1.001);
});

test("map() fails as the first that fails, once the last has begun", async () => {
  const { slices, spend } = createSlices();
  let begun = 0;
  const mapping = slices.map(ITEMS, async (item) => {
    begun++;
    spend(1);
    if (item === 3) throw new Error("bug");
  });
  const failed: unknown = await mapping.catch((error: unknown) => error);
  expect(failed).toEqual(new Error("bug"));
  expect(begun).toBe(ITEMS.length);
});
