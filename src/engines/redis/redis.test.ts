/** The Redis engine: what every engine owes the core, on each shape that its servers can have. */
import { afterAll, beforeAll } from "bun:test";
import { testEngine } from "../../../test/conformance/engine/index.ts";
import { startRedisCluster } from "../../../test/support/redis-cluster.ts";
import { startRedis } from "../../../test/support/redis.ts";
import { startEngine } from "./test-engine.ts";

/** Nodes of a Cluster take seconds to find each other. */
const START_TIMEOUT_MS = 60_000;

interface Servers extends AsyncDisposable {
  readonly urls: readonly string[];
}

async function startServers(count: number): Promise<Servers> {
  const servers = await Promise.all(Array.from({ length: count }, () => startRedis()));
  return {
    urls: servers.map(({ url }) => url),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}

async function startCluster(): Promise<Servers> {
  const cluster = await startRedisCluster();
  return {
    urls: [`redis+cluster://${cluster.nodes.map(({ host, port }) => `${host}:${port}`).join(",")}`],
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

const SHAPES: Record<string, () => Promise<Servers>> = {
  "one server": () => startServers(1),
  "two servers, sharded by name": () => startServers(2),
  "a Cluster of three nodes": startCluster,
};

for (const [shape, start] of Object.entries(SHAPES)) {
  let servers: Servers | undefined;
  beforeAll(async () => {
    servers = await start();
  }, START_TIMEOUT_MS);
  afterAll(() => servers?.[Symbol.asyncDispose]());
  testEngine(
    `Redis engine on ${shape}`,
    async () => {
      const { engine, runtime } = await startEngine(servers?.urls ?? []);
      return {
        engine,
        advance: (ms) => runtime.advance(ms),
        [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
      };
    },
    { movesTime: true },
  );
}
