/**
 * `npm test`: everything on the embedded engine, and what also holds on Redis. Both halves run at once, whatever becomes of the other,
 * and both count.
 */
export interface Half {
  readonly engine: "embedded" | "redis";
  readonly paths: readonly string[];
}

export const HALVES: readonly Half[] = [
  { engine: "embedded", paths: ["src", "test"] },
  { engine: "redis", paths: ["test/conformance", "test/interop", "test/published"] },
];

/** Where a test says nothing itself: it is for those that hang, not for slow or busy machines. */
const TEST_TIMEOUT_MS = 20_000;

/** The engines on which something failed. `run` resolves with an exit code. */
export async function failures(
  run: (half: Half) => Promise<number>,
): Promise<readonly Half["engine"][]> {
  const codes = await Promise.all(HALVES.map(run));
  return HALVES.flatMap(({ engine }, index) => (codes[index] === 0 ? [] : [engine]));
}

/** The first half's lines are seen as they come, the other's behind them. */
async function runTests({ engine, paths }: Half): Promise<number> {
  const isFirst = engine === HALVES[0]?.engine;
  const child = Bun.spawn([process.execPath, "test", `--timeout=${TEST_TIMEOUT_MS}`, ...paths], {
    env: { ...process.env, CARILLON_TEST_ENGINE: engine },
    stdio: ["ignore", isFirst ? "inherit" : "pipe", isFirst ? "inherit" : "pipe"],
  });
  if (!isFirst) {
    const lines = [child.stdout, child.stderr].map((stream) => new Response(stream).text());
    later.push(...(await Promise.all(lines)));
  }
  return child.exited;
}

const later: string[] = [];

if (import.meta.main) {
  // Once, not by both at the same time.
  await import("./support/install-redis.ts");
  const failed = await failures(runTests);
  console.log(`\nOn Redis:\n${later.join("")}`);
  for (const engine of failed) console.error(`Tests failed on the engine "${engine}"`);
  process.exit(failed.length === 0 ? 0 : 1);
}
