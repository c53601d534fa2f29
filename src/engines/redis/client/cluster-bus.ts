/** The topics of a Cluster: each is subscribed at the node that owns its slot, and moves when the slot does. */
import type { Cluster } from "ioredis";
import { HubError } from "../../../core/errors.ts";
import type { Runtime } from "../../../core/runtime.ts";
import { TopicBus } from "./bus.ts";
import { openNode } from "./cluster-node.ts";
import { checkInfo } from "./diagnosis.ts";
import type { OnMessage, ShardBus, ToldByBus } from "./contract.ts";
import type { ClusterSpec } from "./url.ts";

export interface ClusterBusOptions extends ToldByBus {
  readonly spec: ClusterSpec;
  readonly ca: string | undefined;
  readonly runtime: Runtime;
  /** What a topic's handler threw. */
  readonly onBug: (error: unknown) => void;
}

interface Placed {
  readonly onMessage: OnMessage;
  /** Where it is subscribed; undefined: it has to be moved. */
  node: string | undefined;
}

export class ClusterBus implements ShardBus {
  readonly #options: ClusterBusOptions;
  /** By `host:port`. */
  readonly #nodes = new Map<string, TopicBus>();
  readonly #topics = new Map<string, Placed>();
  readonly #started = Promise.withResolvers<void>();
  #cluster: Cluster | undefined;
  #closed = false;

  constructor(options: ClusterBusOptions) {
    this.#options = options;
  }

  /** Resolves when every node that owns slots has been reached. */
  start(): Promise<void> {
    return this.#started.promise;
  }

  get reason(): string | undefined {
    if (this.#cluster === undefined) return "not connected yet";
    for (const [node, { reason }] of this.#nodes) {
      if (reason !== undefined) return `node ${node}: ${reason}`;
    }
    return undefined;
  }

  async subscribe(topic: string, onMessage: OnMessage): Promise<void> {
    const node = this.#ownerOf(topic);
    const bus = node === undefined ? undefined : this.#nodes.get(node);
    if (bus === undefined) throw new HubError("unavailable", "The Cluster has no node for it");
    const placed: Placed = { onMessage, node };
    this.#topics.set(topic, placed);
    try {
      await bus.subscribe(topic, onMessage);
    } catch (error) {
      if (this.#topics.get(topic) === placed) this.#topics.delete(topic);
      // Perhaps the slot has moved.
      this.#cluster?.refreshSlotsCache();
      throw error;
    }
  }

  unsubscribe(topic: string): void {
    const placed = this.#topics.get(topic);
    this.#topics.delete(topic);
    if (placed?.node !== undefined) this.#nodes.get(placed.node)?.unsubscribe(topic);
  }

  reconnect(): void {
    for (const bus of this.#nodes.values()) bus.reconnect();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#nodes.values()].map((bus) => bus.close()));
  }

  /** To be called whenever it may be known anew who owns which slots. */
  follow(cluster: Cluster): void {
    if (this.#closed) return;
    this.#cluster = cluster;
    const owners = new Set(
      cluster.slots.flatMap(([owner]) => (owner === undefined ? [] : [owner])),
    );
    for (const [node, bus] of this.#nodes) {
      if (owners.has(node)) continue;
      this.#nodes.delete(node);
      void bus.close();
    }
    for (const node of owners) if (!this.#nodes.has(node)) this.#open(node);
    this.#place();
    this.#tellUp();
  }

  #open(node: string): void {
    const { spec, ca, runtime, onAway, onGap, onBug } = this.#options;
    const bus = new TopicBus({
      open: () => openNode(node, spec, { ca, runtime }),
      runtime,
      async check(connection) {
        checkInfo(String(await connection.send("INFO", [])), "cluster");
      },
      onUp: ({ first }) => {
        if (this.#nodes.get(node) !== bus) return;
        this.#place();
        this.#tellUp();
        if (!first) onGap();
      },
      onAway: (reason) => {
        if (this.#nodes.get(node) === bus) onAway(`node ${node}: ${reason}`);
      },
      onBug,
    });
    this.#nodes.set(node, bus);
    bus.start().catch((error: unknown) => {
      if (this.#nodes.get(node) === bus) this.#started.reject(error);
    });
  }

  #tellUp(): void {
    if (this.reason !== undefined) return;
    this.#started.resolve();
    this.#options.onUp();
  }

  /** Moves the topics whose slots have moved. What cannot be done now is done when the node is up, or at the next look. */
  #place(): void {
    const moving: Promise<void>[] = [];
    for (const [topic, placed] of this.#topics) {
      const owner = this.#ownerOf(topic);
      if (placed.node === owner || owner === undefined) continue;
      const bus = this.#nodes.get(owner);
      if (bus === undefined || bus.reason !== undefined) continue;
      if (placed.node !== undefined) this.#nodes.get(placed.node)?.unsubscribe(topic);
      placed.node = owner;
      moving.push(
        bus.subscribe(topic, placed.onMessage).catch(() => {
          if (placed.node === owner) placed.node = undefined;
        }),
      );
    }
    if (moving.length > 0) void Promise.all(moving).then(this.#options.onGap);
  }

  #ownerOf(topic: string): string | undefined {
    return this.#cluster?.slots[slotOf(topic)]?.[0];
  }
}

/** The nodes that own slots, as ioredis names them. */
export function ownersOf({ slots }: Cluster): ReadonlySet<string> {
  return new Set(slots.flatMap(([owner]) => (owner === undefined ? [] : [owner])));
}

/**
 * Which of the 16,384 slots a key lies in (Redis Cluster specification, "Key distribution model" and "Hash tags"): CRC-16/XMODEM of
 * the hash tag, or of the whole key without one, modulo the number of slots.
 */
export function slotOf(key: string): number {
  const open = key.indexOf("{");
  const close = open < 0 ? -1 : key.indexOf("}", open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1)
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  }
  return crc & 0x3fff;
}
