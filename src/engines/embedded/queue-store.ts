/**
 * The SQL of the job queues, within the store's transactions. A job is ready (given out from `due_ms` on), leased (until
 * `due_ms`) or held behind an earlier job of its order key; so one index answers what is due and what will be next.
 */
import type { Database } from "bun:sqlite";

/** Written into the file: these numbers stay. */
const READY = 0;
const LEASED = 1;
const HELD = 2;

export interface JobRow {
  readonly seq: number;
  readonly id: string;
  readonly order_key: string | null;
  /** How often it was given out before. */
  readonly attempt: number;
  readonly added_ms: number;
  readonly due_ms: number;
  readonly payload: string;
}

export interface QueueRow {
  readonly id: number;
  /** All of the queue, in whatever state. */
  readonly jobs: number;
}

export interface Removed {
  /** Another job of its order key was held back behind it. */
  readonly released: boolean;
}

type Bind = string | number | null;

/** Gives all leased jobs back. Their workers may still say that they are done. */
export function endLeases(db: Database): void {
  db.run(
    `UPDATE job SET state = ${READY}, due_ms = not_before_ms
     WHERE queue IN (SELECT id FROM job_queue) AND state = ${LEASED}`,
  );
}

export function prepareQueues(db: Database) {
  const get = <Row>(sql: string) => db.prepare<Row, Bind[]>(sql);
  const run = (sql: string) => db.prepare<unknown, Bind[]>(sql);

  const queueGet = get<QueueRow>("SELECT id, jobs FROM job_queue WHERE app = ? AND name = ?");
  const queueAdd = run("INSERT INTO job_queue (app, name, jobs) VALUES (?, ?, 0)");
  const queueCount = run("UPDATE job_queue SET jobs = jobs + ? WHERE id = ?");
  const queuesTidy = run(
    "DELETE FROM job_queue WHERE id IN (SELECT id FROM job_queue WHERE jobs = 0 LIMIT ?)",
  );

  const jobById = get<{ seq: number; order_key: string | null }>(
    "SELECT seq, order_key FROM job WHERE queue = ? AND id = ?",
  );
  const jobByKey = get<{ seq: number }>(
    "SELECT seq FROM job WHERE queue = ? AND order_key = ? ORDER BY seq LIMIT 1",
  );
  const jobAdd = run(
    `INSERT INTO job (queue, id, order_key, state, due_ms, not_before_ms, attempt, added_ms, payload)
     VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, ?6, ?7)`,
  );
  const leasesEnd = run(
    `UPDATE job SET state = ${READY}, due_ms = not_before_ms
     WHERE queue = ? AND state = ${LEASED} AND due_ms <= ?`,
  );
  const jobsDue = get<JobRow>(
    `SELECT seq, id, order_key, attempt, added_ms, due_ms, payload FROM job
     WHERE queue = ? AND state = ${READY} AND due_ms <= ? ORDER BY due_ms, seq LIMIT ?`,
  );
  const jobLease = run(
    `UPDATE job SET state = ${LEASED}, due_ms = ?, lease = ?, attempt = attempt + 1 WHERE seq = ?`,
  );
  const jobByLease = get<{ seq: number; order_key: string | null }>(
    "SELECT seq, order_key FROM job WHERE queue = ? AND id = ? AND lease = ?",
  );
  const jobDelete = run("DELETE FROM job WHERE seq = ?");
  const jobsDelete = run("DELETE FROM job WHERE queue = ?");
  const jobRelease = run(`UPDATE job SET state = ${READY} WHERE seq = ? AND state = ${HELD}`);
  const jobRetry = run(
    `UPDATE job SET state = ${READY}, due_ms = ?1, not_before_ms = ?1, lease = NULL WHERE seq = ?2`,
  );
  const leasesCount = get<{ leased: number }>(
    `SELECT count(*) AS leased FROM job WHERE queue = ? AND state = ${LEASED} AND due_ms > ?`,
  );
  const nextOf = (state: number) =>
    `(SELECT due_ms FROM job WHERE queue = ?1 AND state = ${state} AND due_ms > ?2 ORDER BY due_ms LIMIT 1)`;
  const dueNext = get<{ ready: number | null; leased: number | null }>(
    `SELECT ${nextOf(READY)} AS ready, ${nextOf(LEASED)} AS leased`,
  );

  /** The next of its order key takes its place, if there is one. */
  function deleteJob(
    queue: number,
    job: { readonly seq: number; readonly order_key: string | null },
  ): Removed {
    jobDelete.run(job.seq);
    queueCount.run(-1, queue);
    const next = job.order_key === null ? null : jobByKey.get(queue, job.order_key);
    if (next !== null) jobRelease.run(next.seq);
    return { released: next !== null };
  }

  return {
    queue(app: string, name: string): QueueRow | undefined {
      return queueGet.get(app, name) ?? undefined;
    },

    addQueue(app: string, name: string): QueueRow {
      return { id: Number(queueAdd.run(app, name).lastInsertRowid), jobs: 0 };
    },

    hasJob(queue: number, id: string): boolean {
      return jobById.get(queue, id) !== null;
    },

    addJob(
      queue: number,
      job: {
        readonly id: string;
        readonly orderKey: string | undefined;
        readonly payload: string;
        readonly notBeforeMs: number;
        readonly addedMs: number;
      },
    ): void {
      const { id, orderKey = null, payload, notBeforeMs, addedMs } = job;
      const held = orderKey !== null && jobByKey.get(queue, orderKey) !== null;
      jobAdd.run(queue, id, orderKey, held ? HELD : READY, notBeforeMs, addedMs, payload);
      queueCount.run(1, queue);
    },

    /** Jobs that are due, now leased until `endsMs` under this token; and whether leases of before were ended by it. */
    lease(
      queue: number,
      options: {
        readonly limit: number;
        readonly token: string;
        readonly endsMs: number;
        readonly nowMs: number;
      },
    ): { readonly rows: readonly JobRow[]; readonly ended: boolean } {
      const { limit, token, endsMs, nowMs } = options;
      const ended = leasesEnd.run(queue, nowMs).changes > 0;
      const rows = jobsDue.all(queue, nowMs, limit);
      for (const { seq } of rows) jobLease.run(endsMs, token, seq);
      return { rows, ended };
    },

    /** Undefined where no job has this id and token. */
    removeLeased(queue: number, id: string, token: string): Removed | undefined {
      const job = jobByLease.get(queue, id, token);
      return job === null ? undefined : deleteJob(queue, job);
    },

    /** Undefined where no job has this id. */
    removeById(queue: number, id: string): Removed | undefined {
      const job = jobById.get(queue, id);
      return job === null ? undefined : deleteJob(queue, job);
    },

    /** How many there were. */
    removeAll(queue: number): number {
      const { changes } = jobsDelete.run(queue);
      queueCount.run(-changes, queue);
      return changes;
    },

    /** False where no job has this id and token. */
    putBack(queue: number, id: string, token: string, notBeforeMs: number): boolean {
      const job = jobByLease.get(queue, id, token);
      if (job === null) return false;
      jobRetry.run(notBeforeMs, job.seq);
      return true;
    },

    leased(queue: number, nowMs: number): number {
      return leasesCount.get(queue, nowMs)?.leased ?? 0;
    },

    /** The first moment after this one at which a job's time comes or a lease ends; Infinity: never. */
    nextDueMs(queue: number, afterMs: number): number {
      const next = dueNext.get(queue, afterMs);
      return Math.min(next?.ready ?? Infinity, next?.leased ?? Infinity);
    },

    /** Queues come back with their next job. Answers how many it deleted. */
    deleteEmptyQueues(rowsMax: number): number {
      return queuesTidy.run(rowsMax).changes;
    },
  };
}
