/** The tables of the database file, by the version that brought them, and which version a file has. */
import type { Database } from "bun:sqlite";

const APPLICATION_ID = 0x43_61_72_6c;

/** Index + 1 is the version: a file of version n lacks what stands behind the first n. */
const VERSIONS = [
  // `data` is ANY so that JSON stays text and bytes stay a blob. A record's version is its row id: AUTOINCREMENT never
  // gives one twice, also across restarts and deletions.
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    app TEXT NOT NULL, space TEXT NOT NULL, name TEXT NOT NULL,
    epoch TEXT NOT NULL, top INTEGER NOT NULL,
    version REAL, version_epoch TEXT,
    meta_expires_ms INTEGER NOT NULL,
    UNIQUE (app, space, name)
  ) STRICT;

  CREATE TABLE publication (
    stream INTEGER NOT NULL, offset INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
    data ANY NOT NULL, tags TEXT, publisher TEXT, except_connection TEXT,
    PRIMARY KEY (stream, offset)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX publication_expiry ON publication (expires_ms);

  CREATE TABLE idempotency (
    app TEXT NOT NULL, space TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL,
    epoch TEXT, offset INTEGER,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (app, space, name, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX idempotency_expiry ON idempotency (expires_ms);

  CREATE TABLE record (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    expires_ms INTEGER,
    UNIQUE (app, key)
  ) STRICT;
  CREATE INDEX record_expiry ON record (expires_ms) WHERE expires_ms IS NOT NULL;
  `,

  // Jobs in the order they were added: a new row id is always above all that are there. The payload comes last, so that
  // what is asked without it does not read through it.
  `
  CREATE INDEX stream_empty ON stream (id) WHERE top = 0;

  CREATE TABLE job_queue (
    id INTEGER PRIMARY KEY,
    app TEXT NOT NULL, name TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    UNIQUE (app, name)
  ) STRICT;

  CREATE TABLE job (
    seq INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL, id TEXT NOT NULL, order_key TEXT,
    state INTEGER NOT NULL, due_ms INTEGER NOT NULL, not_before_ms INTEGER NOT NULL,
    attempt INTEGER NOT NULL, lease TEXT, added_ms INTEGER NOT NULL,
    payload TEXT NOT NULL,
    UNIQUE (queue, id)
  ) STRICT;
  CREATE INDEX job_due ON job (queue, state, due_ms);
  CREATE INDEX job_order ON job (queue, order_key) WHERE order_key IS NOT NULL;
  `,

  `ALTER TABLE publication ADD COLUMN version REAL;`,

  // Claims are few and read only at a start, so that the index is nearly empty.
  `
  ALTER TABLE record ADD COLUMN claim INTEGER;
  CREATE INDEX record_claim ON record (claim) WHERE claim IS NOT NULL;
  `,
];

/** What a file of today has. */
export const VERSION = VERSIONS.length;

/** 0: an empty file. Throws when this program cannot read it. */
export function versionOf(db: Database): number {
  const facts = db
    .query<{ application: number; version: number; tables: number }, []>(
      `SELECT application_id AS application, user_version AS version,
         (SELECT count(*) FROM sqlite_schema) AS tables FROM pragma_application_id, pragma_user_version`,
    )
    .get();
  if (facts === null || facts.tables === 0) return 0;
  if (facts.application !== APPLICATION_ID) throw new Error("it belongs to another program");
  if (facts.version > VERSION) {
    throw new Error(
      `a newer version wrote it (schema ${facts.version}, this one reads up to ${VERSION})`,
    );
  }
  return facts.version;
}

/** Brings a file of this version up to date, within the caller's transaction. */
export function upgrade(db: Database, version: number): void {
  for (const tables of VERSIONS.slice(version)) db.run(tables);
  db.run(`PRAGMA application_id = ${APPLICATION_ID}`);
  db.run(`PRAGMA user_version = ${VERSION}`);
}
