import { expect, test } from "bun:test";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { CONTROL_DEADLINE_MS, SCAN_SLICE_MS } from "./limits.ts";
import { scan } from "./scan.ts";

const ITEMS = Array.from({ length: 1_000 }, (_, index) => index);

/** Scans on a clock that visits and other turns of the event loop move. */
async function scanning(costMs: (item: number) => number, turnMs = 0) {
  const runtime = createTestRuntime();
  const visited: number[] = [];
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
  await scan(ITEMS, { clock, timers }, (item) => {
    visited.push(item);
    nowMs += costMs(item);
  });
  return { visited, holdsMs };
}

test("visits each item in order and holds the event loop no longer than a slice and a little", async () => {
  for (const costMs of [0, 0.001, 0.01, 0.1, 0.9]) {
    const { visited, holdsMs } = await scanning(() => costMs);
    expect(visited).toEqual(ITEMS);
    expect(Math.max(0, ...holdsMs)).toBeLessThan(SCAN_SLICE_MS * 1.5);
  }
});

test("costly visits behind cheap ones are noticed within a stride of them", async () => {
  const { holdsMs } = await scanning((item) => (item > 500 ? 1 : 0.001));
  const [first = 0, ...rest] = holdsMs;
  expect(first).toBeLessThan(SCAN_SLICE_MS + 17);
  expect(Math.max(...rest)).toBeLessThan(SCAN_SLICE_MS * 1.5);
});

test("gives up once nobody waits for it any more", async () => {
  const { visited } = await scanning(() => 10, 90);
  expect(visited.length).toBeLessThanOrEqual(CONTROL_DEADLINE_MS / 100 + 1);
});
