/** Puts a hub together: connections and their indexes, live channels, and the questions that nodes ask each other. */
import { HubConnection, type ConnectionHost } from "./connection.ts";
import { ConnectionIndex } from "./connection-index.ts";
import { createControl, type ControlHandlers } from "./control.ts";
import type { AppEngine } from "./engine.ts";
import { HubError, type Disconnect } from "./errors.ts";
import type { ChannelFilter, Encoder, Hub, NodeInfo, Subscriber, UserFilter } from "./hub.ts";
import { isDisconnect } from "./group.ts";
import {
  CONTROL_DEADLINE_MS,
  OWN_SPACE_META_TTL_MS,
  POSITION_CHECK_INTERVAL_MS,
} from "./limits.ts";
import { LiveChannel, type LiveChannelHost } from "./live-channel.ts";
import { joinableOptions, optionsOf, type ChannelOptions, type Namespaces } from "./namespaces.ts";
import { createPublishing } from "./publishing.ts";
import type { Runtime } from "./runtime.ts";
import { Slices } from "./slices.ts";
import { CHANNELS, type Channel, type Frame, type Push } from "./types.ts";

export interface HubOptions {
  readonly app: string;
  readonly namespaces: Namespaces;
  readonly engine: AppEngine;
  readonly runtime: Runtime;
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
  close(): void;
}

export function createHub({ app, namespaces, engine, runtime, onBug }: HubOptions): OwnedHub {
  const { clock, timers } = runtime;
  const connections = new ConnectionIndex((channel) => {
    const subscribed = find(channel)?.subscriptions() ?? [];
    return subscribed.map(({ subscriber }) => subscriber.connectionId);
  });
  const spaces = new Map<string, Map<string, LiveChannel>>();
  const startedMs = clock.monotonicMs();
  let liveChannels = 0;
  let subscriptions = 0;
  let closed = false;

  /** An unknown prefix is part of a free name here; streaming, to which it is an error, asks before it calls. */
  function optionsFor(channel: Channel): ChannelOptions | undefined {
    if (channel.space !== CHANNELS) return undefined;
    return optionsOf(namespaces, channel.name) ?? namespaces.withoutNamespace;
  }

  /** Outside the namespaces each publication says what is kept of it. Undefined: the channel keeps no history. */
  function metaTtlOf(channel: Channel): number | undefined {
    if (channel.space !== CHANNELS) return OWN_SPACE_META_TTL_MS;
    return optionsFor(channel)?.history?.metaTtlMs;
  }

  function find(channel: Channel): LiveChannel | undefined {
    return spaces.get(channel.space)?.get(channel.name);
  }

  const liveHost: LiveChannelHost = {
    app,
    broker: engine.broker,
    drop: ({ subscriber, channel }) => connections.get(subscriber.connectionId)?.drop(channel),
    disconnect: (subscription, reason) => subscription.subscriber.disconnect(reason),
    subscriptionOf: (connectionId, channel) => connections.get(connectionId)?.subscription(channel),
    onBug,
  };

  const connectionHost: ConnectionHost = {
    engine,
    optionsFor,
    metaTtlOf,
    find,
    acquire(channel) {
      let names = spaces.get(channel.space);
      if (names === undefined) spaces.set(channel.space, (names = new Map()));
      let live = names.get(channel.name);
      if (live === undefined) {
        names.set(channel.name, (live = new LiveChannel(liveHost, channel, metaTtlOf(channel))));
        liveChannels++;
      }
      live.users++;
      return live;
    },
    release(live) {
      if (--live.users > 0) return;
      const { channel } = live;
      const names = spaces.get(channel.space);
      names?.delete(channel.name);
      if (names?.size === 0) spaces.delete(channel.space);
      liveChannels--;
      engine.broker.unlisten(channel, live).catch(onBug);
    },
    label: (connection, label) => connections.label(connection, label),
    unlabel: (connection, label) => connections.unlabel(connection, label),
    forget: (connection) => connections.delete(connection),
    subscriptionsChanged(delta) {
      subscriptions += delta;
    },
    onBug,
  };

  const handlers: ControlHandlers = {
    push(target, push) {
      const frames = new Map<Encoder, Frame | Disconnect | undefined>();
      const direct: Push = { type: "direct", ...push };
      const found = connections.matching(target);
      for (const { subscriber } of found) deliver(subscriber, direct, frames);
      return found.length;
    },
    disconnect(target, reason, except) {
      const found = connections
        .matching(target)
        .filter(({ subscriber }) => !except.includes(subscriber.connectionId));
      for (const { subscriber } of found) subscriber.disconnect(reason);
      return found.length;
    },
    async signal(target, dialect, body) {
      const found = connections
        .matching(target)
        .filter(({ subscriber }) => subscriber.dialect === dialect);
      const concerned = await Promise.all(
        found.map(async ({ subscriber }) => subscriber.signal(body)),
      );
      return concerned.filter(Boolean).length;
    },
    channels: countChannels,
    users: findUsers,
    node: () => ({
      id: engine.control.nodeId,
      ...stats(),
      uptimeMs: clock.monotonicMs() - startedMs,
    }),
  };
  const control = createControl(engine.control, handlers, runtime);
  const { broker } = engine;
  const publishing = createPublishing({
    broker,
    optionsFor,
    channels: (filter) => control.channels(filter),
  });

  async function countChannels(
    { space = CHANNELS, dialect }: ChannelFilter,
    matches: (name: string) => boolean,
  ): Promise<[name: string, connections: number][]> {
    const joinable = (name: string): boolean =>
      dialect === undefined || joinableOptions(namespaces, name, dialect) !== undefined;
    // One that goes and comes again while it is walked is met twice.
    const found = new Map<string, number>();
    const names = spaces.get(space);
    await answering().each(names?.keys() ?? [], (name) => {
      // Some clients may join the channel without a name; nothing that lists names shows it.
      if (name === "" || !matches(name)) return;
      const size = names?.get(name)?.size ?? 0;
      if (size > 0 && joinable(name)) found.set(name, size);
    });
    return [...found];
  }

  async function findUsers({ channel }: UserFilter): Promise<readonly string[]> {
    const found = new Set<string>();
    if (channel === undefined) {
      await answering().each(connections.userIds(), (userId) => found.add(userId));
      return [...found];
    }
    await answering().each(find(channel)?.active() ?? [], ({ subscriber: { userId } }) => {
      if (userId !== "") found.add(userId);
    });
    return [...found];
  }

  /** A walk for a node that asked, which does not wait for ever. */
  function answering(): Slices {
    return new Slices(runtime, { deadlineMs: CONTROL_DEADLINE_MS });
  }

  function stats(): HubStats {
    return {
      connections: connections.size,
      users: connections.users,
      channels: liveChannels,
      subscriptions,
    };
  }

  /** Of a channel that must have a history. */
  function requireMetaTtl(channel: Channel): number {
    const metaTtlMs = metaTtlOf(channel);
    if (metaTtlMs === undefined)
      throw new HubError("not_available", "The channel keeps no history");
    return metaTtlMs;
  }

  function withPresence(channel: Channel): Channel {
    if (optionsFor(channel)?.presence !== true) {
      throw new HubError("not_available", "The channel keeps no presence");
    }
    return channel;
  }

  if (!engine.broker.lossless) checkPositions();

  /** A lost event with none behind it leaves no gap to see: the position tells. */
  function checkPositions(): void {
    timers.after(POSITION_CHECK_INTERVAL_MS, () => {
      if (closed) return;
      checkEach().then(checkPositions, (error: unknown) => {
        onBug(error);
        checkPositions();
      });
    });
  }

  async function checkEach(): Promise<void> {
    const all = [...spaces.values()].flatMap((names) => [...names.values()]);
    for (const live of all) await live.checkPosition();
  }

  return {
    app,
    namespaces,
    connect(subscriber) {
      const connection = new HubConnection(connectionHost, subscriber);
      connections.add(connection);
      return connection;
    },
    ...publishing,
    push: (target, push) => control.push(target, push),
    disconnect: (target, reason, options) =>
      control.disconnect(target, reason, options?.exceptConnections ?? []),
    signal: (target, dialect, body) => control.signal(target, dialect, body),
    async history(channel, { limit, since, reverse }) {
      const metaTtlMs = requireMetaTtl(channel);
      const query = {
        limit,
        ...(since === undefined ? {} : { sinceOffset: since.offset }),
        ...(reverse === undefined ? {} : { reverse }),
      };
      const page = await engine.broker.history(channel, query, metaTtlMs);
      if (since !== undefined && since.epoch !== "" && since.epoch !== page.position.epoch) {
        throw new HubError("unrecoverable_position", "The stream began anew since that position");
      }
      return page;
    },
    async removeHistory(channel) {
      requireMetaTtl(channel);
      await engine.broker.removeHistory(channel);
    },
    presence: async (channel) => engine.presence.list(withPresence(channel)),
    presenceStats: async (channel) => engine.presence.stats(withPresence(channel)),
    channels: (filter = {}) => control.channels(filter),
    users: (filter = {}) => control.users(filter),
    nodes: (): Promise<readonly NodeInfo[]> => control.nodes(),
    connectionsOf: (user) => connections.countOfUser(user),
    stats,
    async drain(spreadMs) {
      const all = connections.all();
      const startMs = clock.monotonicMs();
      for (const [index, { subscriber }] of all.entries()) {
        const dueMs = startMs + (spreadMs * index) / all.length;
        const waitMs = dueMs - clock.monotonicMs();
        if (waitMs > 0) await new Promise<void>((resolve) => timers.after(waitMs, resolve));
        subscriber.disconnect({ disconnect: "shutdown" });
      }
    },
    close() {
      closed = true;
    },
  };
}

function deliver(
  subscriber: Subscriber,
  push: Push,
  frames: Map<Encoder, Frame | Disconnect | undefined>,
): void {
  const { encoder } = subscriber;
  if (!frames.has(encoder)) frames.set(encoder, encoder.encode(push));
  const frame = frames.get(encoder);
  if (frame === undefined) return;
  if (isDisconnect(frame)) subscriber.disconnect(frame);
  else subscriber.send(frame, push);
}
