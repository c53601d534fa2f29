/** One channel pattern in a process that has just started, as a server does. Reads a `ColdSpec`, prints a `ColdReport`. */
import { compileChannelPattern, warmUpPatterns } from "../../src/core/channel-pattern.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { readLines, writeLine } from "../../src/bench/load/lines.ts";

export interface ColdSpec {
  readonly pattern: string;
  readonly name: string;
}

export interface ColdReport {
  readonly warmUpMs: number;
  readonly compileMs: number;
  readonly nameMs: number;
}

/** Between the start of a server and its first pattern there is some time in any case. */
const PAUSE_MS = 20;

async function measure({ pattern, name }: ColdSpec): Promise<ColdReport> {
  const startMs = performance.now();
  await warmUpPatterns(systemRuntime);
  const warmUpMs = performance.now() - startMs;
  await Bun.sleep(PAUSE_MS);
  const compileStartMs = performance.now();
  const matches = compileChannelPattern(pattern);
  const compiledMs = performance.now();
  matches(name);
  const nameMs = performance.now() - compiledMs;
  return { warmUpMs, compileMs: compiledMs - compileStartMs, nameMs };
}

await readLines(Bun.stdin.stream(), (line) => void measure(line as ColdSpec).then(writeLine));
