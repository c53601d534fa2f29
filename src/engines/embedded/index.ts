/** The engine of one process: live state in memory, one SQLite file for what must outlive it. */
import type { AppEngine, Engine } from "../../core/engine.ts";
import type { Runtime, Timer } from "../../core/runtime.ts";
import { createBroker, newEpoch } from "./broker.ts";
import { closedError, CommitQueue } from "./commit-queue.ts";
import { createControl } from "./control.ts";
import { prepareDataFile } from "./data-file.ts";
import { createPresence } from "./presence.ts";
import { createJobQueue } from "./queue.ts";
import { QueueWatchers } from "./queue-watchers.ts";
import { createRecords } from "./records.ts";
import { systemBootId, type Durability } from "./run-mark.ts";
import { openStore, type Store } from "./store.ts";

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

const SWEEP_INTERVAL_MS = 10_000;
/** Per table and sweep: keeps a sweep to a few milliseconds, in which nothing else runs. */
const SWEEP_ROWS_MAX = 5000;

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
  let open: { readonly store: Store; readonly queue: CommitQueue } | undefined;
  let sweep: Timer | undefined;

  function requireStarted() {
    if (open === undefined) throw closedError();
    return open;
  }

  function scheduleSweep(): void {
    sweep = runtime.timers.after(SWEEP_INTERVAL_MS, () => {
      const { store, queue } = requireStarted();
      const job = {
        writes: () => true,
        write: (nowMs: number) => store.sweep(nowMs, SWEEP_ROWS_MAX),
        result() {},
      };
      // A failure is the queue's to remember, for `health`; the next sweep tries again.
      queue.submit(job).catch(() => {});
      scheduleSweep();
    });
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
        newEpoch: () => newEpoch(runtime.random),
      });
      open = { store, queue: new CommitQueue({ store, runtime, onBug }) };
      scheduleSweep();
    },

    app(id) {
      const { store, queue } = requireStarted();
      const known = apps.get(id);
      if (known !== undefined) return known;
      const requireOpen = () => queue.requireOpen();
      const watching = new QueueWatchers({ app: id, store, runtime, onBug });
      watchers.push(watching);
      const app: AppEngine = {
        broker: createBroker({ app: id, store, queue, random: runtime.random }),
        presence: createPresence(requireOpen),
        control: createControl({ nodeId, timers: runtime.timers, requireOpen, onBug }),
        records: createRecords({ app: id, store, queue, clock: runtime.clock }),
        queue: createJobQueue({ app: id, store, commits: queue, watchers: watching, runtime }),
      };
      apps.set(id, app);
      return app;
    },

    async health() {
      if (open === undefined) return { ready: false, reason: closedError().message };
      const { store, queue } = open;
      if (queue.failure === undefined) return { ready: true };
      // An unready server is sent nothing to write, so it has to find out by itself that the disk takes writes again.
      try {
        store.probe();
        return { ready: true };
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return { ready: false, reason: `${queue.failure.message}: ${reason}` };
      }
    },

    async [Symbol.asyncDispose]() {
      if (open === undefined) return;
      const { store, queue } = open;
      open = undefined;
      sweep?.cancel();
      queue.close();
      for (const watching of watchers) watching.close();
      store.close();
    },
  };
}
