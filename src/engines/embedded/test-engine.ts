/** Embedded engines to test: started on a clock that tests move, in memory or in a directory of their own. */
import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import type { HistoryLimits } from "../../core/engine.ts";
import { createEmbeddedEngine, type EmbeddedEngineOptions } from "./index.ts";
import { jsonOf } from "../../core/json-text.ts";

export const LIMITS: HistoryLimits = { size: 1000, ttlMs: 60_000, metaTtlMs: 600_000 };
export const ROOM = { space: "channels", name: "room" };
export const ALL = { limit: 1_000_000 };

let seeds = 0;

/** Each call of what this answers gives a new path; all is removed behind the tests of the file that calls this. */
export function useDirs(): () => string {
  const root = mkdtempSync(join(tmpdir(), "carillon-embedded-"));
  let dirs = 0;
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return () => join(root, `data-${(dirs += 1)}`);
}

export async function start(options: Partial<EmbeddedEngineOptions> = {}) {
  // A seed of its own for each run: two runs of one seed would renew an epoch to the same letters.
  const runtime = createTestRuntime((seeds += 1));
  const bugs: unknown[] = [];
  const engine = createEmbeddedEngine({
    dataDir: undefined,
    durability: "normal",
    runtime,
    onBug: (error) => void bugs.push(error),
    ...options,
  });
  await engine.start();
  return {
    engine,
    runtime,
    bugs,
    ...engine.app("app"),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

export async function startError(options: Partial<EmbeddedEngineOptions>): Promise<string> {
  const error: unknown = await start(options).catch((reason: unknown) => reason);
  return error instanceof Error ? error.message : "started";
}

export function data(value: unknown) {
  return { data: { json: jsonOf(value ?? null) } };
}
