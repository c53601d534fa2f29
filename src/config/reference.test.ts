import { MODEL, referencePage } from "../dialects/configuration.ts";
import { expect, test } from "bun:test";
import { sectionsOf } from "./fields.ts";

const fields = sectionsOf(MODEL.schema).flatMap((section) => section.fields);

test("docs/configuration.md is what `carillon config --reference` prints", async () => {
  const page = await Bun.file(new URL("../../docs/configuration.md", import.meta.url)).text();
  expect(page).toBe(referencePage());
});

test("every key is described", () => {
  expect(fields.filter((field) => field.description === "").map(({ path }) => path)).toEqual([]);
});

test("environment names are unique, and those that scripts rely on are there", () => {
  const names = fields.flatMap(({ env }) => (env === undefined ? [] : [env]));
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(
    expect.arrayContaining([
      ...[
        "CARILLON_CLIENTS_HOST",
        "CARILLON_CLIENTS_PORT",
        "CARILLON_API_HOST",
        "CARILLON_API_PORT",
      ],
      ...["CARILLON_DATA_DIR", "CARILLON_ENGINE", "CARILLON_REDIS_URL", "CARILLON_WORKERS"],
      "CARILLON_MASTER_KEY",
    ]),
  );
});

test("what is in a list of tables has the entry's name in its variable, and the name itself has none", () => {
  const envs = (path: string) =>
    fields.filter((field) => field.path.join(".") === path).map(({ env }) => env);
  expect(envs("channel.namespaces[].presence")).toEqual([
    "CARILLON_CHANNEL_NAMESPACES_<NAME>_PRESENCE",
  ]);
  expect(envs("channel.namespaces[].name")).toEqual([undefined]);
  expect(envs("apps[].allowed_origins")).toEqual(["CARILLON_APPS_<NAME>_ALLOWED_ORIGINS"]);
});
