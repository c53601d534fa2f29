/** The channels of one app that are live on this node, and the rules that hold for each by its name. */
import { copyOf } from "./json-text.ts";
import { OWN_SPACE_META_TTL_MS } from "./limits.ts";
import { LiveChannel, type LiveChannelHost } from "./live-channel.ts";
import { requireUnicode } from "./names.ts";
import { optionsOf, type ChannelOptions, type Namespaces } from "./namespaces.ts";
import { CHANNELS, type Channel } from "./types.ts";

export class ChannelTable {
  readonly #namespaces: Namespaces;
  readonly #host: LiveChannelHost;
  readonly #spaces = new Map<string, Map<string, LiveChannel>>();
  #size = 0;
  #subscriptions = 0;

  constructor(namespaces: Namespaces, host: LiveChannelHost) {
    this.#namespaces = namespaces;
    this.#host = host;
  }

  get size(): number {
    return this.#size;
  }

  /** Those in progress included. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  /**
   * Undefined outside the namespaces. An unknown prefix is part of a free name here; a dialect to which it is an error asks
   * before it calls. Throws `bad_request` for an invalid name, in every space.
   */
  optionsOf(channel: Channel): ChannelOptions | undefined {
    requireUnicode(channel.name, "channel's name");
    if (channel.space !== CHANNELS) return undefined;
    return optionsOf(this.#namespaces, channel.name) ?? this.#namespaces.withoutNamespace;
  }

  /**
   * How long the channel's stream outlives its last publication; undefined when it keeps no history. Outside the namespaces each
   * publication says what is kept of it. Throws likewise.
   */
  metaTtlOf(channel: Channel): number | undefined {
    const options = this.optionsOf(channel);
    return channel.space === CHANNELS ? options?.history?.metaTtlMs : OWN_SPACE_META_TTL_MS;
  }

  find(channel: Channel): LiveChannel | undefined {
    return this.#spaces.get(channel.space)?.get(channel.name);
  }

  /** Not a copy: for walks in slices. */
  inSpace(space: string): ReadonlyMap<string, LiveChannel> {
    return this.#spaces.get(space) ?? NOTHING;
  }

  /** A copy. */
  all(): LiveChannel[] {
    return [...this.#spaces.values()].flatMap((names) => [...names.values()]);
  }

  /** The channel's live object, made when it is the first use; each call is one subscription's use. Throws likewise. */
  acquire(channel: Channel): LiveChannel {
    let live = this.find(channel);
    if (live === undefined) {
      // The engine keeps a frame alive behind a name that was cut from it.
      const kept = { space: channel.space, name: copyOf(channel.name) };
      live = new LiveChannel(this.#host, kept, this.metaTtlOf(channel));
      let names = this.#spaces.get(channel.space);
      if (names === undefined) this.#spaces.set(channel.space, (names = new Map()));
      names.set(kept.name, live);
      this.#size++;
    }
    live.uses++;
    this.#subscriptions++;
    return live;
  }

  release(live: LiveChannel): void {
    this.#subscriptions--;
    if (--live.uses > 0) return;
    const { channel } = live;
    const names = this.#spaces.get(channel.space);
    names?.delete(channel.name);
    if (names?.size === 0) this.#spaces.delete(channel.space);
    this.#size--;
    const { broker, onBug } = this.#host;
    broker.unlisten(channel, live).catch(onBug);
  }
}

const NOTHING: ReadonlyMap<string, LiveChannel> = new Map();
