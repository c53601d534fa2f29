import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { failures, HALVES } from "../run.ts";

test.each([
  [[0, 0], []],
  [[1, 0], ["embedded"]],
  [[0, 1], ["redis"]],
  [
    [1, 99],
    ["embedded", "redis"],
  ],
] as const)("halves that end with %p both run, and both count", async (codes, failed) => {
  const ran: string[] = [];
  const run = ({ engine }: { engine: string }) => Promise.resolve(codes[ran.push(engine) - 1] ?? 0);
  expect(await failures(run)).toEqual([...failed]);
  expect(ran).toEqual(["embedded", "redis"]);
});

test("the halves name folders that are there", () => {
  for (const path of HALVES.flatMap(({ paths }) => paths)) {
    expect(existsSync(join(import.meta.dir, "../..", path))).toBe(true);
  }
});
