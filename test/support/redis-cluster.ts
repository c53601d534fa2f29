/** A Redis Cluster of three masters on loopback. */
import { busPortOf, startRedis, until, type RedisOptions, type RedisServer } from "./redis.ts";

export interface RedisCluster extends AsyncDisposable {
  /** In slot order, each with a third of the slots. */
  readonly nodes: readonly [RedisServer, RedisServer, RedisServer];
  /** Of all nodes, as the configuration takes them. */
  readonly urls: readonly string[];
  /** Moves a slot with its keys to another node, as a resharding does; resolves once all nodes know. */
  moveSlot(slot: number, to: RedisServer): Promise<void>;
  /** The master that every node holds for this slot's. */
  ownerOf(slot: number): Promise<RedisServer>;
}

const SLOTS = 16_384;

/** Resolves once every node finds the Cluster whole. */
export async function startRedisCluster(
  options: Omit<RedisOptions, "cluster" | "replicaOf"> = {},
): Promise<RedisCluster> {
  await using started = new AsyncDisposableStack();
  const start = async () => started.use(await startRedis({ ...options, cluster: true }));
  const [first, second, third] = await Promise.all([start(), start(), start()]);
  const nodes = [first, second, third] as const;
  for (const [at, node] of nodes.entries()) {
    const [from, to] = [at, at + 1].map((third_) => Math.floor((third_ * SLOTS) / nodes.length));
    await node.command("CLUSTER", "ADDSLOTSRANGE", String(from), String(to! - 1));
    await node.command("CLUSTER", "SET-CONFIG-EPOCH", String(at + 1));
  }
  for (const { host, port } of [second, third]) {
    await first.command("CLUSTER", "MEET", host, String(port), String(busPortOf(port)));
  }
  for (const node of nodes) {
    await until(`the Cluster is whole for ${node.port}`, async () => {
      const info = String(await node.command("CLUSTER", "INFO"));
      return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3");
    });
  }

  const idOf = async (node: RedisServer) => String(await node.command("CLUSTER", "MYID"));

  /** The port that one node holds for the slot's owner. */
  async function ownerPort(node: RedisServer, slot: number): Promise<number | undefined> {
    const ranges = (await node.command("CLUSTER", "SLOTS")) as [number, number, [string, number]][];
    return ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1];
  }

  async function ownerOf(slot: number): Promise<RedisServer> {
    const port = await ownerPort(first, slot);
    const owner = nodes.find((node) => node.port === port);
    if (owner === undefined) throw new Error(`Slot ${slot} has no owner`);
    return owner;
  }

  const owned = started.move();
  return {
    nodes,
    urls: nodes.map(({ url }) => url),
    ownerOf,
    async moveSlot(slot, to) {
      const from = await ownerOf(slot);
      const [fromId, toId] = [await idOf(from), await idOf(to)];
      await to.command("CLUSTER", "SETSLOT", String(slot), "IMPORTING", fromId);
      await from.command("CLUSTER", "SETSLOT", String(slot), "MIGRATING", toId);
      for (;;) {
        const keys = (await from.command(
          "CLUSTER",
          "GETKEYSINSLOT",
          String(slot),
          "100",
        )) as string[];
        if (keys.length === 0) break;
        const auth = to.password === undefined ? [] : ["AUTH", to.password];
        const target = [to.host, String(to.port), "", "0", "5000"];
        await from.command("MIGRATE", ...target, ...auth, "KEYS", ...keys);
      }
      for (const node of [to, ...nodes.filter((other) => other !== to)]) {
        await node.command("CLUSTER", "SETSLOT", String(slot), "NODE", toId);
      }
      for (const node of nodes) {
        await until(
          `${node.port} knows slot ${slot}'s new owner`,
          async () => (await ownerPort(node, slot)) === to.port,
        );
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
