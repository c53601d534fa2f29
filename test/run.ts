/**
 * `npm test`: everything on the embedded engine, and what also holds on Redis, in two rows at once. Every part runs, whatever becomes of
 * the others, and every part counts.
 */
import { existsSync, statfsSync } from "node:fs";

export interface Part {
  readonly engine: "embedded" | "redis";
  readonly paths: readonly string[];
  /** Globs of files that it leaves to another part. */
  readonly without?: readonly string[];
}

/** What a browser makes of a client's library is the same on each engine; what an engine adds is in `test/conformance`. */
const BROWSERS = ["test/interop/*/browser.test.ts"];

/** As many as the least machine has cores; the parts are dealt out so that both end at about the same time. */
export const ROWS: readonly (readonly Part[])[] = [
  [
    {
      engine: "embedded",
      paths: ["src", "test/browser", "test/conformance", "test/interop"],
    },
  ],
  [
    {
      engine: "redis",
      paths: ["test/conformance", "test/interop", "test/published"],
      without: BROWSERS,
    },
    {
      engine: "embedded",
      paths: [
        "test/clients",
        "test/deployment",
        "test/docs",
        "test/faults",
        "test/hardening",
        "test/published",
        "test/support",
      ],
    },
  ],
];

/** In memory there is nothing to wait for when a database is synced; where it is too small (a container's), the disk is used. */
const MEMORY = "/dev/shm";
const MEMORY_FREE_BYTES_MIN = 4 * 1024 ** 3;

function temporaryFiles(): { readonly TMPDIR?: string } {
  if (process.env["TMPDIR"] !== undefined || !existsSync(MEMORY)) return {};
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize < MEMORY_FREE_BYTES_MIN ? {} : { TMPDIR: MEMORY };
}

/** Where a test says nothing itself: it is for those that hang, not for slow or busy machines. */
const TEST_TIMEOUT_MS = 20_000;

/** The parts in which something failed. `run` resolves with an exit code. */
export async function failures(run: (part: Part) => Promise<number>): Promise<readonly Part[]> {
  const failed = await Promise.all(
    ROWS.map(async (row) => {
      const own: Part[] = [];
      for (const part of row) if ((await run(part)) !== 0) own.push(part);
      return own;
    }),
  );
  return failed.flat();
}

/** The first row's lines are seen as they come, the other's behind them. */
async function runTests(part: Part): Promise<number> {
  const { engine, paths, without = [] } = part;
  const left = without.map((glob) => `--path-ignore-patterns=${glob}`);
  const isFirst = ROWS[0]?.includes(part) === true;
  const child = Bun.spawn(
    [process.execPath, "test", `--timeout=${TEST_TIMEOUT_MS}`, ...left, ...paths],
    {
      env: { ...process.env, ...temporaryFiles(), CARILLON_TEST_ENGINE: engine },
      stdio: ["ignore", isFirst ? "inherit" : "pipe", isFirst ? "inherit" : "pipe"],
    },
  );
  if (!isFirst) {
    const lines = [child.stdout, child.stderr].map((stream) => new Response(stream).text());
    later.push(`\nOn ${engine}, ${paths.join(" ")}:\n`, ...(await Promise.all(lines)));
  }
  return child.exited;
}

const later: string[] = [];

if (import.meta.main) {
  // Once, not by both at the same time.
  await import("./support/install-redis.ts");
  const failed = await failures(runTests);
  console.log(later.join(""));
  for (const { engine, paths } of failed) {
    console.error(`Tests failed on the engine "${engine}", in ${paths.join(" ")}`);
  }
  process.exit(failed.length === 0 ? 0 : 1);
}
