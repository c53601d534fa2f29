/**
 * The topics of one subscribing connection: what is wanted, what the server has confirmed, and the way between them. At most
 * one change per topic is under way, so that leaving and coming back in one breath cannot end in the wrong state.
 */
import type { OnMessage } from "./contract.ts";
import { HubError } from "../../../core/errors.ts";

/** What the connection can do; both reject when it is away. */
export interface TopicWire {
  subscribe(topics: readonly string[]): Promise<void>;
  unsubscribe(topic: string): Promise<void>;
}

interface Topic {
  /** Undefined: not wanted any more. */
  handler: OnMessage | undefined;
  state: "off" | "changing" | "on";
  /** Subscribes to be told. */
  waiting: PromiseWithResolvers<void>[];
}

/** Topics that one command restores after a reconnect. */
const RESTORE_TOPICS = 1_000;

export class Topics {
  readonly #onBug: (error: unknown) => void;
  readonly #topics = new Map<string, Topic>();
  /** Counts connections: what an earlier one answers is not heard. */
  #connection = 0;

  /** `onBug`: what a handler threw. */
  constructor(onBug: (error: unknown) => void) {
    this.#onBug = onBug;
  }

  /** For the connection's client: hands a message to its topic's handler. */
  readonly dispatch = (message: string, name: string): void => {
    try {
      this.#topics.get(name)?.handler?.(message);
    } catch (error) {
      this.#onBug(error);
    }
  };

  /** Resolves once the server has confirmed. After a failure the topic is not wanted any more. */
  subscribe(name: string, handler: OnMessage, wire: TopicWire): Promise<void> {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      this.#topics.set(name, (topic = { handler, state: "off", waiting: [] }));
    }
    topic.handler = handler;
    if (topic.state === "on") return Promise.resolve();
    const waiter = Promise.withResolvers<void>();
    topic.waiting.push(waiter);
    if (topic.state === "off") this.#change(name, topic, wire);
    return waiter.promise;
  }

  unsubscribe(name: string, wire: TopicWire): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    topic.handler = undefined;
    if (topic.state === "on") this.#change(name, topic, wire);
    else if (topic.state === "off") this.#topics.delete(name);
  }

  /** On a new connection: subscribes to all that is wanted. Rejects when that connection is lost meanwhile. */
  async restore(wire: TopicWire): Promise<void> {
    const connection = this.#connection;
    const names = [...this.#topics.keys()];
    for (const name of names) this.#require(name).state = "changing";
    for (let start = 0; start < names.length; start += RESTORE_TOPICS) {
      await wire.subscribe(names.slice(start, start + RESTORE_TOPICS));
    }
    if (connection !== this.#connection) throw lostError();
    for (const name of names) this.#changed(name, this.#require(name), true, wire);
  }

  /** The connection is gone: what was confirmed stays wanted, what was not fails. */
  lost(): void {
    this.#connection += 1;
    for (const [name, topic] of this.#topics) {
      topic.state = "off";
      const waiting = topic.waiting.splice(0);
      if (topic.handler === undefined || waiting.length > 0) this.#topics.delete(name);
      for (const { reject } of waiting) reject(lostError());
    }
  }

  #require(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new Error("A topic that is changing was forgotten");
    return topic;
  }

  #change(name: string, topic: Topic, wire: TopicWire): void {
    const connection = this.#connection;
    const on = topic.handler !== undefined;
    topic.state = "changing";
    const done = on ? wire.subscribe([name]) : wire.unsubscribe(name);
    done.then(
      () => {
        if (connection === this.#connection) this.#changed(name, topic, on, wire);
      },
      (error: unknown) => {
        if (connection !== this.#connection) return;
        this.#topics.delete(name);
        for (const { reject } of topic.waiting.splice(0)) reject(error);
      },
    );
  }

  #changed(name: string, topic: Topic, on: boolean, wire: TopicWire): void {
    topic.state = on ? "on" : "off";
    if (on !== (topic.handler !== undefined)) return this.#change(name, topic, wire);
    if (!on) this.#topics.delete(name);
    // Left again before it was confirmed: nobody is told anything any more, and nobody waits in vain.
    for (const { resolve } of topic.waiting.splice(0)) resolve();
  }
}

function lostError(): HubError {
  return new HubError("unavailable", "The connection to Redis was lost");
}
