/** All commands, as one tree. */
import { Command } from "commander";
import { benchCommand, loadCommand } from "./bench.ts";
import { completionCommand } from "./completion.ts";
import { configurationCommand } from "./config.ts";
import { connectionsCommand, whoCommand } from "./connections.ts";
import { doctorCommand } from "./doctor.ts";
import { errorsCommand } from "./errors.ts";
import { initCommand } from "./init.ts";
import { keyCommand } from "./key.ts";
import { kickCommand } from "./kick.ts";
import { publishCommand } from "./publish.ts";
import { serveCommand } from "./serve.ts";
import { subscribeCommand } from "./subscribe.ts";
import { tokenCommand } from "./token.ts";
import { versionCommand, versionText } from "./version.ts";

export function createProgram(): Command {
  const program = new Command("carillon")
    .description("A realtime push server")
    .version(versionText());
  for (const command of [
    initCommand(),
    serveCommand(),
    publishCommand(),
    subscribeCommand(),
    whoCommand(),
    connectionsCommand(),
    kickCommand(),
    doctorCommand(),
    benchCommand(),
    tokenCommand(),
    keyCommand(),
    configurationCommand(),
    errorsCommand(),
    completionCommand(),
    versionCommand(),
  ]) {
    program.addCommand(command);
  }
  program.addCommand(loadCommand(), { hidden: true });
  return program;
}
