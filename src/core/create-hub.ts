/** Puts a hub together: connections and their indexes, live channels, and the questions that nodes ask each other. */
import { ChannelTable } from "./channel-table.ts";
import { HubConnection } from "./connection.ts";
import { Claims } from "./claims.ts";
import { ConnectionIndex } from "./connection-index.ts";
import { createControl } from "./control.ts";
import { createAnswers } from "./control-answers.ts";
import type { AppEngine } from "./engine.ts";
import { HubError } from "./errors.ts";
import type { Hub, HubHistoryQuery } from "./hub.ts";
import { POSITION_CHECK_INTERVAL_MS, POSITION_CHECKS_AT_A_TIME } from "./limits.ts";
import { requireUnicode } from "./names.ts";
import type { Namespaces } from "./namespaces.ts";
import type { PublishTurns } from "./publish-turns.ts";
import { createPublishing } from "./publishing.ts";
import type { Runtime } from "./runtime.ts";
import type { Channel } from "./types.ts";

export interface HubOptions {
  readonly app: string;
  readonly namespaces: Namespaces;
  readonly engine: AppEngine;
  readonly runtime: Runtime;
  /** That the process's hubs share. Absent: there is no other app. */
  readonly turns?: PublishTurns | undefined;
  /** An exception that no caller awaits: logged, since it is a bug or an engine that went away. */
  readonly onBug: (error: unknown) => void;
}

export interface HubStats {
  readonly connections: number;
  readonly users: number;
  readonly channels: number;
  readonly subscriptions: number;
}

/** The hub as its owner holds it. */
export interface OwnedHub extends Hub {
  /** This node's. */
  stats(): HubStats;
  /** Ends this node's connections with `shutdown`, spread evenly over `spreadMs`. Resolves when each was told. */
  drain(spreadMs: number): Promise<void>;
  /** Resolves when what connections that closed before owe the engine, leaves and presence, was told or failed. */
  close(): Promise<void>;
}

export function createHub(options: HubOptions): OwnedHub {
  const { app, namespaces, runtime, turns, onBug } = options;
  const claims = new Claims();
  const broker = claims.readThrough(options.engine.broker);
  const { presence } = options.engine;
  const engine = { broker, presence };
  const connections = new ConnectionIndex<HubConnection>((channel) => {
    const subscribed = channels.find(channel)?.subscriptions() ?? [];
    return subscribed.map(({ subscriber }) => subscriber.connectionId);
  });
  const channels: ChannelTable = new ChannelTable(namespaces, {
    ...{ app, broker, onBug, timers: runtime.timers },
    findSubscription: (connectionId, channel) =>
      connections.get(connectionId)?.subscription(channel),
  });
  const leaving = new Set<Promise<unknown>>();
  const host = { engine, channels, connections, clock: runtime.clock, onBug, leaving };
  const stats = (): HubStats => ({
    connections: connections.size,
    users: connections.users,
    channels: channels.size,
    subscriptions: channels.subscriptions,
  });
  const { nodeId } = options.engine.control;
  const services = new Map<string, (request: unknown) => unknown>();
  const answers = createAnswers({
    ...{ connections, channels, namespaces, runtime, nodeId, stats, services },
  });
  const control = createControl(options.engine.control, answers, runtime);
  const checks = broker.lossless ? undefined : checkPositions({ channels, runtime, onBug });

  /** Of a channel that must have a history. */
  function requireMetaTtl(channel: Channel): number {
    const metaTtlMs = channels.metaTtlOf(channel);
    if (metaTtlMs === undefined)
      throw new HubError("not_available", "The channel keeps no history");
    return metaTtlMs;
  }

  function withPresence(channel: Channel): Channel {
    if (channels.optionsOf(channel)?.presence !== true) {
      throw new HubError("not_available", "The channel keeps no presence");
    }
    return channel;
  }

  async function history(channel: Channel, asked: HubHistoryQuery) {
    const { limit, since, reverse, revised = false } = asked;
    const metaTtlMs = requireMetaTtl(channel);
    const query = {
      limit,
      ...(since === undefined ? {} : { sinceOffset: since.offset }),
      ...(reverse === undefined ? {} : { reverse }),
    };
    const page = await broker.history(channel, query, metaTtlMs);
    if (since !== undefined && since.epoch !== "" && since.epoch !== page.position.epoch) {
      throw new HubError("unrecoverable_position", "The position is of an earlier stream");
    }
    return revised ? claims.revised(channel, page) : page;
  }

  async function drain(spreadMs: number): Promise<void> {
    const { clock, timers } = runtime;
    const all = connections.all();
    const startMs = clock.monotonicMs();
    for (const [index, { subscriber }] of all.entries()) {
      const waitMs = startMs + (spreadMs * index) / all.length - clock.monotonicMs();
      if (waitMs > 0) await new Promise<void>((resolve) => timers.after(waitMs, resolve));
      subscriber.disconnect({ disconnect: "shutdown" });
    }
  }

  return {
    app,
    namespaces,
    connect(subscriber) {
      requireUnicode(subscriber.userId, "user id");
      const connection = new HubConnection(host, subscriber);
      connections.add(connection);
      return connection;
    },
    ...createPublishing({
      ...{ broker, claims },
      optionsFor: (channel) => channels.optionsOf(channel),
      channels: (filter) => control.channels(filter),
      inTurn: (channel, publish) =>
        turns?.take(app, () => channels.find(channel), publish) ?? publish(),
    }),
    claim: (prefix, claim, revise) => claims.set(prefix, { claim, revise }),
    revise: (space, revise) => claims.setSpace(space, revise),
    note: async (channel, note) =>
      broker.announce(
        channel,
        { type: "note", note },
        { positioned: channels.metaTtlOf(channel) !== undefined },
      ),
    push: (target, push) => control.push(target, push),
    disconnect: (target, reason, options) =>
      control.disconnect(target, reason, options?.exceptConnections ?? []),
    signal: (target, dialect, body) => control.signal(target, dialect, body),
    history,
    async removeHistory(channel) {
      requireMetaTtl(channel);
      await broker.removeHistory(channel);
    },
    presence: async (channel) => presence.list(withPresence(channel)),
    presenceStats: async (channel) => presence.stats(withPresence(channel)),
    channels: (filter = {}) => control.channels(filter),
    users: (filter = {}) => control.users(filter),
    channelPage: (query) => control.channelPage(query),
    connectionPage: (query) => control.connectionPage(query),
    occupancy: (of) => control.occupancy(of),
    nodes: () => control.nodes(),
    nodeId,
    serve: (service, answer) => void services.set(service, answer),
    ask: (service, request, options = {}) => control.ask(service, request, options),
    connectionsOf: (user) => connections.countOfUser(user),
    stats,
    drain,
    async close() {
      checks?.close();
      await Promise.allSettled(leaving);
    },
  };
}

/** A lost event with none behind it leaves no gap to see: the position tells. */
function checkPositions({
  channels,
  runtime,
  onBug,
}: {
  readonly channels: ChannelTable;
} & Pick<HubOptions, "runtime" | "onBug">): { close(): void } {
  let timer = later();

  function later() {
    return runtime.timers.after(POSITION_CHECK_INTERVAL_MS, () => {
      checkEach()
        .catch(onBug)
        .finally(() => {
          if (!closed) timer = later();
        });
    });
  }

  async function checkEach(): Promise<void> {
    const all = channels.all();
    for (let first = 0; first < all.length; first += POSITION_CHECKS_AT_A_TIME) {
      const some = all.slice(first, first + POSITION_CHECKS_AT_A_TIME);
      const checked = await Promise.allSettled(some.map((live) => live.checkPosition()));
      for (const check of checked) if (check.status === "rejected") throw check.reason;
    }
  }

  let closed = false;
  return {
    close() {
      closed = true;
      timer.cancel();
    },
  };
}
