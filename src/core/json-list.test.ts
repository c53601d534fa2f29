import { expect, test } from "bun:test";
import { createRandom } from "../../test/support/random.ts";
import { HubError } from "./errors.ts";
import { listItems } from "./json-list.ts";
import { jsonView } from "./json-text.ts";

/** The items' compact texts; or why there are none. */
function read(text: string, charactersMax = Infinity): readonly string[] | string {
  try {
    return [...listItems(text, charactersMax)]
      .filter((item) => item !== undefined)
      .map((item) => jsonView(item).raw);
  } catch (error) {
    if (error instanceof HubError) return error.code;
    throw error;
  }
}

test.each<[string, readonly string[]]>([
  ["[]", []],
  [" [ \t\r\n ] ", []],
  ["[1]", ["1"]],
  [
    '[ null , {"a":[1,{"b":"],"}]} ,\n[2] , "x\\"],\\\\" ]',
    [...["null", '{"a":[1,{"b":"],"}]}', "[2]", '"x\\"],\\\\"']],
  ],
])("listItems() finds the items of %s", (text, items) => {
  expect(read(text)).toEqual(items);
});

test.each([
  ...["", " ", "null", "{}", "1", "[", "[1", "[1,", "[,]", "[1,]", "[,1]", "[1 2]", "[]]", "[] 1"],
  ...[
    "[[]",
    "[{]",
    "[{]}]",
    '["]',
    '["a\\"]',
    "[1]x",
    "x[1]",
    "[\u00a0]",
    "[\u00a01]",
    "[01]",
    "[][",
  ],
])("listItems() and its reader find no list in %p", (text) => {
  expect(read(text)).toBe("bad_request");
});

test("an item may have as many characters as it is told, and not one more", () => {
  const item = `"${"x".repeat(98)}"`;
  expect(read(`[${item},1,${item}]`, 100)).toEqual([item, "1", item]);
  expect(read(`[1, ${item}]`, 100)).toBe("limit_exceeded");
  expect(read(`[1,"x${item.slice(1)}]`, 100)).toBe("limit_exceeded");
  expect(read(`[1,${" ".repeat(1000)}`, 100)).toBe("limit_exceeded");
});

test("there is a pause at the latest every 16,384 characters, whatever they are", () => {
  const filler = 100_000;
  for (const text of [
    ...[" ".repeat(filler) + "[1]", `["${"\\".repeat(filler)}"]`, `[${"1,".repeat(filler / 2)}1]`],
    ...[`[${"[".repeat(filler / 2)}${"]".repeat(filler / 2)}]`, `[1]${" ".repeat(filler)}`],
  ]) {
    const steps = [...listItems(text, Infinity)];
    expect(steps.filter((item) => item === undefined).length).toBeGreaterThanOrEqual(
      Math.floor(filler / 16_384),
    );
  }
});

test("random damage is refused exactly when JSON.parse refuses it", () => {
  const random = createRandom("json-list damage");
  const alphabet = Array.from('[]{},:"\\ \n01atrue');
  let lists = 0;
  for (let round = 0; round < 20_000; round++) {
    const characters = Array.from('[{"a":[1,"b\\"],"]},null, [2]]');
    for (let edit = 0; edit < random.integer(3); edit++) {
      const at = random.integer(characters.length);
      characters.splice(at, random.integer(2), random.pick(alphabet));
    }
    const text = characters.join("");
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = undefined;
    }
    const items = read(text);
    if (Array.isArray(parsed)) {
      lists++;
      if (typeof items === "string") throw new Error(`A list is refused: ${text}`);
      expect(items.map((item) => JSON.parse(item))).toEqual(parsed);
    } else if (typeof items !== "string") throw new Error(`No list is taken: ${text}`);
  }
  expect(lists).toBeGreaterThan(1000);
});
