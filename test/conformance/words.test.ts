/** Every word for an end or a refusal is said somewhere: a word that nothing says is an answer that no client ever gets. */
import { expect, test } from "bun:test";
import { CLOSES as GUSHER_CLOSES, SUBSCRIBE_FAILURES } from "../../src/dialects/gusher/errors.ts";
import { CLOSES, WIRE_ERRORS } from "../../src/dialects/streaming/errors.ts";
import { DISCONNECT_ENDS } from "../../src/dialects/tasks/frames.ts";

/** Tables only translate. */
const TABLES = /\.test\.ts$|errors\.ts$|ends\.ts$/;
/** A line that raises or passes on a reason, rather than one that asks which it is. */
const SAYS = /new \w*Error\(|disconnect: "|closeAs\(|\bcode = |super\(/;

const lines: string[] = [];
for await (const path of new Bun.Glob("src/**/*.ts").scan()) {
  if (TABLES.test(path)) continue;
  lines.push(...(await Bun.file(path).text()).split("\n").filter((line) => SAYS.test(line)));
}

const isSaid = (word: string) => lines.some((line) => line.includes(`"${word}"`));

// The tables are total over the core's words and, by `satisfies`, have no other.
const core = [...Object.keys(GUSHER_CLOSES), ...Object.keys(SUBSCRIBE_FAILURES)];

test.each(core)("the core's word %s is said", (word) => {
  expect(isSaid(word)).toBe(true);
});

test.each([...Object.keys(CLOSES), ...Object.keys(WIRE_ERRORS)])(
  "streaming's word %s is said",
  (word) => {
    expect(isSaid(word)).toBe(true);
  },
);

test("the core names no dialect", async () => {
  const names = ["streaming", "gusher", "sora", "tasks", "events"];
  const named: string[] = [];
  for await (const path of new Bun.Glob("src/core/**/*.ts").scan()) {
    if (path.endsWith(".test.ts")) continue;
    const text = await Bun.file(path).text();
    named.push(...names.filter((name) => text.includes(`"${name}"`)).map((name) => path + name));
  }
  expect(named).toEqual([]);
});

test("a word that nothing says is found", () => {
  expect(["write_error", "already_gone"].map(isSaid)).toEqual([false, false]);
  expect(Object.keys(DISCONNECT_ENDS).toSorted()).toEqual(Object.keys(GUSHER_CLOSES).toSorted());
});
