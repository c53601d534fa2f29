/**
 * The SQL of the embedded engine: how the file is opened, one prepared statement per question, and the transaction. The
 * tables are `schema.ts`'s, the statements of the job queues `queue-store.ts`'s.
 * It decides nothing about channels or records; expiry is a comparison with the `nowMs` it is given.
 */
import { Database, SQLiteError } from "bun:sqlite";

import type { HistoryQuery, StoredRecord } from "../../core/engine.ts";
import type { Channel, Publication, StreamPosition } from "../../core/types.ts";
import { fileIdentity, openFailure } from "./data-file.ts";
import { publicationOf, rowOf, type PublicationRow } from "./publication-row.ts";
import { prepareQueues } from "./queue-store.ts";
import { keepsEveryCommit, type Durability, type RunMark } from "./run-mark.ts";
import { upgrade, versionOf } from "./schema.ts";

export interface StoreOptions {
  /** Undefined: in memory only. */
  readonly path: string | undefined;
  readonly durability: Durability;
  readonly bootId: string | undefined;
  /** Bound of the database file; absent: the disk's. */
  readonly fileBytesMax?: number | undefined;
  readonly newEpoch: () => string;
}

export interface Stream {
  readonly id: number;
  readonly epoch: string;
  /** Offset of the last publication; 0: none yet. */
  readonly top: number;
  readonly version: number | null;
  readonly version_epoch: string | null;
  readonly meta_expires_ms: number;
}

export type StreamState = Omit<Stream, "id" | "epoch">;
export type Store = ReturnType<typeof openStore>;

/**
 * Streams that nothing was ever published to: a subscribe makes one, so clients decide how many there are. Beyond it the
 * oldest go; their subscribers are told at the first publication, as after any change of epoch.
 */
export const EMPTY_STREAMS_MAX = 100_000;

/** Whether the database refused (disk full, damaged file); any other error of a write is a bug. */
export function isRefusal(error: unknown): boolean {
  return error instanceof SQLiteError;
}

/** Throws an Error with one sentence naming the path when the file cannot be used. */
export function openStore(options: StoreOptions) {
  const path = options.path ?? ":memory:";
  let db: Database | undefined;
  try {
    db = new Database(path, { readwrite: true, create: true });
    begin(db, options);
    return statements(db, options);
  } catch (error) {
    db?.close(true);
    throw openFailure(path, error);
  }
}

function begin(db: Database, options: StoreOptions): void {
  // The lock is held until the file is closed, or the process is gone: the kernel then drops it. It also keeps the
  // write-ahead log's index in memory, so no -shm file is left behind.
  db.run("PRAGMA locking_mode = EXCLUSIVE");
  db.run("BEGIN EXCLUSIVE");
  const version = versionOf(db);
  db.run("COMMIT");
  db.run("PRAGMA journal_mode = WAL");
  // Synced whatever the durability: were the mark of this run lost with the power while publications had gone out, the
  // next run would read the clean mark of the run before.
  db.run("PRAGMA synchronous = FULL");
  db.run("PRAGMA fullfsync = ON");
  db.transaction(() => {
    upgrade(db, version);
    markRun(db, options);
  })();
  if (options.durability === "normal") db.run("PRAGMA synchronous = NORMAL");
  if (options.fileBytesMax !== undefined) {
    const page = db.query<{ page_size: number }, []>("PRAGMA page_size").get();
    db.run(
      `PRAGMA max_page_count = ${Math.floor(options.fileBytesMax / (page?.page_size ?? 4096))}`,
    );
  }
}

/** Renews all epochs when the last run may have fanned out what this file does not hold. */
function markRun(db: Database, { path, bootId, durability, newEpoch }: StoreOptions): void {
  if (path === undefined) return;
  const now = { bootId, file: fileIdentity(path), durability };
  const last = db.query<{ value: string }, []>("SELECT value FROM meta WHERE key = 'run'").get();
  if (last !== null && !keepsEveryCommit(JSON.parse(last.value) as RunMark, now)) {
    // Anything may have happened to the file meanwhile; on the ordinary way a check of every page would cost too much.
    const check = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
    if (check?.quick_check !== "ok")
      throw new Error("it is damaged; restore a backup or remove it");
    db.run("UPDATE stream SET epoch = ?", [newEpoch()]);
  }
  writeMark(db, { ...now, clean: false });
}

function writeMark(db: Database, mark: RunMark): void {
  db.run("INSERT OR REPLACE INTO meta (key, value) VALUES ('run', ?)", [JSON.stringify(mark)]);
}

type Bind = string | number | Uint8Array | null;

function statements(db: Database, options: StoreOptions) {
  const { path, durability, bootId } = options;
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
  const streamsAfter = get<{ id: number; meta_expires_ms: number }>(
    "SELECT id, meta_expires_ms FROM stream WHERE id > ? ORDER BY id LIMIT ?",
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

  const recordGet = get<StoredRecord>(
    `SELECT key, value, version FROM record
     WHERE app = ? AND key = ? AND (expires_ms IS NULL OR expires_ms > ?)`,
  );
  const recordPut = run(
    "INSERT OR REPLACE INTO record (app, key, value, expires_ms) VALUES (?, ?, ?, ?)",
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

  const queues = prepareQueues(db);
  let sweptStream = 0;

  return {
    queues,

    /** All of `work`, or nothing of it: then throws what went wrong. */
    transaction(work: () => void): void {
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

    record(app: string, key: string, nowMs: number): StoredRecord | undefined {
      return recordGet.get(app, key, nowMs) ?? undefined;
    },

    /** The new version. */
    putRecord(app: string, key: string, value: string, expiresMs: number | undefined): number {
      return Number(recordPut.run(app, key, value, expiresMs ?? null).lastInsertRowid);
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
     * Deletes what has expired, at most `rowsMax` rows of each table. Streams are walked a part per call: an index on
     * their expiry would cost every publish more than the walk.
     */
    sweep(nowMs: number, rowsMax: number): void {
      publicationsExpire.run(nowMs, rowsMax);
      resultsExpire.run(nowMs, rowsMax);
      recordsExpire.run(nowMs, rowsMax);
      queues.deleteEmptyQueues(rowsMax);
      const streams = streamsAfter.all(sweptStream, rowsMax);
      for (const { id, meta_expires_ms } of streams) {
        if (meta_expires_ms <= nowMs) this.deleteStream(id);
      }
      for (const { id } of emptyStreamsBeyond.all(rowsMax, EMPTY_STREAMS_MAX))
        this.deleteStream(id);
      sweptStream = streams.length < rowsMax ? 0 : (streams.at(-1)?.id ?? 0);
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

    /** Everything is on the disk when it returns, and the file says so. */
    close(): void {
      try {
        if (path !== undefined) {
          writeMark(db, { bootId, file: fileIdentity(path), durability, clean: true });
          // Syncs the log before it copies it, so the mark never gets to the disk ahead of what it vouches for.
          db.run("PRAGMA wal_checkpoint(TRUNCATE)");
        }
      } finally {
        db.close(true);
      }
    },
  };
}
