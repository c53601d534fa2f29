/** What keeps a server from starting, in words of its own. */
import type { Words } from "./words.ts";

export const START_WORDS = {
  port_in_use: {
    means: "The server cannot start: another program has its port.",
    cause: "It runs already, or something else listens there.",
    remedy:
      "Stop the other one, or give `clients.port` or `api.port` another number. `ss -ltnp` shows who listens.",
  },
  listen_failed: {
    means: "The server cannot start: it cannot listen at the address.",
    cause:
      "The host is no address of this machine, cannot be resolved, or the port is below 1024 without the right to it.",
    remedy: "Correct `host` or `port` in `[clients]` or `[api]`, as the line says.",
  },
  data_dir_unusable: {
    means: "The server cannot start: it cannot read or write its data directory.",
    cause: "The directory is another user's, read-only, or a file stands at its path.",
    remedy: "Give the server's user the right to write there, or set `data_dir` to another one.",
  },
  database_in_use: {
    means: "The server cannot start: another process has its database open.",
    cause: "A second server runs on the same data directory, or a tool holds the file.",
    remedy:
      "Stop the other process, or give each server its `data_dir`. Several servers share Redis, never a file.",
  },
  database_damaged: {
    means: "The database is damaged.",
    cause: "The disk failed, or something wrote into the file.",
    remedy: "Stop the server and restore a backup, or remove the file: it begins anew.",
  },
  database_unusable: {
    means: "The server cannot start: the database file is not one that it can use.",
    cause: "It belongs to another program, a newer version wrote it, or it cannot be opened.",
    remedy: "Use the version that wrote it, or set `data_dir` to another directory.",
  },
  disk_full: {
    means: "The disk takes no more.",
    cause: "There is no space left, or the disk reports an error.",
    remedy: "Make space and look at the disk.",
  },
  master_key_unusable: {
    means: "The server cannot start: it has no master key that it can use.",
    cause: "The file `master.key` of the data directory cannot be read or made, or is not a key.",
    remedy:
      "Restore the file or give `master_key`; a new key makes ids and tokens of before worthless.",
  },
  redis_url_invalid: {
    means: "The server cannot start: a Redis URL is not one.",
    cause: "It is mistyped, or its servers do not go together.",
    remedy: "Correct `redis.url`; the reference page has its forms.",
  },
  redis_unreachable: {
    means: "Redis does not answer, so the server waits for it.",
    cause: "It does not run, listens elsewhere, is loading its data, or a firewall stands between.",
    remedy:
      "Look at the reason in the line and at Redis: the server goes on by itself when it is back.",
  },
  redis_login_failed: {
    means: "The server cannot start: Redis refuses its login.",
    cause: "The user name or password is wrong or missing, or the user lacks rights.",
    remedy: "Correct the credentials in `redis.url`; special characters in them are URL-encoded.",
  },
  redis_unsuitable: {
    means: "The server cannot start: this Redis cannot serve it.",
    cause: "It is older than 7.0, a read-only replica, part of a Cluster, or no Redis at all.",
    remedy: "Point `redis.url` at a primary of Redis 7 or Valkey, in the form that fits it.",
  },
  redis_missing: {
    means: "`carillon serve --nodes` finds no Redis on this machine.",
    cause: "Neither `redis-server` nor `valkey-server` is installed.",
    remedy: "Install one, or share a Redis that you have between servers of your own.",
  },
  process_ended: {
    means:
      "A process that the server started for itself ended before it served, or did not stop in time.",
    cause: "It was killed, ran out of memory, or hangs.",
    remedy: "Read the lines before this one, and look at the machine's memory.",
  },
} as const satisfies Words;

export type StartWord = keyof typeof START_WORDS;

/** An expected failure, told by its message alone, which is one clear sentence. */
export class StartError extends Error {
  override readonly name: string = "StartError";
  readonly word: StartWord;

  constructor(word: StartWord, message: string, options?: ErrorOptions) {
    super(message, options);
    this.word = word;
  }
}
