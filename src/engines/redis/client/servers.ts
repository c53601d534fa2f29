/**
 * What the engine needs of its Redis or Valkey servers, whatever their shape: one server, several that names are
 * spread over, a master found by Sentinels, a Cluster. The clients behind it are imported by `client*.ts` alone.
 */
import type { Runtime } from "../../../core/runtime.ts";
import { StartError } from "../../../core/start-error.ts";
import { createServerShard } from "./server-shard.ts";
import { openBunClient } from "./bun.ts";
import { createClusterShard } from "./cluster.ts";
import type { OwnedShard, RedisServers, RedisShard, ShardEvents } from "./contract.ts";
import { locateMaster, type MasterLocator } from "./sentinel.ts";
import { parseUrls, type ServerSpec } from "./url.ts";

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

/** Throws `RedisFailure` for an invalid URL. */
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
      if (best !== undefined && shards.length === 1) return best;
      let most = -1;
      for (const [index, shard] of shards.entries()) {
        const weight = Bun.hash.xxHash32(name, seeds[index]);
        if (weight > most) [best, most] = [shard, weight];
      }
      if (best === undefined) throw new Error("No Redis server is known");
      return best;
    },

    onGap: (listener) => void gapListeners.push(listener),

    async start() {
      const starting = shards.map((shard) =>
        shard.start().catch((cause: Error) => {
          const word = cause instanceof StartError ? cause.word : "redis_unreachable";
          const message = `Cannot use Redis at ${shard.name}: ${cause.message}`;
          throw new StartError(word, message, { cause });
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
