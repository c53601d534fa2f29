/** A shard put together: commands and scripts on one link, topics on a bus, and one word on whether both are there. */
import { createHash } from "node:crypto";
import { HubError } from "../../core/errors.ts";
import type { Runtime } from "../../core/runtime.ts";
import { Link, type Connection, type LinkClient } from "./client-link.ts";
import { replyCode, type RedisArgument } from "./client-replies.ts";
import type { OnMessage } from "./client-topics.ts";
import type { RedisScript, RedisShard } from "./servers.ts";

/** A client that runs commands and scripts. */
export interface CommandClient extends LinkClient {
  /** Gives the script to every server that a later call may reach, ahead of that call. */
  load(source: string): Promise<unknown>;
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

export interface ShardOptions<Client extends CommandClient> {
  readonly name: string;
  readonly publishCommand: "PUBLISH" | "SPUBLISH";
  readonly runtime: Runtime;
  readonly events: ShardEvents;
  readonly open: () => Promise<Client>;
  /** Checks the servers. Rejects with `RedisFailure`. */
  readonly prepare: (connection: Connection<Client>) => Promise<void>;
  readonly generation: () => number;
  readonly createBus: (told: ToldByBus) => ShardBus;
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

export function createShard<Client extends CommandClient>(
  options: ShardOptions<Client>,
): OwnedShard {
  const { name, publishCommand, runtime, events, open } = options;
  const digests = new Map<RedisScript, string>();
  /** Scripts that a connection's servers have, as far as they were told by that connection. */
  const loaded = new WeakMap<Connection, Set<RedisScript>>();
  let awayFor: string | undefined;
  let missed = false;
  let closing: Promise<void> | undefined;

  function onAway(reason: string): void {
    // Every connection comes to say so.
    if (reason !== awayFor) events.onAway(reason);
    awayFor = reason;
  }

  function onUp(): void {
    if (commands.reason !== undefined || bus.reason !== undefined) return;
    if (awayFor !== undefined) events.onBack();
    awayFor = undefined;
    if (missed) events.onGap();
    missed = false;
  }

  /** Held back until what was missed can be asked for. */
  function onGap(): void {
    missed = true;
    onUp();
  }

  const bus = options.createBus({ onUp, onAway, onGap });
  const commands = new Link({
    ...{ open, runtime, prepare: options.prepare, onUp, onAway },
    onLost() {},
  });

  function requireOpen(): void {
    if (closing !== undefined) throw new HubError("unavailable", "The engine is closed");
  }

  async function send(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    requireOpen();
    try {
      return await commands.connection.send(command, args);
    } catch (error) {
      // Not the master any more: look for it.
      if (error instanceof HubError && replyCode(error.cause) === "READONLY") commands.reconnect();
      throw error;
    }
  }

  function digestOf(script: RedisScript): string {
    let digest = digests.get(script);
    if (digest === undefined) {
      digest = createHash("sha1").update(script.source).digest("hex");
      digests.set(script, digest);
    }
    return digest;
  }

  /** Ahead of the script's first call on each connection, so that no call has to be repeated behind later ones. */
  function load(script: RedisScript): void {
    const { connection } = commands;
    let known = loaded.get(connection);
    if (known === undefined) loaded.set(connection, (known = new Set()));
    if (known.has(script)) return;
    known.add(script);
    const loading = connection.calls.track(script.source.length, () =>
      connection.client.load(script.source),
    );
    loading.catch(() => known.delete(script));
  }

  return {
    name,
    publishCommand,

    get generation() {
      return options.generation();
    },

    call: (command, key, ...args) => send(command, [key, ...args]),

    async run(script, keys, args) {
      requireOpen();
      load(script);
      const rest = [keys.length, ...keys, ...args];
      try {
        return await send("EVALSHA", [digestOf(script), ...rest]);
      } catch (error) {
        // Somebody flushed the server's scripts; nothing was done.
        if (replyCode(error) !== "NOSCRIPT") throw error;
        return send("EVAL", [script.source, ...rest]);
      }
    },

    async subscribe(topic, onMessage) {
      requireOpen();
      await bus.subscribe(topic, onMessage);
    },

    unsubscribe: (topic) => bus.unsubscribe(topic),

    async start() {
      await Promise.all([commands.start(), bus.start()]);
    },

    get reason() {
      return commands.reason ?? bus.reason;
    },

    reconnect() {
      commands.reconnect();
      bus.reconnect();
    },

    close() {
      closing ??= Promise.all([commands.close(), bus.close()]).then(() => {});
      return closing;
    },
  };
}
