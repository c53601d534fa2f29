/** `carillon config`: checks the configuration, warns, and prints what is in effect; or prints one to start from. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { parse, stringify } from "smol-toml";
import type { Command } from "commander";
import { generateApiKey } from "../auth/api-keys.ts";
import { confinement } from "../config/apps.ts";
import {
  MODEL,
  developmentToml,
  productionToml,
  referencePage,
  toFile,
  warningsOf,
} from "../dialects/configuration.ts";
import { formatPath } from "../config/problem.ts";
import { configCommand, readConfig, type ConfigOption } from "./options.ts";

const SECRET_BYTES = 32;

interface Options extends ConfigOption {
  readonly dev?: true;
  readonly production?: true;
  readonly reference?: true;
  readonly json?: true;
  readonly fromCentrifugo?: readonly string[];
}

export function configurationCommand(): Command {
  return configCommand("config", "check the configuration and print it, without its secrets")
    .option("--dev", "print the development configuration instead")
    .option(
      "--production",
      "print a configuration to go live with instead, with secrets of its own",
    )
    .option("--reference", "print the reference page of all keys instead")
    .option(
      "--from-centrifugo <file...>",
      "print the configuration that these files of Centrifugo 5 or 6 mean instead: its own, environment or compose files",
    )
    .option("--json", "print JSON, not TOML")
    .action(async (options: Options) => {
      if (options.dev) process.stdout.write(written(developmentToml(), options));
      else if (options.production) process.stdout.write(written(production(), options));
      else if (options.reference) process.stdout.write(referencePage());
      else if (options.fromCentrifugo) await fromCentrifugo(options.fromCentrifugo, options);
      else {
        const config = readConfig(options);
        for (const note of config.api_keys.flatMap((key) => confinement(key) ?? [])) {
          console.error(`carillon: ${note}`);
        }
        for (const { path, message } of warningsOf(config)) {
          console.error(`warning: ${formatPath(path)}: ${message}`);
        }
        const effective = toFile(config, { redact: true });
        console.log(
          options.json ? JSON.stringify(effective, null, 2) : stringify(effective).trimEnd(),
        );
      }
    });
}

/** What has no counterpart, or differs, is told on the standard error. */
async function fromCentrifugo(paths: readonly string[], { json }: Options): Promise<void> {
  // Its tables are a tenth of every other command's start.
  const { translate } = await import("../moving/centrifugo/translate.ts");
  const files = paths.map((path) => ({ path, text: readFileSync(path, "utf8") }));
  const secret = () => randomBytes(SECRET_BYTES).toString("hex");
  const { file, toml, notes } = translate(MODEL, files, secret);
  for (const note of notes) console.error(note);
  process.stdout.write(json ? `${JSON.stringify(file, null, 2)}\n` : toml);
}

function written(toml: string, { json }: Options): string {
  return json ? `${JSON.stringify(parse(toml), null, 2)}\n` : toml;
}

/** The key itself is shown beside the file, which holds its hash alone. */
function production(): string {
  const { key, toml } = freshProduction({});
  console.error(`The API key of the file, shown only now: ${key}`);
  return toml;
}

/** With secrets that are nobody else's. */
export function freshProduction(options: { readonly origin?: string }): {
  readonly key: string;
  readonly toml: string;
} {
  const { key, ...apiKey } = generateApiKey(randomBytes);
  const hmacSecret = randomBytes(SECRET_BYTES).toString("hex");
  return { key, toml: productionToml({ ...options, apiKey, hmacSecret }) };
}
