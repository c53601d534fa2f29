/** Scripts are files of their own, so that editors and readers see Lua. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The text of `scripts/<name>.lua`. */
export function readScript(name: string): string {
  return readFileSync(join(import.meta.dirname, "scripts", `${name}.lua`), "utf8");
}
