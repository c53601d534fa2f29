/** `carillon token <kind>`: makes a client's token, as the dialects that have some say. */
import { Command } from "commander";
import type { Dialect } from "../dialects/dialect.ts";
import type { TokenCommand } from "../dialects/token-command.ts";
import { DIALECTS } from "../dialects/list.ts";
import { ask } from "./http.ts";
import {
  configCommand,
  developmentKey,
  findApp,
  readConfig,
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

function subCommand(kind: TokenCommand): Command {
  const command = configCommand(kind.name, kind.description);
  for (const [flags, about] of kind.required ?? []) command.requiredOption(flags, about);
  for (const [flags, about, fallback] of kind.options) command.option(flags, about, fallback);
  return command.action(async (options: AppOption) => {
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
    console.log(await kind.mint(asked));
  });
}
