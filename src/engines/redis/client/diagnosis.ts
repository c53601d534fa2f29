/** Why a server cannot be used, in words for a log line: the clients only say that the connection closed. */
import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { StartError, type StartWord } from "../../../core/start-error.ts";

export interface ServerAddress {
  /** With credentials. */
  readonly url: string;
  /** Without. */
  readonly name: string;
  /** Certificates to trust in place of the usual ones, PEM. */
  readonly ca?: string | undefined;
}

/** A message that goes behind "Redis at …". */
export class RedisFailure extends StartError {
  override readonly name = "RedisFailure";

  /** `word`: of what no retry can mend, but its operator alone. */
  constructor(message: string, word?: Exclude<RedisWord, "redis_unreachable">) {
    super(word ?? "redis_unreachable", message);
  }

  /** No retry can mend it. */
  get final(): boolean {
    return this.word !== "redis_unreachable";
  }
}

type RedisWord = Extract<StartWord, `redis_${string}`>;

/** The first Redis with everything that is used here: sharded pub/sub, scripts that may write after reading the clock. */
const VERSION_MAJOR_MIN = 7;
const DIAGNOSIS_TIMEOUT_MS = 1_000;

/**
 * Changes whenever a server may come back without what it had confirmed. One that writes each command to disk before it answers
 * (AOF, `appendfsync always`) and has no replicas has it after a restart. Any other has a new replication id: it was restarted,
 * perhaps after a loss of power, or a replica took over that may lag. `ask` sends it a command.
 */
export async function dataIdentity(
  info: string,
  ask: (command: string, args: string[]) => Promise<unknown>,
): Promise<string> {
  const alone =
    fieldOf(info, "connected_slaves") === "0" && fieldOf(info, "second_repl_offset") === "-1";
  if (fieldOf(info, "aof_enabled") === "1" && alone) {
    // Servers that somebody else runs may not tell; a map or a list, as the client reads it.
    const reply = await ask("CONFIG", ["GET", "appendfsync"]).catch(() => null);
    if (JSON.stringify(reply).includes('"always"')) return "log";
  }
  return fieldOf(info, "master_replid");
}

function fieldOf(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
}

/** Throws `RedisFailure` when the server whose `INFO` this is cannot serve the engine. */
export function checkInfo(info: string, mode: "standalone" | "cluster"): void {
  // Valkey fills it in too, with the version of Redis whose commands it has.
  const version = fieldOf(info, "redis_version");
  const major = Number.parseInt(version, 10);
  if (!(major >= VERSION_MAJOR_MIN)) {
    throw new RedisFailure(
      `version ${version || "unknown"} is too old, ${VERSION_MAJOR_MIN}.0 or newer is needed`,
      "redis_unsuitable",
    );
  }
  if (mode === "standalone" && fieldOf(info, "redis_mode") === "cluster") {
    throw new RedisFailure(
      "it is part of a Cluster, whose URL begins with redis+cluster://",
      "redis_unsuitable",
    );
  }
  if (mode === "standalone" && fieldOf(info, "role") !== "master") {
    throw new RedisFailure("it is a read-only replica", "redis_unsuitable");
  }
  if (fieldOf(info, "loading") === "1") throw new RedisFailure("it is still loading its data");
}

/** Connects once more, step by step, to learn what a client does not tell. */
export async function diagnose(address: ServerAddress): Promise<RedisFailure> {
  const url = new URL(address.url);
  const secure = url.protocol === "rediss:";
  const at = url.protocol.endsWith("+unix:")
    ? { path: decodeURIComponent(url.pathname), host: undefined }
    : { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port || 6379) };
  const { promise, resolve } = Promise.withResolvers<RedisFailure>();
  const { ca } = address;
  // An address is not a server name, neither here nor in a certificate.
  const servername = isIP(at.host ?? "") === 0 ? { servername: url.hostname } : {};
  const socket: Socket = secure
    ? connectTls({ ...at, ...servername, ...(ca === undefined ? {} : { ca }) })
    : connectPlain(at);
  let read = "";
  socket.setEncoding("latin1");
  socket.setTimeout(DIAGNOSIS_TIMEOUT_MS, () =>
    resolve(new RedisFailure(`no answer within ${DIAGNOSIS_TIMEOUT_MS} ms`)),
  );
  socket.on("error", (error: Error & { code?: string }) => resolve(socketFailure(error)));
  socket.on("close", () => resolve(new RedisFailure("it closed the connection")));
  socket.on(secure ? "secureConnect" : "connect", () => socket.write(greeting(url)));
  socket.on("data", (text: string) => {
    read += text;
    const failure = greetingFailure(read);
    if (failure !== undefined) resolve(failure);
  });
  const failure = await promise;
  socket.destroy();
  return failure;
}

function greeting(url: URL): string {
  const password = decodeURIComponent(url.password);
  const user = decodeURIComponent(url.username) || "default";
  const auth = password === "" ? [] : ["AUTH", user, password];
  const db = url.pathname.slice(1);
  const select = /^\d+$/.test(db) ? command(["SELECT", db]) : "";
  return command(["HELLO", "3", ...auth]) + select + command(["PING"]);
}

function command(words: readonly string[]): string {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join("")}`;
}

function greetingFailure(read: string): RedisFailure | undefined {
  if (!/^[-+*%$:_]/.test(read)) {
    return new RedisFailure(
      "it does not speak the Redis protocol (is it TLS, rediss://?)",
      "redis_unsuitable",
    );
  }
  const error = /^-(.*?)\r\n/m.exec(read)?.[1];
  if (error === undefined) {
    return /^\+PONG\r\n/m.test(read) ? new RedisFailure("it closed the connection") : undefined;
  }
  return replyFailure(error);
}

/** What an error reply to the first commands means. */
export function replyFailure(error: string): RedisFailure {
  if (error.startsWith("WRONGPASS")) {
    return new RedisFailure("wrong user name or password", "redis_login_failed");
  }
  if (error.startsWith("NOAUTH")) {
    return new RedisFailure("it asks for a password", "redis_login_failed");
  }
  if (error.includes("unknown command")) {
    return new RedisFailure(
      `it is too old, ${VERSION_MAJOR_MIN}.0 or newer is needed`,
      "redis_unsuitable",
    );
  }
  const [, word] = FINAL_REPLIES.find(([part]) => error.includes(part)) ?? [];
  return new RedisFailure(error.replace(/^ERR /, ""), word);
}

const FINAL_REPLIES = [
  ["DB index", "redis_unsuitable"],
  ["without any password", "redis_login_failed"],
  ["NOPERM", "redis_login_failed"],
] as const;

function socketFailure(error: Error & { code?: string }): RedisFailure {
  if (error.code === "ECONNREFUSED") return new RedisFailure("connection refused");
  if (error.code === "ENOTFOUND" || error.code === "EAI_AGAIN") {
    return new RedisFailure("its host name is not known");
  }
  return new RedisFailure(error.message);
}
