import { expect, test } from "bun:test";
import { join } from "node:path";
import { failures, ROWS, type Part } from "../run.ts";

const PARTS = ROWS.flat();

test("every part runs and counts, whatever becomes of the others", async () => {
  for (const failing of [[], ...PARTS.map((part) => [part]), PARTS]) {
    const ran: Part[] = [];
    const run = (part: Part) => {
      ran.push(part);
      return Promise.resolve(failing.includes(part) ? 1 : 0);
    };
    expect(await failures(run)).toEqual(failing);
    expect(new Set(ran)).toEqual(new Set(PARTS));
  }
});

test("the parts on the embedded engine hold each file of tests, once", () => {
  const partial = PARTS.filter(({ engine, without }) => engine === "embedded" && without);
  expect(partial).toEqual([]);
  const paths = PARTS.flatMap((part) => (part.engine === "embedded" ? part.paths : []));
  const files = [
    ...new Bun.Glob("{src,test,clients,bench}/**/*.test.ts").scanSync(
      join(import.meta.dir, "../.."),
    ),
  ];
  const homes = files.map((file) => paths.filter((path) => file.startsWith(`${path}/`)).length);
  expect(files.length).toBeGreaterThan(200);
  expect(files.filter((_, index) => homes[index] !== 1)).toEqual([]);
});
