/** The table of options: whole, and known in every place where a configuration may have them. */
import { describe, expect, test } from "bun:test";
import { sectionsOf } from "../../config/fields.ts";
import { MODEL, validate } from "../../dialects/configuration.ts";
import { createRandom } from "../../../test/support/random.ts";
import { FORMER, LISTS, OPTIONS } from "./options.ts";
import { ofJson } from "./test-support.ts";

describe("the table of options", () => {
  test("leads to keys that there are", () => {
    const keys = new Set(
      sectionsOf(MODEL.schema).flatMap(({ fields }) => fields.map(({ path }) => path.join("."))),
    );
    const targets = [...OPTIONS.values()].flatMap(({ to }) => to ?? []);
    expect(targets.length).toBeGreaterThan(20);
    expect(targets.filter((target) => !keys.has(target))).toEqual([]);
  });

  test("says of each option what becomes of it, and of each former name which it is", () => {
    const silent = [...OPTIONS].filter(
      ([, { to, by, none, always }]) => (to ?? by ?? none ?? always) === undefined,
    );
    expect(silent).toEqual([]);
    const lost = [...FORMER.values()].flatMap((former) =>
      "path" in former && !OPTIONS.has(former.path) && !LISTS.has(former.path) ? former.path : [],
    );
    expect(lost).toEqual([]);
    expect([OPTIONS.size > 1000, FORMER.size > 300]).toEqual([true, true]);
  });

  test("has no variable that means two options", () => {
    const env = (path: string) => path.toUpperCase().replaceAll(".", "_");
    const byEnv = new Map([...OPTIONS.keys()].map((path) => [env(path), path]));
    for (const [name, former] of FORMER) {
      const same = byEnv.get(env(name));
      if (same === undefined || name.includes("[]")) continue;
      expect([name, "path" in former ? former.path : undefined]).toEqual([name, same]);
    }
  });
});

describe("no known option is refused or unknown", () => {
  type Tree = { [key: string]: Tree | Tree[] | string };
  const put = (tree: Tree, keys: readonly string[], value: string): void => {
    const last = keys.at(-1) ?? "";
    let table = tree;
    for (const key of keys.slice(0, -1)) table = (table[key] ??= {}) as Tree;
    if (typeof table[last] !== "object") table[last] = value;
  };
  const unknown = (raw: Tree) => ofJson(raw).notes.filter((note) => note.startsWith("unknown"));

  /** All of them at once; a list has one entry with all that it may have. */
  function treeOf(paths: Iterable<string>, listOf: (list: string) => string): Tree {
    const tree: Tree = {};
    const entries = new Map<string, Tree>();
    for (const path of paths) {
      const [, list, rest = path] = /^(.*)\[\]\.(.*)$/.exec(path) ?? [];
      if (list === undefined) put(tree, path.split("."), "1");
      else {
        const entry = entries.get(list) ?? {};
        entries.set(list, entry);
        put(entry, rest.split("."), "1");
      }
    }
    for (const [list, entry] of entries) {
      const keys = listOf(list).split(".");
      const last = keys.pop() ?? "";
      let table = tree;
      for (const key of keys) table = (table[key] ??= {}) as Tree;
      table[last] = [entry];
    }
    return tree;
  }

  test("of version 6", () => {
    expect(unknown(treeOf(OPTIONS.keys(), (list) => list))).toEqual([]);
  });

  test("of version 5", () => {
    const lists: Readonly<Record<string, string>> = {
      "channel.namespaces": "namespaces",
      "rpc.namespaces": "rpc_namespaces",
    };
    expect(unknown(treeOf(FORMER.keys(), (list) => lists[list] ?? list))).toEqual([]);
  });
});

test("whatever options hold, a file comes of it, and all that Carillon would refuse in it is told", () => {
  const random = createRandom("options of Centrifugo");
  const values = [
    ...[true, "true", 0, -1, 1e9, 1.5, "", "x", "300s", "-5s", "9999999h", "redis", "a b", null],
    ...[["a", "b"], [], {}, { a: 1 }, [{ name: "aa" }], [null], "[1", "__proto__", "{{x}}"],
  ];
  const paths = [...OPTIONS.keys(), ...FORMER.keys()];
  for (let round = 0; round < 60; round += 1) {
    const tree: Record<string, unknown> = {};
    for (let index = 0; index < 6; index += 1) {
      // What is an entry's is wrong in a table as well.
      const keys = random.pick(paths).replaceAll("[]", "").split(".");
      const value = random.chance(0.3) ? random.json(2) : random.pick(values);
      let table = tree;
      for (const key of keys.slice(0, -1)) {
        const within = table[key];
        const isTable = typeof within === "object" && within !== null && !Array.isArray(within);
        table = (isTable ? within : (table[key] = {})) as Record<string, unknown>;
      }
      table[keys.at(-1) ?? ""] = value;
    }
    const namespace = { name: random.pick(values), [random.pick(["presence", "history_size"])]: 1 };
    if (random.chance(0.5)) tree["namespaces"] = [namespace];
    const { file, notes } = ofJson(tree);
    const refused = "problems" in validate(file);
    if (refused && !notes.some((note) => note.startsWith("to be mended: "))) {
      expect([tree, validate(file), notes]).toEqual([]);
    }
  }
});
