/** The connection for subscriptions to one server: what is subscribed comes back after each reconnect. */
import type { Runtime, Timer } from "../../../core/runtime.ts";
import type { BusClient, OnMessage } from "./contract.ts";
import { Link, type Connection } from "./link.ts";
import { replyError } from "./replies.ts";
import { Topics, type TopicWire } from "./topics.ts";

/** Between looks at the connection, which may be quiet for long and so would not show that it hangs, milliseconds. */
export const BUS_PING_INTERVAL_MS = 2_000;

export interface BusOptions {
  readonly open: () => Promise<BusClient>;
  readonly runtime: Runtime;
  /** Rejects with `RedisFailure` when the server cannot be used. */
  readonly check: (connection: Connection) => Promise<unknown>;
  /** With all that is wanted subscribed. */
  readonly onUp: (up: { readonly first: boolean }) => void;
  readonly onAway: (reason: string) => void;
  /** What a topic's handler threw. */
  readonly onBug: (error: unknown) => void;
}

export class TopicBus {
  readonly #runtime: Runtime;
  readonly #topics: Topics;
  readonly #link: Link<BusClient>;
  readonly #wire: TopicWire;
  #first = true;
  #ping: Timer | undefined;

  constructor({ open, runtime, check, onUp, onAway, onBug }: BusOptions) {
    this.#runtime = runtime;
    this.#topics = new Topics(onBug);
    this.#wire = this.#wireOf(() => this.#link.connection);
    this.#link = new Link({
      open,
      runtime,
      prepare: async (connection) => {
        await check(connection);
        await this.#topics.restore(this.#wireOf(() => connection));
      },
      onUp: () => {
        onUp({ first: this.#first });
        this.#first = false;
      },
      onLost: () => this.#topics.lost(),
      onAway,
    });
  }

  /** As `Link.start`. */
  async start(): Promise<void> {
    this.#pingLater();
    await this.#link.start();
  }

  get reason(): string | undefined {
    return this.#link.reason;
  }

  subscribe(topic: string, onMessage: OnMessage): Promise<void> {
    return this.#topics.subscribe(topic, onMessage, this.#wire);
  }

  unsubscribe(topic: string): void {
    this.#topics.unsubscribe(topic, this.#wire);
  }

  reconnect(): void {
    this.#link.reconnect();
  }

  close(): Promise<void> {
    this.#ping?.cancel();
    return this.#link.close();
  }

  #wireOf(connection: () => Connection<BusClient>): TopicWire {
    return {
      subscribe: async (names) => {
        const { calls, client } = connection();
        // A flood of messages may hold up the answers for long.
        const dispatch = (message: string, topic: string): void => {
          calls.heard();
          this.#topics.dispatch(message, topic);
        };
        await answered(calls.track(0, () => client.join(names, dispatch)));
      },
      unsubscribe: async (topic) => {
        const { calls, client } = connection();
        await answered(calls.track(0, () => client.leave(topic)));
      },
    };
  }

  #pingLater(): void {
    this.#ping = this.#runtime.timers.after(BUS_PING_INTERVAL_MS, () => {
      // What comes of it is the connection's own business: silence ends it.
      if (this.#link.reason === undefined) this.#link.connection.send("PING", []).catch(() => {});
      this.#pingLater();
    });
  }
}

async function answered(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    throw replyError(error);
  }
}
