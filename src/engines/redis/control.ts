/**
 * Questions from node to node. A question goes to a topic that every node hears, its answers to the asking node's own; who is
 * to be waited for, the leases tell.
 */
import type { ControlAnswers, ControlBus } from "../../core/engine.ts";
import type { RedisContext } from "./context.ts";
import { home } from "./keys.ts";
import type { Nodes } from "./nodes.ts";
import type { RedisShard } from "./client/contract.ts";

interface Question {
  readonly from: string;
  readonly id: number;
  readonly app: string;
  readonly request: unknown;
}

interface Answer {
  readonly from: string;
  readonly to: number;
  /** One or none: an exception, or an app that the node does not have. */
  readonly answers: readonly unknown[];
}

type Handler = (request: unknown) => unknown;

/** All apps' control on this node. */
export class Control {
  readonly nodeId: string;
  readonly #context: RedisContext;
  readonly #nodes: () => Nodes;
  readonly #handlers = new Map<string, Handler>();
  /** What to do with answers, by question. */
  readonly #asking = new Map<number, (answer: Answer) => void>();
  readonly #home: ReturnType<typeof home>;
  readonly #shard: RedisShard;
  #asked = 0;

  constructor(context: RedisContext, nodeId: string, nodes: () => Nodes) {
    this.#context = context;
    this.#nodes = nodes;
    this.nodeId = nodeId;
    this.#home = home(context.prefix, ["control"], "");
    this.#shard = context.servers.shardOf(this.#home.tag);
  }

  /** Resolves once this node is heard and hears. */
  async start(): Promise<void> {
    await Promise.all([
      this.#shard.subscribe(this.#home.base, (text) => this.#hear(JSON.parse(text) as Question)),
      this.#shard.subscribe(this.#inboxOf(this.nodeId), (text) => {
        const answer = JSON.parse(text) as Answer;
        this.#asking.get(answer.to)?.(answer);
      }),
    ]);
  }

  bus(app: string): ControlBus {
    return {
      nodeId: this.nodeId,
      serve: (handler) => void this.#handlers.set(app, handler),
      ask: (request, deadlineMs) => this.#ask(app, request, deadlineMs),
    };
  }

  async #ask(app: string, request: unknown, deadlineMs: number): Promise<ControlAnswers> {
    const { requireOpen, runtime, onBug } = this.#context;
    requireOpen();
    const id = (this.#asked += 1);
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    const deadline = runtime.timers.after(deadlineMs, finish);
    const answers: unknown[] = [];
    let waitingFor = new Set([this.nodeId]);
    let nodesAsked = 1;
    const gather = (answer: Answer): void => {
      answers.push(...answer.answers);
      waitingFor.delete(answer.from);
      if (waitingFor.size === 0) finish();
    };
    try {
      // Nodes that are on the way out still count: better one too many than one too few.
      const others = await this.#others();
      waitingFor = new Set([this.nodeId, ...others]);
      nodesAsked = waitingFor.size;
      if (others.size > 0) {
        this.#asking.set(id, gather);
        const question: Question = { from: this.nodeId, id, app, request };
        await this.#publish(this.#home.base, question);
      }
      this.#answer(app, request).then(
        (own) => gather({ from: this.nodeId, to: id, answers: own }),
        onBug,
      );
      await done;
    } finally {
      deadline.cancel();
      this.#asking.delete(id);
    }
    return { answers: [...answers], nodesAsked };
  }

  async #others(): Promise<ReadonlySet<string>> {
    const ids = new Set(await this.#nodes().ids(this.#shard));
    ids.delete(this.nodeId);
    return ids;
  }

  #hear({ from, id, app, request }: Question): void {
    if (from === this.nodeId) return;
    this.#answer(app, request)
      .then((answers) => this.#publish(this.#inboxOf(from), { from: this.nodeId, to: id, answers }))
      // The asking node waits no longer than its deadline.
      .catch(() => {});
  }

  async #answer(app: string, request: unknown): Promise<readonly unknown[]> {
    const handler = this.#handlers.get(app);
    if (handler === undefined) return [];
    try {
      return [await handler(request)];
    } catch (error) {
      this.#context.onBug(error);
      return [];
    }
  }

  async #publish(topic: string, message: Question | Answer): Promise<void> {
    await this.#shard.call(this.#shard.publishCommand, topic, JSON.stringify(message));
  }

  #inboxOf(nodeId: string): string {
    return `${home(this.#context.prefix, ["control"], nodeId).base}`;
  }
}
