/** The judge of the fault tests has to find what is wrong: one made-up witness for each kind of lie. */
import { expect, test } from "bun:test";
import { violations } from "./cluster-load.ts";

type Notes = Parameters<typeof violations>[0]["notes"];

const joined = { kind: "subscribed", recovered: false, epoch: "a" } as const;
const recovered = { kind: "subscribed", recovered: true, epoch: "a" } as const;
const saw = (...numbers: number[]) =>
  numbers.map((n) => ({ kind: "publication", n, offset: n }) as const);
const judge = (acknowledged: number[], ...notes: Notes) =>
  violations({ name: "w", notes }, acknowledged);

test("a witness that saw each once and in order breaks nothing", () => {
  expect(judge([1, 2, 3], joined, ...saw(2), recovered, ...saw(3))).toEqual([]);
});

test("what came before a witness joined, or before it was told, is not owed", () => {
  expect(judge([1, 2, 3, 4, 5], joined, ...saw(2), joined, ...saw(5))).toEqual([]);
});

test("twice, backwards, a hole and a loss are found", () => {
  expect(judge([1, 2], joined, ...saw(1, 2), recovered, ...saw(2))).toContain("w saw 2 twice");
  const backwards = [
    { kind: "publication", n: 2, offset: 1 },
    { kind: "publication", n: 1, offset: 2 },
  ] as const;
  expect(judge([1, 2], joined, ...backwards)).toEqual(["w saw 1 after 2"]);
  expect(judge([1, 2, 3], joined, ...saw(1, 3))).toEqual([
    "w saw offset 3 after 1",
    "w never saw 2, which was acknowledged, and was not told",
  ]);
  expect(judge([1, 2, 3], joined, ...saw(1), recovered)).toHaveLength(2);
});

test("a failed publish may come late, but not twice", () => {
  const late = [
    { kind: "publication", n: 3, offset: 1 },
    { kind: "publication", n: 2, offset: 2 },
  ] as const;
  expect(judge([3], joined, ...late)).toEqual([]);
  expect(judge([3], joined, ...late, joined, ...late.slice(1))).toEqual(["w saw 2 twice"]);
});
