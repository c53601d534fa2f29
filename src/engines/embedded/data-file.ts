/** The database file's place on the disk, and why it cannot be opened, in one sentence. */
import { closeSync, mkdirSync, openSync, statSync } from "node:fs";
import { join } from "node:path";

/** Creates what is missing, readable by the owner alone: the file holds every payload of every app. */
export function prepareDataFile(dataDir: string): string {
  const path = join(dataDir, "carillon.db");
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    // Only ever created, never opened: closing a descriptor of a file drops this process's locks on it.
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (codeOf(error) !== "EEXIST" || !isDirectory(dataDir)) throw openFailure(path, error);
  }
  return path;
}

export function fileIdentity(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

export function openFailure(path: string, cause: unknown): Error {
  return new Error(`Cannot open the database "${path}": ${reasonOf(cause)}`, { cause });
}

function reasonOf(cause: unknown): string {
  const code = codeOf(cause);
  // Extended codes only refine the first two words.
  switch (code.startsWith("SQLITE_") ? code.split("_", 2).join("_") : code) {
    case "SQLITE_BUSY":
    case "SQLITE_LOCKED":
      return "another process is using it";
    case "SQLITE_NOTADB":
      return "it is not a SQLite database";
    case "SQLITE_CORRUPT":
      return "it is damaged; restore a backup or remove it";
    case "SQLITE_CANTOPEN":
    case "SQLITE_PERM":
    case "SQLITE_READONLY":
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "it cannot be opened for reading and writing";
    case "EEXIST":
    case "ENOTDIR":
      return "the data directory's path is taken by a file";
    case "SQLITE_FULL":
    case "ENOSPC":
      return "the disk is full";
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
