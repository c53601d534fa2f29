import { expect, test } from "bun:test";
import { namespaces } from "../../test/support/recorder.ts";
import { joinableOptions, namespaceOf, optionsOf } from "./namespaces.ts";

test("a namespace is what stands before the first colon, behind a leading $", () => {
  expect(["a:b", "$a:b:c", "a", "$a", ":x", "a:"].map(namespaceOf)).toEqual([
    "a",
    "a",
    undefined,
    undefined,
    "",
    "a",
  ]);
});

const both = { names: ["streaming", "gusher"], implied: false };
const implied = { names: ["streaming", "gusher"], implied: true };
const streamingOnly = { names: ["streaming"], implied: true };
const table = namespaces(
  { dialects: implied },
  { open: { dialects: both }, own: { dialects: streamingOnly } },
);

test("an unknown prefix does not exist to streaming and is free text to the others", () => {
  expect(optionsOf(table, "nowhere:x")).toBeUndefined();
  expect(joinableOptions(table, "nowhere:x", "streaming")).toBeUndefined();
  expect(joinableOptions(table, "nowhere:x", "gusher")?.namespace).toBe("");
});

test("a namespace admits the dialects it names", () => {
  expect(joinableOptions(table, "own:x", "streaming")?.namespace).toBe("own");
  expect(joinableOptions(table, "own:x", "gusher")).toBeUndefined();
  expect(joinableOptions(table, "open:x", "gusher")?.namespace).toBe("open");
  expect(joinableOptions(table, "open:x", "sora")).toBeUndefined();
});

test("names with a leading $ or a # are streaming's unless the dialect is listed", () => {
  for (const name of ["$x", "a#1"]) {
    expect(joinableOptions(table, name, "streaming")).toBeDefined();
    expect(joinableOptions(table, name, "gusher")).toBeUndefined();
    expect(joinableOptions(table, `open:${name}`, "gusher")).toBeDefined();
  }
});
