/**
 * A Cluster as one shard. ioredis discovers the nodes and follows redirections; what a broken connection may have done it must not do
 * again, so its retries stay off but for those of calls that a node has refused.
 */
import { Cluster, type ClusterOptions, type Redis } from "ioredis";
import type { Runtime } from "../../../core/runtime.ts";
import { Calls } from "./calls.ts";
import { ClusterBus, ownersOf } from "./cluster-bus.ts";
import { nodeOptions } from "./cluster-node.ts";
import {
  checkInfo,
  dataIdentity,
  diagnose,
  RedisFailure,
  replyFailure,
  type ServerAddress,
} from "./diagnosis.ts";
import { readGeneration } from "./generation.ts";
import { CONNECT_TIMEOUT_MS, type Connection } from "./link.ts";
import { replyCode } from "./replies.ts";
import type { CommandClient, OwnedShard, ShardEvents } from "./contract.ts";
import { createShard } from "./shard.ts";
import type { ClusterSpec } from "./url.ts";

export interface ClusterShardOptions {
  readonly name: string;
  readonly spec: ClusterSpec;
  readonly ca: string | undefined;
  readonly runtime: Runtime;
  readonly prefix: string;
  readonly events: ShardEvents;
}

/** How often the nodes are asked who owns which slots, and whether they are what they were, milliseconds. */
const TOPOLOGY_INTERVAL_MS = 1_000;

export function createClusterShard(options: ClusterShardOptions): OwnedShard {
  const { name, spec, ca, runtime, prefix, events } = options;
  let generation = 0;
  /** What `generation` stands for. */
  let identity = "";
  const calls = new WeakMap<Redis, Calls>();

  async function learnGeneration(connection: Connection<ClusterClient>): Promise<void> {
    const { cluster } = connection.client;
    const masters = new Map(cluster.nodes("master").map((node) => [keyOf(node), node]));
    const identities = [...ownersOf(cluster)].map((owner) => {
      const node = masters.get(owner);
      if (node === undefined) throw new RedisFailure(`node ${owner} is away`);
      return identityOf(node, callsOf(node));
    });
    const found = (await Promise.all(identities)).sort().join(" ");
    if (found === identity) return;
    generation = await readGeneration(connection, prefix, found);
    identity = found;
  }

  /** ioredis waits without end for a node that hangs: asking each one now and then shows it. */
  function callsOf(node: Redis): Calls {
    let known = calls.get(node);
    if (known === undefined) {
      const bytesRead = () => node.stream?.bytesRead ?? 0;
      calls.set(node, (known = new Calls(runtime, () => node.disconnect(), bytesRead)));
    }
    return known;
  }

  /** Each node that comes back may have lost something, and one that hangs must not be waited for. */
  function lookLater(connection: Connection<ClusterClient>): void {
    const { cluster } = connection.client;
    const timer = runtime.timers.after(TOPOLOGY_INTERVAL_MS, () => {
      cluster.off("end", cancel);
      // A node that is away is asked again when it is back.
      learnGeneration(connection).catch(() => {});
      lookLater(connection);
    });
    const cancel = (): void => timer.cancel();
    cluster.once("end", cancel);
  }

  let bus: ClusterBus | undefined;
  return createShard<ClusterClient>({
    ...{ name, runtime, events },
    publishCommand: "SPUBLISH",
    generation: () => generation,
    open: () => openCluster(spec, ca),
    async prepare(connection) {
      await learnGeneration(connection);
      const { cluster } = connection.client;
      bus?.follow(cluster);
      // Others may own the slots now.
      cluster.on("refresh", () => bus?.follow(cluster));
      lookLater(connection);
    },
    createBus: (told) =>
      (bus = new ClusterBus({ spec, ca, runtime, onBug: events.onBug, ...told })),
  });
}

interface ClusterClient extends CommandClient {
  readonly cluster: Cluster;
}

async function openCluster(spec: ClusterSpec, ca: string | undefined): Promise<ClusterClient> {
  const cluster = new Cluster([...spec.seeds], clusterOptions(spec, ca));
  let nodeError: Error | undefined;
  cluster.on("node error", (error: Error) => (nodeError = error));
  cluster.on("error", () => {});
  try {
    await cluster.connect();
  } catch (error) {
    cluster.disconnect();
    throw await clusterFailure(spec, ca, nodeError ?? (error as Error));
  }
  return clusterClient(cluster);
}

function clusterOptions(spec: ClusterSpec, ca: string | undefined) {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    // It would wait without end for a node that hangs.
    enableReadyCheck: false,
    clusterRetryStrategy: () => null,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshInterval: TOPOLOGY_INTERVAL_MS,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    redisOptions: { ...nodeOptions(spec, ca), maxRetriesPerRequest: 0 },
  } satisfies ClusterOptions;
}

function clusterClient(cluster: Cluster): ClusterClient {
  const sources = new Set<string>();
  const load = (node: Redis, source: string) => node.call("SCRIPT", "LOAD", source);
  const client: ClusterClient = {
    cluster,
    get connected() {
      return cluster.status === "ready";
    },
    onclose: null,
    send: (command, args) => cluster.call(command, ...args.map(portable)),
    close: () => cluster.disconnect(),
    // Perhaps one node hangs, which shows by itself; the others are spared.
    silent() {},
    async load(source) {
      sources.add(source);
      await Promise.all(cluster.nodes("master").map((node) => load(node, source)));
    },
  };
  cluster.once("end", () => client.onclose?.(new Error("The Cluster is away")));
  cluster.on("+node", (node: Redis) => {
    if (node.options.readOnly === true) return;
    for (const source of sources) load(node, source).catch(() => {});
  });
  return client;
}

/** ioredis takes bytes as its own runtime's buffers only. */
function portable(arg: string | number | Uint8Array): string | number | Buffer {
  return arg instanceof Uint8Array ? Buffer.from(arg) : arg;
}

function keyOf({ options: { host, port } }: Redis): string {
  return `${host}:${port}`;
}

async function identityOf(node: Redis, calls: Calls): Promise<string> {
  const info = await calls.track(0, () => node.info());
  checkInfo(info, "cluster");
  return dataIdentity(info, (command, args) => node.call(command, ...args));
}

/** ioredis says too little where no node can be used. */
async function clusterFailure(
  spec: ClusterSpec,
  ca: string | undefined,
  error: Error,
): Promise<RedisFailure> {
  if (error.message.includes("cluster support disabled")) {
    return new RedisFailure(
      "it is not a Cluster, its URL begins with redis://",
      "redis_unsuitable",
    );
  }
  if (replyCode(error) !== "") return replyFailure(error.message);
  const failures = await Promise.all(
    spec.seeds.map((seed) => diagnose(seedAddress(spec, seed, ca))),
  );
  return failures.find(({ final }) => final) ?? failures[0] ?? new RedisFailure(error.message);
}

function seedAddress(
  { username, password, tls }: ClusterSpec,
  { host, port }: { readonly host: string; readonly port: number },
  ca: string | undefined,
): ServerAddress {
  const auth =
    password === "" ? "" : `${encodeURIComponent(username)}:${encodeURIComponent(password)}@`;
  const at = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { url: `${tls ? "rediss" : "redis"}://${auth}${at}`, name: at, ca };
}
