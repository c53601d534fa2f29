/** The database file's place on the disk, and why it cannot be opened, in one sentence. */
import { closeSync, fstatSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { StartError, type StartWord } from "../../core/start-error.ts";

const DATA_FILE = "carillon.db";
/** Who has it locked has the database. */
const LOCK_FILE = "carillon.lock";

export const dataFileIn = (dataDir: string): string => join(dataDir, DATA_FILE);
export const lockFileBeside = (path: string): string => join(dirname(path), LOCK_FILE);

/** Creates what is missing, readable by the owner alone: the file holds every payload of every app. */
export function prepareDataFile(dataDir: string): string {
  const path = dataFileIn(dataDir);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    makeIfMissing(path);
    makeIfMissing(lockFileBeside(path));
  } catch (error) {
    throw openFailure(path, error);
  }
  return path;
}

/** Only ever creates, never opens: closing a descriptor of a file drops this process's locks on it. */
function makeIfMissing(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

export interface WatchedFile {
  readonly path: string;
  /** Device and inode. */
  readonly identity: string;
  /** When it was made, nanoseconds since the Unix epoch; "0" where the file system does not tell. */
  readonly born: string;
  readonly descriptor: number;
  /** Only behind the database's own close: it drops this process's locks on the file. */
  close(): void;
}

export function watchFile(path: string): WatchedFile {
  const descriptor = openSync(path, "r");
  const { dev, ino, birthtimeNs } = fstatSync(descriptor, { bigint: true });
  const identity = `${dev}:${ino}`;
  return { path, identity, born: `${birthtimeNs}`, descriptor, close: () => closeSync(descriptor) };
}

/** SQLite file format, §1.3: the first 16 bytes. */
const MAGIC = "SQLite format 3\0";

/** What was done to it behind the back of the database, which reads from its cache and does not see that. */
export function fileFault({ path, identity, descriptor }: WatchedFile): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (found === undefined || `${found.dev}:${found.ino}` !== identity) {
    return `The database "${path}" was removed or replaced while the server runs; what is stored now is lost when it ends`;
  }
  const head = Buffer.alloc(MAGIC.length);
  readSync(descriptor, head, 0, head.length, 0);
  return head.toString("latin1") === MAGIC ? undefined : damaged(path);
}

export function damaged(path: string): string {
  return `The database "${path}" is damaged; stop the server and restore a backup or remove it`;
}

export function writeFailure(path: string, cause: unknown): string {
  return `Cannot write to the database "${path}": ${faultOf(cause)[1]}`;
}

/** What a check of the file found. */
export function damageFound(): StartError {
  return new StartError("database_damaged", DAMAGED);
}

const DAMAGED = "it is damaged; restore a backup or remove it";

/** The disk is full, or takes no writes for another reason. */
export function isUnwritable(error: unknown): boolean {
  return ["SQLITE_FULL", "SQLITE_IOERR_WRITE"].includes(codeOf(error)) || isWithoutIndex(error);
}

/** The index of the write-ahead log, which processes share in a file beside it, cannot be made: a full disk, or a file system without shared memory. */
export function isWithoutIndex(error: unknown): boolean {
  return codeOf(error).startsWith("SQLITE_IOERR_SHM");
}

/** What the disk gave is not what was written. */
export function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB|IOERR_(SHORT_)?READ|IOERR_CORRUPTFS)/.test(codeOf(error));
}

export function openFailure(path: string, cause: unknown): StartError {
  const [word, reason] = faultOf(cause);
  return new StartError(word, `Cannot open the database "${path}": ${reason}`, { cause });
}

export function backupFailure(path: string, cause: unknown): StartError {
  const [word, reason] = faultOf(cause);
  return new StartError(word, `Cannot write the backup "${path}": ${reason}`, { cause });
}

function faultOf(cause: unknown): readonly [StartWord, string] {
  if (cause instanceof StartError) return [cause.word, cause.message];
  const code = codeOf(cause);
  // Extended codes only refine the first two words.
  switch (code.startsWith("SQLITE_") ? code.split("_", 2).join("_") : code) {
    case "SQLITE_BUSY":
    case "SQLITE_LOCKED":
      return ["database_in_use", "another process is using it"];
    case "SQLITE_NOTADB":
      return ["database_unusable", "it is not a SQLite database"];
    case "SQLITE_CORRUPT":
      return ["database_damaged", DAMAGED];
    case "SQLITE_CANTOPEN":
    case "SQLITE_PERM":
    case "SQLITE_READONLY":
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return ["data_dir_unusable", "it cannot be opened for reading and writing"];
    case "EEXIST":
    case "ENOTDIR":
      return ["data_dir_unusable", "the data directory's path is taken by a file"];
    case "SQLITE_FULL":
    case "ENOSPC":
      return ["disk_full", "the disk is full"];
    case "SQLITE_IOERR":
      return ["disk_full", "the disk reports an error"];
    default: {
      const reason = cause instanceof Error ? cause.message : String(cause);
      // Else it is the system's about the place.
      const isOfFile = code === "" || code.startsWith("SQLITE_");
      return [isOfFile ? "database_unusable" : "data_dir_unusable", reason];
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}
