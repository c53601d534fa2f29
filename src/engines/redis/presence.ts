/**
 * Who is in a channel. Each node's entries hang on its lease: once that has ended they count no more, and whoever meets
 * them throws them away, as does each node in its channels. What this node has put it also remembers, and puts again
 * when a server has lost it.
 */
import type { PresenceStore } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import { clientFrom, clientText } from "../../core/payload.ts";
import { Slices } from "../../core/slices.ts";
import type { Channel, ClientInfo } from "../../core/types.ts";
import type { RedisContext } from "./context.ts";
import { home } from "./keys.ts";
import type { Nodes } from "./nodes.ts";
import { OwnEntries, type Entry, type Owed } from "./presence-entries.ts";
import { readScript } from "./script-file.ts";
import type { RedisScript, RedisShard } from "./client/contract.ts";

/** How long entries of nodes that are gone stay in channels at which nobody looks, milliseconds. */
export const ENTRIES_KEPT_MS = 3 * 3_600_000;
/** Entries that one call throws away: keeps the server free for others. */
const PURGE_ENTRIES_MAX = 1_000;

const USERS = readScript("users");
const PUT: RedisScript = { name: "presence-put", source: USERS + readScript("presence-put") };
const REMOVE: RedisScript = {
  name: "presence-remove",
  source: USERS + readScript("presence-remove"),
};
const PURGE: RedisScript = { name: "presence-purge", source: USERS + readScript("presence-purge") };

/** All apps' presence on this node. */
export class Presence {
  readonly #context: RedisContext;
  readonly #nodes: () => Nodes;
  readonly #own = new OwnEntries();

  constructor(context: RedisContext, nodes: () => Nodes) {
    this.#context = context;
    this.#nodes = nodes;
    context.servers.onGap((shard) => this.putAgain(shard));
  }

  /** The shard may have lost entries: puts this node's again, in the background. */
  putAgain(shard: RedisShard): void {
    this.#putAll(shard).catch(this.#context.onBug);
  }

  /** Behind a heartbeat: removes what could not be removed when it should, renews a part of what is there, and clears up beside it. */
  tend(shard: RedisShard): void {
    for (const owed of this.#own.takeOwed(shard)) {
      this.#remove(shard, owed).catch(() => this.#own.owe(shard, owed));
    }
    const due = this.#own.nextToRenew(shard);
    this.#putEach(shard, due).catch(this.#context.onBug);
    for (const base of new Set(due.map((entry) => entry.base))) {
      this.#clear(shard, base).catch(this.#unlessAway);
    }
  }

  store(app: string): PresenceStore {
    const { servers, prefix, requireOpen } = this.#context;
    const placeOf = ({ space, name }: Channel) => {
      const { tag, base } = home(prefix, [app, space], name);
      return { shard: servers.shardOf(tag), base };
    };

    return {
      put: async (channel, client) => {
        requireOpen();
        const { shard, base } = placeOf(channel);
        const { connectionId } = client;
        const entry = { base, connectionId, text: clientText(client) };
        this.#own.set(shard, entry);
        try {
          await this.#put(shard, entry);
        } catch (error) {
          // It may have been put all the same.
          if (this.#own.text(shard, base, connectionId) === entry.text) {
            this.#own.delete(shard, base, connectionId);
            this.#own.owe(shard, { base, connectionIds: [connectionId] });
          }
          throw error;
        }
      },

      /** Resolves also while the server is away: then it is done when it is back. */
      remove: async (channel, connectionId) => {
        requireOpen();
        const { shard, base } = placeOf(channel);
        const owed = { base, connectionIds: [connectionId] };
        this.#own.delete(shard, base, connectionId);
        try {
          await this.#remove(shard, owed);
        } catch (error) {
          if (!(error instanceof HubError)) throw error;
          this.#own.owe(shard, owed);
        }
      },

      list: async (channel) => {
        requireOpen();
        const { shard, base } = placeOf(channel);
        const { alive, ended } = await this.#leasesIn(shard, base);
        for (const lease of ended) this.#purge(shard, base, lease).catch(this.#unlessAway);
        const found = alive.map((lease) => shard.call("HVALS", `${base}:p:${lease}`));
        const texts = (await Promise.all(found)) as string[][];
        const clients: ClientInfo[] = [];
        const slices = new Slices(this.#context.runtime);
        for (const some of texts) {
          await slices.each(some, (text) => clients.push(clientFrom(text)));
        }
        return clients;
      },

      stats: async (channel) => {
        requireOpen();
        const { shard, base } = placeOf(channel);
        const { alive, ended } = await this.#leasesIn(shard, base);
        await Promise.all(ended.map((lease) => this.#purge(shard, base, lease)));
        const counting = alive.map((lease) => shard.call("HLEN", `${base}:p:${lease}`));
        const [users, ...clients] = await Promise.all([
          shard.call("HLEN", `${base}:u`),
          ...counting,
        ]);
        return {
          clients: clients.reduce<number>((sum, count) => sum + Number(count), 0),
          users: Number(users),
        };
      },
    };
  }

  /** The leases that have entries in a channel. Read before those that hold: one read later could be taken for ended while it is new. */
  async #leasesIn(shard: RedisShard, base: string) {
    const nodes = this.#nodes();
    const found = (await shard.call("SMEMBERS", `${base}:p`)) as string[];
    const own = nodes.leaseOn(shard);
    if (found.every((lease) => lease === own)) return { alive: found, ended: [] };
    const holding = await nodes.leases(shard);
    return {
      alive: found.filter((lease) => lease === own || holding.has(lease)),
      ended: found.filter((lease) => lease !== own && !holding.has(lease)),
    };
  }

  async #put(shard: RedisShard, { base, connectionId, text }: Entry): Promise<void> {
    const lease = this.#nodes().leaseOn(shard);
    await shard.run(PUT, keysOf(base, lease), [lease, connectionId, text, ENTRIES_KEPT_MS]);
  }

  async #remove(shard: RedisShard, { base, connectionIds }: Owed): Promise<void> {
    const lease = this.#nodes().leaseOn(shard);
    await shard.run(REMOVE, keysOf(base, lease), [lease, ...connectionIds]);
  }

  async #purge(shard: RedisShard, base: string, lease: string): Promise<void> {
    while ((await shard.run(PURGE, keysOf(base, lease), [lease, PURGE_ENTRIES_MAX])) !== 0);
  }

  /** What a server that went away still holds is met again. */
  readonly #unlessAway = (error: unknown): void => {
    if (!(error instanceof HubError)) this.#context.onBug(error);
  };

  /** Throws away what ended leases left, where it may be that nobody looks. */
  async #clear(shard: RedisShard, base: string): Promise<void> {
    for (const lease of (await this.#leasesIn(shard, base)).ended) {
      await this.#purge(shard, base, lease);
    }
  }

  async #putAll(shard: RedisShard): Promise<void> {
    for (const slice of this.#own.slices(shard)) {
      if (!(await this.#putEach(shard, slice))) return;
    }
  }

  /** False when the server went away: all is put again when it is back. */
  async #putEach(shard: RedisShard, entries: readonly Entry[]): Promise<boolean> {
    const results = await Promise.allSettled(entries.map((entry) => this.#put(shard, entry)));
    for (const result of results) {
      if (result.status === "fulfilled") continue;
      if (result.reason instanceof HubError) return false;
      throw result.reason;
    }
    return true;
  }
}

function keysOf(base: string, lease: string): readonly string[] {
  return [`${base}:p`, `${base}:u`, `${base}:p:${lease}`];
}
