/** A shard put together: commands and scripts on one link, topics on a bus, and one word on whether both are there. */
import { createHash } from "node:crypto";
import { HubError } from "../../../core/errors.ts";
import type { Runtime } from "../../../core/runtime.ts";
import { Link, type Connection } from "./link.ts";
import { replyCode } from "./replies.ts";
import type {
  CommandClient,
  LateArguments,
  OwnedShard,
  RedisScript,
  ShardBus,
  ShardEvents,
  ToldByBus,
} from "./contract.ts";

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

  function digestOf(script: RedisScript): string {
    let digest = digests.get(script);
    if (digest === undefined) {
      digest = createHash("sha1").update(script.source).digest("hex");
      digests.set(script, digest);
    }
    return digest;
  }

  /** Ahead of the script's first call on each connection, so that no call has to be repeated behind later ones. */
  function load(connection: Connection<Client>, script: RedisScript): void {
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

    call(command, key, ...args) {
      try {
        requireOpen();
        return commands.connection.send(command, [key, ...args]);
      } catch (error) {
        return Promise.reject(error as HubError);
      }
    },

    run(script, keys, args) {
      try {
        requireOpen();
        const { connection } = commands;
        load(connection, script);
        const behind = (given: string): LateArguments => {
          const first = [given, `${keys.length}`, ...keys];
          return typeof args === "function" ? () => [...first, ...args()] : [...first, ...args];
        };
        return connection.send("EVALSHA", behind(digestOf(script)), (error) => {
          // Somebody flushed the server's scripts; nothing was done.
          if (replyCode(error) === "NOSCRIPT")
            return connection.send("EVAL", behind(script.source));
          return connection.failed(error);
        });
      } catch (error) {
        return Promise.reject(error as HubError);
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
