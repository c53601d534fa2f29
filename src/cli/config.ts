/** `carillon config`: checks the configuration and prints what is in effect. */
import { stringify } from "smol-toml";
import type { Command } from "commander";
import { confinement } from "../config/apps.ts";
import { developmentToml } from "../config/development.ts";
import { referencePage } from "../config/reference.ts";
import { toFile } from "../config/schema.ts";
import { configCommand, readConfig, type ConfigOption } from "./options.ts";

interface Options extends ConfigOption {
  readonly dev?: true;
  readonly reference?: true;
  readonly json?: true;
}

export function configurationCommand(): Command {
  return configCommand("config", "check the configuration and print it, without its secrets")
    .option("--dev", "print the development configuration instead")
    .option("--reference", "print the reference page of all keys instead")
    .option("--json", "print JSON, not TOML")
    .action((options: Options) => {
      if (options.dev) process.stdout.write(developmentToml());
      else if (options.reference) process.stdout.write(referencePage());
      else {
        const config = readConfig(options);
        const effective = toFile(config, { redact: true });
        for (const note of config.api_keys.flatMap((key) => confinement(key) ?? [])) {
          console.error(`carillon: ${note}`);
        }
        console.log(
          options.json ? JSON.stringify(effective, null, 2) : stringify(effective).trimEnd(),
        );
      }
    });
}
