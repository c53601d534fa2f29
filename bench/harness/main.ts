/** What a benchmark's own command does: run, print, and write JSON where asked. */
import { writeFileSync } from "node:fs";
import { machine } from "./machine.ts";
import { readOptions, type BenchOptions } from "./options.ts";
import { markdown, type BenchResult } from "./report.ts";

export type Bench = (options: BenchOptions) => Promise<BenchResult>;

export async function main(...benches: readonly Bench[]): Promise<void> {
  const options = readOptions();
  const about = machine();
  const when = new Date().toISOString();
  const how = `${options.runs} runs${options.quick ? ", quick" : ""}`;
  console.log(`${about}; ${how}; ${when}\n`);
  const results: BenchResult[] = [];
  let failed = false;
  for (const bench of benches) {
    try {
      const result = await bench(options);
      results.push(result);
      console.log(`${markdown(result)}`);
    } catch (error) {
      failed = true;
      console.error(error instanceof Error ? error.message : error);
    }
  }
  if (benches.length > 1) console.log(markdown(summary(results)));
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ about, how, when, results }, null, 2)}\n`);
  }
  process.exit(failed ? 1 : 0);
}

/** The rows with a budget. */
function summary(results: readonly BenchResult[]): BenchResult {
  const measurements = results.flatMap(({ title, measurements: all }) =>
    all
      .filter(({ budget }) => budget !== undefined)
      .map((measurement) => ({ ...measurement, what: `${title}: ${measurement.what}` })),
  );
  return { title: "Budgets", measurements, notes: [] };
}
