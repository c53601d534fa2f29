import { expect, test } from "bun:test";
import { PUBLISH_SLICE_CHARACTERS, PUBLISH_SLICE_PUBLICATIONS } from "./limits.ts";
import { publishInOrder } from "./publishing.ts";

/** How many of these are handed on at a time. */
async function slicesOf(sizes: readonly number[]): Promise<readonly number[]> {
  const slices: number[] = [];
  let pending = 0;
  await publishInOrder(
    sizes,
    async () => {
      pending++;
      await Promise.resolve();
      if (pending > 0) slices.push(pending);
      pending = 0;
    },
    (size) => size,
  );
  return slices;
}

test("publishInOrder() hands on so many at a time, and so many characters", async () => {
  const many = Array<number>(PUBLISH_SLICE_PUBLICATIONS + 1).fill(0);
  expect(await slicesOf(many.slice(1))).toEqual([PUBLISH_SLICE_PUBLICATIONS]);
  expect(await slicesOf(many)).toEqual([PUBLISH_SLICE_PUBLICATIONS, 1]);
  expect(await slicesOf([PUBLISH_SLICE_CHARACTERS - 1, 1, 1])).toEqual([2, 1]);
  expect(await slicesOf([PUBLISH_SLICE_CHARACTERS, 1, 1])).toEqual([1, 2]);
  expect(await slicesOf([1, 1, PUBLISH_SLICE_CHARACTERS * 2, 1])).toEqual([3, 1]);
  expect(await slicesOf([])).toEqual([]);
});
