/**
 * Availability of subscribers, over all nodes (messaging.md §5.1). Each connection has an entry in the engine's presence store; others
 * see a subscriber by its entries. Presence is live state: it ends with its connections and their nodes.
 */
import type { AppEngine } from "../../core/engine.ts";
import { jsonOf } from "../../core/json-text.ts";
import type { Runtime, Timer } from "../../core/runtime.ts";
import type { Channel } from "../../core/types.ts";
import type { Availability, JsonObject } from "./client-messages.ts";

/** One connection's announcement. */
export interface Announcement {
  readonly availability: Availability;
  readonly status: string;
  readonly attributes: JsonObject;
}

/** A subscriber as others see it: offline and invisible look alike. */
export interface PublicState extends Announcement {
  readonly id: string;
}

/** The content of a connection's entry. */
interface Entry {
  readonly openedMs: number;
  /** Absent: it has announced nothing, or has taken it back. */
  readonly announced?: Announcement & { readonly atMs: number };
  /** It is closed, and is seen for a little longer. */
  readonly closed?: boolean;
}

export interface PresenceOptions {
  readonly engine: Pick<AppEngine, "presence" | "records">;
  readonly runtime: Runtime;
  /** How long a closed connection still counts as present, milliseconds. */
  readonly lingerMs: number;
  /** A subscriber looks different to others now; its next change waits for the answer. */
  readonly onChange: (state: PublicState) => Promise<void>;
  /** Of work that nothing waits for. */
  readonly onError: (error: unknown) => void;
}

export interface Presence {
  /** Of the subscriber's open connections, over all nodes, the new one included. */
  open(connection: OpenConnection): Promise<{
    readonly count: number;
    /** None was opened before it. */
    readonly first: boolean;
  }>;
  /** Undefined: takes the connection's announcement back. */
  announce(connection: OpenConnection, announcement: Announcement | undefined): Promise<void>;
  /** `linger: false`: its announcement ends at once. */
  leave(connection: OpenConnection, options?: { readonly linger?: boolean }): Promise<void>;
  stateOf(subscriber: string): Promise<PublicState>;
  /** Withdraws lingering announcements, and waits for changes under way. */
  close(): Promise<void>;
}

export interface OpenConnection {
  readonly subscriber: string;
  readonly connectionId: string;
}

/** How often a change is looked at again, since another node's may have come between: more of them are that node's to tell. */
const LOOKS_MAX = 5;

export function createPresence(options: PresenceOptions): Presence {
  const { runtime, lingerMs, onChange, onError } = options;
  const { presence, records } = options.engine;
  /** By connection, on this node. */
  const entries = new Map<string, Entry>();
  const lingering = new Map<string, { readonly timer: Timer; readonly end: () => Promise<void> }>();
  /** By subscriber: settles when its changes so far are told. */
  const changing = new Map<string, Promise<void>>();
  const { clock } = runtime;

  /** Behind all that the subscriber's connections announced, whatever the clocks of their nodes say. */
  async function nextMs(subscriber: string): Promise<number> {
    const times = (await listed(subscriber)).map(({ announced }) => announced?.atMs ?? 0);
    return Math.max(clock.epochMs(), Math.max(0, ...times) + 1);
  }

  async function put({ subscriber, connectionId }: OpenConnection, entry: Entry): Promise<void> {
    entries.set(connectionId, entry);
    const info = { json: jsonOf(entry) };
    await presence.put(channelOf(subscriber), { connectionId, userId: subscriber, info });
  }

  async function listed(subscriber: string): Promise<readonly (Entry & { id: string })[]> {
    const clients = await presence.list(channelOf(subscriber));
    return clients.flatMap(({ connectionId: id, info }) =>
      info !== undefined && "json" in info ? [{ ...(JSON.parse(info.json) as Entry), id }] : [],
    );
  }

  async function stateOf(id: string): Promise<PublicState> {
    const seen = (await listed(id))
      .filter(({ announced }) => announced !== undefined && announced.availability !== "invisible")
      .sort((a, b) => (b.announced?.atMs ?? 0) - (a.announced?.atMs ?? 0) || compare(b.id, a.id));
    const { availability, status, attributes } = seen[0]?.announced ?? {};
    if (availability !== undefined && status !== undefined && attributes !== undefined) {
      return { id, status, availability, attributes };
    }
    const lastPublic = (await records.get(keyOf(id)))?.value ?? "{}";
    const kept = JSON.parse(lastPublic) as JsonObject;
    return { id, status: "", availability: "invisible", attributes: kept };
  }

  /** One change of a subscriber after the other; its look to others is compared before and after. */
  function change(subscriber: string, make: () => Promise<void>): Promise<void> {
    const before = changing.get(subscriber) ?? Promise.resolve();
    const made = before.then(async () => {
      let told = await stateOf(subscriber);
      await make();
      for (let look = 0; look < LOOKS_MAX; look++) {
        const now = await stateOf(subscriber);
        if (JSON.stringify(now) === JSON.stringify(told)) return;
        await keepAttributes(now);
        await onChange(now);
        told = now;
      }
    });
    const settled = made
      .catch(() => {})
      .then(() => {
        if (changing.get(subscriber) === settled) changing.delete(subscriber);
      });
    changing.set(subscriber, settled);
    return made;
  }

  /** While it is visible, so that they are there when it is not. */
  async function keepAttributes({ id, availability, attributes }: PublicState): Promise<void> {
    if (availability === "invisible") return;
    const text = JSON.stringify(attributes);
    const kept = await records.get(keyOf(id));
    if ((kept?.value ?? "{}") !== text) await records.put(keyOf(id), text);
  }

  function withdraw({ subscriber, connectionId }: OpenConnection): Promise<void> {
    const remove = () => presence.remove(channelOf(subscriber), connectionId);
    const announced = entries.get(connectionId)?.announced;
    entries.delete(connectionId);
    return announced === undefined ? remove() : change(subscriber, remove);
  }

  return {
    stateOf,
    async open(connection) {
      const openList = async () =>
        (await listed(connection.subscriber)).filter(({ closed }) => closed !== true);
      // Behind those that are there, whatever the clocks of their nodes say.
      const times = (await openList()).map(({ openedMs }) => openedMs);
      await put(connection, { openedMs: Math.max(clock.epochMs(), Math.max(0, ...times) + 1) });
      const open = await openList();
      open.sort((a, b) => a.openedMs - b.openedMs || compare(a.id, b.id));
      return { count: open.length, first: open[0]?.id === connection.connectionId };
    },
    announce: (connection, announcement) =>
      change(connection.subscriber, async () => {
        const { subscriber, connectionId } = connection;
        const { openedMs } = entries.get(connectionId) ?? { openedMs: clock.epochMs() };
        const announced = announcement && { ...announcement, atMs: await nextMs(subscriber) };
        await put(connection, announced === undefined ? { openedMs } : { openedMs, announced });
      }),
    async leave(connection, { linger = true } = {}) {
      const { subscriber, connectionId } = connection;
      await changing.get(subscriber);
      const entry = entries.get(connectionId);
      if (entry === undefined) return;
      if (!linger || lingerMs === 0 || entry.announced === undefined) return withdraw(connection);
      const end = async () => {
        lingering.delete(connectionId);
        await withdraw(connection);
      };
      const timer = runtime.timers.after(lingerMs, () => void end().catch(onError));
      lingering.set(connectionId, { timer, end });
      await put(connection, { ...entry, closed: true });
    },
    async close() {
      const left = [...lingering.values()].map(({ timer, end }) => {
        timer.cancel();
        return end();
      });
      await Promise.allSettled([...left, ...changing.values()]);
    },
  };
}

function channelOf(subscriber: string): Channel {
  return { space: "messaging-presence", name: subscriber };
}

/** The attributes as they were last public. */
const keyOf = (subscriber: string) => `messaging-public:${subscriber}`;

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
