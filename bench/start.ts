/**
 * Start and rest: `npx bun bench/start.ts`, about fifteen minutes.
 * From the command to the port that answers, on one core and with its own files warm; then what a server that nobody talks to keeps of
 * memory, and takes of a core over twenty seconds, a while after its start.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { startCarillon } from "./harness/carillon.ts";
import { peer, type Contender } from "./harness/compare.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, median, ratio, type BenchResult, type Measurement } from "./harness/report.ts";
import type { StartTarget } from "./harness/targets.ts";

const READY_MS_MAX = 300;
const READY_CPU_MS_MAX = 200;
const IDLE_MB_MAX = 65;
const IDLE_PER_MILLE_MAX = 1;
/** The runtime looks at an idle process once a second for half a minute. */
const SETTLE_SECONDS = 45;
const IDLE_SECONDS = 20;

interface Started {
  readonly readyMs: number;
  readonly readyCpuMs: number;
  readonly idleMb: number;
  /** Of one core. */
  readonly idlePerMille: number;
}

const PARTS = [
  { part: "readyMs", what: "ready", unit: "ms", most: READY_MS_MAX },
  { part: "readyCpuMs", what: "ready, processor time", unit: "ms", most: READY_CPU_MS_MAX },
  { part: "idleMb", what: "idle, resident", unit: "MB", most: IDLE_MB_MAX },
  { part: "idlePerMille", what: "idle", unit: "‰ of a core", most: IDLE_PER_MILLE_MAX },
] as const;

export async function benchStart({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const { peers, notes } = peer({ users: 1 });
  const program = compiled();
  const contenders: Contender[] = [
    { name: "Carillon, as a package", start: () => startCarillon({ users: 1, program }) },
    { name: "Carillon, from its sources", start: () => startCarillon({ users: 1 }) },
    ...peers,
  ];
  const results: Started[][] = contenders.map(() => []);
  for (let run = 0; run < runs; run++) {
    for (const [index, { start }] of contenders.entries()) {
      results[index]?.push(await measure(start, quick));
    }
  }
  const measurements = PARTS.flatMap(({ part, what, unit, most }) =>
    contenders.map(({ name }, index): Measurement => {
      const own = (results[index] ?? []).map((found) => found[part]);
      const other = (results[2] ?? []).map((found) => found[part]);
      return {
        ...{ what: `${name}, ${what}`, unit, runs: own },
        ...(index > 1 || median(other) === 0 || other.length === 0
          ? {}
          : { ofPeer: ratio(own, other) }),
        ...(index > 0 ? {} : { budget: atMost(`${most} ${unit}`, median(own), most) }),
      };
    }),
  );
  return { title: "Start and rest", measurements, notes };
}

/** What `npm pack` puts into the package. */
function compiled(): string {
  const folder = mkdtempSync(join(tmpdir(), "carillon-bench-package-"));
  const [, ...words] = packageJson.scripts.prepack.split(" ");
  const command = [process.execPath, ...words.with(-1, folder)];
  const built = Bun.spawnSync(command, { cwd: join(import.meta.dir, "..") });
  if (!built.success) throw new Error(`The package was not built: ${built.stderr.toString()}`);
  return join(folder, "main.js");
}

async function measure(start: StartTarget, quick: boolean): Promise<Started> {
  const startMs = performance.now();
  await using target = await start();
  const readyMs = performance.now() - startMs;
  const readyCpuMs = target.process.cpuSeconds() * 1000;
  await Bun.sleep(SETTLE_SECONDS * 1000);
  const before = target.process.cpuSeconds();
  const seconds = quick ? IDLE_SECONDS / 2 : IDLE_SECONDS;
  await Bun.sleep(seconds * 1000);
  const idleCpu = (target.process.cpuSeconds() - before) / seconds;
  return {
    readyMs,
    readyCpuMs,
    idleMb: target.process.rssBytes() / 2 ** 20,
    idlePerMille: idleCpu * 1000,
  };
}

if (import.meta.main) await main(benchStart);
