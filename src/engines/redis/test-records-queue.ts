/**
 * Records and queue of one node, without the rest of its engine, so that tests get between them and their servers. Their
 * time is the test's, the connections' is real.
 */
import { createTestRuntime, type TestRuntime } from "../../../test/support/runtime.ts";
import { systemRuntime } from "../../system-runtime.ts";
import { createRedisJobQueue } from "./queue.ts";
import { QueueWatchers } from "./queue-watchers.ts";
import { createRedisRecords } from "./records.ts";
import type { RedisServers } from "./client/contract.ts";
import { createRedisServers } from "./client/servers.ts";

export const PREFIX = "test";

export interface NodeOptions {
  readonly url: string | readonly string[];
  /** Default: a time of its own. */
  readonly runtime?: TestRuntime;
  /** Default: one of its own. */
  readonly app?: string;
  /** Between the node and its servers. */
  readonly wrap?: (servers: RedisServers) => RedisServers;
}

let seeds = 0;
let apps = 0;

/** One app of a node. */
export async function start({ url, wrap = (as) => as, ...options }: NodeOptions) {
  // A seed of its own for each: two nodes of one seed would make up the same ids.
  const runtime = options.runtime ?? createTestRuntime((seeds += 1));
  const app = options.app ?? `app-${(apps += 1)}`;
  const bugs: unknown[] = [];
  const onBug = (error: unknown) => void bugs.push(error);
  const opened = createRedisServers({ url, prefix: PREFIX, runtime: systemRuntime, onBug });
  await opened.start();
  const servers = wrap(opened);
  const now = () => runtime.clock.epochMs();
  const watchers = new QueueWatchers({ servers, runtime, now, onBug });
  return {
    ...{ servers, watchers, bugs, runtime, appId: app },
    records: createRedisRecords({ app, prefix: PREFIX, servers, clock: runtime.clock }),
    queue: createRedisJobQueue({ app, prefix: PREFIX, servers, watchers, runtime, now }),
    async [Symbol.asyncDispose]() {
      watchers.close();
      await opened[Symbol.asyncDispose]();
    },
  };
}

/** Resolves with the first call of a watcher after what `after` does. */
export function watcher() {
  let calls = 0;
  let heard = () => {};
  return {
    onDue: () => {
      calls += 1;
      heard();
    },
    get calls() {
      return calls;
    },
    async next(after: () => Promise<unknown>): Promise<void> {
      const before = calls;
      const { promise, resolve } = Promise.withResolvers<void>();
      heard = resolve;
      await after();
      if (calls === before) await promise;
    },
  };
}
