/**
 * A network engine in one process, for property tests: nodes share one store, every request and answer is a step of its
 * own, a node's bus is in order but late and may lose messages, and a seed decides which step comes next.
 */
import type {
  AppEngine,
  Broker,
  ChannelEvent,
  ChannelListener,
  HistoryPage,
} from "../../src/core/engine.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/runtime.ts";
import type { Channel, NewPublication, Publication } from "../../src/core/types.ts";

export interface ClusterOptions {
  readonly random: Random;
  /** Probability that a bus message does not arrive at a node. */
  readonly lossRate: number;
}

interface Stream {
  epoch: string;
  top: number;
  publications: Publication[];
}

export class SimulatedCluster {
  readonly #random: Random;
  readonly #lossRate: number;
  readonly #streams = new Map<string, Stream>();
  readonly #nodes: SimulatedNode[] = [];
  /** Steps that may be taken in any order. */
  #steps: (() => void)[] = [];
  #epochs = 0;

  constructor({ random, lossRate }: ClusterOptions) {
    this.#random = random;
    this.#lossRate = lossRate;
  }

  node(): AppEngine {
    const node = new SimulatedNode();
    this.#nodes.push(node);
    return {
      broker: this.#broker(node),
      presence: {
        put: () => this.step(() => {}),
        remove: () => this.step(() => {}),
        list: () => this.step(() => []),
        stats: () => this.step(() => ({ clients: 0, users: 0 })),
      },
      control: {
        nodeId: `node-${this.#nodes.length}`,
        serve(handler) {
          node.handler = handler;
        },
        ask: async (request) => {
          const asked = this.#nodes.map(async ({ handler }) => {
            await this.step(() => {});
            return handler(structuredClone(request));
          });
          return { answers: await Promise.all(asked), nodesAsked: this.#nodes.length };
        },
      },
      records: {
        get: () => Promise.reject(new Error("Not simulated")),
        put: () => Promise.reject(new Error("Not simulated")),
        delete: () => Promise.reject(new Error("Not simulated")),
        list: () => Promise.reject(new Error("Not simulated")),
      },
      queue: {
        add: () => Promise.reject(new Error("Not simulated")),
        take: () => Promise.reject(new Error("Not simulated")),
        done: () => Promise.reject(new Error("Not simulated")),
        retry: () => Promise.reject(new Error("Not simulated")),
        remove: () => Promise.reject(new Error("Not simulated")),
        watch: () => Promise.reject(new Error("Not simulated")),
        counts: () => Promise.reject(new Error("Not simulated")),
      },
    };
  }

  /** The store as it is, without a step. */
  stream(name: string): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = { epoch: `e${++this.#epochs}`, top: 0, publications: [] };
      this.#streams.set(name, stream);
    }
    return stream;
  }

  /** What a loss of all data does: the next use finds an empty stream of another epoch. */
  forget(name: string): void {
    this.#streams.delete(name);
  }

  get pendingSteps(): number {
    return this.#steps.length + this.#nodes.reduce((sum, { inbox }) => sum + inbox.length, 0);
  }

  /** Takes one step that chance chooses among all that are possible; false when there is none. */
  async takeStep(): Promise<boolean> {
    const waiting = this.#nodes.filter(({ inbox }) => inbox.length > 0);
    const choices = this.#steps.length + waiting.length;
    if (choices > 0) {
      const choice = Math.floor(this.#random.fraction() * choices);
      if (choice < this.#steps.length) this.#steps.splice(choice, 1)[0]?.();
      else waiting[choice - this.#steps.length]?.deliverOne();
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
    return choices > 0;
  }

  async settle(): Promise<void> {
    while ((await this.takeStep()) || this.pendingSteps > 0);
  }

  /** A request travels, is carried out, and its answer travels back: two steps. */
  step<Result>(carryOut: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#steps.push(() => {
        try {
          const result = carryOut();
          this.#steps.push(() => resolve(result));
        } catch (error) {
          this.#steps.push(() => reject(error as Error));
        }
      });
    });
  }

  #broker(own: SimulatedNode): Broker {
    return {
      lossless: false,
      publish: (channel, publication, options) =>
        this.step(() => {
          const kept = options?.history;
          const made = this.#append(channel, publication, kept?.size);
          this.#spread(channel, { type: "publication", publication: made });
          return made.position;
        }),
      announce: (channel, event) => this.step(() => this.#spread(channel, event)),
      listen: (channel, listener) =>
        this.step(() => void own.listeners.set(channel.name, listener)),
      unlisten: async (channel, listener) => {
        if (own.listeners.get(channel.name) === listener) own.listeners.delete(channel.name);
      },
      history: (channel, query) =>
        this.step((): HistoryPage => {
          const { epoch, top, publications } = this.stream(channel.name);
          const since = query.sinceOffset ?? 0;
          const found = publications.filter(({ position }) => (position?.offset ?? 0) > since);
          return { publications: found.slice(0, query.limit), position: { epoch, offset: top } };
        }),
      removeHistory: (channel) =>
        this.step(() => {
          this.stream(channel.name).publications = [];
        }),
    };
  }

  #append(channel: Channel, publication: NewPublication, size: number | undefined): Publication {
    if (size === undefined) return { ...publication, timeMs: 0 };
    const stream = this.stream(channel.name);
    const position = { epoch: stream.epoch, offset: ++stream.top };
    const made = { ...publication, timeMs: 0, position };
    stream.publications = [...stream.publications, made].slice(-size);
    return made;
  }

  #spread(channel: Channel, event: ChannelEvent): void {
    for (const node of this.#nodes) {
      // A subscribed bus carries only what was published after the subscription, as Redis does.
      const listener = node.listeners.get(channel.name);
      if (listener === undefined) continue;
      const lost = this.#random.fraction() < this.#lossRate;
      if (!lost) node.inbox.push({ channel: channel.name, listener, event });
    }
  }
}

class SimulatedNode {
  readonly listeners = new Map<string, ChannelListener>();
  readonly inbox: { channel: string; listener: ChannelListener; event: ChannelEvent }[] = [];
  handler: (request: unknown) => unknown = () => {
    throw new HubError("internal", "No handler");
  };

  deliverOne(): void {
    const message = this.inbox.shift();
    if (message === undefined) return;
    // Nothing comes after unlisten.
    if (this.listeners.get(message.channel) === message.listener) {
      message.listener.onEvent(message.event);
    }
  }
}
