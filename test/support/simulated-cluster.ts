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
  PutOptions,
  StoredRecord,
} from "../../src/core/engine.ts";
import type { Clock, Random } from "../../src/core/runtime.ts";
import type { Channel, NewPublication, Publication, StreamPosition } from "../../src/core/types.ts";

export interface ClusterOptions {
  readonly random: Random;
  /** Probability that a bus message does not arrive at a node. */
  readonly lossRate: number;
  /** Of publications; default: 1970. */
  readonly clock?: Clock;
  /** Probability that a question does not arrive at another node; default 0. */
  readonly controlLossRate?: number;
}

interface Stream {
  epoch: string;
  top: number;
  publications: Publication[];
}

export class SimulatedCluster {
  /** Where the stream stood when each note was announced, by the note's text. */
  readonly notes = new Map<string, StreamPosition>();
  readonly #random: Random;
  readonly #lossRate: number;
  #controlLossRate: number;
  readonly #clock: Clock | undefined;
  readonly #records = new SimulatedRecords();
  readonly #streams = new Map<string, Stream>();
  readonly #nodes: SimulatedNode[] = [];
  /** Steps that may be taken in any order. */
  #steps: (() => void)[] = [];
  #epochs = 0;

  constructor({ random, lossRate, controlLossRate = 0, clock }: ClusterOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#lossRate = lossRate;
    this.#controlLossRate = controlLossRate;
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
        ask: async (request, _deadlineMs, wanted) => {
          const asked = this.#nodes.filter(
            (_, index) => wanted === undefined || wanted === `node-${index + 1}`,
          );
          const reached = asked.filter(
            (other) => other === node || this.#random.fraction() >= this.#controlLossRate,
          );
          const answers = reached.map(async ({ handler }) => {
            await this.step(() => {});
            return handler(structuredClone(request));
          });
          return { answers: await Promise.all(answers), nodesAsked: asked.length };
        },
      },
      records: {
        get: (key) => this.step(() => this.#records.get(key)),
        put: (key, value, options) => this.step(() => this.#records.put(key, value, options)),
        delete: (key, options) => this.step(() => this.#records.delete(key, options)),
        change: () => Promise.reject(new Error("Not simulated")),
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

  /** From here on every question arrives. */
  healControl(): void {
    this.#controlLossRate = 0;
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
      announce: (channel, announcement, options) =>
        this.step(() => {
          const { epoch, top } = this.stream(channel.name);
          const after = options?.positioned === true ? { after: { epoch, offset: top } } : {};
          if (announcement.type === "note") {
            this.notes.set(announcement.note.json, { epoch, offset: top });
          }
          this.#spread(channel, { ...announcement, ...after });
        }),
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
          const ordered = query.reverse === true ? found.toReversed() : found;
          return { publications: ordered.slice(0, query.limit), position: { epoch, offset: top } };
        }),
      removeHistory: (channel) =>
        this.step(() => {
          this.stream(channel.name).publications = [];
        }),
    };
  }

  #append(channel: Channel, publication: NewPublication, size: number | undefined): Publication {
    const timeMs = this.#clock?.epochMs() ?? 0;
    if (size === undefined) return { ...publication, timeMs };
    const stream = this.stream(channel.name);
    const position = { epoch: stream.epoch, offset: ++stream.top };
    const made = { ...publication, timeMs, position };
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

/** Shared by all nodes; time to live is not simulated. */
class SimulatedRecords {
  readonly #records = new Map<string, StoredRecord>();
  #versions = 0;

  get(key: string): StoredRecord | undefined {
    return this.#records.get(key);
  }

  put(key: string, value: string, { ifVersion }: PutOptions = {}): number | undefined {
    if (!this.#holds(key, ifVersion)) return undefined;
    const version = ++this.#versions;
    this.#records.set(key, { key, value, version });
    return version;
  }

  delete(key: string, { ifVersion }: Pick<PutOptions, "ifVersion"> = {}): boolean {
    return this.#holds(key, ifVersion) && this.#records.delete(key);
  }

  #holds(key: string, ifVersion: number | undefined): boolean {
    return ifVersion === undefined || (this.#records.get(key)?.version ?? 0) === ifVersion;
  }
}

class SimulatedNode {
  readonly listeners = new Map<string, ChannelListener>();
  readonly inbox: { channel: string; listener: ChannelListener; event: ChannelEvent }[] = [];
  handler: (request: unknown) => unknown = () => {
    throw new Error("No handler");
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
