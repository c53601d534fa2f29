/**
 * What the engine needs of its Redis or Valkey servers, whatever their shape: one server, several that names are
 * spread over, a master found by Sentinels, a Cluster. The clients behind it are imported by no other file.
 */

/** A script of `scripts/`: its file says KEYS, ARGV and reply. */
export interface RedisScript {
  readonly name: string;
  readonly source: string;
}

export type RedisArgument = string | number | Uint8Array;

/** All that has one home: the one server, one of several, or the Cluster as a whole, which finds the node by the key. */
export interface RedisShard {
  /** For logs: address without credentials. */
  readonly name: string;
  /**
   * One command; `key` tells a Cluster where it goes. Calls made in one turn go out in order as one pipeline. Integers come as
   * numbers, bulk strings as text, nulls as null. Throws HubError `unavailable` when the server is away or does
   * not answer in time (what it did is then unknown), and Error for a reply that is an error.
   */
  call(command: string, key: string, ...args: readonly RedisArgument[]): Promise<unknown>;
  /** Runs the script where its keys, which share a hash slot, lie; loads it where it is missing. Otherwise as `call`. */
  run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ): Promise<unknown>;
  /**
   * Resolves once the server has confirmed. `topic` contains the hash tag of what is published with it, and is sharded where
   * the servers are a Cluster. One handler per topic. Messages come synchronously, in the server's order. Restored after each reconnect.
   */
  subscribe(topic: string, onMessage: (message: string) => void): Promise<void>;
  /** No message comes after the call. */
  unsubscribe(topic: string): Promise<void>;
  /** `PUBLISH`, or in a Cluster `SPUBLISH`: what scripts need to know. */
  readonly publishCommand: "PUBLISH" | "SPUBLISH";
}

export interface RedisServers extends AsyncDisposable {
  readonly shards: readonly RedisShard[];
  /** Always the same for a name, on every node that was given the same servers. */
  shardOf(name: string): RedisShard;
  /**
   * Called whenever messages of a shard's topics may have been missed, after its subscriptions were restored: a reconnect of the
   * subscribing connection, a failover, a changed Cluster.
   */
  onGap(listener: (shard: RedisShard) => void): void;
  /** Resolves when every shard has answered once; retries for as long as it takes, one log line per reason. Rejects, naming the cause, for what no retry can mend. */
  start(): Promise<void>;
  health(): Promise<{ readonly ready: boolean; readonly reason?: string }>;
}
