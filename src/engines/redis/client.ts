/**
 * One server, or the master that Sentinels name, as a shard: a connection for commands and one for subscriptions. Two,
 * since a server cuts a subscriber off whose answers pile up, and pages of history would count.
 */
import { createHash } from "node:crypto";
import type { RedisClient } from "bun";
import { HubError } from "../../core/errors.ts";
import type { Runtime, Timer } from "../../core/runtime.ts";
import { checkInfo, dataIdentity, replyFailure } from "./client-diagnosis.ts";
import { Link, type Connection } from "./client-link.ts";
import { replyCode, type RedisArgument } from "./client-replies.ts";
import { Topics, type TopicWire } from "./client-topics.ts";
import { readScript } from "./script-file.ts";
import type { RedisScript, RedisShard } from "./servers.ts";

export interface ServerShardOptions {
  readonly name: string;
  /** A connected client of the master. Rejects with `RedisFailure`. */
  readonly open: () => Promise<RedisClient>;
  readonly runtime: Runtime;
  readonly prefix: string;
  readonly onGap: () => void;
  /** Once for each reason that it is away for. */
  readonly onAway: (reason: string) => void;
  readonly onBack: () => void;
  /** What a topic's handler threw. */
  readonly onBug: (error: unknown) => void;
}

/** A shard as its owner holds it. */
export interface OwnedShard extends RedisShard {
  start(): Promise<void>;
  /** Why it is away; undefined while it is up. */
  readonly reason: string | undefined;
  /** To be called when another server has taken over. */
  reconnect(): void;
  close(): Promise<void>;
}

/** Between looks at the subscribing connection, which may be quiet for long and so would not show that it hangs. */
export const BUS_PING_INTERVAL_MS = 5_000;

export function createServerShard(options: ServerShardOptions): OwnedShard {
  const { name, open, runtime, onBug } = options;
  const topics = new Topics(onBug);
  const digests = new Map<RedisScript, string>();
  /** Scripts that a connection's server has, as far as it was told by that connection. */
  const loaded = new WeakMap<Connection, Set<RedisScript>>();
  let generation = 0;
  let interrupted = false;
  let awayFor: string | undefined;
  let closing: Promise<void> | undefined;
  let ping: Timer | undefined;

  function onAway(reason: string): void {
    // Both connections come to say so.
    if (reason !== awayFor) options.onAway(reason);
    awayFor = reason;
  }

  function onUp(): void {
    if (commands.reason !== undefined || bus.reason !== undefined) return;
    if (awayFor !== undefined) options.onBack();
    awayFor = undefined;
  }

  const commands = new Link({
    open,
    runtime,
    async prepare(connection) {
      const info = await check(connection);
      generation = await generationOf(connection, `${options.prefix}:{generation}`, info);
    },
    onUp,
    onAway,
  });
  const bus = new Link({
    open,
    runtime,
    async prepare(connection) {
      await check(connection);
      await topics.restore(wireOf(() => connection));
    },
    onUp() {
      onUp();
      if (interrupted) options.onGap();
      interrupted = true;
    },
    onAway(reason) {
      topics.lost();
      onAway(reason);
    },
  });
  const wire = wireOf(() => bus.connection);

  function wireOf(connection: () => Connection): TopicWire {
    return {
      async subscribe(names) {
        const { calls, client } = connection();
        await calls.track(0, () => client.subscribe([...names], topics.dispatch));
      },
      async unsubscribe(topic) {
        const { calls, client } = connection();
        await calls.track(0, () => client.unsubscribe(topic));
      },
    };
  }

  function pingLater(): void {
    ping = runtime.timers.after(BUS_PING_INTERVAL_MS, () => {
      // What comes of it is the connection's own business: silence ends it.
      if (bus.reason === undefined) bus.connection.send("PING", []).catch(() => {});
      pingLater();
    });
  }

  async function send(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    if (closing !== undefined) throw new HubError("unavailable", "The engine is closed");
    try {
      return await commands.connection.send(command, args);
    } catch (error) {
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
    connection.send("SCRIPT", ["LOAD", script.source]).catch(() => known.delete(script));
  }

  return {
    name,
    publishCommand: "PUBLISH",

    get generation() {
      return generation;
    },

    call: (command, key, ...args) => send(command, [key, ...args]),

    async run(script, keys, args) {
      if (closing === undefined) load(script);
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
      if (closing !== undefined) throw new HubError("unavailable", "The engine is closed");
      await topics.subscribe(topic, onMessage, wire);
    },

    unsubscribe: (topic) => topics.unsubscribe(topic, wire),

    async start() {
      await Promise.all([commands.start(), bus.start()]);
      if (closing === undefined) pingLater();
    },

    get reason() {
      return commands.reason ?? bus.reason;
    },

    reconnect() {
      commands.reconnect();
      bus.reconnect();
    },

    close() {
      ping?.cancel();
      closing ??= Promise.all([commands.close(), bus.close()]).then(() => {});
      return closing;
    },
  };
}

/** Rejects with `RedisFailure` when the server cannot serve the engine; otherwise its `INFO`. */
async function check(connection: Connection): Promise<string> {
  const info = await connection.send("INFO", []).catch((error: unknown) => {
    const { cause, message } = error as Error;
    throw replyFailure(cause instanceof Error ? cause.message : message);
  });
  checkInfo(String(info), "standalone");
  return String(info);
}

const GENERATION: RedisScript = { name: "generation", source: readScript("generation") };

async function generationOf(connection: Connection, key: string, info: string): Promise<number> {
  const reply = await connection.send("EVAL", [GENERATION.source, 1, key, dataIdentity(info)]);
  return Number(reply);
}
