/** `carillon token <kind>`: makes a client's token, as the dialects that have some say. */
import { Command } from "commander";
import type { Dialect } from "../dialects/dialect.ts";
import { MintError, type AskedToken, type TokenCommand } from "../dialects/token-command.ts";
import { DIALECTS } from "../dialects/list.ts";
import { isJson } from "../core/json-text.ts";
import { CommandError } from "./failure.ts";
import { ask } from "./http.ts";
import {
  configCommand,
  developmentKey,
  findApp,
  readConfig,
  SHARED,
  urlOf,
  type AppOption,
} from "./options.ts";

export function tokenCommand(): Command {
  const command = new Command("token").description("make a client's token");
  const dialects: readonly Dialect[] = DIALECTS.toReversed();
  for (const { tokenCommands = [] } of dialects) {
    for (const kind of tokenCommands) command.addCommand(subCommand(kind));
  }
  return command;
}

async function mint(kind: TokenCommand, asked: AskedToken): Promise<string> {
  try {
    return await kind.mint(asked);
  } catch (error) {
    if (!(error instanceof MintError)) throw error;
    throw new CommandError(error.message, { cause: error, word: error.word });
  }
}

function subCommand(kind: TokenCommand): Command {
  const command = configCommand(kind.name, kind.description);
  for (const [flags, about] of kind.required ?? []) command.requiredOption(flags, about);
  for (const [flags, about, fallback] of kind.options) command.option(flags, about, fallback);
  command.option(...SHARED.json);
  return command.action(async (options: AppOption & { readonly json?: true }) => {
    const config = readConfig(options);
    const app = findApp(config, options.app);
    const asked = {
      ...{
        config,
        app,
        options,
        post: ask,
        epochMs: Date.now(),
        apiUrl: urlOf(config, "api", app),
      },
      developmentKey: developmentKey(config, app),
    };
    const minted = await mint(kind, asked);
    // What has more to say than a token is JSON anyway.
    console.log(options.json && !isJson(minted) ? JSON.stringify({ token: minted }) : minted);
  });
}
