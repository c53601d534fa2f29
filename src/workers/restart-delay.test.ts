import { expect, test } from "bun:test";
import { createRestartDelay } from "./restart-delay.ts";

test("the delay doubles up to ten seconds, and begins anew after a life of half a minute", () => {
  const delay = createRestartDelay();
  const delays = Array.from({ length: 9 }, () => delay.after(29_999));
  expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  expect(delay.after(30_000)).toBe(100);
  expect(delay.after(0)).toBe(200);
});
