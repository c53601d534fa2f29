/** A connection to one node of a Cluster for its sharded subscriptions, which Bun's client does not have. */
import { Redis, type RedisOptions } from "ioredis";
import type { Runtime } from "../../../core/runtime.ts";
import type { BusClient } from "./contract.ts";
import { RedisFailure } from "./diagnosis.ts";
import { CONNECT_TIMEOUT_MS } from "./link.ts";
import type { ClusterSpec } from "./url.ts";

/** How long a node that is given up gets to close the connection from its side, milliseconds. */
const DISCONNECT_TIMEOUT_MS = 50;

/** For every connection to a node. */
export function nodeOptions(spec: ClusterSpec, ca: string | undefined) {
  const { username, password, tls } = spec;
  return {
    ...(password === "" ? {} : { username: username || "default", password }),
    ...(tls ? { tls: ca === undefined ? {} : { ca } } : {}),
    connectTimeout: CONNECT_TIMEOUT_MS,
    // What is in flight fails only then.
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  } satisfies RedisOptions;
}

/** `node` as ioredis names it: `host:port`. Rejects with `RedisFailure`. */
export async function openNode(
  node: string,
  spec: ClusterSpec,
  { ca, runtime }: { readonly ca: string | undefined; readonly runtime: Runtime },
): Promise<BusClient> {
  const colon = node.lastIndexOf(":");
  const redis = new Redis({
    ...nodeOptions(spec, ca),
    host: node.slice(0, colon),
    port: Number(node.slice(colon + 1)),
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
  });
  let reason = "it closed the connection";
  redis.on("error", (error: Error) => (reason = error.message));
  // Its own limit ends with the TCP connection, which a server that hangs still accepts.
  const limit = runtime.timers.after(CONNECT_TIMEOUT_MS, () => {
    reason = `no answer within ${CONNECT_TIMEOUT_MS} ms`;
    redis.disconnect();
  });
  try {
    await redis.connect();
  } catch {
    throw new RedisFailure(reason);
  } finally {
    limit.cancel();
  }
  return busClient(redis);
}

function busClient(redis: Redis): BusClient {
  let dispatch: ((message: string, topic: string) => void) | undefined;
  const client: BusClient = {
    get connected() {
      return redis.status === "ready";
    },
    onclose: null,
    send: (command, args) => redis.call(command, ...args),
    close: () => redis.disconnect(),
    silent: () => redis.disconnect(),
    async join(topics, next) {
      dispatch = next;
      // One by one: a command for several slots would be refused.
      await Promise.all(topics.map((topic) => redis.ssubscribe(topic)));
    },
    async leave(topic) {
      await redis.sunsubscribe(topic);
    },
  };
  redis.on("smessage", (topic: string, message: string) => dispatch?.(message, topic));
  redis.once("end", () => client.onclose?.(new Error("The connection was lost")));
  return client;
}
