/**
 * Which nodes are there: each holds a lease on every shard and renews it. By the server's clock, so that all nodes agree. A lease
 * that has lapsed never comes back; its node takes another one, so that what is held under the old one can be
 * thrown away by whoever finds it.
 */
import type { Timer } from "../../core/runtime.ts";
import type { RedisContext } from "./context.ts";
import { home } from "./keys.ts";
import { readScript } from "./script-file.ts";
import type { RedisScript, RedisShard } from "./client/contract.ts";

/** Between renewals of a node's leases, milliseconds. */
export const HEARTBEAT_MS = 2_000;
/** How long a node that is gone still counts, milliseconds: two heartbeats, so that a late one does no harm. */
export const LEASE_MS = 2 * HEARTBEAT_MS;

const TIME = readScript("time");
const RENEW: RedisScript = { name: "lease-renew", source: TIME + readScript("lease-renew") };
const LIST: RedisScript = { name: "lease-list", source: TIME + readScript("lease-list") };

interface Lease {
  readonly shard: RedisShard;
  id: string;
  /** Taken out anew at the next beat. */
  lapsed: boolean;
}

export interface NodesOptions {
  readonly context: RedisContext;
  /** This node's. */
  readonly nodeId: string;
  /** The lease on this shard was lost, and what was held under it: there is a new one now. */
  readonly onLapse: (shard: RedisShard) => void;
  /** Behind each heartbeat that reached the shard. */
  readonly onBeat: (shard: RedisShard) => void;
}

export class Nodes {
  readonly #options: NodesOptions;
  readonly #leases: ReadonlyMap<RedisShard, Lease>;
  readonly #key: string;
  #taken = 0;
  #timer: Timer | undefined;

  constructor(options: NodesOptions) {
    this.#options = options;
    const { servers, prefix } = options.context;
    this.#key = `${home(prefix, ["nodes"], "").base}:leases`;
    const entries = servers.shards.map(
      (shard) => [shard, { shard, id: this.#newId(), lapsed: true }] as const,
    );
    this.#leases = new Map(entries);
  }

  /** Resolves once this node has its leases. */
  async start(): Promise<void> {
    await Promise.all([...this.#leases.values()].map((lease) => this.#renew(lease)));
    this.#beatLater();
  }

  /** This node's lease on the shard. */
  leaseOn(shard: RedisShard): string {
    const lease = this.#leases.get(shard);
    if (lease === undefined) throw new Error("A shard of other servers");
    return lease.id;
  }

  /** The leases on the shard that have not ended. Throws HubError `unavailable`. */
  async leases(shard: RedisShard): Promise<ReadonlySet<string>> {
    const { context } = this.#options;
    return new Set((await shard.run(LIST, [this.#key], [context.now()])) as string[]);
  }

  /** Ids of the nodes that hold a lease on the shard. Throws HubError `unavailable`. */
  async ids(shard: RedisShard): Promise<ReadonlySet<string>> {
    return new Set(
      [...(await this.leases(shard))].map((lease) => lease.slice(0, lease.indexOf("/"))),
    );
  }

  /** Gives the leases back, where a server can be told. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    const leaving = [...this.#leases.values()].map(({ shard, id }) =>
      shard.call("ZREM", this.#key, id),
    );
    await Promise.allSettled(leaving);
  }

  #newId(): string {
    return `${this.#options.nodeId}/${(this.#taken += 1)}`;
  }

  #beatLater(): void {
    this.#timer = this.#options.context.runtime.timers.after(HEARTBEAT_MS, () => {
      for (const lease of this.#leases.values()) {
        // A server that is away is told when it is back; by then the lease may have lapsed.
        this.#renew(lease).then(
          () => this.#options.onBeat(lease.shard),
          () => {},
        );
      }
      this.#beatLater();
    });
  }

  async #renew(lease: Lease): Promise<void> {
    const { context, onLapse } = this.#options;
    const { shard, id, lapsed } = lease;
    const args = [context.now(), id, LEASE_MS, lapsed ? 1 : 0];
    const held = (await shard.run(RENEW, [this.#key], args)) === 1;
    // A beat that was slow may answer behind a later one.
    if (lease.id !== id) return;
    if (held) {
      lease.lapsed = false;
      return;
    }
    lease.id = this.#newId();
    lease.lapsed = true;
    await this.#renew(lease);
    onLapse(shard);
  }
}
