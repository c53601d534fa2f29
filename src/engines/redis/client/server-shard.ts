/**
 * One server, or the master that Sentinels name, as a shard: a connection for commands and one for subscriptions. Two,
 * since a server cuts a subscriber off whose answers pile up, and pages of history would count.
 */
import type { RedisClient } from "bun";
import type { Runtime } from "../../../core/runtime.ts";
import { bunClient } from "./bun.ts";
import { TopicBus } from "./bus.ts";
import { checkInfo, dataIdentity, replyFailure } from "./diagnosis.ts";
import { readGeneration } from "./generation.ts";
import type { Connection } from "./link.ts";
import type { OwnedShard, ShardEvents } from "./contract.ts";
import { createShard } from "./shard.ts";

export interface ServerShardOptions {
  readonly name: string;
  /** A connected client of the master. Rejects with `RedisFailure`. */
  readonly open: () => Promise<RedisClient>;
  readonly runtime: Runtime;
  readonly prefix: string;
  readonly events: ShardEvents;
}

export function createServerShard(options: ServerShardOptions): OwnedShard {
  const { name, runtime, prefix, events } = options;
  let generation = 0;
  const open = async () => bunClient(await options.open());
  return createShard({
    ...{ name, runtime, events, open },
    publishCommand: "PUBLISH",
    generation: () => generation,
    async prepare(connection) {
      const info = await check(connection);
      const identity = await dataIdentity(info, (command, args) => connection.send(command, args));
      generation = await readGeneration(connection, prefix, identity);
    },
    createBus: ({ onUp, onAway, onGap }) =>
      new TopicBus({
        ...{ open, runtime, check, onAway, onBug: events.onBug },
        onUp: ({ first }) => (first ? onUp() : onGap()),
      }),
  });
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
