/** Redis engines to test: real servers and connections in real time, expiry and heartbeats on a clock that tests move. */
import { createTestRuntime, type TestRuntime } from "../../../test/support/runtime.ts";
import type { HistoryLimits } from "../../core/engine.ts";
import { systemRuntime } from "../../system-runtime.ts";
import { createRedisEngine, type RedisEngineOptions } from "./index.ts";

export const LIMITS: HistoryLimits = { size: 1000, ttlMs: 60_000, metaTtlMs: 600_000 };
export const ROOM = { space: "channels", name: "room" };
export const ALL = { limit: 1_000_000 };

let seeds = 0;

/** Nodes with one runtime share their time. */
export async function startEngine(
  url: string | readonly string[],
  options: Partial<RedisEngineOptions> & { readonly runtime?: TestRuntime } = {},
) {
  // A seed of its own for each node: two nodes of one seed would have one name.
  const runtime = options.runtime ?? createTestRuntime((seeds += 1));
  const bugs: unknown[] = [];
  const events: string[] = [];
  const engine = createRedisEngine({
    url,
    connections: systemRuntime,
    nowMs: () => runtime.clock.epochMs(),
    onEvent: ({ message }) => void events.push(message),
    onBug: (error) => void bugs.push(error),
    ...options,
    runtime,
  });
  await engine.start();
  return {
    engine,
    runtime,
    bugs,
    events,
    ...engine.app("app"),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

export function data(value: unknown) {
  return { data: { json: JSON.stringify(value) } };
}
