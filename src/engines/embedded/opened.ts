/** A database file that is open and fit for use, or closed again. */
import { Database } from "bun:sqlite";

/** Throws what opening or `prepare` throws. */
export function opened(
  path: string,
  mode: "read" | "write",
  prepare: (db: Database) => void,
): Database {
  const db = new Database(
    path,
    mode === "read" ? { readonly: true } : { readwrite: true, create: true },
  );
  try {
    prepare(db);
    return db;
  } catch (error) {
    db.close(true);
    throw error;
  }
}
