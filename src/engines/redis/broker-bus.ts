/**
 * This node's listeners, all apps'. Notices what did not arrive, by the senders' sequences and by what the connections say, and lets
 * a publish wait until its own node's listener has it.
 */
import type { ChannelListener } from "../../core/engine.ts";
import type { Timer } from "../../core/runtime.ts";
import { parseMessage, type Sequence } from "./broker-messages.ts";
import type { RedisContext } from "./context.ts";
import type { RedisShard } from "./client/contract.ts";

/** How long a publish waits to come back to its own node while the bus brings nothing at all, milliseconds; at the most twice as long. Only a bus that is going away takes it. */
export const ECHO_WAIT_MS = 500;

/** How long it waits, milliseconds, while the bus brings what was published before: a publisher that outruns delivery is slowed. */
export const ECHO_BEHIND_MS = 10_000;

/** Senders remembered per topic: those that are gone never say so, hence the ones first heard longest ago are forgotten. */
export const SENDERS_MAX = 256;

interface Listening {
  readonly topic: string;
  readonly shard: RedisShard;
  readonly listener: ChannelListener;
  /** The server has confirmed the subscription: what is published from now on comes back. */
  subscribed: boolean;
  /** The last number of each sender. */
  readonly seen: Map<string, number>;
  /** By their numbers. */
  readonly echoes: Map<number, PendingEcho>;
}

/** A message of this node's own, on its way back. */
export interface Echo {
  /** Resolves when the listener was handed the message, has gone, or will not get it in time. */
  readonly heard: Promise<void>;
  /** It is not on its way after all. */
  drop(): void;
}

interface PendingEcho extends Echo {
  readonly sender: string;
  /** Sweeps that have met it. */
  sweeps: number;
}

export class Bus {
  readonly #context: RedisContext;
  readonly #topics = new Map<string, Listening>();
  readonly #echoes = new Set<PendingEcho>();
  #sweep: Timer | undefined;
  /** Something came since the last sweep. */
  #heard = false;

  constructor(context: RedisContext) {
    this.#context = context;
    context.servers.onGap((shard) => this.#missed(shard));
  }

  /** Replaces the listener of before. Rejects with HubError `unavailable`; then nobody listens. */
  async listen(shard: RedisShard, topic: string, listener: ChannelListener): Promise<void> {
    this.#forget(topic);
    const state = { subscribed: false, seen: new Map(), echoes: new Map() };
    const listening: Listening = { topic, shard, listener, ...state };
    this.#topics.set(topic, listening);
    try {
      await shard.subscribe(topic, (message) => this.#receive(listening, message));
      listening.subscribed = true;
    } catch (error) {
      if (this.#topics.get(topic) === listening) this.#forget(topic);
      throw error;
    }
  }

  unlisten(topic: string, listener: ChannelListener): void {
    const listening = this.#topics.get(topic);
    if (listening?.listener !== listener) return;
    this.#forget(topic);
    listening.shard.unsubscribe(topic);
  }

  /** Undefined when nobody listens here yet. To be called before the message is sent. */
  echo(topic: string, sequence: Sequence): Echo | undefined {
    const listening = this.#topics.get(topic);
    // One that is about to listen may or may not get it: waiting for that would be for the whole `ECHO_WAIT_MS`.
    if (listening?.subscribed !== true) return undefined;
    const { promise: heard, resolve } = Promise.withResolvers<void>();
    const { sender, number } = sequence;
    const echo: PendingEcho = {
      heard,
      sender,
      sweeps: 0,
      drop: () => {
        if (listening.echoes.get(number) === echo) listening.echoes.delete(number);
        this.#echoes.delete(echo);
        resolve();
      },
    };
    listening.echoes.set(number, echo);
    this.#echoes.add(echo);
    this.#sweep ??= this.#sweepLater();
    return echo;
  }

  close(): void {
    for (const topic of [...this.#topics.keys()]) this.#forget(topic);
    this.#sweep?.cancel();
  }

  #receive(listening: Listening, text: string): void {
    const { sequence, event } = parseMessage(text);
    this.#heard = true;
    const { listener, seen, echoes } = listening;
    const { sender, number, confirmed } = sequence;
    const last = seen.get(sender);
    if (last === undefined && seen.size >= SENDERS_MAX) {
      const [oldest = ""] = seen.keys();
      seen.delete(oldest);
    }
    seen.set(sender, Math.max(number, last ?? 0));
    try {
      // What came before the first message is before this node began to listen, or covered by the gap of a reconnect.
      if (last !== undefined && confirmed > last) listener.onEvent({ type: "gap" });
      if (this.#listens(listening)) listener.onEvent(event);
    } finally {
      const echo = echoes.get(number);
      if (echo?.sender === sender) echo.drop();
    }
  }

  #missed(shard: RedisShard): void {
    for (const listening of [...this.#topics.values()]) {
      if (listening.shard !== shard || !this.#listens(listening)) continue;
      listening.seen.clear();
      // What has not come by now will not.
      for (const echo of [...listening.echoes.values()]) echo.drop();
      try {
        listening.listener.onEvent({ type: "gap" });
      } catch (error) {
        this.#context.onBug(error);
      }
    }
  }

  #listens(listening: Listening): boolean {
    return this.#topics.get(listening.topic) === listening;
  }

  #forget(topic: string): void {
    const echoes = this.#topics.get(topic)?.echoes.values() ?? [];
    this.#topics.delete(topic);
    for (const echo of [...echoes]) echo.drop();
  }

  #sweepLater(): Timer {
    return this.#context.runtime.timers.after(ECHO_WAIT_MS, () => {
      const sweepsMax = this.#heard ? ECHO_BEHIND_MS / ECHO_WAIT_MS : 1;
      this.#heard = false;
      for (const echo of this.#echoes) {
        if (echo.sweeps >= sweepsMax) echo.drop();
        else echo.sweeps += 1;
      }
      this.#sweep = this.#echoes.size > 0 ? this.#sweepLater() : undefined;
    });
  }
}
