/**
 * Questions from node to node. A question to all goes to a topic that every node hears, one to a single node and all answers to that
 * node's own; who is to be waited for, the leases tell.
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
        const message = JSON.parse(text) as Question | Answer;
        if ("request" in message) this.#hear(message);
        else this.#asking.get(message.to)?.(message);
      }),
    ]);
  }

  bus(app: string): ControlBus {
    return {
      nodeId: this.nodeId,
      serve: (handler) => void this.#handlers.set(app, handler),
      ask: (request, deadlineMs, node) =>
        node === undefined
          ? this.#askAll(app, request, deadlineMs)
          : this.#askOne(app, request, { deadlineMs, node }),
    };
  }

  /**
   * Resolves once every node that hears has heard what this node published before, on whichever topic of this shard, since a
   * connection brings all in order; at the latest after `deadlineMs`. Throws HubError `unavailable`.
   */
  async caughtUp(deadlineMs: number): Promise<void> {
    const asking = this.#begin(deadlineMs);
    try {
      asking.waitForAnswers(Number.POSITIVE_INFINITY);
      // Every node answers, also where it has no handler.
      const heard = await this.#publish(this.#home.base, {
        ...asking.head,
        app: "",
        request: null,
      });
      // Itself not counted.
      asking.waitForAnswers(Number(heard) - 1);
      await asking.answers;
    } finally {
      asking.end();
    }
  }

  async #askAll(app: string, request: unknown, deadlineMs: number): Promise<ControlAnswers> {
    const asking = this.#begin(deadlineMs);
    try {
      // Nodes that are on the way out still count: better one too many than one too few.
      const others = await this.#others();
      const asked = new Set([this.nodeId, ...others]);
      asking.waitFor(asked);
      if (others.size > 0) await this.#publish(this.#home.base, { ...asking.head, app, request });
      this.#answer(app, request).then(asking.ownAnswer, this.#context.onBug);
      return { answers: await asking.answers, nodesAsked: asked.size };
    } finally {
      asking.end();
    }
  }

  async #askOne(
    app: string,
    request: unknown,
    { deadlineMs, node }: { readonly deadlineMs: number; readonly node: string },
  ): Promise<ControlAnswers> {
    const asking = this.#begin(deadlineMs);
    try {
      asking.waitFor(new Set([node]));
      if (node === this.nodeId) {
        this.#answer(app, request).then(asking.ownAnswer, this.#context.onBug);
      } else {
        const question: Question = { ...asking.head, app, request };
        // A node that nobody hears is gone, and not waited for.
        if ((await this.#publish(this.#inboxOf(node), question)) === 0) asking.end();
      }
      return { answers: await asking.answers, nodesAsked: 1 };
    } finally {
      asking.end();
    }
  }

  /** A question under way: gathers until all have answered, the deadline has passed or it is ended. */
  #begin(deadlineMs: number) {
    const { requireOpen, runtime } = this.#context;
    requireOpen();
    const id = (this.#asked += 1);
    const from = this.nodeId;
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    const deadline = runtime.timers.after(deadlineMs, finish);
    const gathered: unknown[] = [];
    let waitingFor = new Set<string>();
    let answered = 0;
    let expected = 0;
    const gather = (answer: Answer): void => {
      gathered.push(...answer.answers);
      waitingFor.delete(answer.from);
      answered += 1;
      if (waitingFor.size === 0 && answered >= expected) finish();
    };
    this.#asking.set(id, gather);
    return {
      head: { from, id },
      answers: done.then(() => [...gathered]),
      waitFor(nodes: ReadonlySet<string>): void {
        waitingFor = new Set(nodes);
      },
      /** How many, from whichever nodes. Some may have come before it was known. */
      waitForAnswers(count: number): void {
        expected = count;
        if (answered >= expected) finish();
      },
      ownAnswer: (answers: readonly unknown[]) => gather({ from, to: id, answers }),
      end: (): void => {
        deadline.cancel();
        this.#asking.delete(id);
        finish();
      },
    };
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

  /** Answers how many heard it. */
  #publish(topic: string, message: Question | Answer): Promise<unknown> {
    return this.#shard.call(this.#shard.publishCommand, topic, JSON.stringify(message));
  }

  #inboxOf(nodeId: string): string {
    return `${home(this.#context.prefix, ["control"], nodeId).base}`;
  }
}
