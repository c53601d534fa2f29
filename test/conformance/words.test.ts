/**
 * The table of words is whole, in both directions: a word that nothing says is an answer that nobody ever gets, and one that no table
 * explains does not compile (`Word`, `StartWord`, `CliWord`, `ConfigWord`). What the types cannot say is looked for here.
 */
import { expect, test } from "bun:test";
import { allErrors } from "../../src/cli/errors.ts";
import { CLOSES as GUSHER_CLOSES } from "../../src/dialects/gusher/errors.ts";
import { DIALECTS } from "../../src/dialects/list.ts";
import { DISCONNECT_ENDS } from "../../src/dialects/tasks/frames.ts";

/** Raised, in whichever file. */
const RAISES = /new \w*(Error|Refusal|Failure)\(/;
/** Raised or passed on, rather than asked about. */
const SAYS =
  /disconnect: "|(closeAs|endAs|end|efuse|super)\(|\b(code|error|word) = |\bword: "|return (\[|\w+ \? )"|new \w*(Error|Refusal|Failure)\(/;
/** Tables only translate. */
const TABLES = /(errors|ends|words?|shown)\.ts$|openapi[-\w]*\.ts$/;

const texts = new Map<string, string>();
for await (const path of new Bun.Glob("src/**/*.ts").scan()) {
  if (path.endsWith(".test.ts")) continue;
  // A call of several lines becomes one.
  const calls = /new \w*(?:Error|Refusal|Failure)\([^;]*;/g;
  const oneLine = (call: string) => call.replaceAll(/\s*\n\s*/g, " ");
  texts.set(path, (await Bun.file(path).text()).replaceAll(calls, oneLine));
}
const lines = [...texts].flatMap(([path, text]) => {
  const says = TABLES.test(path) ? RAISES : SAYS;
  return text.split("\n").filter((line) => says.test(line));
});

/** It runs before anything else is there, and so writes words itself. */
const launcher = await Bun.file("bin/carillon.js").text();

/** Messaging writes its own with dashes. */
function isSaid(word: string): boolean {
  const forms = [`"${word}"`, `"${word.replaceAll("_", "-")}"`];
  return (
    lines.some((line) => forms.some((form) => line.includes(form))) ||
    launcher.includes(`[${word}]`)
  );
}

test("each word in the table is said somewhere", async () => {
  const words = (await allErrors()).map(({ word }) => word);
  expect(words.filter((word) => !isSaid(word))).toEqual([]);
});

test("each word that is written down beside the types is in the table", async () => {
  const known = new Set((await allErrors()).map(({ word }) => word));
  const written = [...texts].flatMap(([path, text]) =>
    [...text.matchAll(/\bword(?:: | = )"(\w+)"/g)].map(([, word = ""]) => [path, word] as const),
  );
  const launched = [...launcher.matchAll(/\[(\w+_\w+)\]/g)].map(([, word = ""]) => word);
  expect(launched.filter((word) => !known.has(word))).toEqual([]);
  expect(written.length).toBeGreaterThan(20);
  expect(written.filter(([, word]) => !known.has(word))).toEqual([]);
});

test("nothing makes a word of a text, save what reads the tables", () => {
  const casts = [...texts].filter(([, text]) => /\bas (\w*Word\b|WordOf<)/.test(text));
  expect(casts.map(([path]) => path).toSorted()).toEqual([
    "src/dialects/messaging/errors.ts",
    "src/dialects/shown.ts",
  ]);
});

test("a word that nothing says is found", () => {
  expect(["write_error", "already_gone"].map(isSaid)).toEqual([false, false]);
  expect(Object.keys(DISCONNECT_ENDS).toSorted()).toEqual(Object.keys(GUSHER_CLOSES).toSorted());
});

test("the union of all words has the table of each listed dialect, and of no other", async () => {
  const union = texts.get("src/dialects/every-word.ts") ?? "";
  const tables = [...texts.keys()].filter((path) => /^src\/dialects\/\w+\/words\.ts$/.test(path));
  expect(tables.map((path) => path.split("/")[2] ?? "").toSorted()).toEqual(
    DIALECTS.map(({ name }) => name as string).toSorted(),
  );
  const known = new Set((await allErrors()).map(({ word }) => word));
  for (const path of tables) {
    const loaded: Record<string, object> = await import(`../../${path}`);
    for (const [name, table] of Object.entries(loaded)) {
      expect(union).toContain(`| keyof typeof ${name}`);
      expect(Object.keys(table).filter((word) => !known.has(word))).toEqual([]);
    }
  }
});

test("the core names no dialect", async () => {
  const names = DIALECTS.map(({ name }) => `"${name}"`);
  const named = [...texts]
    .filter(([path]) => path.startsWith("src/core/"))
    .flatMap(([path, text]) => names.filter((name) => text.includes(name)).map((n) => path + n));
  expect(named).toEqual([]);
});
