/** The database file: how it is opened and begun, what a run leaves in it, and whether it is still what it was. */
import type { Database } from "bun:sqlite";
import {
  damageFound,
  fileFault,
  isUnwritable,
  isWithoutIndex,
  lockFileBeside,
  openFailure,
  watchFile,
  type WatchedFile,
} from "./data-file.ts";
import { opened } from "./opened.ts";
import { endLeases } from "./queue-store.ts";
import { keepsEveryCommit, type Durability, type RunMark } from "./run-mark.ts";
import { upgrade, VERSION, versionOf } from "./schema.ts";

export interface DatabaseOptions {
  /** Undefined: in memory only. */
  readonly path: string | undefined;
  readonly durability: Durability;
  readonly bootId: string | undefined;
  /** Bound of the database file; absent: the disk's. */
  readonly fileBytesMax?: number | undefined;
  /** Epoch milliseconds. */
  readonly nowMs: () => number;
  readonly newEpoch: () => string;
}

export interface OpenDatabase {
  readonly db: Database;
  /** The engine's time, milliseconds: the clock's, or ahead of it where the clock was set back since the last run. */
  nowMs(): number;
  /** Whether this run is written down in the file, without which nothing else is. */
  readonly isMarked: boolean;
  /** Writes it down, before the first transaction. Throws while the disk does not take it. */
  mark(): void;
  /** What the next run knows the time by. Within a transaction. */
  noteTime(): void;
  /** Why what is stored is not safe: the file was removed, replaced or overwritten. */
  fault(): string | undefined;
  /** Everything is on the disk when it returns, and the file says so. */
  close(): void;
}

/** Beyond it the file is not rewritten at a start so that it can shrink: that takes seconds per gigabyte. */
const VACUUM_BYTES_MAX = 1_073_741_824;
/** The write-ahead log is cut to it once it was copied. */
const LOG_BYTES_KEPT = 16_777_216;
const INCREMENTAL = 2;

/** Throws an Error with one sentence naming the path when the file cannot be used. */
export function openDatabase(options: DatabaseOptions): OpenDatabase {
  const path = options.path ?? ":memory:";
  let lock: Database | undefined;
  let db: Database | undefined;
  let file: WatchedFile | undefined;
  try {
    if (options.path !== undefined) lock = lockFor(options.path);
    db = openPrepared(path);
    if (options.path !== undefined) file = watchFile(path);
    return begin({ db, lock, file }, options);
  } catch (error) {
    db?.close(true);
    file?.close();
    lock?.close(true);
    throw openFailure(path, error);
  }
}

/**
 * Keeps every other server away until it is closed, or the process is gone: the kernel then drops the lock. It is on a file
 * of its own so that backups, and whoever else only reads, can have the database open meanwhile.
 */
function lockFor(path: string): Database {
  return opened(lockFileBeside(path), "write", (lock) => {
    // No journal is written, which a full disk would not take.
    lock.run("PRAGMA journal_mode = MEMORY");
    lock.run("BEGIN EXCLUSIVE");
  });
}

function openPrepared(path: string): Database {
  try {
    return prepared(path, "NORMAL");
  } catch (error) {
    if (!isWithoutIndex(error)) throw error;
    // It is in this process's memory then, and nobody else can read the file.
    return prepared(path, "EXCLUSIVE");
  }
}

function prepared(path: string, locking: "NORMAL" | "EXCLUSIVE"): Database {
  return opened(path, "write", (db) => {
    db.run(`PRAGMA locking_mode = ${locking}`);
    const { page_count } = db.query<{ page_count: number }, []>("PRAGMA page_count").get() ?? {};
    // Later it takes a `VACUUM`.
    if (page_count === 0) db.run(`PRAGMA auto_vacuum = ${INCREMENTAL}`);
    // Refused while a server of a version that locked the file itself has it.
    db.run("BEGIN EXCLUSIVE");
    db.run("COMMIT");
  });
}

interface Opened {
  readonly db: Database;
  /** Undefined for one in memory, as is the file. */
  readonly lock: Database | undefined;
  readonly file: WatchedFile | undefined;
}

function begin({ db, lock, file }: Opened, options: DatabaseOptions): OpenDatabase {
  const { durability, bootId, fileBytesMax, newEpoch } = options;
  const version = versionOf(db);
  db.run("PRAGMA journal_mode = WAL");
  db.run(`PRAGMA journal_size_limit = ${LOG_BYTES_KEPT}`);
  db.run("PRAGMA fullfsync = ON");
  const now = { bootId, file: file?.identity ?? "", born: file?.born ?? "", durability };
  let aheadMs = 0;
  let isMarked = false;

  const nowMs = () => options.nowMs() + aheadMs;

  function writeMark(clean: boolean): void {
    const mark: RunMark = { ...now, clean, timeMs: nowMs() };
    db.run("INSERT OR REPLACE INTO meta (key, value) VALUES ('run', ?)", [JSON.stringify(mark)]);
  }

  function beginRun(): void {
    const last = lastMark(db);
    // Renewed when the last run may have fanned out what this file does not hold.
    if (last !== undefined && !keepsEveryCommit(last, now)) {
      db.run("UPDATE stream SET epoch = ?", [newEpoch()]);
    }
    // Nobody else has this file: whoever held something is gone.
    endLeases(db);
    db.run("DELETE FROM record WHERE claim IS NOT NULL");
    writeMark(false);
  }

  function mark(): void {
    if (isMarked) return;
    // Synced whatever the durability: were the mark of this run lost with the power while publications had gone out, the
    // next run would read the clean mark of the run before.
    db.run("PRAGMA synchronous = FULL");
    db.transaction(() => {
      upgrade(db, version);
      beginRun();
    })();
    if (durability === "normal") db.run("PRAGMA synchronous = NORMAL");
    isMarked = true;
  }

  if (version > 0) {
    const last = lastMark(db);
    if (last !== undefined && !keepsEveryCommit(last, now)) check(db);
    aheadMs = Math.max(0, (last?.timeMs ?? 0) - options.nowMs());
  }
  try {
    mark();
  } catch (error) {
    // What is there can be read; what needs another form than it has cannot.
    if (!isUnwritable(error) || version < VERSION) throw error;
  }
  if (isMarked) makeShrinkable(db, VACUUM_BYTES_MAX);
  if (fileBytesMax !== undefined) {
    const page = db.query<{ page_size: number }, []>("PRAGMA page_size").get();
    db.run(`PRAGMA max_page_count = ${Math.floor(fileBytesMax / (page?.page_size ?? 4096))}`);
  }

  return {
    ...{ db, nowMs, mark },
    get isMarked() {
      return isMarked;
    },
    noteTime: () => writeMark(false),
    fault: () => file && fileFault(file),
    close() {
      try {
        if (file === undefined || !isMarked) return;
        writeMark(true);
        // Syncs the log before it copies it, so the mark never gets to the disk ahead of what it vouches for.
        db.run("PRAGMA wal_checkpoint(TRUNCATE)");
      } finally {
        db.close(true);
        file?.close();
        lock?.close(true);
      }
    },
  };
}

function lastMark(db: Database): RunMark | undefined {
  const row = db.query<{ value: string }, []>("SELECT value FROM meta WHERE key = 'run'").get();
  return row === null ? undefined : (JSON.parse(row.value) as RunMark);
}

/** Anything may have happened to the file meanwhile; on the ordinary way a check of every page would cost too much. */
function check(db: Database): void {
  const found = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
  if (found?.quick_check !== "ok") throw damageFound();
}

/** Once, for a file of before: rewrites it, unless it has more bytes. */
export function makeShrinkable(db: Database, bytesMax: number): void {
  const facts = db
    .query<{ mode: number; bytes: number }, []>(
      `SELECT auto_vacuum AS mode, page_count * page_size AS bytes
       FROM pragma_auto_vacuum, pragma_page_count, pragma_page_size`,
    )
    .get();
  if (facts === null || facts.mode === INCREMENTAL || facts.bytes > bytesMax) return;
  try {
    db.run(`PRAGMA auto_vacuum = ${INCREMENTAL}`);
    db.run("VACUUM");
  } catch (error) {
    // It needs its own size once more; without it the file keeps its size and uses what it frees.
    if (!isUnwritable(error)) throw error;
  }
}
