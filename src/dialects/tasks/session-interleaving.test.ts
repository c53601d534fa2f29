/**
 * Invokes, connects, reloads, displacements and closes in random order on two nodes of a simulated network (task-tokens.md §5.3,
 * §5.8): no message lost that was promised, none twice, all in the order of their numbers, and the newest connection stays.
 */
import { describe, expect, test } from "bun:test";
import { createTestRuntime, type TestRuntime } from "../../../test/support/runtime.ts";
import { SimulatedCluster } from "../../../test/support/simulated-cluster.ts";
import {
  createTaskNode,
  TASK,
  taskToken,
  type RecordedSocket,
} from "../../../test/support/task-nodes.ts";
import type { TaskToken } from "./client-token.ts";

/** Of each scenario. */
const CASES = process.env["CARILLON_SOAK"] === undefined ? 600 : 60_000;
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const ACTIONS = 70;
const INVOKES_MAX = 12;
/** An acceptance is refused beyond it, which is not what is looked at here. */
const CONNECTS_MAX = 25;

interface Scenario {
  readonly lossRate: number;
  readonly controlLossRate: number;
  /** How much happens beside the network's own steps. */
  readonly haste: number;
  /** Share of the tokens whose connections stand alone. */
  readonly alone: number;
}

interface Client {
  readonly socket: RecordedSocket;
  readonly token: TaskToken;
  /** Newest kept message that was acknowledged when it connected: it, or a newer one, is owed to those who asked. */
  owedSeq: number;
  /** Newest message that there was when it got its first frame. */
  seenFromSeq: number | undefined;
}

class Case {
  readonly #runtime: TestRuntime;
  readonly #cluster: SimulatedCluster;
  readonly #scenario: Scenario;
  readonly #bugs: unknown[] = [];
  readonly #nodes;
  readonly #clients: Client[] = [];
  readonly #tokens: TaskToken[] = [];
  /** Of invokes and closes under way. */
  readonly #working = new Set<Promise<unknown>>();
  #invokes = 0;
  /** By message. */
  readonly #seqs = new Map<string, number>();
  /** Of acknowledged messages that are kept and that no close forgot. */
  #keptSeq = 0;
  #closing = 0;
  #closes = 0;
  #revokedMs = 0;

  constructor(seed: number, scenario: Scenario) {
    this.#runtime = createTestRuntime(seed);
    this.#scenario = scenario;
    const { random, clock } = this.#runtime;
    this.#cluster = new SimulatedCluster({ random, clock, ...scenario });
    this.#nodes = [0, 1].map(() =>
      createTaskNode({ engine: this.#cluster.node(), runtime: this.#runtime, bugs: this.#bugs }),
    );
  }

  #chance(): number {
    return this.#runtime.random.fraction();
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#chance() * items.length)];
  }

  #follow(work: Promise<unknown> | undefined): void {
    if (work === undefined) return;
    const followed = work
      .catch((error: unknown) => this.#bugs.push(error))
      .finally(() => this.#working.delete(followed));
    this.#working.add(followed);
  }

  #issue(sendOfflineMessage = this.#chance() < 0.6): void {
    const made = taskToken(this.#runtime, {
      sendOfflineMessage,
      singleInstance: this.#chance() < this.#scenario.alone / 2,
      persistTimeout: this.#chance() < this.#scenario.alone / 2,
    });
    const issue = async () => {
      const token = await this.#pick(this.#nodes)?.context.tasks.issue(made);
      if (token !== undefined) this.#tokens.push(token);
    };
    this.#follow(issue());
  }

  #invoke(): void {
    if (this.#invokes >= INVOKES_MAX) return;
    const message = `message ${(this.#invokes += 1)}`;
    const newTimeoutMs = this.#chance() < 0.15 ? 0 : 600_000;
    // One that overlaps with a close may be forgotten by it.
    const calmFrom = this.#closing === 0 ? this.#closes : -1;
    const invoke = async () => {
      const tasks = this.#pick(this.#nodes)?.context.tasks;
      const report = this.#chance() < 0.3;
      const invoked = await tasks?.invoke({ taskId: TASK, message, newTimeoutMs, report });
      const seq = this.#seqs.get(JSON.stringify(message)) ?? 0;
      expect(seq).toBeGreaterThan(0);
      // A token asked for it before the first of them.
      if (this.#closes === 0) expect(invoked?.retained).toBe(true);
      if (invoked?.retained === true && this.#closes === calmFrom) {
        this.#keptSeq = Math.max(this.#keptSeq, seq);
      }
    };
    this.#follow(invoke());
  }

  #connect(token = this.#pick(this.#tokens)): void {
    if (token === undefined || this.#clients.length >= CONNECTS_MAX) return;
    const socket = this.#pick(this.#nodes)?.connect(token, { Ticks: 0, Extended: true });
    if (socket === undefined) return;
    const client: Client = { socket, token, owedSeq: this.#keptSeq, seenFromSeq: undefined };
    socket.onFrame = () => {
      client.seenFromSeq ??= this.#cluster.stream(TASK).top;
    };
    this.#clients.push(client);
  }

  /** The page opens a socket anew, before or after the old one is gone. */
  #reload(): void {
    const client = this.#pick(this.#clients.filter(({ socket }) => socket.isOpen));
    if (client === undefined) return;
    if (this.#chance() < 0.5) client.socket.leave();
    this.#connect(client.token);
  }

  #close(): void {
    this.#closing += 1;
    this.#closes += 1;
    this.#forget();
    const close = async () => {
      await this.#pick(this.#nodes)?.context.tasks.close(TASK);
      this.#revokedMs = this.#runtime.clock.epochMs();
      this.#closing -= 1;
    };
    this.#follow(close());
  }

  /** What was kept is gone: those that have not been sent it yet are owed nothing. */
  #forget(): void {
    this.#keptSeq = 0;
    for (const client of this.#clients) if (client.socket.frames.length === 0) client.owedSeq = 0;
  }

  async run(): Promise<void> {
    const { haste } = this.#scenario;
    for (const offline of [true, false, undefined]) this.#issue(offline);
    await this.#settle();
    for (let action = 0; action < ACTIONS; action++) {
      const chance = this.#chance() / haste;
      if (chance < 0.08) this.#connect();
      else if (chance < 0.18) this.#invoke();
      else if (chance < 0.22) this.#reload();
      else if (chance < 0.23) this.#issue();
      else if (chance < 0.231) this.#close();
      else await this.#step();
    }
    await this.#settle();
    if (this.#scenario.lossRate > 0 || this.#scenario.controlLossRate > 0)
      await this.#comparePositions();
    this.#check();
  }

  /** One step publishes one message at the most. */
  async #step(): Promise<boolean> {
    const stepped = await this.#cluster.takeStep();
    const newest = this.#cluster.stream(TASK).publications.at(-1);
    if (newest?.position !== undefined && "json" in newest.data) {
      this.#seqs.set(newest.data.json, newest.position.offset);
      // Behind a close, before a token asks for messages again: it takes the place of one that was kept.
      if (newest.tags?.["kept_until"] === "0") this.#forget();
    }
    return stepped;
  }

  async #settle(): Promise<void> {
    while ((await this.#step()) || this.#working.size > 0 || this.#cluster.pendingSteps > 0);
  }

  /** What the bus lost at the very end is found when nodes and connections look by themselves. */
  async #comparePositions(): Promise<void> {
    this.#cluster.healControl();
    for (let round = 0; round < 2; round++) {
      let moved = false;
      const moving = this.#runtime.advance(40_000).then(() => {
        moved = true;
      });
      while (!moved) await this.#step();
      await moving;
      await this.#settle();
    }
  }

  #check(): void {
    expect(this.#bugs).toEqual([]);
    for (const client of this.#clients) this.#checkClient(client);
    this.#checkDisplacement();
  }

  #checkClient({ socket, token, owedSeq, seenFromSeq }: Client): void {
    const { frames, isOpen, closeCode } = socket;
    const { top } = this.#cluster.stream(TASK);
    const messages = frames.filter(({ Seq }) => Seq !== undefined);
    const seqs = messages.map(({ Seq }) => Seq ?? 0);
    const [first = top + 1] = seqs;
    // In order, none twice, none left out in between.
    expect(seqs).toEqual(seqs.map((_, index) => first + index));
    // Only the first may be one from before.
    expect(messages.findLastIndex(({ Replay }) => Replay === true)).toBeLessThan(1);
    if (!token.sendOfflineMessage) expect(messages.some(({ Replay }) => Replay)).toBe(false);
    // A last frame is the last, and the close says the same.
    const completed = frames.findIndex(({ Completed }) => Completed);
    if (completed >= 0) expect(completed).toBe(frames.length - 1);
    if (closeCode === 1000) expect(messages.at(-1)?.Completed).toBe(true);
    // Where messages were lost or forgotten a node may have to own up to a gap.
    if (!this.#isLossy && this.#closes === 0) expect(closeCode).not.toBe(1011);
    if (seenFromSeq === undefined || closeCode === 4504) return;
    // Whoever waits has everything since its first frame.
    if (isOpen) {
      expect(first + seqs.length - 1).toBe(top);
      expect(first).toBeLessThanOrEqual(seenFromSeq + 1);
    }
    if (token.sendOfflineMessage && (isOpen || closeCode === 1000))
      expect(seqs.at(-1) ?? 0).toBeGreaterThanOrEqual(owedSeq);
  }

  get #isLossy(): boolean {
    return this.#scenario.lossRate > 0;
  }

  /** Of two that are open neither stands alone, and none has a token that was revoked. */
  #checkDisplacement(): void {
    const open = this.#clients.filter(({ socket }) => socket.isOpen);
    const alone = open.filter(({ token }) => token.singleInstance || token.persistTimeout);
    if (alone.length > 0) expect(open).toHaveLength(1);
    for (const { token } of open) expect(token.issuedMs).toBeGreaterThan(this.#revokedMs);
  }
}

describe(`random interleavings, seed ${SEED}`, () => {
  const scenarios: Record<string, Scenario> = {
    "one by one": { lossRate: 0, controlLossRate: 0, haste: 1, alone: 0.3 },
    "nobody alone": { lossRate: 0, controlLossRate: 0, haste: 1.5, alone: 0 },
    "all at once": { lossRate: 0, controlLossRate: 0, haste: 3, alone: 0.2 },
    "over a bus that loses messages": { lossRate: 0.15, controlLossRate: 0, haste: 1, alone: 0.1 },
    "where questions between nodes get lost": {
      ...{ lossRate: 0, controlLossRate: 0.5, haste: 1, alone: 0.3 },
    },
  };
  for (const [name, scenario] of Object.entries(scenarios)) {
    test(
      name,
      async () => {
        for (let index = 0; index < CASES; index++) {
          const seed = SEED + index;
          try {
            await new Case(seed, scenario).run();
          } catch (cause) {
            throw new Error(`Case of seed ${seed} failed: ${String(cause)}`, { cause });
          }
        }
      },
      1_800_000,
    );
  }
});
