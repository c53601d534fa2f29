/** `carillon version` */
import { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };

export function versionCommand(): Command {
  return new Command("version")
    .description("print the version of Carillon and of its runtime")
    .action(() => {
      console.log(`carillon ${manifest.version} (bun ${process.versions.bun ?? "unknown"})`);
    });
}
