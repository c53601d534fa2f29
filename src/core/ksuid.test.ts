import { expect, test } from "bun:test";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { ksuid, ksuidTimeMs } from "./ksuid.ts";

test("decodes to the second it was made in, and sorts by it", async () => {
  const runtime = createTestRuntime();
  const made: string[] = [];
  for (let second = 0; second < 50; second++) {
    const id = ksuid(runtime);
    expect(id).toMatch(/^[0-9A-Za-z]{27}$/);
    expect(ksuidTimeMs(id)).toBe(runtime.clock.epochMs());
    expect(ksuidTimeMs(`evt_${id}`)).toBe(runtime.clock.epochMs());
    made.push(id);
    await runtime.advance(1000);
  }
  expect(made.toSorted()).toEqual(made);
  expect(new Set(made).size).toBe(made.length);
});

test.each([
  // The reference implementation's documented example, and the bounds of the range.
  ["0ujtsYcgvSTl8PAuAdqWYSMnLOv", Date.UTC(2017, 9, 10, 4, 0, 47)],
  ["000000000000000000000000000", 1_400_000_000_000],
  ["aWgEPTl1tmebfsQzFP4bxwgy80V", (1_400_000_000 + 0xffff_ffff) * 1000],
  ["aWgEPTl1tmebfsQzFP4bxwgy80W", undefined],
  ["org_26ZZVNs2QURl4yY6owPARekUbMa", Date.UTC(2022, 2, 18, 19, 51, 31)],
  ["26ZZVNs2QURl4yY6owPARekUbM", undefined],
  ["26ZZVNs2QURl4yY6owPARekUbM-", undefined],
  ["", undefined],
])("the time of %s", (id, timeMs) => {
  expect(ksuidTimeMs(id)).toBe(timeMs);
});

test("the largest encodes with all its digits", () => {
  const largest = {
    clock: { epochMs: () => (1_400_000_000 + 0xffff_ffff) * 1000, monotonicMs: () => 0 },
    random: { uuid: () => "ffffffff-ffff-ffff-ffff-ffffffffffff", fraction: () => 0 },
  };
  expect(ksuid(largest)).toBe("aWgEPTl1tmebfsQzFP4bxwgy80V");
});
