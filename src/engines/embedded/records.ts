/** One app's small durable records. Conditions are decided when a write's turn comes, in the order of the calls. */
import type { Records } from "../../core/engine.ts";
import type { Clock } from "../../core/runtime.ts";
import { expiryMs, type CommitQueue } from "./commit-queue.ts";
import type { Store } from "./store.ts";

export interface RecordsOptions {
  readonly app: string;
  readonly store: Store;
  readonly queue: CommitQueue;
  readonly clock: Clock;
}

export function createRecords({ app, store, queue, clock }: RecordsOptions): Records {
  function holds(key: string, ifVersion: number | undefined, nowMs: number): boolean {
    return ifVersion === undefined || (store.record(app, key, nowMs)?.version ?? 0) === ifVersion;
  }

  return {
    async get(key) {
      queue.requireOpen();
      return store.record(app, key, clock.epochMs());
    },

    put(key, value, { ttlMs, ifVersion } = {}) {
      let version: number | undefined;
      return queue.submit({
        writes: () => true,
        write(nowMs) {
          if (!holds(key, ifVersion, nowMs)) return;
          const expiresMs = ttlMs === undefined ? undefined : expiryMs(nowMs, ttlMs);
          version = store.putRecord(app, key, value, expiresMs);
        },
        result: () => version,
      });
    },

    delete(key, { ifVersion } = {}) {
      let deleted = false;
      return queue.submit({
        writes: () => true,
        write(nowMs) {
          const record = store.record(app, key, nowMs);
          if (record === undefined || !holds(key, ifVersion, nowMs)) return;
          store.deleteRecord(app, key);
          deleted = true;
        },
        result: () => deleted,
      });
    },

    async list(prefix, { after, limit }) {
      queue.requireOpen();
      return store.records(app, { prefix, after, limit }, clock.epochMs());
    },
  };
}
