#!/usr/bin/env bun
/** The command line. */
import cluster from "node:cluster";
import { collectOften } from "./collections.ts";
import { failureLines } from "./failure.ts";

/** A function, since a bundle of bytecode has no `await` at its top. */
async function run(): Promise<void> {
  // A worker of the server as a single file runs this again, since there is no other module that could be run.
  if (cluster.isWorker) await import("../workers/worker.ts");
  else {
    // Before the commands are loaded, which takes ten times as long as to begin anew.
    if (process.argv[2] === "serve") collectOften();
    const { createProgram } = await import("./program.ts");
    await createProgram().parseAsync();
  }
}

run().catch((error: unknown) => {
  for (const line of failureLines(error)) console.error(line);
  process.exit(1);
});
