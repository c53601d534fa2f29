/** A copy of the database while a server uses it, or while none does. */
import { Database } from "bun:sqlite";
import { closeSync, existsSync, fsyncSync, openSync, statSync } from "node:fs";
import { backupFailure, damageFound, dataFileIn, openFailure } from "./data-file.ts";
import { opened } from "./opened.ts";
import { versionOf } from "./schema.ts";

/**
 * Makes the database file of `directory`, which has none, from that of `dataDir`: everything that was committed when it is
 * called, at one moment. Readers do not hold up the server; what it writes meanwhile waits in its write-ahead log.
 * A server that starts on the copy begins new epochs, so that it hands no position out twice.
 * Answers the copy's bytes, which are on the disk then. Throws StartError.
 */
export function copyDatabase(dataDir: string, directory: string): number {
  const source = dataFileIn(dataDir);
  if (!existsSync(source)) throw openFailure(source, new Error("there is none"));
  const target = dataFileIn(directory);
  copyInto(source, target);
  try {
    using copy = new Database(target, { readwrite: true });
    // No file is this one, however it gets to its place.
    copy.run("UPDATE meta SET value = json_set(value, '$.file', '') WHERE key = 'run'");
    const found = copy.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
    if (found?.quick_check !== "ok") throw damageFound();
  } catch (error) {
    throw backupFailure(target, error);
  }
  for (const path of [target, directory]) sync(path);
  return statSync(target).size;
}

function copyInto(source: string, target: string): void {
  using db = readable(source);
  try {
    // SQLite takes an empty file, and would make one that others may read.
    closeSync(openSync(target, "wx", 0o600));
    db.run("VACUUM INTO ?", [target]);
  } catch (error) {
    throw backupFailure(target, error);
  }
}

function readable(source: string): Database {
  try {
    return opened(source, "read", versionOf);
  } catch (error) {
    throw openFailure(source, error);
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}
