/**
 * The SQL of the embedded engine: one prepared statement per question, and the transaction. The file is `database.ts`'s, its
 * tables `schema.ts`'s, the statements of the job queues `queue-store.ts`'s.
 * It decides nothing about channels or records; expiry is a comparison with the `nowMs` it is given.
 */
import { SQLiteError } from "bun:sqlite";
import type { HistoryQuery, StoredRecord } from "../../core/engine.ts";
import type { Channel, Publication, StreamPosition } from "../../core/types.ts";
import { openDatabase, type DatabaseOptions, type OpenDatabase } from "./database.ts";
import { publicationOf, rowOf, type PublicationRow } from "./publication-row.ts";
import { prepareQueues } from "./queue-store.ts";

export interface Stream {
  readonly id: number;
  readonly epoch: string;
  /** Offset of the last publication; 0: none yet. */
  readonly top: number;
  readonly version: number | null;
  readonly version_epoch: string | null;
  readonly meta_expires_ms: number;
}

export interface KeptRecord extends StoredRecord {
  /** Infinity: never. */
  readonly expiresMs: number;
}

export type StreamState = Omit<Stream, "id" | "epoch">;
export type Store = ReturnType<typeof openStore>;

/**
 * Streams that nothing was ever published to: a subscribe makes one, so clients decide how many there are. Beyond it the
 * oldest go; their subscribers are told at the first publication, as after any change of epoch.
 */
export const EMPTY_STREAMS_MAX = 100_000;

/** Of a sweep's step: small, since a row may be as large as the largest publication. */
const SWEEP_ROWS = 10;
/** Streams that a step looks through; few of them have expired. */
const WALKED_STREAMS = 2_000;
const PAGES_GIVEN_BACK = 64;
/** What is kept for the next writes, so that a file whose size swings does not grow and shrink all the time. */
const FREE_PAGES_KEPT = 64;
const FREE_SHARE_KEPT = 0.1;

/** Whether the database refused (disk full, damaged file); any other error of a write is a bug. */
export function isRefusal(error: unknown): boolean {
  return error instanceof SQLiteError;
}

/** Throws an Error with one sentence naming the path when the file cannot be used. */
export function openStore(options: DatabaseOptions) {
  return { ...statements(openDatabase(options)), path: options.path ?? "in memory" };
}

type Bind = string | number | Uint8Array | null;

function statements(database: OpenDatabase) {
  const { db } = database;
  const get = <Row>(sql: string) => db.prepare<Row, Bind[]>(sql);
  const run = (sql: string) => db.prepare<unknown, Bind[]>(sql);

  const beginWrite = run("BEGIN IMMEDIATE");
  const commit = run("COMMIT");
  const rollback = run("ROLLBACK");

  const streamGet = get<Stream>(
    `SELECT id, epoch, top, version, version_epoch, meta_expires_ms FROM stream
     WHERE app = ? AND space = ? AND name = ?`,
  );
  const streamAdd = run(
    "INSERT INTO stream (app, space, name, epoch, top, meta_expires_ms) VALUES (?, ?, ?, ?, 0, ?)",
  );
  const streamSet = run(
    "UPDATE stream SET top = ?, version = ?, version_epoch = ?, meta_expires_ms = ? WHERE id = ?",
  );
  const streamDelete = run("DELETE FROM stream WHERE id = ?");
  const emptyStreamsBeyond = get<{ id: number }>(
    "SELECT id FROM stream WHERE top = 0 ORDER BY id DESC LIMIT ? OFFSET ?",
  );
  // An index on their expiry would cost every publish more than the walk.
  const streamsWalk = get<{ end: number | null }>(
    "SELECT max(id) AS end FROM (SELECT id FROM stream WHERE id > ? ORDER BY id LIMIT ?)",
  );
  const streamsExpired = get<{ id: number }>(
    "SELECT id FROM stream WHERE id > ? AND id <= ? AND meta_expires_ms <= ?",
  );

  const publicationAdd = run(
    `INSERT INTO publication (stream, offset, time_ms, expires_ms, data, tags, publisher, except_connection, version)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const publicationsTrim = run("DELETE FROM publication WHERE stream = ? AND offset <= ?");
  const columns = "offset, time_ms, data, tags, publisher, except_connection, version";
  const pageUp = get<PublicationRow>(
    `SELECT ${columns} FROM publication WHERE stream = ? AND offset > ? AND expires_ms > ?
     ORDER BY offset LIMIT ?`,
  );
  const pageDown = get<PublicationRow>(
    `SELECT ${columns} FROM publication WHERE stream = ? AND offset < ? AND expires_ms > ?
     ORDER BY offset DESC LIMIT ?`,
  );
  const publicationsExpire = run(
    `DELETE FROM publication WHERE (stream, offset) IN
       (SELECT stream, offset FROM publication WHERE expires_ms <= ? LIMIT ?)`,
  );

  const resultGet = get<{ epoch: string | null; offset: number | null }>(
    `SELECT epoch, offset FROM idempotency
     WHERE app = ? AND space = ? AND name = ? AND key = ? AND expires_ms > ?`,
  );
  const resultSet = run(
    `INSERT OR REPLACE INTO idempotency (app, space, name, key, epoch, offset, expires_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const resultsExpire = run(
    `DELETE FROM idempotency WHERE (app, space, name, key) IN
       (SELECT app, space, name, key FROM idempotency WHERE expires_ms <= ? LIMIT ?)`,
  );

  const recordGet = get<{ value: string; version: number; expires_ms: number | null }>(
    `SELECT value, version, expires_ms FROM record
     WHERE app = ? AND key = ? AND (expires_ms IS NULL OR expires_ms > ?)`,
  );
  const recordPut = run(
    "INSERT OR REPLACE INTO record (app, key, value, expires_ms, claim) VALUES (?, ?, ?, ?, ?)",
  );
  const recordDelete = run("DELETE FROM record WHERE app = ? AND key = ?");
  // Text compares by its UTF-8 bytes, and 0xFF is above every byte of UTF-8: the range is exactly the keys that begin
  // with the prefix, whatever signs it holds.
  const recordList = get<StoredRecord>(
    `SELECT key, value, version FROM record
     WHERE app = ?1 AND key >= max(?2, coalesce(?3, ?2)) AND key < ?2 || CAST(x'FF' AS TEXT)
       AND key IS NOT ?3 AND (expires_ms IS NULL OR expires_ms > ?4)
     ORDER BY key LIMIT ?5`,
  );
  const recordsExpire = run(
    `DELETE FROM record WHERE version IN
       (SELECT version FROM record WHERE expires_ms <= ? LIMIT ?)`,
  );

  const freePages = get<{ free: number; pages: number }>(
    "SELECT freelist_count AS free, page_count AS pages FROM pragma_freelist_count, pragma_page_count",
  );
  const giveBack = run(`PRAGMA incremental_vacuum(${PAGES_GIVEN_BACK})`);

  const queues = prepareQueues(db);

  return {
    queues,
    database,

    /** All of `work`, or nothing of it: then throws what went wrong. */
    transaction(work: () => void): void {
      database.mark();
      beginWrite.run();
      try {
        work();
        commit.run();
      } catch (error) {
        // SQLite has rolled back by itself after some errors.
        if (db.inTransaction) rollback.run();
        throw error;
      }
    },

    /** Also one whose epoch has expired: the caller compares `meta_expires_ms`. */
    stream(app: string, { space, name }: Channel): Stream | undefined {
      return streamGet.get(app, space, name) ?? undefined;
    },

    addStream(app: string, { space, name }: Channel, epoch: string, expiresMs: number): Stream {
      const { lastInsertRowid } = streamAdd.run(app, space, name, epoch, expiresMs);
      const nothing = { top: 0, version: null, version_epoch: null, meta_expires_ms: expiresMs };
      return { id: Number(lastInsertRowid), epoch, ...nothing };
    },

    setStream(id: number, state: StreamState): void {
      streamSet.run(state.top, state.version, state.version_epoch, state.meta_expires_ms, id);
    },

    deleteStream(id: number): void {
      publicationsTrim.run(id, Number.MAX_SAFE_INTEGER);
      streamDelete.run(id);
    },

    addPublication(stream: number, publication: Publication, offset: number, expiresMs: number) {
      const row = rowOf(publication, offset);
      publicationAdd.run(
        stream,
        offset,
        row.time_ms,
        expiresMs,
        row.data,
        row.tags,
        row.publisher,
        row.except_connection,
        row.version,
      );
    },

    /** Drops the publications up to and including this offset. */
    trim(stream: number, offset: number): void {
      publicationsTrim.run(stream, offset);
    },

    page({ id, epoch }: Stream, query: HistoryQuery, nowMs: number): readonly Publication[] {
      const { limit, reverse, sinceOffset } = query;
      const rows = reverse
        ? pageDown.all(id, sinceOffset ?? Number.MAX_SAFE_INTEGER, nowMs, limit)
        : pageUp.all(id, sinceOffset ?? 0, nowMs, limit);
      return rows.map((row) => publicationOf(row, epoch));
    },

    expirePublications(nowMs: number, rowsMax: number): void {
      publicationsExpire.run(nowMs, rowsMax);
    },

    /** What a publish under this key was answered; undefined: the key is not known. */
    result(app: string, { space, name }: Channel, key: string, nowMs: number) {
      const row = resultGet.get(app, space, name, key, nowMs);
      if (row === null) return undefined;
      const { epoch, offset } = row;
      return { position: epoch === null || offset === null ? undefined : { epoch, offset } };
    },

    setResult(
      app: string,
      { space, name }: Channel,
      key: string,
      result: { readonly position: StreamPosition | undefined; readonly expiresMs: number },
    ): void {
      const { position, expiresMs } = result;
      const { epoch, offset } = position ?? { epoch: null, offset: null };
      resultSet.run(app, space, name, key, epoch, offset, expiresMs);
    },

    record(app: string, key: string, nowMs: number): KeptRecord | undefined {
      const row = recordGet.get(app, key, nowMs);
      if (row === null) return undefined;
      const { value, version, expires_ms: expiresMs } = row;
      return { key, value, version, expiresMs: expiresMs ?? Infinity };
    },

    /** The new version. */
    putRecord(
      app: string,
      key: string,
      record: {
        readonly value: string;
        readonly expiresMs: number | undefined;
        readonly claim: boolean;
      },
    ): number {
      const { value, expiresMs = null, claim } = record;
      const put = recordPut.run(app, key, value, expiresMs, claim ? 1 : null);
      return Number(put.lastInsertRowid);
    },

    deleteRecord(app: string, key: string): void {
      recordDelete.run(app, key);
    },

    records(
      app: string,
      query: {
        readonly prefix: string;
        readonly after: string | undefined;
        readonly limit: number;
      },
      nowMs: number,
    ): readonly StoredRecord[] {
      return recordList.all(app, query.prefix, query.after ?? null, nowMs, query.limit);
    },

    /**
     * Deletes what has expired and gives freed pages back to the disk, a small step each time it is asked for the next; the caller
     * decides how many of them one transaction has.
     */
    *sweep(nowMs: number): Generator<void, void> {
      for (const expire of [publicationsExpire, resultsExpire, recordsExpire]) {
        while (expire.run(nowMs, SWEEP_ROWS).changes === SWEEP_ROWS) yield;
        yield;
      }
      while (queues.deleteEmptyQueues(SWEEP_ROWS) === SWEEP_ROWS) yield;
      for (;;) {
        const beyond = emptyStreamsBeyond.all(SWEEP_ROWS, EMPTY_STREAMS_MAX);
        for (const { id } of beyond) this.deleteStream(id);
        if (beyond.length < SWEEP_ROWS) break;
        yield;
      }
      for (let after = 0; ;) {
        const end = streamsWalk.get(after, WALKED_STREAMS)?.end ?? null;
        if (end === null) break;
        for (const { id } of streamsExpired.all(after, end, nowMs)) this.deleteStream(id);
        after = end;
        yield;
      }
      while (hasPagesToGive()) {
        giveBack.run();
        yield;
      }
    },
    /** Throws unless there is room for a write of ordinary size. Leaves nothing behind. */
    probe(): void {
      const text = "hex(zeroblob(16384))";
      this.transaction(() => {
        db.run(`INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', ${text})`);
      });
      // Not in the same transaction: the pages would be given back before they had to be found.
      this.transaction(() => {
        db.run("DELETE FROM meta WHERE key = 'probe'");
      });
    },

    close: () => database.close(),
  };

  function hasPagesToGive(): boolean {
    const { free = 0, pages = 0 } = freePages.get() ?? {};
    return free > Math.max(FREE_PAGES_KEPT, pages * FREE_SHARE_KEPT);
  }
}
