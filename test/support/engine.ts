/**
 * The engine under booted servers: embedded, or with `CARILLON_TEST_ENGINE=redis` the Redis engine on a server that all
 * tests of the run share, each with keys of its own. The dialects' tests hold on both.
 */
import type { Engine } from "../../src/core/engine.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { createRedisEngine } from "../../src/engines/redis/index.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { createTestRuntime } from "./runtime.ts";
import { sharedRedis } from "./shared-redis.ts";

export const TEST_ENGINE = sharedRedis === undefined ? "embedded" : "redis";

export interface TestEngineOptions {
  /** What it finds what an earlier engine kept by. Absent: it keeps nothing for later. */
  readonly dataDir?: string | undefined;
  readonly runtime: Runtime;
}

let engines = 0;

/** Not yet started. What expires does so by `runtime`'s clock. */
export function createTestEngine({ dataDir, runtime }: TestEngineOptions): Engine {
  if (sharedRedis === undefined) {
    return createEmbeddedEngine({ dataDir, durability: "normal", runtime });
  }
  engines += 1;
  return createRedisEngine({
    url: sharedRedis.url,
    prefix: dataDir === undefined ? `test-${engines}` : `test-${Bun.hash(dataDir)}`,
    // Nodes draw their names by chance, and a restarted one, or the second on the same keys, is another node.
    runtime: { ...runtime, random: createTestRuntime(engines).random },
    connections: systemRuntime,
    nowMs: () => runtime.clock.epochMs(),
  });
}
