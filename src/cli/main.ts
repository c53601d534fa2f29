#!/usr/bin/env bun
/** The command line. */
import { Command } from "commander";
import { configurationCommand } from "./config.ts";
import { failureLines } from "./failure.ts";
import { keyCommand } from "./key.ts";
import { publishCommand } from "./publish.ts";
import { serveCommand } from "./serve.ts";
import { subscribeCommand } from "./subscribe.ts";
import { tokenCommand } from "./token.ts";
import { versionCommand } from "./version.ts";

const program = new Command("carillon").description("A realtime push server");
for (const command of [
  serveCommand(),
  publishCommand(),
  subscribeCommand(),
  tokenCommand(),
  keyCommand(),
  configurationCommand(),
  versionCommand(),
]) {
  program.addCommand(command);
}

try {
  await program.parseAsync();
} catch (error) {
  for (const line of failureLines(error)) console.error(line);
  process.exit(1);
}
