/** One app's small durable records. Conditions are decided when a write's turn comes, in the order of the calls. */
import { requireFewChanges, type RecordChange, type Records } from "../../core/engine.ts";
import { expiryMs, type CommitQueue } from "./commit-queue.ts";
import { RecordsRead } from "./records-read.ts";
import type { Store } from "./store.ts";

export interface RecordsOptions {
  readonly app: string;
  readonly store: Store;
  readonly queue: CommitQueue;
}

export function createRecords({ app, store, queue }: RecordsOptions): Records {
  const known = new RecordsRead();

  async function change(changes: readonly RecordChange[]): Promise<readonly number[] | undefined> {
    let done: number[] | undefined;
    requireFewChanges(changes);
    return queue.submit({
      writes: () => true,
      write(nowMs) {
        const versions = changes.map(({ key }) => store.record(app, key, nowMs)?.version ?? 0);
        const hold = changes.every(
          ({ ifVersion }, index) => ifVersion === undefined || ifVersion === versions[index],
        );
        if (!hold) return;
        // Reads come between transactions, so that none can bring back what this one may yet undo.
        for (const { key } of changes) known.forget(key);
        done = changes.map((change, index) => {
          const { key } = change;
          if ("put" in change) {
            const { put: value, ttlMs, claim = false } = change;
            const expiresMs = ttlMs === undefined ? undefined : expiryMs(nowMs, ttlMs);
            return store.putRecord(app, key, { value, expiresMs, claim });
          }
          if (!("delete" in change) || versions[index] === 0) return 0;
          store.deleteRecord(app, key);
          return 1;
        });
      },
      result: () => done,
    });
  }

  return {
    async get(key) {
      return queue.read(({ database }) => {
        const nowMs = database.nowMs();
        return known.get(key, nowMs, () => store.record(app, key, nowMs));
      });
    },

    put: async (key, value, options) => (await change([{ key, put: value, ...options }]))?.[0],

    delete: async (key, options) => (await change([{ key, delete: true, ...options }]))?.[0] === 1,

    change,

    async list(prefix, { after, limit }) {
      return queue.read(({ database }) =>
        store.records(app, { prefix, after, limit }, database.nowMs()),
      );
    },
  };
}
