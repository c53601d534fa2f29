/** A `redis-server` of the benchmark's own, and two nodes on it: one that is published to, one with the subscribers. */
import { createServer } from "node:net";
import { RedisClient } from "bun";
import { startCarillon, type CarillonOptions } from "./carillon.ts";
import { ChildProcess } from "./processes.ts";
import { LOOPBACK, type Target } from "./targets.ts";

const START_MS_MAX = 10_000;

export interface BenchRedis extends AsyncDisposable {
  readonly url: string;
  readonly process: ChildProcess;
  version(): Promise<string>;
}

/** Keeps nothing on disk. On the load's core, so that it competes with the generator, not with the nodes. */
export async function startRedis(): Promise<BenchRedis> {
  const port = await freePort();
  const options = ["--save", "", "--appendonly", "no", "--logfile", "/dev/null"];
  const command = ["redis-server", "--bind", LOOPBACK, "--port", `${port}`, ...options];
  const process = new ChildProcess(command, { on: "load" });
  const url = `redis://${LOOPBACK}:${port}`;
  const endMs = performance.now() + START_MS_MAX;
  while (!(await answers(url))) {
    if (performance.now() > endMs) throw new Error(`redis-server ${process.state}, and is mute`);
    await Bun.sleep(20);
  }
  return {
    ...{ url, process },
    version: async () =>
      /redis_version:(\S+)/.exec(String(await ask(url, "INFO", "server")))?.[1] ?? "?",
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** Publishes go to one node, sockets to the other; `process` is the one with the sockets, and `others` the other. */
export async function startTwoNodes(redis: BenchRedis, options: CarillonOptions): Promise<Target> {
  const given = { ...options, redisUrl: redis.url };
  const publishedTo = await startCarillon(given);
  const subscribed = await startCarillon(given);
  return {
    ...subscribed,
    name: "two nodes",
    others: [publishedTo.process],
    ...(publishedTo.publishing === undefined ? {} : { publishing: publishedTo.publishing }),
    async [Symbol.asyncDispose]() {
      await subscribed[Symbol.asyncDispose]();
      await publishedTo[Symbol.asyncDispose]();
      await ask(redis.url, "FLUSHALL");
    },
  };
}

async function answers(url: string): Promise<boolean> {
  return (await ask(url, "PING").catch(() => "")) === "PONG";
}

async function ask(url: string, command: string, ...args: string[]): Promise<unknown> {
  const client = new RedisClient(url, { autoReconnect: false, connectionTimeout: 1000 });
  try {
    await client.connect();
    return (await client.send(command, args)) as unknown;
  } finally {
    client.close();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, LOOPBACK, () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
