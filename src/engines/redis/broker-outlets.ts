/**
 * What is worked out once for a channel that is sent to: where it lives, how it is written, and the numbers of this node's messages to
 * its topic. Those show whoever listens there that one is missing, also where publications take no offset.
 */
import type { HistoryLimits } from "../../core/engine.ts";
import type { Sequence } from "./broker-messages.ts";
import { wholeMs, type RedisContext } from "./context.ts";
import { homes } from "./keys.ts";
import type { RedisServers, RedisShard } from "./client/contract.ts";

/** Channels that are remembered at the most. One that is forgotten begins anew under another sender: a loss just before is not seen. */
export const OUTLETS_MAX = 100_000;

/** Where a channel lives. */
export interface Place {
  readonly shard: RedisShard;
  readonly topic: string;
  /** The stream's hash. */
  readonly metaKey: string;
  /** The stream's list. */
  readonly listKey: string;
}

/** How many messages this node has sent, to whichever channel. */
export interface SentCount {
  count: number;
}

/** A channel with this node as a sender to it. */
export class Outlet {
  readonly place: Place;
  readonly #sender: string;
  readonly #node: SentCount;
  #sent = 0;
  #confirmed = 0;

  constructor(place: Place, sender: string, node: SentCount) {
    this.place = place;
    this.#sender = sender;
    this.#node = node;
  }

  /** The place of the last message among all that this node has sent: whoever hears several channels gets them in this order. */
  get sentByNode(): number {
    return this.#node.count;
  }

  /** For the next message. Refused and failed publishes leave holes in the numbers; what counts is `confirmed`. */
  next(): Sequence {
    this.#node.count += 1;
    return { sender: this.#sender, number: (this.#sent += 1), confirmed: this.#confirmed };
  }

  /** The server has answered that it is on the bus. */
  confirm({ number }: Sequence): void {
    if (number > this.#confirmed) this.#confirmed = number;
  }
}

/** The channels of one app and space, by name. */
export interface Space {
  readonly place: (name: string) => Place;
  readonly outlet: (name: string) => Outlet;
}

/** Those used since the last time there were half of all: to keep all in the order of their use would cost every message. */
interface Generations {
  recent: Map<string, Outlet>;
  older: ReadonlyMap<string, Outlet>;
}

/** One for all apps. */
export class Outlets {
  readonly #servers: RedisServers;
  readonly #prefix: string;
  readonly #node: string;
  readonly #spaces: Generations[] = [];
  readonly #sent: SentCount = { count: 0 };
  #recent = 0;
  #started = 0;

  constructor({ servers, prefix, runtime }: RedisContext) {
    this.#servers = servers;
    this.#prefix = prefix;
    this.#node = runtime.random.uuid().slice(0, 13);
  }

  /** To be asked for once. */
  space(app: string, space: string): Space {
    const homeOf = homes(this.#prefix, [app, space]);
    const outlets: Generations = { recent: new Map(), older: new Map() };
    this.#spaces.push(outlets);
    const place = (name: string): Place => {
      const { tag, base } = homeOf(name);
      const shard = this.#servers.shardOf(tag);
      return { shard, topic: base, metaKey: `${base}:m`, listKey: `${base}:s` };
    };
    return {
      place,
      outlet: (name) =>
        outlets.recent.get(name) ??
        this.#renew(outlets, name, outlets.older.get(name) ?? this.#create(place(name))),
    };
  }

  #create(place: Place): Outlet {
    return new Outlet(place, `${this.#node}.${(this.#started += 1)}`, this.#sent);
  }

  #renew(outlets: Generations, name: string, outlet: Outlet): Outlet {
    if (this.#recent >= OUTLETS_MAX / 2) {
      for (const each of this.#spaces) [each.older, each.recent] = [each.recent, new Map()];
      this.#recent = 0;
    }
    outlets.recent.set(name, outlet);
    this.#recent += 1;
    return outlet;
  }
}

/** `size ttl metaTtl` as the script takes them, of the limits asked for last: most channels have the same. */
export function createLimitsText(): (limits: HistoryLimits | undefined) => string {
  let last: HistoryLimits = { size: 0, ttlMs: 0, metaTtlMs: 0 };
  let text = "";
  return (limits) => {
    if (limits === undefined) return "  ";
    const { size, ttlMs, metaTtlMs } = limits;
    const same = size === last.size && ttlMs === last.ttlMs && metaTtlMs === last.metaTtlMs;
    if (!same) {
      last = limits;
      text = `${size} ${wholeMs(ttlMs)} ${wholeMs(metaTtlMs)}`;
    }
    return text;
  };
}
