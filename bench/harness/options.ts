/** The flags that every benchmark takes. */
import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Shorter runs, fewer connections where that says enough: for a look, not for the page. */
  readonly quick: boolean;
  /** How often each number is taken; its median and spread are reported. */
  readonly runs: number;
  /** Where the results are also written as JSON. */
  readonly json?: string;
}

const RUNS = 3;

export function readOptions(): BenchOptions {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      runs: { type: "string", default: `${RUNS}` },
      json: { type: "string" },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) throw new Error("--runs takes a whole number");
  return {
    quick: values.quick,
    runs,
    ...(values.json === undefined ? {} : { json: values.json }),
  };
}
