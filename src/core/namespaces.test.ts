import { expect, test } from "bun:test";
import { channelOptions, namespaces } from "../../test/support/recorder.ts";
import { isOpenedBy, isReachable, joinableOptions, namespaceOf, optionsOf } from "./namespaces.ts";

test("a namespace is what stands before the first colon, behind a leading $", () => {
  expect(["a:b", "$a:b:c", "a:"].map(namespaceOf)).toEqual(["a", "a", "a"]);
  for (const name of ["a", "$a", "$", ":x", "$:x", "::x"]) {
    expect(namespaceOf(name)).toBeUndefined();
  }
});

const both = ["streaming", "gusher"];
const streamingOnly = ["streaming"];
const open = (dialects: readonly string[]) => {
  const { openingRules: _, ...options } = channelOptions({ namespace: "open", dialects });
  return options;
};
const ruled = namespaces({ dialects: both }, { own: { dialects: streamingOnly } });
const table = { ...ruled, named: new Map([...ruled.named, ["open", open(both)]]) };

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

test("without a dialect whose they are, they are names like others", () => {
  const gusherAlone = { ...ruled, withoutNamespace: open(["gusher"]) };
  expect(joinableOptions(gusherAlone, "a#1", "gusher")).toBeDefined();
  expect(joinableOptions(gusherAlone, "a#1", "streaming")).toBeUndefined();
});

const owned = namespaces(
  { dialects: both },
  {
    own: { dialects: streamingOnly },
    private: { dialects: streamingOnly, owner: "events", openedBy: "events" },
    public: { dialects: streamingOnly, owner: "events" },
  },
);

test.each([
  ["free", ["gusher"], true],
  ["free", ["sora"], false],
  ["own:x", ["gusher"], false],
  ["own:x", ["gusher", "streaming"], true],
  ["a#1", ["gusher"], false],
  ["$a", ["gusher", "streaming"], true],
  ["nowhere:x", ["gusher"], true],
  ["nowhere:x", ["streaming"], false],
  ["private:x", ["gusher", "streaming"], false],
  ["$private:x", ["gusher", "streaming"], false],
  ["public:x", ["streaming"], false],
  ["private:x", ["events"], true],
  ["private:x", "all", true],
  ["free", [], false],
] as const)("%s is reached by a call in the name of %j: %j", (name, reach, expected) => {
  expect(isReachable(owned, name, reach)).toBe(expected);
});

test("a channel with an owner is opened by its authority, or by anybody where clients may subscribe", () => {
  const opened = (name: string, by?: string) => {
    const options = optionsOf(owned, name);
    return options !== undefined && isOpenedBy(options, by);
  };
  expect([opened("private:x"), opened("private:x", "streaming")]).toEqual([false, false]);
  expect([opened("private:x", "events"), opened("public:x"), opened("free")]).toEqual([
    ...[true, true, true],
  ]);
});
