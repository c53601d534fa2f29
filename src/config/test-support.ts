/** Checks plain data as a file would hold it, for the tests of this folder. */
import { type Config, validate } from "../dialects/configuration.ts";
import { formatPath } from "./problem.ts";

/** Every problem as `path: message`; empty when there is none. */
export function linesOf(raw: unknown): string[] {
  const checked = validate(raw);
  if ("config" in checked) return [];
  return checked.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
}

/** Throws where there is a problem. */
export function configOf(raw: unknown): Config {
  const checked = validate(raw);
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  return checked.config;
}
