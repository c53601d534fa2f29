/** Bun's own client, for plain servers: several times as fast as any other on this runtime. It knows no Cluster and no sharded subscriptions. */
import { RedisClient } from "bun";
import { diagnose, type ServerAddress } from "./diagnosis.ts";
import { CONNECT_TIMEOUT_MS } from "./link.ts";
import type { BusClient, CommandClient } from "./contract.ts";

/** Rejects with `RedisFailure`, which says why. */
export async function openBunClient(address: ServerAddress): Promise<RedisClient> {
  const client = new RedisClient(address.url, {
    autoReconnect: false,
    enableOfflineQueue: false,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    ...(address.ca === undefined ? {} : { tls: { ca: address.ca } }),
  });
  try {
    await client.connect();
    return client;
  } catch {
    client.close();
    // The client does not say why.
    throw await diagnose(address);
  }
}

/** The same client as commands and as subscriptions need it. */
export function bunClient(client: RedisClient): CommandClient & BusClient {
  return {
    get connected() {
      return client.connected;
    },
    get onclose() {
      return client.onclose;
    },
    set onclose(onClose) {
      client.onclose = onClose;
    },
    send: (command, args) => client.send(command, args),
    close: () => client.close(),
    silent: () => client.close(),
    load: (source) => client.send("SCRIPT", ["LOAD", source]),
    async join(topics, dispatch) {
      await client.subscribe([...topics], dispatch);
    },
    async leave(topic) {
      await client.unsubscribe(topic);
    },
  };
}
