/** `carillon init`: files for going live on one machine, with keys of their own. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { deploymentFiles } from "../init/files.ts";
import { freshProduction } from "./config.ts";
import { CommandError, USAGE } from "./failure.ts";
import { SHARED } from "./options.ts";

interface Options {
  readonly domain: string;
  readonly origin?: string;
  readonly json?: true;
}

const CONFIGURATION = "carillon.toml";
/** A host name (RFC 1123 §2.1), since it goes into the files of other programs as it is. */
const DOMAIN =
  /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*$/i;
const ORIGIN = /^https?:\/\/[-.a-z0-9]+(?::\d{1,5})?$/;

export function initCommand(): Command {
  return new Command("init")
    .description("write a configuration to go live with, and files to run it")
    .argument("[directory]", "where to; made if need be", ".")
    .option("--domain <name>", "the name by which browsers reach the server", "push.your.site")
    .option("--origin <origin>", "the site whose pages connect; default: https://your.site")
    .option(...SHARED.json)
    .action((directory: string, options: Options) => {
      const { domain, origin } = checked(options);
      const { key, toml } = freshProduction(origin === undefined ? {} : { origin });
      const files = { [CONFIGURATION]: toml, ...deploymentFiles({ domain }) };
      write(directory, files);
      const written = Object.keys(files).map((name) => join(directory, name));
      if (options.json) console.log(JSON.stringify({ files: written, api_key: key }, null, 2));
      else console.log(told({ directory, domain, written, key }));
    });
}

function checked({ domain, origin }: Options): Pick<Options, "domain" | "origin"> {
  if (!DOMAIN.test(domain))
    throw new CommandError("--domain must be a host name, such as push.your.site", USAGE);
  if (origin === undefined) return { domain };
  if (ORIGIN.test(origin)) return { domain, origin };
  throw new CommandError("--origin must be as browsers send it, such as https://your.site", USAGE);
}

/** All of them or none: what is there stays as it is. */
function write(directory: string, files: Readonly<Record<string, string>>): void {
  const there = Object.keys(files).filter((name) => existsSync(join(directory, name)));
  if (there.length > 0) {
    throw new CommandError(
      `${there.map((name) => join(directory, name)).join(", ")} would be overwritten: remove them, or name another directory`,
      USAGE,
    );
  }
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    // "wx" also where another process made one meanwhile. The configuration holds secrets.
    const mode = name === CONFIGURATION ? 0o600 : 0o644;
    writeFileSync(join(directory, name), text, { flag: "wx", mode });
  }
}

function told({
  directory,
  domain,
  written,
  key,
}: {
  readonly directory: string;
  readonly domain: string;
  readonly written: readonly string[];
  readonly key: string;
}): string {
  const config = join(directory, CONFIGURATION);
  return `${written.map((path) => `Wrote ${path}`).join("\n")}

The API key of your backend, shown only now:
  ${key}

Next:
  1. Look through ${config}: the site whose pages connect, the channels.
  2. Run it by carillon.service or compose.yaml, each of which says how in its first lines; with the unit, put nginx.conf or Caddyfile in front.
  3. carillon doctor https://${domain} --config ${config} --key <the key above>`;
}
