/** Who is in a channel now, in memory: with the process its connections are gone as well. */
import type { PresenceStore } from "../../core/engine.ts";
import type { ClientInfo } from "../../core/types.ts";
import { ChannelMap } from "./channel-map.ts";

/** `requireOpen` throws once the engine is closed. */
export function createPresence(requireOpen: () => void): PresenceStore {
  const channels = new ChannelMap<Map<string, ClientInfo>>();

  return {
    async put(channel, client) {
      requireOpen();
      const clients = channels.get(channel);
      if (clients === undefined) channels.set(channel, new Map([[client.connectionId, client]]));
      else clients.set(client.connectionId, client);
    },

    async remove(channel, connectionId) {
      requireOpen();
      const clients = channels.get(channel);
      if (clients?.delete(connectionId) && clients.size === 0) channels.delete(channel);
    },

    async list(channel) {
      requireOpen();
      return [...(channels.get(channel)?.values() ?? [])];
    },

    async stats(channel) {
      requireOpen();
      const clients = channels.get(channel);
      const users = new Set<string>();
      for (const { userId } of clients?.values() ?? []) users.add(userId);
      return { clients: clients?.size ?? 0, users: users.size };
    },
  };
}
