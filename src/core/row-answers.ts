/** A node's part of the hub's pages: its channels and connections, walked in slices, and as many rows as were asked for. */
import type { ChannelTable } from "./channel-table.ts";
import type { HubConnection } from "./connection.ts";
import type { ConnectionIndex } from "./connection-index.ts";
import type { ControlHandlers } from "./control.ts";
import type { ChannelFilter } from "./hub.ts";
import { NAMES_BETWEEN_LOOKS, ROW_CHANNELS_MAX } from "./limits.ts";
import type { LiveChannel } from "./live-channel.ts";
import { isReachable, type Namespaces } from "./namespaces.ts";
import {
  FirstRows,
  sumOf,
  type ChannelRow,
  type ConnectionFilter,
  type ConnectionRow,
  type Occupancy,
} from "./pages.ts";
import type { Slices } from "./slices.ts";
import { CHANNELS, type Channel } from "./types.ts";

export interface RowAnswersOptions {
  readonly connections: ConnectionIndex<HubConnection>;
  readonly channels: ChannelTable;
  readonly namespaces: Namespaces;
  readonly nodeId: string;
}

export function createRowAnswers(
  { connections, channels, namespaces, nodeId }: RowAnswersOptions,
  answering: () => Slices,
): Pick<ControlHandlers, "channelRows" | "connectionRows" | "occupancyOf" | "occupancy"> {
  /** Those that lists show: with a name, and with somebody in them. */
  function walk(
    { space = CHANNELS, reach = "all", pattern }: ChannelFilter,
    matches: (name: string) => boolean,
    visit: (name: string, live: LiveChannel) => void,
  ): Promise<void> {
    const all = channels.inSpace(space);
    const visitName = (name: string): void => {
      if (name === "" || !matches(name)) return;
      const live = all.get(name);
      if (live === undefined || live.size === 0) return;
      if (isReachable(namespaces, name, reach)) visit(name, live);
    };
    return answering().each(all.keys(), visitName, looksOf(pattern));
  }

  return {
    async channelRows({ limit, after, ...filter }, matches) {
      const page = after === undefined ? { limit } : { limit, after };
      const first = new FirstRows<ChannelRow>(page, ({ name }) => name);
      await walk(
        filter,
        (name) => first.wants(name) && matches(name),
        (name, { occupancy }) => first.add({ name, connections: occupancy }),
      );
      return first.take();
    },

    async connectionRows({ limit, after, ...filter }) {
      const page = after === undefined ? { limit } : { limit, after };
      const first = new FirstRows<ConnectionRow>(page, ({ id }) => id);
      await answering().each(candidates(filter), (connection) => {
        const { connectionId } = connection.subscriber;
        if (!first.wants(connectionId) || !fits(connection, filter)) return;
        first.add(rowOf(connection, nodeId));
      });
      return first.take();
    },

    occupancyOf: (channel) => channels.find(channel)?.occupancy ?? {},

    async occupancy(filter, matches) {
      const counted = new Set<string>();
      let sum: Occupancy = {};
      await walk(filter, matches, (name, live) => {
        if (counted.has(name)) return;
        counted.add(name);
        sum = sumOf([sum, live.occupancy]);
      });
      return sum;
    },
  };

  /** As few as an index has, none left out. */
  function candidates({ user = "", channel }: ConnectionFilter): Iterable<HubConnection> {
    if (user !== "") return connections.matching({ user });
    return channel === undefined ? connections.each() : subscribedTo(channel);
  }

  function* subscribedTo(channel: Channel): Iterable<HubConnection> {
    for (const { subscriber } of channels.find(channel)?.active() ?? []) {
      const connection = connections.get(subscriber.connectionId);
      if (connection !== undefined) yield connection;
    }
  }
}

/** How often a walk over names looks at the clock: a pattern may be dear on any one. */
export function looksOf(pattern: string | undefined): { readonly betweenLooks: number } {
  return { betweenLooks: pattern === undefined ? NAMES_BETWEEN_LOOKS : 1 };
}

function fits(connection: HubConnection, filter: ConnectionFilter): boolean {
  const { user, userPrefix = "", dialect, channel } = filter;
  const { subscriber } = connection;
  return (
    (user === undefined || user === subscriber.userId) &&
    subscriber.userId.startsWith(userPrefix) &&
    (dialect === undefined || dialect === subscriber.dialect) &&
    (channel === undefined || connection.subscription(channel)?.active === true)
  );
}

function rowOf(connection: HubConnection, node: string): ConnectionRow {
  const { subscriber, connectedMs, subscriptionCount } = connection;
  const shown: Channel[] = [];
  for (const { channel } of connection.subscriptions()) {
    if (shown.push(channel) === ROW_CHANNELS_MAX) break;
  }
  return {
    ...{ id: subscriber.connectionId, node, dialect: subscriber.dialect, user: subscriber.userId },
    ...{
      connectedMs,
      unsentBytes: subscriber.unsentBytes,
      subscriptions: subscriptionCount,
      channels: shown,
    },
  };
}
