/** All commands, as one tree. */
import { Command } from "commander";
import { backupCommand } from "./backup.ts";
import { benchCommand, loadCommand } from "./bench.ts";
import { completionCommand } from "./completion.ts";
import { configurationCommand } from "./config.ts";
import { connectionsCommand, whoCommand } from "./connections.ts";
import { doctorCommand } from "./doctor.ts";
import { errorsCommand } from "./errors.ts";
import { USAGE } from "./failure.ts";
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
    backupCommand(),
    configurationCommand(),
    errorsCommand(),
    completionCommand(),
    versionCommand(),
  ]) {
    program.addCommand(command);
  }
  program.addCommand(loadCommand(), { hidden: true });
  tellWord(program);
  return program;
}

/** What the library itself finds wrong with a command line is told like all else. */
function tellWord(command: Command): void {
  command.configureOutput({
    outputError: (text, write) => write(text.replace(/\n/, ` [${USAGE.word}]\n`)),
  });
  for (const own of command.commands) tellWord(own);
}
