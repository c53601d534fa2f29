/** Translates texts, for the tests of this folder. */
import { expect } from "bun:test";
import { parse } from "smol-toml";
import { MODEL, validate } from "../../dialects/configuration.ts";
import { translate } from "./translate.ts";

export const MASTER_KEY = "0".repeat(64);

export interface Translated {
  readonly file: Record<string, unknown>;
  readonly notes: readonly string[];
}

export function translated(
  ...files: readonly (readonly [path: string, text: string])[]
): Translated {
  const { toml, notes } = translate(
    MODEL,
    files.map(([path, text]) => ({ path, text })),
    () => MASTER_KEY,
  );
  return { file: parse(toml), notes };
}

export const ofJson = (raw: object) => translated(["config.json", JSON.stringify(raw)]);
export const ofEnv = (text: string) => translated([".env", text]);

/** Carillon takes it as it is. */
export function accepted({ file }: Translated): Record<string, unknown> {
  expect(validate(file)).toHaveProperty("config");
  return file;
}
