/** What the parts of the Redis client ask of each other, and what the engine asks of them: shards, their scripts and topics. */

export type RedisArgument = string | number | Uint8Array;

/** A function is asked when the call is about to be sent, so that what its turn adds goes with it; it answers the same if asked again. */
export type LateArguments = readonly RedisArgument[] | (() => readonly RedisArgument[]);

export type OnMessage = (message: string) => void;

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
  run(script: RedisScript, keys: readonly string[], args: LateArguments): Promise<unknown>;
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

/** A shard as its owner holds it. */
export interface OwnedShard extends RedisShard {
  start(): Promise<void>;
  /** Why it is away; undefined while it is up. */
  readonly reason: string | undefined;
  /** To be called when other servers have taken over. */
  reconnect(): void;
  close(): Promise<void>;
}

/** What a shard tells its owner. */
export interface ShardEvents {
  /** Messages may have been missed; all subscriptions are there again, and commands are answered. */
  readonly onGap: () => void;
  /** Once for each reason that it is away for. */
  readonly onAway: (reason: string) => void;
  readonly onBack: () => void;
  /** What a topic's handler threw. */
  readonly onBug: (error: unknown) => void;
}

/** What a link needs of a client; Bun's has it. */
export interface LinkClient {
  readonly connected: boolean;
  /** Called once, when the connection has ended for whatever reason. */
  onclose: ((error: Error) => void) | null;
  send(command: string, args: string[]): Promise<unknown>;
  /** Rejects what is in flight. */
  close(): void;
  /** Nothing was heard for `SILENCE_MS` although something was asked. */
  silent(): void;
}

/** A client that runs commands and scripts. */
export interface CommandClient extends LinkClient {
  /** Gives the script to every server that a later call may reach, ahead of that call. */
  load(source: string): Promise<unknown>;
}

/** A client that can subscribe. */
export interface BusClient extends LinkClient {
  /** Resolves once the server has confirmed all. `dispatch` takes the messages from then on. */
  join(
    topics: readonly string[],
    dispatch: (message: string, topic: string) => void,
  ): Promise<void>;
  leave(topic: string): Promise<void>;
}

/** Where a shard's topics are. */
export interface ShardBus {
  start(): Promise<void>;
  /** Why it is away; undefined while it is up. */
  readonly reason: string | undefined;
  subscribe(topic: string, onMessage: OnMessage): Promise<void>;
  unsubscribe(topic: string): void;
  reconnect(): void;
  close(): Promise<void>;
}

/** What a bus tells its shard. */
export interface ToldByBus {
  readonly onUp: () => void;
  readonly onAway: (reason: string) => void;
  /** Messages may have been missed; what was subscribed is again. */
  readonly onGap: () => void;
}
