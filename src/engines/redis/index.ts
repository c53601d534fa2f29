/** The engine of many processes and machines: Redis or Valkey, one server, several, or a Cluster. */
import type { AppEngine, Engine } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import type { Runtime } from "../../core/runtime.ts";
import { createBroker } from "./broker.ts";
import { Bus } from "./broker-bus.ts";
import { FLOW_WAIT_MS } from "./broker-flow.ts";
import { Outlets } from "./broker-outlets.ts";
import type { RedisContext } from "./context.ts";
import { Control } from "./control.ts";
import { Nodes } from "./nodes.ts";
import { Presence } from "./presence.ts";
import { createRedisJobQueue } from "./queue.ts";
import { createRedisLists } from "./queue-lists.ts";
import { QueueWatchers } from "./queue-watchers.ts";
import { createRedisRecords } from "./records.ts";
import { createRedisServers, type RedisServerEvent } from "./client/servers.ts";

export interface RedisEngineOptions {
  /** One URL, a list, or text with several between commas: `servers-url.ts` has the forms. */
  readonly url: string | readonly string[];
  /** What all keys and topics begin with, without braces. Servers with one prefix are one. Default: `carillon`. */
  readonly prefix?: string;
  /** For TLS: certificates to trust in place of the usual ones, PEM. */
  readonly ca?: string | undefined;
  readonly runtime: Runtime;
  /** What deadlines and reconnects of the connections run on. Default: `runtime`. Tests that move time keep the real one here. */
  readonly connections?: Runtime;
  /** The time that expiry goes by, epoch milliseconds. Default: the server's own clock, which all nodes share. For tests. */
  readonly nowMs?: () => number;
  /** A server went away, for each new reason, or is back: one sentence without credentials. */
  readonly onEvent?: (event: RedisServerEvent) => void;
  /** What a listener or handler threw. Default: thrown again outside of everything, which ends the process. */
  readonly onBug?: (error: unknown) => void;
}

/** Pause before a start that a server broke off is tried again, milliseconds. */
const JOIN_AGAIN_MS = 500;

/**
 * Throws for an invalid URL. `start` waits for servers that are away, as long as it takes, and rejects with one sentence for
 * what waiting cannot mend: a wrong password, too old a server, a read-only replica.
 */
export function createRedisEngine(options: RedisEngineOptions): Engine {
  const { url, prefix = "carillon", ca, runtime, connections = runtime, nowMs } = options;
  const onBug =
    options.onBug ??
    ((error: unknown) =>
      runtime.timers.soon(() => {
        throw error;
      }));
  let state: "new" | "open" | "closed" = "new";
  const servers = createRedisServers({
    ...{ url, prefix, ca, onBug, runtime: connections },
    ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
  });
  const context: RedisContext = {
    ...{ servers, prefix, runtime, onBug },
    now: () => nowMs?.() ?? "",
    requireOpen() {
      if (state !== "open") throw new HubError("unavailable", "The engine is closed");
    },
  };
  const nodeId = runtime.random.uuid();
  const bus = new Bus(context);
  const outlets = new Outlets(context);
  const presence: Presence = new Presence(context, () => nodes);
  const nodes: Nodes = new Nodes({
    ...{ context, nodeId },
    onLapse: (shard) => presence.putAgain(shard),
    onBeat: (shard) => presence.tend(shard),
  });
  const control = new Control(context, nodeId, () => nodes);
  const watchers = new QueueWatchers({ servers, runtime, now: context.now, onBug });
  const apps = new Map<string, AppEngine>();

  /** False when a server went away again meanwhile. */
  async function joined(): Promise<boolean> {
    try {
      await Promise.all([nodes.start(), control.start()]);
      return true;
    } catch (error) {
      if (!(error instanceof HubError) || state === "closed") throw error;
      return false;
    }
  }

  return {
    name: "redis",

    async start() {
      await servers.start();
      while (!(await joined())) {
        await new Promise<void>((resolve) => connections.timers.after(JOIN_AGAIN_MS, resolve));
      }
      state = "open";
    },

    app(id) {
      context.requireOpen();
      const known = apps.get(id);
      if (known !== undefined) return known;
      const app: AppEngine = {
        broker: createBroker({
          ...{ app: id, context, bus, outlets },
          caughtUp: () => control.caughtUp(FLOW_WAIT_MS),
        }),
        presence: presence.store(id),
        control: control.bus(id),
        records: createRedisRecords({ app: id, prefix, servers, clock: runtime.clock }),
        queue: createRedisJobQueue({
          ...{ app: id, prefix, servers, watchers, runtime, now: context.now },
        }),
        lists: createRedisLists(id, servers),
      };
      apps.set(id, app);
      return app;
    },

    async health() {
      if (state === "closed") return { ready: false, reason: "The engine is closed" };
      return servers.health();
    },

    async [Symbol.asyncDispose]() {
      if (state === "closed") return;
      const started = state === "open";
      state = "closed";
      watchers.close();
      if (started) await nodes.close();
      await servers[Symbol.asyncDispose]();
      bus.close();
    },
  };
}
