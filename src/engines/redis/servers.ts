/**
 * What the engine needs of its Redis or Valkey servers, whatever their shape: one server, several that names are
 * spread over, a master found by Sentinels, a Cluster. The clients behind it are imported by `client*.ts` alone.
 */
import type { Runtime } from "../../core/runtime.ts";
import { createServerShard } from "./client.ts";
import { openBunClient } from "./client-bun.ts";
import { createClusterShard } from "./client-cluster.ts";
import type { OwnedShard, ShardEvents } from "./client-shard.ts";
import type { RedisArgument } from "./client-replies.ts";
import { locateMaster, type MasterLocator } from "./servers-sentinel.ts";
import { parseUrls, type ServerSpec } from "./servers-url.ts";

export type { RedisArgument } from "./client-replies.ts";

/** A script of `scripts/`: its file says KEYS, ARGV and reply. Made once: shards know it by its identity. */
export interface RedisScript {
  readonly name: string;
  readonly source: string;
}

/** All that has one home: the one server, one of several, or the Cluster as a whole, which finds the node by the key. */
export interface RedisShard {
  /** For logs: address without credentials. */
  readonly name: string;
  /**
   * One command whose first argument is `key`, which tells a Cluster where it goes. Calls made in one turn go out in order as
   * one pipeline. Integers come as numbers, bulk strings as text, nulls as null. Throws HubError `unavailable` when the
   * server is away, cannot do it now, or goes away or silent before it answers: what it did is then unknown, and
   * nothing is sent twice. Throws Error for any other reply that is an error.
   */
  call(command: string, key: string, ...args: readonly RedisArgument[]): Promise<unknown>;
  /** Runs the script where its keys, which share a hash slot, lie; loads it where it is missing. Otherwise as `call`. */
  run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ): Promise<unknown>;
  /**
   * Resolves once the server has confirmed; rejects with HubError `unavailable` when it is away, and the topic is then not
   * subscribed. `topic` contains the hash tag of what is published with it, and is sharded where the servers are a
   * Cluster. One handler per topic, the last one given. Messages come synchronously, in the server's order. Restored
   * after each reconnect.
   */
  subscribe(topic: string, onMessage: (message: string) => void): Promise<void>;
  /** No message comes after the call. The server hears of it when it can. */
  unsubscribe(topic: string): void;
  /**
   * Grows whenever the server may have lost what it had confirmed: it was restarted without its log, or another took over. The
   * same on all nodes. Known once `start` has resolved.
   */
  readonly generation: number;
  /** `PUBLISH`, or in a Cluster `SPUBLISH`: what scripts need to know. */
  readonly publishCommand: "PUBLISH" | "SPUBLISH";
}

export interface RedisServers extends AsyncDisposable {
  readonly shards: readonly RedisShard[];
  /** Always the same for a name, on every node that was given the same servers in whatever order. */
  shardOf(name: string): RedisShard;
  /**
   * Called whenever messages of a shard's topics may have been missed, after its subscriptions were restored: a reconnect of the
   * subscribing connection, a failover, a changed Cluster.
   */
  onGap(listener: (shard: RedisShard) => void): void;
  /** Resolves when every shard has answered once; retries for as long as it takes. Rejects with one sentence that names the server for what no retry can mend. */
  start(): Promise<void>;
  /** Not ready while any shard is away. */
  health(): Promise<{ readonly ready: boolean; readonly reason?: string }>;
}

export interface RedisServersOptions {
  /** One URL, a list, or text with several between commas: `servers-url.ts` has the forms. A bad one rejects `start`. */
  readonly url: string | readonly string[];
  readonly runtime: Runtime;
  /** What the one key of the servers' own begins with. Default: `carillon`. */
  readonly prefix?: string;
  /** For TLS: certificates to trust in place of the usual ones, PEM. */
  readonly ca?: string | undefined;
  /** One sentence each time a server goes away, for each new reason, and when it is back; it holds no credentials. */
  readonly onEvent?: (event: RedisServerEvent) => void;
  /** What a topic's handler threw. */
  readonly onBug: (error: unknown) => void;
}

export interface RedisServerEvent {
  readonly state: "away" | "back";
  readonly message: string;
}

/** Throws `RedisFailure` for a URL that is none. */
export function createRedisServers(options: RedisServersOptions): RedisServers {
  const { runtime, onBug, ca, prefix = "carillon" } = options;
  const gapListeners: ((shard: RedisShard) => void)[] = [];
  const locators: MasterLocator[] = [];
  const shards = parseUrls(options.url).map(createShard);
  const seeds = shards.map(({ name }) => Bun.hash.xxHash32(name));

  function createShard(spec: ServerSpec): OwnedShard {
    const { name } = spec;
    const at = `Redis at ${name}`;
    const events: ShardEvents = {
      onBug,
      onGap() {
        for (const listener of gapListeners) listener(shard);
      },
      onAway: (reason) => options.onEvent?.({ state: "away", message: `${at} is away: ${reason}` }),
      onBack: () => options.onEvent?.({ state: "back", message: `${at} is back` }),
    };
    const shared = { name, runtime, prefix, events };
    const shard: OwnedShard =
      spec.kind === "cluster"
        ? createClusterShard({ ...shared, spec, ca })
        : createServerShard({ ...shared, open: opener(spec, () => shard.reconnect()) });
    return shard;
  }

  function opener(spec: Exclude<ServerSpec, { kind: "cluster" }>, onSwitch: () => void) {
    if (spec.kind === "server") return () => openBunClient({ ...spec, ca });
    const locator = locateMaster(spec, { runtime, onSwitch, onBug });
    locators.push(locator);
    return async () => openBunClient({ ...(await locator.locate()), ca });
  }

  async function close(): Promise<void> {
    await Promise.all(shards.map((shard) => shard.close()));
    await Promise.all(locators.map((locator) => locator.close()));
  }

  return {
    shards,

    /** Rendezvous hashing: a server more or less moves only the names that are, or were, its own. */
    shardOf(name) {
      let [best] = shards;
      let most = -1;
      for (const [index, shard] of shards.entries()) {
        const weight = shards.length === 1 ? 0 : Bun.hash.xxHash32(name, seeds[index]);
        if (weight > most) [best, most] = [shard, weight];
      }
      if (best === undefined) throw new Error("There is no server");
      return best;
    },

    onGap: (listener) => void gapListeners.push(listener),

    async start() {
      const starting = shards.map((shard) =>
        shard.start().catch((error: Error) => {
          throw new Error(`Cannot use Redis at ${shard.name}: ${error.message}`, { cause: error });
        }),
      );
      try {
        await Promise.all(starting);
      } catch (error) {
        await close();
        throw error;
      }
    },

    async health() {
      const away = shards.find(({ reason }) => reason !== undefined);
      if (away === undefined) return { ready: true };
      return { ready: false, reason: `Redis at ${away.name} is away: ${away.reason}` };
    },

    [Symbol.asyncDispose]: close,
  };
}
