/** One app's durable jobs. Conditions are decided when a write's turn comes, in the order of the calls. */
import type { JobLease, JobQueue, TakenJob } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import { JOB_PAYLOAD_BYTES_MAX, QUEUE_JOBS_MAX } from "../../core/limits.ts";
import type { Runtime } from "../../core/runtime.ts";
import { expiryMs, type CommitQueue } from "./commit-queue.ts";
import type { JobRow } from "./queue-store.ts";
import type { QueueWatchers } from "./queue-watchers.ts";
import type { Store } from "./store.ts";

export interface JobQueueOptions {
  readonly app: string;
  readonly store: Store;
  readonly commits: CommitQueue;
  readonly watchers: QueueWatchers;
  readonly runtime: Pick<Runtime, "clock" | "random">;
}

export function createJobQueue(options: JobQueueOptions): JobQueue {
  const { app, commits, watchers } = options;
  const { queues, database } = options.store;
  const { clock, random } = options.runtime;

  /** Also past the chance that an id was made up before: simulated chance repeats itself over a restart. */
  function freshId(queueId: number): string {
    let id = random.uuid();
    while (queues.hasJob(queueId, id)) id = random.uuid();
    return id;
  }

  /** A moment of the clock's as one of the engine's time; the database keeps whole numbers. */
  function momentMs(epochMs: number): number {
    return Math.max(0, expiryMs(database.nowMs(), epochMs - clock.epochMs()));
  }

  /** `change` acts on the job that this lease proves, and tells whether there is one and whether another may now be due. */
  function settle(
    queue: string,
    change: (queueId: number, nowMs: number) => { readonly held: boolean; readonly due: boolean },
  ): Promise<boolean> {
    let changed = { held: false, due: false };
    return commits.submit({
      writes: () => true,
      write(nowMs) {
        const row = queues.queue(app, queue);
        if (row !== undefined) changed = change(row.id, nowMs);
      },
      deliver() {
        if (changed.held) watchers.changed(queue, changed.due);
      },
      result: () => changed.held,
    });
  }

  return {
    async add(queue, { payload, id, notBeforeMs, orderKey }) {
      if (Buffer.byteLength(payload) > JOB_PAYLOAD_BYTES_MAX) {
        throw tooMuch(`Cannot add a job: its payload exceeds ${JOB_PAYLOAD_BYTES_MAX} bytes`);
      }
      const laterMs = notBeforeMs === undefined ? undefined : momentMs(notBeforeMs);
      let addedId: string | undefined;
      let due: boolean | undefined;
      await commits.submit<void>({
        writes: () => true,
        write(nowMs) {
          const row = queues.queue(app, queue) ?? queues.addQueue(app, queue);
          if (id !== undefined && queues.hasJob(row.id, id)) {
            addedId = id;
            return;
          }
          if (row.jobs >= QUEUE_JOBS_MAX) return;
          addedId = id ?? freshId(row.id);
          const dueMs = laterMs ?? nowMs;
          due = dueMs <= nowMs;
          queues.addJob(row.id, {
            id: addedId,
            orderKey,
            payload,
            notBeforeMs: dueMs,
            addedMs: nowMs,
          });
        },
        deliver() {
          if (due !== undefined) watchers.changed(queue, due);
        },
        result() {},
      });
      if (addedId !== undefined) return addedId;
      throw tooMuch(`Cannot add a job: the queue "${queue}" holds ${QUEUE_JOBS_MAX} jobs`);
    },

    take(queue, { limit, leaseMs }) {
      const lease = random.uuid();
      let taken: readonly JobRow[] = [];
      let ended = false;
      return commits.submit({
        writes: () => true,
        write(nowMs) {
          const row = queues.queue(app, queue);
          if (row === undefined) return;
          const endsMs = expiryMs(nowMs, leaseMs);
          ({ rows: taken, ended } = queues.lease(row.id, { limit, token: lease, endsMs, nowMs }));
        },
        deliver() {
          // Jobs that it gave back and did not take have a due time of before, which no timer waits for.
          if (ended || taken.length > 0) watchers.changed(queue, ended);
        },
        result: () => taken.map((row) => jobOf(row, lease)),
      });
    },

    done(queue, { id, lease }) {
      return settle(queue, (queueId) => {
        const removed = queues.removeLeased(queueId, id, lease);
        return { held: removed !== undefined, due: removed?.released === true };
      });
    },

    retry(queue, { id, lease }: JobLease, atMs) {
      const dueMs = momentMs(atMs);
      return settle(queue, (queueId, nowMs) => {
        const held = queues.putBack(queueId, id, lease, dueMs);
        return { held, due: dueMs <= nowMs };
      });
    },

    remove(queue, id) {
      let removed = 0;
      let due = false;
      return commits.submit({
        writes: () => true,
        write() {
          const row = queues.queue(app, queue);
          if (row === undefined) return;
          if (id === undefined) {
            removed = queues.removeAll(row.id);
            return;
          }
          const one = queues.removeById(row.id, id);
          removed = one === undefined ? 0 : 1;
          due = one?.released === true;
        },
        deliver() {
          if (removed > 0) watchers.changed(queue, due);
        },
        result: () => removed,
      });
    },

    async watch(queue, onDue) {
      commits.requireOpen();
      return watchers.watch(queue, onDue);
    },

    async counts(queue) {
      return commits.read(() => {
        const row = queues.queue(app, queue);
        if (row === undefined) return { waiting: 0, leased: 0 };
        const leased = queues.leased(row.id, database.nowMs());
        return { waiting: row.jobs - leased, leased };
      });
    },
  };
}

function jobOf(row: JobRow, lease: string): TakenJob {
  return {
    id: row.id,
    lease,
    payload: row.payload,
    ...(row.order_key === null ? {} : { orderKey: row.order_key }),
    attempt: row.attempt + 1,
    addedMs: row.added_ms,
    dueMs: row.due_ms,
  };
}

function tooMuch(message: string): HubError {
  return new HubError("limit_exceeded", message);
}
