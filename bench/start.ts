/**
 * Start and rest: `npx bun bench/start.ts`.
 * From the command to the port that answers, on one core and with its own files warm; then what a server that nobody talks to keeps of
 * memory, and takes of a core until the round ends.
 */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { startCarillon } from "./harness/carillon.ts";
import { main } from "./harness/main.ts";
import { centrifugo, type Bench, type Contender, type Round } from "./harness/round.ts";

const MS = { unit: "ms" };
const READY = { name: "ready", ...MS, budget: { value: 300 } };
const READY_CPU = { name: "ready, processor time", ...MS, budget: { value: 200 } };
const RESIDENT = { name: "idle, resident", unit: "MB", budget: { value: 65 } };
const IDLE = { name: "idle, processor time", unit: "‰ of a core", budget: { value: 1 } };
/** The runtime looks at an idle process once a second for half a minute. */
const SETTLE_SECONDS = 40;
const IDLE_SECONDS_MIN = 10;

export const benchStart: Bench = {
  name: "start",
  async take(round) {
    const program = compiled();
    const contenders: readonly Contender[] = [
      { name: "package", side: "own", start: () => startCarillon({ users: 1, program }) },
      ...centrifugo({ users: 1 }),
    ];
    for (const contender of contenders) {
      await round.attempt(contender.name, () => take(round, contender));
    }
  },
};

/** What `npm pack` puts into the package, which is made in `lib` and not left there. */
function compiled(): string {
  const root = join(import.meta.dir, "..");
  const [, ...script] = packageJson.scripts.prepack.split(" ");
  const built = Bun.spawnSync([process.execPath, ...script], { cwd: root });
  if (!built.success) throw new Error(`The package was not built: ${built.stderr.toString()}`);
  const folder = mkdtempSync(join(tmpdir(), "carillon-bench-package-"));
  cpSync(join(root, "lib"), folder, { recursive: true });
  rmSync(join(root, "lib"), { recursive: true });
  return join(folder, "main.js");
}

async function take(round: Round, { side, start }: Contender): Promise<void> {
  // Its files are in the kernel's cache then, as the other's are.
  await (await start())[Symbol.asyncDispose]();
  const startMs = performance.now();
  const target = await start();
  const readyMs = performance.now() - startMs;
  const readyCpuMs = target.process.cpuSeconds() * 1000;
  round.add(READY, side, { value: readyMs });
  round.add(READY_CPU, side, { value: readyCpuMs });
  // It rests beside the others: what it takes is too little to disturb them.
  const settled = Bun.sleep(SETTLE_SECONDS * (round.quick ? 100 : 1000)).then(() => ({
    atMs: performance.now(),
    cpuSeconds: target.process.cpuSeconds(),
  }));
  round.atEnd(async () => {
    await using _ = target;
    const before = await settled;
    await Bun.sleep(Math.max(0, before.atMs + IDLE_SECONDS_MIN * 1000 - performance.now()));
    const seconds = (performance.now() - before.atMs) / 1000;
    const perMille = ((target.process.cpuSeconds() - before.cpuSeconds) / seconds) * 1000;
    round.add(RESIDENT, side, { value: target.process.rssBytes() / 2 ** 20 });
    round.add(IDLE, side, { value: perMille });
  });
}

if (import.meta.main) await main([benchStart]);
