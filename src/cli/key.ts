/** `carillon key`: makes an API key, of which the configuration holds the hash only. */
import { createHash, randomBytes } from "node:crypto";
import { stringify } from "smol-toml";
import { Command } from "commander";
import { apiKey, confinement } from "../config/apps.ts";
import { CommandError, USAGE } from "./failure.ts";

const ID_BYTES = 4;
const SECRET_BYTES = 32;

interface Options {
  readonly id?: string;
  readonly scope?: string[];
  readonly organisation?: string;
  readonly app?: string;
  readonly json?: true;
}

export function keyCommand(): Command {
  return new Command("key")
    .description("make an API key and print it once, with its entry for the configuration")
    .option("--id <id>", "names the key in logs; default: random")
    .option("--scope <scopes...>", 'what the key may do; default: "*", everything')
    .option("--organisation <id>", "the organisation it acts for; default: every one")
    .option("--app <id>", "the app it belongs to; needed with several")
    .option("--json", "print JSON: the key, and its entry")
    .action((options: Options) => {
      const id = options.id ?? randomBytes(ID_BYTES).toString("hex");
      const key = `evk_${id}_${randomBytes(SECRET_BYTES).toString("hex")}`;
      const entry = {
        id,
        hash: createHash("sha256").update(key).digest("hex"),
        scopes: options.scope ?? ["*"],
        organisation: options.organisation ?? "*",
        ...(options.app === undefined ? {} : { app: options.app }),
      };
      const checked = apiKey.safeParse(entry);
      if (!checked.success) {
        const [issue] = checked.error.issues;
        throw new CommandError(`The key's ${issue?.path.join(".")} ${issue?.message}`, USAGE);
      }
      if (options.json) return console.log(JSON.stringify({ key, entry }, null, 2));
      const note = confinement(entry);
      if (note !== undefined) console.log(`# ${note}.`);
      console.log(
        `# The key, shown only now:\n# ${key}\n${stringify({ api_keys: [entry] }).trim()}`,
      );
    });
}
