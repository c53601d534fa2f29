/** A master, a replica and the three Sentinels that watch them, on loopback. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient } from "bun";
import { onFreePort, spawnRedis, startRedis, until, type RedisServer } from "./redis.ts";

export interface SentinelOptions {
  /** Of master and replica; the Sentinels themselves ask for none. */
  readonly password?: string;
  /** How long a server must be silent until a Sentinel holds it for down, milliseconds. Default 1,000. */
  readonly downAfterMs?: number;
}

export interface Sentinels extends AsyncDisposable {
  /** What the master is called: `carillon`. */
  readonly masterName: string;
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** Whom the Sentinels named master at the start, and its replica then. Either may be killed, stopped, restarted. */
  readonly servers: readonly [RedisServer, RedisServer];
  /** Whom the Sentinels name master now. */
  master(): Promise<RedisServer>;
  /** Has the Sentinels change the master while both live; resolves once they name the other one and it takes writes. */
  failover(): Promise<void>;
  /** Resolves once they name another master than `former`, and it takes writes: after a kill or a stop. */
  failedOver(former: RedisServer): Promise<void>;
}

const MASTER_NAME = "carillon";
const QUORUM = 2;
/** A failover includes waiting for a silent master, votes, and promotion. */
const FAILOVER_DEADLINE_MS = 30_000;

/** Resolves once every Sentinel knows the replica and the other Sentinels, so that a failover can begin. */
export async function startSentinels(options: SentinelOptions = {}): Promise<Sentinels> {
  const { password } = options;
  await using started = new AsyncDisposableStack();
  const auth = password === undefined ? {} : { password };
  const first = started.use(await startRedis(auth));
  const second = started.use(await startRedis({ ...auth, replicaOf: first }));
  const sentinels = await Promise.all(
    [1, 2, 3].map(async () => started.use(await startSentinel(first, options))),
  );
  for (const sentinel of sentinels) {
    await until(`Sentinel ${sentinel.port} knows everybody`, async () => {
      const [replicas, others] = await Promise.all([
        sentinel.ask("SENTINEL", "REPLICAS", MASTER_NAME),
        sentinel.ask("SENTINEL", "SENTINELS", MASTER_NAME),
      ]);
      const [replica] = replicas as Record<string, string>[];
      const inStep = replica?.["flags"] === "slave" && replica["master-link-status"] === "ok";
      return inStep && (others as unknown[]).length === sentinels.length - 1;
    });
  }

  const servers = [first, second] as const;

  async function masterPort(sentinel: Sentinel): Promise<number> {
    const address = await sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME);
    return Number((address as string[])[1]);
  }

  function serverAt(port: number): RedisServer {
    const server = servers.find((one) => one.port === port);
    if (server === undefined) throw new Error(`The Sentinels name an unknown master: ${port}`);
    return server;
  }

  const master = async () => serverAt(await masterPort(sentinels[0]!));

  async function failedOver(former: RedisServer): Promise<void> {
    for (const sentinel of sentinels) {
      await until(
        `Sentinel ${sentinel.port} names another master than ${former.port}`,
        async () => {
          const port = await masterPort(sentinel);
          if (port === former.port) return false;
          return ((await serverAt(port).command("ROLE")) as string[])[0] === "master";
        },
        FAILOVER_DEADLINE_MS,
      );
    }
  }

  const owned = started.move();
  return {
    masterName: MASTER_NAME,
    sentinels: sentinels.map(({ host, port }) => ({ host, port })),
    servers,
    master,
    failedOver,
    async failover() {
      const former = await master();
      await until("a Sentinel begins the failover", async () => {
        // Refused while it has not heard of the replica lately (NOGOODSLAVE).
        return (await sentinels[0]!.ask("SENTINEL", "FAILOVER", MASTER_NAME)) === "OK";
      });
      await failedOver(former);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Sentinel = Awaited<ReturnType<typeof startSentinel>>;

async function startSentinel(
  master: RedisServer,
  { password, downAfterMs = 1_000 }: SentinelOptions,
) {
  const directory = mkdtempSync(join(tmpdir(), "carillon-sentinel-"));
  const { host } = master;
  const { child, port } = await onFreePort(async (free) => {
    // Sentinels write what they learn into this file.
    const path = join(directory, "sentinel.conf");
    const lines = [
      `bind ${host}`,
      `port ${free}`,
      `dir ${directory}`,
      `sentinel monitor ${MASTER_NAME} ${host} ${master.port} ${QUORUM}`,
      `sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}`,
      `sentinel failover-timeout ${MASTER_NAME} 10000`,
      ...(password === undefined ? [] : [`sentinel auth-pass ${MASTER_NAME} ${password}`]),
    ];
    writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
    return { child: await spawnRedis([path, "--sentinel"]), port: free };
  });
  return {
    host,
    port,
    async ask(name: string, ...args: readonly string[]): Promise<unknown> {
      const client = new RedisClient(`redis://${host}:${port}`, { autoReconnect: false });
      try {
        await client.connect();
        return (await client.send(name, [...args])) as unknown;
      } finally {
        client.close();
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
