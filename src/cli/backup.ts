/** `carillon backup`: the data directory of the embedded engine copied while its server runs. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { copyKeptKey } from "../auth/master-key.ts";
import { copyDatabase } from "../engines/embedded/backup.ts";
import { CommandError, USAGE } from "./failure.ts";
import { configCommand, readConfig, SHARED, type ConfigOption } from "./options.ts";

interface Options extends ConfigOption {
  readonly json?: true;
}

interface Backup {
  readonly directory: string;
  readonly bytes: number;
  /** Whether the key was in the data directory; else it is in the configuration. */
  readonly hasKey: boolean;
}

export function backupCommand(): Command {
  return configCommand("backup", "copy the data directory, also while the server runs")
    .argument("<directory>", "where to: it is made, and is a data directory itself")
    .option(...SHARED.json)
    .action((directory: string, options: Options) => {
      const { engine, data_dir: dataDir } = readConfig(options);
      if (engine !== "embedded") {
        throw new CommandError(
          "The data is in Redis: back it up there, as with redis-cli --rdb FILE",
          USAGE,
        );
      }
      const backup = backUp(dataDir, resolve(directory));
      if (options.json) console.log(JSON.stringify(backup, null, 2));
      else console.log(told(backup));
    });
}

/** It is there whole, or not at all. */
function backUp(dataDir: string, directory: string): Backup {
  if (existsSync(directory)) {
    throw new CommandError(`${directory} is there already: name a new directory`, USAGE);
  }
  mkdirSync(dirname(directory), { recursive: true });
  const part = mkdtempSync(`${directory}.part-`);
  try {
    const bytes = copyDatabase(dataDir, part);
    const hasKey = copyKeptKey(dataDir, part);
    renameSync(part, directory);
    return { directory, bytes, hasKey };
  } catch (error) {
    rmSync(part, { recursive: true });
    throw error;
  }
}

function told({ directory, bytes, hasKey }: Backup): string {
  const what = hasKey ? "the database and the master key" : "the database";
  const elsewhere = hasKey ? "" : " The master key is in the configuration: keep that as well.";
  return `Wrote ${directory}: ${what}, ${bytes} bytes, checked.${elsewhere}`;
}
