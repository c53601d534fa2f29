/** The presence entries that this node has put, by shard and channel, and the removals that it still owes a server. Memory only. */
import { HEARTBEAT_MS } from "./nodes.ts";
import type { RedisShard } from "./client/contract.ts";

export interface Entry {
  /** What the channel's keys begin with. */
  readonly base: string;
  readonly connectionId: string;
  readonly text: string;
}

export interface Owed {
  readonly base: string;
  readonly connectionIds: readonly string[];
}

/** In this time every entry is put once more, milliseconds: that repairs whatever was lost unseen. */
const RENEWAL_MS = 3_600_000;
/** Entries put at a time. */
const SLICE_ENTRIES = 500;

type Channels = Map<string, Map<string, string>>;

interface OnShard {
  /** By channel and connection. */
  readonly channels: Channels;
  entries: number;
  readonly owed: Map<string, Set<string>>;
  /** Where the renewal stands. */
  renewal: Iterator<Entry>;
}

export class OwnEntries {
  readonly #shards = new Map<RedisShard, OnShard>();

  set(shard: RedisShard, { base, connectionId, text }: Entry): void {
    const at = this.#at(shard);
    const owed = at.owed.get(base);
    if (owed?.delete(connectionId) && owed.size === 0) at.owed.delete(base);
    let channel = at.channels.get(base);
    if (channel === undefined) at.channels.set(base, (channel = new Map()));
    if (!channel.has(connectionId)) at.entries += 1;
    channel.set(connectionId, text);
  }

  delete(shard: RedisShard, base: string, connectionId: string): void {
    const at = this.#at(shard);
    const channel = at.channels.get(base);
    if (channel?.delete(connectionId) !== true) return;
    at.entries -= 1;
    if (channel.size === 0) at.channels.delete(base);
  }

  text(shard: RedisShard, base: string, connectionId: string): string | undefined {
    return this.#at(shard).channels.get(base)?.get(connectionId);
  }

  owe(shard: RedisShard, { base, connectionIds }: Owed): void {
    const at = this.#at(shard);
    let owed = at.owed.get(base);
    if (owed === undefined) at.owed.set(base, (owed = new Set()));
    for (const id of connectionIds) owed.add(id);
  }

  /** They are owed no more, unless the caller says so again. */
  takeOwed(shard: RedisShard): readonly Owed[] {
    const { owed } = this.#at(shard);
    const taken = [...owed].map(([base, ids]) => ({ base, connectionIds: [...ids] }));
    owed.clear();
    return taken;
  }

  /** All entries, in slices, each as it is when it is asked for. */
  *slices(shard: RedisShard): Generator<readonly Entry[]> {
    let slice: Entry[] = [];
    for (const entry of walk(this.#at(shard).channels)) {
      if (slice.push(entry) < SLICE_ENTRIES) continue;
      yield slice;
      slice = [];
    }
    yield slice;
  }

  /** The entries whose turn it is with this heartbeat. */
  nextToRenew(shard: RedisShard): readonly Entry[] {
    const at = this.#at(shard);
    const due: Entry[] = [];
    const count = Math.ceil((at.entries * HEARTBEAT_MS) / RENEWAL_MS);
    while (due.length < count) {
      const next = at.renewal.next();
      if (next.done !== true) due.push(next.value);
      else {
        at.renewal = walk(at.channels);
        // Once around is enough, however few there are.
        break;
      }
    }
    return due;
  }

  #at(shard: RedisShard): OnShard {
    let at = this.#shards.get(shard);
    if (at === undefined) {
      const channels: Channels = new Map();
      at = { channels, entries: 0, owed: new Map(), renewal: walk(channels) };
      this.#shards.set(shard, at);
    }
    return at;
  }
}

function* walk(channels: Channels): Generator<Entry> {
  for (const [base, clients] of channels) {
    for (const [connectionId, text] of clients) yield { base, connectionId, text };
  }
}
