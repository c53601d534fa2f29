/** The engine of one process: live state in memory, one SQLite file for what must outlive it. */
import { steadyTime } from "../../core/deadline.ts";
import type { AppEngine, Engine } from "../../core/engine.ts";
import type { Runtime } from "../../core/runtime.ts";
import { createBroker, newEpoch } from "./broker.ts";
import { closedError, CommitQueue } from "./commit-queue.ts";
import { createControl } from "./control.ts";
import { damaged, prepareDataFile, writeFailure } from "./data-file.ts";
import { createPresence } from "./presence.ts";
import { createJobQueue } from "./queue.ts";
import { QueueWatchers } from "./queue-watchers.ts";
import { createRecords } from "./records.ts";
import { systemBootId, type Durability } from "./run-mark.ts";
import { openStore, type Store } from "./store.ts";
import { startSweeper, type Sweeper } from "./sweeper.ts";

export interface EmbeddedEngineOptions {
  /** Holds `carillon.db`, made when missing. Undefined: nothing outlives the engine. */
  readonly dataDir: string | undefined;
  /** What was answered survives a kill of the process; with `full` also a loss of power: each turn then waits for the disk. */
  readonly durability: Durability;
  readonly runtime: Runtime;
  /** Bound of the database file, bytes: beyond it writes are refused as `unavailable`. Absent: the disk's. */
  readonly fileBytesMax?: number;
  /** Names the boot of this machine; default: as the system tells. */
  readonly bootId?: () => string | undefined;
  /** What a listener or handler threw. Default: thrown again outside of everything, which ends the process. */
  readonly onBug?: (error: unknown) => void;
}

/** `start` rejects with one sentence naming the file when another process uses it, it is damaged, or a newer version wrote it. */
export function createEmbeddedEngine(options: EmbeddedEngineOptions): Engine {
  const { runtime } = options;
  const nodeId = runtime.random.uuid();
  const apps = new Map<string, AppEngine>();
  const watchers: QueueWatchers[] = [];
  const onBug =
    options.onBug ??
    ((error: unknown) =>
      runtime.timers.soon(() => {
        throw error;
      }));
  let open:
    | { readonly store: Store; readonly queue: CommitQueue; readonly sweeper: Sweeper }
    | undefined;

  function requireStarted() {
    if (open === undefined) throw closedError();
    return open;
  }

  return {
    name: "embedded",

    async start() {
      const { dataDir, durability, fileBytesMax } = options;
      const store = openStore({
        path: dataDir === undefined ? undefined : prepareDataFile(dataDir),
        durability,
        fileBytesMax,
        bootId: (options.bootId ?? systemBootId)(),
        nowMs: steadyTime(runtime.clock),
        newEpoch: () => newEpoch(runtime.random),
      });
      const queue = new CommitQueue({ store, timers: runtime.timers, onBug });
      open = { store, queue, sweeper: startSweeper({ store, queue, runtime }) };
    },

    app(id) {
      const { store, queue } = requireStarted();
      const known = apps.get(id);
      if (known !== undefined) return known;
      const requireOpen = () => queue.requireOpen();
      const watching = new QueueWatchers({ app: id, store, timers: runtime.timers, onBug });
      watchers.push(watching);
      const app: AppEngine = {
        broker: createBroker({ app: id, store, queue, runtime }),
        presence: createPresence(requireOpen),
        control: createControl({ nodeId, timers: runtime.timers, requireOpen, onBug }),
        records: createRecords({ app: id, store, queue }),
        queue: createJobQueue({ app: id, store, commits: queue, watchers: watching, runtime }),
      };
      apps.set(id, app);
      return app;
    },

    async health() {
      if (open === undefined) return { ready: false, reason: closedError().message };
      const { store, queue } = open;
      const { path, database } = store;
      const fault = queue.damaged ? damaged(path) : database.fault();
      if (fault !== undefined) return { ready: false, reason: fault };
      if (database.isMarked && queue.failure === undefined) return { ready: true };
      // An unready server is sent nothing to write, so it has to find out by itself that the disk takes writes again.
      try {
        store.probe();
        return { ready: true };
      } catch (error) {
        return { ready: false, reason: writeFailure(path, error) };
      }
    },

    async [Symbol.asyncDispose]() {
      if (open === undefined) return;
      const { store, queue, sweeper } = open;
      open = undefined;
      sweeper.close();
      queue.close();
      for (const watching of watchers) watching.close();
      store.close();
    },
  };
}
