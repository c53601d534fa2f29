/** Records and queues on a real server, without the rest of an engine. Their time may be a test's, the connections' is real. */
import { createTestRuntime, type TestRuntime } from "../../../test/support/runtime.ts";
import type { JobQueue, Records } from "../../core/engine.ts";
import type { Runtime } from "../../core/runtime.ts";
import { systemRuntime } from "../../system-runtime.ts";
import { createRedisJobQueue } from "./queue.ts";
import { QueueWatchers } from "./queue-watchers.ts";
import { createRedisRecords } from "./records.ts";
import { createRedisServers, type RedisServers } from "./servers.ts";

export const PREFIX = "test";

export interface NodeOptions {
  readonly url: string | readonly string[];
  readonly runtime: Runtime;
  /** Between the node and its servers. */
  readonly wrap?: (servers: RedisServers) => RedisServers;
}

export interface StoringNode extends AsyncDisposable {
  readonly servers: RedisServers;
  readonly watchers: QueueWatchers;
  readonly bugs: unknown[];
  app(id: string): { readonly records: Records; readonly queue: JobQueue };
}

export async function openNode({
  url,
  runtime,
  wrap = (as) => as,
}: NodeOptions): Promise<StoringNode> {
  const bugs: unknown[] = [];
  const onBug = (error: unknown) => void bugs.push(error);
  const opened = createRedisServers({ url, runtime: systemRuntime, onBug });
  await opened.start();
  const servers = wrap(opened);
  const watchers = new QueueWatchers({ servers, runtime, onBug });
  return {
    ...{ servers, watchers, bugs },
    app: (app) => ({
      records: createRedisRecords({ app, prefix: PREFIX, servers, clock: runtime.clock }),
      queue: createRedisJobQueue({ app, prefix: PREFIX, servers, watchers, runtime }),
    }),
    async [Symbol.asyncDispose]() {
      watchers.close();
      await opened[Symbol.asyncDispose]();
    },
  };
}

let seeds = 0;
let apps = 0;

/** A node on a time of its own, or on that of another, and an app of its own. */
export async function start(options: {
  readonly url: string | readonly string[];
  readonly runtime?: TestRuntime;
  readonly app?: string;
  readonly wrap?: NodeOptions["wrap"];
}) {
  const { url, wrap } = options;
  // A seed of its own for each: two nodes of one seed would make up the same ids.
  const runtime = options.runtime ?? createTestRuntime((seeds += 1));
  const node = await openNode({ url, runtime, ...(wrap === undefined ? {} : { wrap }) });
  const appId = options.app ?? `app-${(apps += 1)}`;
  return {
    ...{ ...node, runtime, appId },
    ...node.app(appId),
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
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
