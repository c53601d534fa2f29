#!/usr/bin/env bun
/** The command line. */
import cluster from "node:cluster";
import { failureLines } from "./failure.ts";
import { createProgram } from "./program.ts";

/** A function, since a bundle of bytecode has no `await` at its top. */
async function run(): Promise<void> {
  // A worker of the server as a single file runs this again, since there is no other module that could be run.
  if (cluster.isWorker) await import("../workers/worker.ts");
  else await createProgram().parseAsync();
}

run().catch((error: unknown) => {
  for (const line of failureLines(error)) console.error(line);
  process.exit(1);
});
