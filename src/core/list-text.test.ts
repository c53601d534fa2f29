import { expect, test } from "bun:test";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { listText } from "./list-text.ts";
import { Slices } from "./slices.ts";

test.each([0, 1, 2, 999, 1_000, 1_001, 2_000, 2_500])("of %d items", async (count) => {
  const items = Array.from({ length: count }, (_, index) => index);
  const text = await listText(items, (item) => `${item}`, new Slices(createTestRuntime()));
  expect(text).toBe(items.join(","));
});
