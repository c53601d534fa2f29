/** The flags that every benchmark takes. */
import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Shorter runs, fewer connections: for a look, not for the page. */
  readonly quick: boolean;
  /** How often each row is taken. */
  readonly runs: number;
  /** Where what is found is written as it comes. */
  readonly json?: string;
  /** Tells the names. */
  readonly list: boolean;
  /** Writes the page from the files that are named. */
  readonly report: boolean;
  /** Of benchmarks, or of files. */
  readonly names: readonly string[];
}

const RUNS = 3;

export function readOptions(): BenchOptions {
  const { values, positionals: names } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      runs: { type: "string", default: `${RUNS}` },
      json: { type: "string" },
      list: { type: "boolean", default: false },
      report: { type: "boolean", default: false },
    },
  });
  const { quick, list, report, json } = values;
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error("--runs takes a whole number");
  if (report && names.length === 0) throw new Error("--report takes the files of --json");
  return { quick, runs, list, report, names, ...(json === undefined ? {} : { json }) };
}
