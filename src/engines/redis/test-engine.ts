/** Redis engines to test: real servers and connections in real time, expiry and heartbeats on a clock that tests move. */
import { createTestRuntime, type TestRuntime } from "../../../test/support/runtime.ts";
import { told } from "../../../test/conformance/engine/under-test.ts";
import type { ChannelEvent, HistoryLimits } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import type { Clock } from "../../core/runtime.ts";
import { systemRuntime } from "../../system-runtime.ts";
import { createRedisEngine } from "./index.ts";

export const LIMITS: HistoryLimits = { size: 1000, ttlMs: 60_000, metaTtlMs: 600_000 };
export const ROOM = { space: "channels", name: "room" };
export const ALL = { limit: 1_000_000 };

export interface TestEngineOptions {
  readonly prefix?: string;
  /** Default: a time of its own. Nodes with one runtime share theirs. */
  readonly runtime?: TestRuntime;
  /** What expiry goes by: a clock, by default the runtime's, or the server's own as outside of tests. */
  readonly time?: Clock | "server";
}

let seeds = 0;

export async function startEngine(
  url: string | readonly string[],
  options: TestEngineOptions = {},
) {
  // A seed of its own for each node: two nodes of one seed would have one name.
  const runtime = options.runtime ?? createTestRuntime((seeds += 1));
  const { time = runtime.clock } = options;
  const bugs: unknown[] = [];
  const events: string[] = [];
  const waiting: { readonly text: string; readonly resolve: () => void }[] = [];
  const engine = createRedisEngine({
    url,
    connections: systemRuntime,
    ...(time === "server" ? {} : { nowMs: () => time.epochMs() }),
    onEvent({ message }) {
      events.push(message);
      for (const { text, resolve } of waiting) if (message.includes(text)) resolve();
    },
    onBug: (error) => void bugs.push(error),
    ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
    runtime,
  });
  await engine.start();
  return {
    engine,
    runtime,
    bugs,
    events,
    /** Resolves with the next report of the servers that contains the text. */
    heard: (text: string) => new Promise<void>((resolve) => void waiting.push({ text, resolve })),
    ...engine.app("app"),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

/** A listener whose events can be waited for. */
export function watcher() {
  const events: ChannelEvent[] = [];
  const waiting = new Set<() => void>();
  return {
    events,
    onEvent(event: ChannelEvent) {
      events.push(event);
      for (const check of waiting) check();
    },
    until(holds: (events: readonly unknown[]) => boolean): Promise<void> {
      return new Promise((resolve) => {
        const check = () => {
          if (!holds(told(events))) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      });
    },
  };
}

/** The code of the HubError that it rejects with; `done` when it does not. */
export async function code(promise: Promise<unknown>): Promise<unknown> {
  const error: unknown = await promise.then(
    () => "done",
    (reason: unknown) => reason,
  );
  return error instanceof HubError ? error.code : error;
}
