/** Real `redis-server` processes on loopback, each with a free port and a directory of its own; they end with the test. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, type Subprocess } from "bun";

export interface RedisOptions {
  /** Every write is on disk before its answer, and comes back after `restart()`. Default: nothing is kept. */
  readonly appendOnly?: boolean;
  readonly password?: string;
  /** A replica of that server; `startRedis` resolves once it is in step. */
  readonly replicaOf?: RedisServer;
  /** As the configuration's `maxmemory`: `"2mb"`. Beyond it writes are refused (`noeviction`). */
  readonly maxMemory?: string;
  /** A node of a Cluster that knows no others yet: see `startRedisCluster`. */
  readonly cluster?: boolean;
  /** Further directives, one argument each: `["--save", "60 1"]`. */
  readonly directives?: readonly string[];
}

export interface RedisServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly password: string | undefined;
  /** `redis://:password@127.0.0.1:port`. */
  readonly url: string;
  /** The process that runs now. */
  readonly pid: number;
  /** One command on a connection of its own; rejects with the server's error, or when it does not answer. Replies are RESP3's. */
  command(name: string, ...args: readonly string[]): Promise<unknown>;
  /** `SIGKILL`; resolves once it is dead and its port free. */
  kill(): Promise<void>;
  /** `SIGSTOP`: connections stay open and nothing answers. */
  stop(): void;
  /** `SIGCONT`. */
  cont(): void;
  /** Kills it if it runs, and starts it on the same port. `empty`: without what it had on disk. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
}

const HOST = "127.0.0.1";
/** Below the ports that systems give to outgoing connections, so that a restart finds its port free. */
const [PORT_MIN, PORT_MAX] = [10_000, 29_999];
/** A port seen free can be gone a moment later; so many in a row cannot. */
const PORT_TRIES = 20;
const START_DEADLINE_MS = 20_000;
const COMMAND_DEADLINE_MS = 5_000;

/** Resolves once the server accepts connections. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const directory = mkdtempSync(join(tmpdir(), "carillon-redis-"));
  try {
    return await onFreePort((port) => launch(port, directory, options));
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

async function launch(port: number, directory: string, options: RedisOptions) {
  const { password, replicaOf } = options;
  const args = directivesOf(port, directory, options);
  let child = await spawnRedis(args);

  async function kill(): Promise<void> {
    child.kill("SIGKILL");
    await child.exited;
  }

  const server: RedisServer = {
    host: HOST,
    port,
    password,
    url: `redis://${password === undefined ? "" : `:${encodeURIComponent(password)}@`}${HOST}:${port}`,
    get pid() {
      return child.pid;
    },
    async command(name, ...words) {
      const client = new RedisClient(server.url, {
        connectionTimeout: COMMAND_DEADLINE_MS,
        autoReconnect: false,
        enableOfflineQueue: false,
      });
      try {
        return await within(COMMAND_DEADLINE_MS, `${name} on ${HOST}:${port}`, async () => {
          await client.connect();
          return (await client.send(name, [...words])) as unknown;
        });
      } finally {
        client.close();
      }
    },
    kill,
    stop: () => child.kill("SIGSTOP"),
    cont: () => child.kill("SIGCONT"),
    async restart({ empty = false } = {}) {
      await kill();
      if (empty) {
        rmSync(directory, { recursive: true, force: true });
        // The same path, since the arguments name it.
        await Bun.$`mkdir -p ${directory}`.quiet();
      }
      child = await spawnRedis(args);
    },
    async [Symbol.asyncDispose]() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  if (replicaOf !== undefined) {
    await until(`${port} is in step with its master`, async () =>
      String(await server.command("INFO", "replication")).includes("master_link_status:up"),
    );
  }
  return server;
}

function directivesOf(port: number, directory: string, options: RedisOptions): string[] {
  const { appendOnly = false, password, replicaOf, maxMemory, cluster = false } = options;
  const yes = (value: boolean) => (value ? "yes" : "no");
  return [
    ...["--bind", HOST, "--port", String(port), "--dir", directory],
    // An empty value after --save ends the snapshots.
    ...["--save", "", "--appendonly", yes(appendOnly), "--appendfsync", "always"],
    ...["--daemonize", "no", "--logfile", "", "--repl-diskless-sync-delay", "0"],
    ...(password === undefined ? [] : ["--requirepass", password, "--masterauth", password]),
    ...(replicaOf === undefined ? [] : ["--replicaof", `${HOST} ${replicaOf.port}`]),
    ...(replicaOf?.password === undefined ? [] : ["--masterauth", replicaOf.password]),
    ...(maxMemory === undefined ? [] : ["--maxmemory", maxMemory]),
    // The bus port is the port and 10,000 by default, which would not be known to be free.
    ...(cluster ? ["--cluster-enabled", "yes", "--cluster-port", String(busPortOf(port))] : []),
    ...(cluster ? ["--cluster-node-timeout", "2000"] : []),
    ...(options.directives ?? []),
  ];
}

/** Of a Cluster's node: beyond all the ports given out here. */
export function busPortOf(port: number): number {
  return port + (PORT_MAX - PORT_MIN + 1);
}

type RedisProcess = Subprocess<"ignore", "pipe", "pipe">;

/** Resolves once it says that it accepts connections; rejects with its log when it ends before. */
export async function spawnRedis(args: readonly string[]): Promise<RedisProcess> {
  const child = Bun.spawn(["redis-server", ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const ready = Promise.withResolvers<void>();
  let log = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      // Read to the end, so that the pipe never fills; only the beginning matters.
      if (log.length < 100_000) log += decoder.decode(chunk, { stream: true });
      if (/Ready to accept connections|Sentinel ID is/.test(log)) ready.resolve();
    }
  })();
  void child.exited.then(async (code) => {
    await reading;
    const errors = await new Response(child.stderr).text();
    ready.reject(new Error(`redis-server ended with ${code}: ${log}${errors}`));
  });
  try {
    await within(START_DEADLINE_MS, "redis-server's start", () => ready.promise);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  return child;
}

/** Redis cannot choose a port itself: one that is free is tried, and another one if somebody was faster. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN + 1));
    if (!(await isFree(port)) || !(await isFree(busPortOf(port)))) continue;
    try {
      return await start(port);
    } catch (error) {
      const taken = error instanceof Error && /Address already in use/.test(error.message);
      if (!taken || tries >= PORT_TRIES) throw error;
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: HOST, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/**
 * Asks a process that is not ours again and again until it says yes. Servers tell nobody when they have found each other,
 * so this is the only way to know; it never waits longer than they take, and ends with an error at the deadline.
 */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  deadlineMs = START_DEADLINE_MS,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    let trouble: unknown;
    try {
      if (await holds()) return;
    } catch (error) {
      trouble = error;
    }
    if (performance.now() > endMs) throw new Error(`Not so in time: ${what}`, { cause: trouble });
    await Bun.sleep(20);
  }
}

async function within<T>(deadlineMs: number, what: string, run: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`No answer in ${deadlineMs} ms: ${what}`)),
    deadlineMs,
  );
  try {
    return await Promise.race([run(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
