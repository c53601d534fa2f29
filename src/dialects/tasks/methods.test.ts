import { expect, test } from "bun:test";
import { DEFAULT_SETTINGS } from "../../../test/support/task-nodes.ts";
import { createCallRates } from "./methods.ts";

// 50 token calls per second and 200 at once, 200 and 1000 others, and 20 per task.
const rates = () => createCallRates(DEFAULT_SETTINGS);

/** How many of `calls` at one moment are taken. */
function taken(calls: number, take: () => number): number {
  let count = 0;
  for (let call = 0; call < calls; call++) if (take() === 0) count += 1;
  return count;
}

test("a burst is taken at once, then as many as the rate gives", () => {
  const limited = rates();
  expect(taken(300, () => limited.token(0))).toBe(200);
  expect(taken(300, () => limited.token(1000))).toBe(50);
  // However long it was quiet.
  expect(taken(300, () => limited.token(3_600_000))).toBe(200);
  expect(taken(2000, () => limited.invoke(0))).toBe(1000);
  expect(taken(2000, () => limited.invoke(500))).toBe(100);
});

test("a refused call is told when it may come again, and then it is taken", () => {
  const limited = rates();
  taken(200, () => limited.token(0));
  const waitMs = limited.token(0);
  expect(waitMs).toBe(20);
  expect(limited.token(waitMs - 1)).toBe(1);
  expect(limited.token(waitMs)).toBe(0);
});

test("each task has its own rate", () => {
  const limited = rates();
  expect(taken(30, () => limited.task("a", 0))).toBe(20);
  expect(taken(30, () => limited.task("b", 0))).toBe(20);
  expect(taken(30, () => limited.task("a", 500))).toBe(10);
});

test("a task keeps its rate while as many others are called as may be in a second", () => {
  const limited = rates();
  taken(20, () => limited.task("a", 0));
  for (let other = 0; other < 1199; other++) limited.task(`${other}`, 0);
  expect(limited.task("a", 0)).toBeGreaterThan(0);
});
