/**
 * Channel patterns that are to stall the server: `npx bun bench/hostile-patterns.ts`.
 * Neither compiling a pattern nor holding it against one name can be interrupted. A search from a seed (`SEED=…`) looks
 * for the patterns that take longest; they are measured warm, and each in processes that have just started.
 */
import type { ColdReport, ColdSpec } from "./load/pattern-cold.ts";
import type { Found, SearchReport, SearchSpec } from "./load/pattern-search.ts";
import { main } from "./harness/main.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import type { Bench, Round } from "./harness/round.ts";

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

export const benchHostilePatterns: Bench = {
  name: "hostile-patterns",
  // A minute each.
  roundsMax: 3,
  async take(round) {
    const seed = Number(process.env["SEED"] ?? Date.now() % 2 ** 32);
    const seconds = round.quick ? SEARCH_SECONDS.quick : SEARCH_SECONDS.full;
    const { found } = await search({ seed, seconds });
    const cold = await inNewProcesses(found);
    for (const kind of ["compileMs", "nameMs"] as const) {
      add(round, `${WHAT[kind]}, warm`, longest(found, kind));
      add(round, `${WHAT[kind]}, in a new process`, longest(cold, kind));
    }
    for (const [what, pattern] of USUAL) {
      const reports = await inNewProcesses([{ pattern, name: "x".repeat(255) }]);
      add(round, `${what}, in a new process`, longest(reports, "compileMs"));
    }
    const dearest = found.reduce((one, other) => (other.nameMs > one.nameMs ? other : one));
    console.error(`SEED=${seed}: the dearest on a name is ${shown(dearest)}`);
  },
};

const WHAT = {
  compileMs: "the dearest pattern to compile",
  nameMs: "the dearest on its first name",
};

function add(round: Round, name: string, value: number): void {
  round.add({ name, unit: "ms", budget: { value: STALL_MS_MAX } }, "own", { value });
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

if (import.meta.main) await main([benchHostilePatterns]);
