/**
 * Channel patterns that are to stall the server: `npx bun bench/hostile-patterns.ts`, about three minutes.
 * Neither compiling a pattern nor holding it against one name can be interrupted. A search from a seed (`SEED=…`) looks
 * for the patterns that take longest; they are measured warm, and each in processes that have just started.
 */
import type { ColdReport, ColdSpec } from "./load/pattern-cold.ts";
import type { Found, SearchReport, SearchSpec } from "./load/pattern-search.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import { atMost, type BenchResult, type Measurement } from "./harness/report.ts";

const STALL_MS_MAX = 10;
const SEARCH_SECONDS = { quick: 10, full: 60 };
/** Processes for one pattern, whose shortest time is its own. */
const PROCESSES = 5;

/** What people send. */
const LIST = Array.from({ length: 100 }, (_, index) => `channel-number-${10_000 + index}`);
const USUAL: readonly (readonly [what: string, pattern: string])[] = [
  ["100 channel names of 20 characters", LIST.join("|")],
  ["the same, anchored", `^(?:${LIST.join("|")})$`],
  ["20 of them with digits behind", `^(?:${LIST.slice(0, 20).join("|")})-\\d+$`],
];

export async function benchHostilePatterns({ quick, runs }: BenchOptions): Promise<BenchResult> {
  const seed = Number(process.env["SEED"] ?? Date.now() % 2 ** 32);
  const seconds = quick ? SEARCH_SECONDS.quick : SEARCH_SECONDS.full;
  const searches: SearchReport[] = [];
  const cold: ColdReport[][] = [];
  for (let run = 0; run < runs; run++) {
    const report = await search({ seed: seed + run, seconds });
    searches.push(report);
    cold.push(await inNewProcesses(report.found));
  }
  const rows: Measurement[] = (["compileMs", "nameMs"] as const).flatMap((kind) => [
    row(
      `${WHAT[kind]}, warm`,
      searches.map(({ found }) => longest(found, kind)),
    ),
    row(
      `${WHAT[kind]}, in a new process`,
      cold.map((reports) => longest(reports, kind)),
    ),
  ]);
  for (const [what, pattern] of USUAL) {
    const reports = await inNewProcesses([{ pattern, name: "x".repeat(255) }]);
    rows.push(row(`${what}, in a new process`, [longest(reports, "compileMs")]));
  }
  const warmUps = cold.flat().map(({ warmUpMs }) => warmUpMs);
  const tried = searches.reduce((sum, report) => sum + report.tried, 0);
  const dearest = searches
    .flatMap(({ found }) => found)
    .reduce((one, other) => (other.nameMs > one.nameMs ? other : one));
  return {
    title: "Hostile patterns",
    measurements: rows,
    notes: [
      `SEED=${seed}: ${tried} patterns tried. The dearest on a name: \`${shown(dearest)}\`.`,
      `A new process has warmed up as a server does at its start, in ${Math.min(...warmUps).toFixed(0)} ms.`,
    ],
  };
}

const WHAT = { compileMs: "compiling a pattern", nameMs: "the first name" };

function row(what: string, runs: readonly number[]): Measurement {
  const most = Math.max(...runs);
  return { what, unit: "ms", runs, budget: atMost(`${STALL_MS_MAX}`, most, STALL_MS_MAX) };
}

function longest<Kind extends string>(
  reports: readonly Record<Kind, number>[],
  kind: Kind,
): number {
  return Math.max(...reports.map((report) => report[kind]));
}

async function search(spec: SearchSpec): Promise<SearchReport> {
  await using child = new ChildProcess(bun("load/pattern-search.ts"), { on: "server" });
  return await child.ask<SearchReport>(spec);
}

async function inNewProcesses(specs: readonly ColdSpec[]): Promise<ColdReport[]> {
  const reports: ColdReport[] = [];
  for (const { pattern, name } of specs) {
    const takes: ColdReport[] = [];
    for (let take = 0; take < PROCESSES; take++) {
      await using child = new ChildProcess(bun("load/pattern-cold.ts"), { on: "server" });
      takes.push(await child.ask<ColdReport>({ pattern, name }));
    }
    const least = (kind: keyof ColdReport) => Math.min(...takes.map((report) => report[kind]));
    reports.push({
      warmUpMs: least("warmUpMs"),
      compileMs: least("compileMs"),
      nameMs: least("nameMs"),
    });
  }
  return reports;
}

function shown({ pattern }: Found): string {
  return pattern.length <= 60 ? pattern : `${pattern.slice(0, 40)}…${pattern.slice(-15)}`;
}

if (import.meta.main) await main(benchHostilePatterns);
