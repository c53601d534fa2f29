#!/usr/bin/env bun
/** The command line. */
import cluster from "node:cluster";
import { Command } from "commander";
import { configurationCommand } from "./config.ts";
import { connectionsCommand, whoCommand } from "./connections.ts";
import { doctorCommand } from "./doctor.ts";
import { failureLines } from "./failure.ts";
import { initCommand } from "./init.ts";
import { keyCommand } from "./key.ts";
import { kickCommand } from "./kick.ts";
import { publishCommand } from "./publish.ts";
import { serveCommand } from "./serve.ts";
import { subscribeCommand } from "./subscribe.ts";
import { tokenCommand } from "./token.ts";
import { versionCommand, versionText } from "./version.ts";

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
  tokenCommand(),
  keyCommand(),
  configurationCommand(),
  versionCommand(),
]) {
  program.addCommand(command);
}

/** A function, since a bundle of bytecode has no `await` at its top. */
async function run(): Promise<void> {
  // A worker of the server as a single file runs this again, since there is no other module that could be run.
  if (cluster.isWorker) await import("../workers/worker.ts");
  else await program.parseAsync();
}

run().catch((error: unknown) => {
  for (const line of failureLines(error)) console.error(line);
  process.exit(1);
});
