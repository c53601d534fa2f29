/** `carillon version`, and `--version`. */
import { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { SHARED } from "./options.ts";

/** Of Carillon and of its runtime. */
export function versionText(): string {
  return `carillon ${manifest.version} (bun ${process.versions.bun ?? "unknown"})`;
}

export function versionCommand(): Command {
  return new Command("version")
    .description("print the version of Carillon and of its runtime")
    .option(...SHARED.json)
    .action(({ json }: { readonly json?: true }) => {
      const { bun } = process.versions;
      console.log(json ? JSON.stringify({ carillon: manifest.version, bun }) : versionText());
    });
}
