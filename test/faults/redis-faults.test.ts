/**
 * What may break below several processes on one Redis: official clients that recover see each publication once and in order, or
 * are told that they cannot. Real processes on real time, which is why this waits for what they say.
 */
import { developmentFile } from "../../src/dialects/configuration.ts";
import { afterEach, describe, expect, test } from "bun:test";

import { spawnServer, type ChildServer } from "../support/child-server.ts";
import { loadCluster } from "../support/cluster-load.ts";
import { startSentinels } from "../support/redis-sentinels.ts";
import { startRedis, until } from "../support/redis.ts";

/** Acknowledged publications per channel before and after what breaks. */
const SOAK = process.env["CARILLON_SOAK"] !== undefined;
const LOAD = SOAK ? 3_000 : 150;
/** Publishes that fail on each node before the stopped Redis goes on. */
const FAILURES = SOAK ? 200 : 1;
const CHANNELS = ["load:a", "load:b", "load:c"];
const TIMEOUT_MS = 120_000;

const OPTIONS = {
  history_size: 100_000,
  history_ttl: "600s",
  presence: true,
  allow_recovery: true,
  force_recovery: true,
  allow_subscribe_for_client: true,
  allow_subscribe_for_anonymous: true,
};

let opened: AsyncDisposableStack | undefined;

afterEach(async () => {
  await opened?.disposeAsync();
  opened = undefined;
});

/** Two nodes on that Redis, with load on both. */
async function twoNodesUnderLoad(stack: AsyncDisposableStack, url: string) {
  const config = {
    engine: "redis",
    master_key: "00".repeat(32),
    redis: { url },
    channel: { namespaces: [{ name: "load", ...OPTIONS }] },
    streaming: { ...developmentFile().streaming, recovery_max_publication_limit: 100_000 },
  };
  const nodes = await Promise.all([spawnServer({ config }), spawnServer({ config })]);
  for (const node of nodes) stack.use(node);
  const load = stack.use(
    await loadCluster({ servers: nodes, channels: CHANNELS, witnessesEach: 2 }),
  );
  await load.more(LOAD);
  return { nodes, load };
}

async function isReady({ apiUrl }: ChildServer): Promise<boolean> {
  return (await fetch(`${apiUrl}/ready`)).ok;
}

function begin(): AsyncDisposableStack {
  opened = new AsyncDisposableStack();
  return opened;
}

describe("two nodes under load", () => {
  test(
    "a node is killed: its clients go on elsewhere, recover all, and its presence ends",
    async () => {
      const stack = begin();
      const redis = stack.use(await startRedis());
      const { nodes, load } = await twoNodesUnderLoad(stack, redis.url);
      const [first, second] = nodes;
      first.kill("SIGKILL");
      await first.exited;
      await load.more(LOAD);
      const findings = await load.finish();
      expect(findings.told).toBe(0);
      expect(findings.recovered).toBeGreaterThanOrEqual(CHANNELS.length * 2);
      await until("presence holds the living alone", async () => {
        const { result } = await second.api("presence_stats", { channel: CHANNELS[0] });
        return result?.["num_clients"] === 4;
      });
    },
    TIMEOUT_MS,
  );

  test(
    "Redis is stopped for a while: publishes fail, connections stay, and all goes on",
    async () => {
      const stack = begin();
      const redis = stack.use(await startRedis());
      const { nodes, load } = await twoNodesUnderLoad(stack, redis.url);
      redis.stop();
      for (const node of nodes) {
        await until("the node says that it is not ready", async () => !(await isReady(node)));
        for (let failure = 0; failure < FAILURES; failure++) {
          const { error } = await node.api("publish", { channel: "load:x", data: {} });
          expect(error).toEqual({ code: 100, message: "internal server error" });
        }
      }
      redis.cont();
      await load.more(LOAD);
      for (const node of nodes) expect(await isReady(node)).toBe(true);
      const findings = await load.finish();
      expect(findings.told).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    "Redis is killed and comes back empty: everyone is told",
    async () => {
      const stack = begin();
      const redis = stack.use(await startRedis());
      const { load } = await twoNodesUnderLoad(stack, redis.url);
      await redis.restart({ empty: true });
      await load.more(LOAD);
      const findings = await load.finish();
      expect(findings.told).toBe(CHANNELS.length * 4);
    },
    TIMEOUT_MS,
  );

  test(
    "FLUSHALL under live connections: everyone is told",
    async () => {
      const stack = begin();
      const redis = stack.use(await startRedis());
      const { load } = await twoNodesUnderLoad(stack, redis.url);
      await redis.command("FLUSHALL");
      await load.more(LOAD);
      const findings = await load.finish();
      expect(findings.told).toBe(CHANNELS.length * 4);
    },
    TIMEOUT_MS,
  );

  test.each(["SIGKILL", "SIGSTOP"] as const)(
    "the master gets %s and its replica takes over",
    async (signal) => {
      const stack = begin();
      const sentinels = stack.use(await startSentinels());
      const hosts = sentinels.sentinels.map(({ host, port }) => `${host}:${port}`).join(",");
      const url = `redis+sentinel://${hosts}/${sentinels.masterName}`;
      const { load } = await twoNodesUnderLoad(stack, url);
      const master = await sentinels.master();
      if (signal === "SIGKILL") await master.kill();
      else master.stop();
      await sentinels.failedOver(master);
      await load.more(LOAD);
      // A master that only slept comes back, and must not find anybody who still listens to it.
      if (signal === "SIGSTOP") master.cont();
      await load.more(LOAD);
      await load.finish();
    },
    TIMEOUT_MS,
  );
});
