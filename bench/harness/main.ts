/** What the commands do: rounds of benchmarks into a file, or files into the page. */
import { writeFileSync } from "node:fs";
import { findCentrifugo, findWslimit } from "./floors.ts";
import { machine, versions } from "./machine.ts";
import { readOptions, type BenchOptions } from "./options.ts";
import { page, table } from "./page.ts";
import type { About } from "./records.ts";
import { Round, type Bench } from "./round.ts";
import { readRecords, Store } from "./store.ts";

const PAGE = new URL("../../docs/benchmarks.md", import.meta.url).pathname;

/** `more`: those that are taken when they are named. */
export async function main(benches: readonly Bench[], more: readonly Bench[] = []): Promise<void> {
  const options = readOptions();
  const all = [...benches, ...more];
  if (options.list) {
    for (const bench of all)
      console.log(more.includes(bench) ? `${bench.name} (by name)` : bench.name);
  } else if (options.report) {
    writeFileSync(PAGE, page(readRecords(options.names), all));
    console.log(`Wrote ${PAGE}`);
  } else {
    const chosen =
      options.names.length === 0 ? benches : options.names.map((name) => named(name, all));
    await takeRounds(chosen, options);
  }
  process.exit(0);
}

function named(name: string, benches: readonly Bench[]): Bench {
  const found = benches.find((bench) => bench.name === name);
  if (found !== undefined) return found;
  throw new Error(`No benchmark "${name}": ${benches.map((bench) => bench.name).join(", ")}`);
}

/** A round is all of them once: what is there after an interruption is whole rounds. */
async function takeRounds(benches: readonly Bench[], options: BenchOptions): Promise<void> {
  const { runs, quick, json } = options;
  const store = new Store(about(options), json);
  const startMs = performance.now();
  for (let number = 1; number <= runs; number += 1) {
    const later: (() => Promise<void>)[] = [];
    for (const bench of benches) {
      if (number > (bench.roundsMax ?? runs)) continue;
      const benchMs = performance.now();
      const round = new Round(bench.name, { number, quick, store, later });
      await round.attempt("all of it", () => bench.take(round));
      console.error(`round ${number}, ${bench.name}: ${since(benchMs)} (${since(startMs)})`);
    }
    for (const work of later) await work();
  }
  console.log(table([store.records], benches));
  console.log(`\nIn ${since(startMs)}.`);
}

function about({ runs, quick }: BenchOptions): About {
  const found = [findCentrifugo(), findWslimit()];
  return {
    when: new Date().toISOString(),
    ...{ machine: machine(), versions: versions(), rounds: runs, quick },
    command: ["npm run bench --", ...argumentsOf(process.argv)].join(" "),
    notes: found.filter((each) => typeof each === "string"),
  };
}

/** Whichever file it was: the page names none of this machine's. */
function argumentsOf(argv: readonly string[]): string[] {
  return argv.slice(2).map((word, at, all) => (all[at - 1] === "--json" ? "FILE" : word));
}

function since(startMs: number): string {
  return `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
}
