/**
 * Random sequences of membership, roles, messages, edits, disconnects, revocations and restarts, on two connections per subscriber and,
 * on Redis, two nodes, against a simple model: the same state at each step in the records and on every connection, no message lost or
 * doubled, no rule bypassed. A step is up to four things at once, beside a connection that comes or goes.
 */
import { expect, test } from "bun:test";
import type { Done, Operation } from "../../support/chat-model.ts";
import { drawOperation } from "../../support/chat-operations.ts";
import { TEST_ENGINE } from "../../support/engine.ts";
import { send } from "../../support/messaging-auth.ts";
import type { Around, StoredMessage } from "../../support/messaging-ledger.ts";
import { MessagingNodes } from "../../support/messaging-nodes.ts";
import { messageOf, storedMessage } from "../../support/messaging-operations.ts";
import { Witness } from "../../support/messaging-witness.ts";
import { World } from "../../support/messaging-world.ts";
import { createRandom, randomFrom, type Random } from "../../support/random.ts";
import type { BootedServer } from "../../support/server.ts";

const SEQUENCES = process.env["CARILLON_SOAK"] === "1" ? 1000 : 12;
const STEPS = 14;
const AT_ONCE_MAX = 4;
const CONNECTIONS_MAX = 2;
/** So few that they are met. */
const LIMITS = { channels: 2, members: 3 };
/** Operations are about the newest channels, so that most of them meet. */
const CHANNELS_KNOWN_MAX = 3;
const UNAUTHORIZED = 4401;
const GOING_AWAY = 1001;

/** What is under way at once. */
interface Step {
  /** Connections that are open all the time. */
  readonly stable: readonly Witness[];
  readonly done: Done[];
  readonly stored: StoredMessage[];
  /** Messages that are changed: each by one alone, so that it is certain what becomes of it. */
  readonly touched: Set<string>;
  /** To be asked once it is known what else was done. */
  readonly checks: ((around: Around) => void)[];
}

interface Move {
  ends(witness: Witness): boolean;
  make(): Promise<unknown>;
}

class Sequence {
  readonly #random: Random;
  readonly #world: World;
  #contents = 0;

  constructor(random: Random, world: World) {
    this.#random = random;
    this.#world = world;
  }

  async run(): Promise<void> {
    const world = this.#world;
    // Whoever was never here is unknown to the others.
    for (const subscriber of world.subscribers) await world.connect(subscriber);
    for (let step = 0; step < STEPS; step++) await this.#step();
    await world.comeBack();
    await world.compareHistories();
    await world.leave();
    expect(world.complaints()).toEqual([]);
  }

  async #step(): Promise<void> {
    const world = this.#world;
    await world.quiet();
    const { model: before, subscribers, witnesses } = world;
    const move = this.#random.chance(0.3) ? this.#drawMove() : undefined;
    const stable = witnesses.filter((each) => move?.ends(each) !== true);
    const step: Step = { stable, done: [], stored: [], touched: new Set(), checks: [] };
    const doings = Array.from({ length: this.#random.integer(AT_ONCE_MAX) + 1 }, () =>
      stable.length === 0 ? undefined : this.#doSomething(step),
    );
    await Promise.all([...doings, move?.make()]);
    world.sort();
    await world.compareState(step.done);
    const moving = new Set(
      [...witnesses, ...world.witnesses]
        .filter((each) => !stable.includes(each))
        .map(({ subscriber }) => subscriber),
    );
    const around = { before, after: world.model, done: step.done, subscribers, stable, moving };
    for (const check of step.checks) check(around);
    await world.ledger.settle(step.stored, around);
  }

  /** A connection that comes, or that ends: by itself, with its token, or with its node. */
  #drawMove(): Move | undefined {
    const random = this.#random;
    const world = this.#world;
    const subscriber = random.pick(world.subscribers);
    const own = world.witnesses.filter((each) => each.subscriber === subscriber);
    if (random.chance(0.08)) {
      const node = world.nodes.pick(random);
      return { ends: (each) => each.node === node, make: () => this.#restart(node) };
    }
    if (own.length === 0 || (own.length < CONNECTIONS_MAX && random.chance(0.6))) {
      return { ends: () => false, make: () => world.connect(subscriber) };
    }
    const one = random.pick(own);
    const close = async (): Promise<void> => {
      one.close();
      await one.closed;
    };
    const make = random.chance(0.5) ? close : () => this.#revoke(one);
    return { ends: (each) => each === one, make };
  }

  async #restart(node: BootedServer): Promise<void> {
    const ended = this.#world.witnesses.filter((each) => each.node === node);
    await this.#world.nodes.restart(node);
    for (const each of ended) expect(await each.closed).toBe(GOING_AWAY);
  }

  async #revoke({ token, node, subscriber, closed }: Witness): Promise<void> {
    const elsewhere = this.#world.nodes.pick(this.#random);
    expect((await send(elsewhere, "revoke", { token })).status).toBe(200);
    expect(await closed).toBe(UNAUTHORIZED);
    await expect(Witness.open(node, subscriber, token)).rejects.toThrow("was not let in");
  }

  #doSomething(step: Step): Promise<void> {
    const random = this.#random;
    const kind = random.integer(20);
    const by = random.pick(step.stable);
    if (kind < 3) return this.#sendDirect(by, step);
    const messages = this.#world.ledger.messages.filter(({ id }) => !step.touched.has(id));
    if (kind < 6 && messages.length > 0) {
      const message = random.pick(messages);
      step.touched.add(message.id);
      if (message.to !== undefined && random.chance(0.4)) return this.#read(by, message);
      return this.#change(by, message, step);
    }
    const operation = this.#drawOperation();
    const actors = step.stable.filter(({ subscriber }) => subscriber === operation.by);
    if (actors.length === 0) return Promise.resolve();
    return this.#operate(random.pick(actors), operation, step);
  }

  #drawOperation(): Operation {
    const random = this.#random;
    const { channels, model, subscribers } = this.#world;
    const living = Object.entries(model);
    if (living.length > 0 && random.chance(0.5)) {
      const [channel, { members }] = random.pick(living);
      return { type: "send", by: random.pick(members).id, channel };
    }
    return drawOperation({
      ...{ random, subscribers, known: channels.slice(-CHANNELS_KNOWN_MAX), model },
    });
  }

  async #operate(by: Witness, operation: Operation, { done, stored }: Step): Promise<void> {
    const content = this.#content();
    const { error, response } = await by.ask(messageOf(operation, content));
    const outcome = { answer: error ?? "done" };
    if (operation.type === "create" && error === undefined) {
      const channel = String(response["channel-id"]);
      this.#world.channels.push(channel);
      const made = { channel, token: String(response["invite-token"]) };
      done.push({ operation, outcome: { ...outcome, made } });
    } else done.push({ operation, outcome });
    if (operation.type === "send" && error === undefined) {
      stored.push(storedMessage(by, response, { channel: operation.channel, content }));
    }
  }

  async #sendDirect(by: Witness, { stored }: Step): Promise<void> {
    const others = this.#world.subscribers.filter((each) => each !== by.subscriber);
    const to = this.#random.pick(others);
    const content = this.#content();
    const { error, response } = await by.ask({ type: "direct-message", to, content });
    expect(error).toBeUndefined();
    stored.push(storedMessage(by, response, { to, content }));
  }

  async #read(by: Witness, message: StoredMessage): Promise<void> {
    const receipt = { type: "receipt", "message-ids": [message.id], status: "read" };
    const { error } = await by.ask(receipt);
    const isOwn = by.subscriber === message.from;
    const isTheirs = by.subscriber === message.to;
    expect(error).toBe(isTheirs ? undefined : isOwn ? "invalid-field" : "not-found");
    if (isTheirs && message.content !== undefined) message.isRead = true;
  }

  /** An edit or a deletion. */
  async #change(by: Witness, message: StoredMessage, { checks }: Step): Promise<void> {
    const { id, content: before } = message;
    const content = this.#random.chance(0.6) ? this.#content() : undefined;
    const type = content === undefined ? "delete-message" : "edit-message";
    const rights = rightsOf(by.subscriber, message, this.#world);
    const { error } = await by.ask({ type, "message-id": id, content });
    checks.push(({ done }) => {
      // Who may do what is certain where nothing else happened to channels.
      const isCalm = done.every((each) => {
        return each.operation.type === "send" || each.outcome.answer !== "done";
      });
      if (!isCalm || rights === "unknown") return;
      const may = rights === "own" || (rights === "administrator" && content === undefined);
      const refused = message.channel === undefined ? "invalid-field" : "not-administrator";
      if (rights === "none" || (may && before === undefined)) expect(error).toBe("not-found");
      else expect(error).toBe(may ? undefined : refused);
    });
    if (error !== undefined) return;
    message.content = content;
    if (content === undefined) message.owed.clear();
    by.changed(id, content);
  }

  #content(): string {
    return `m${(this.#contents += 1)}`;
  }
}

/** What the subscriber may do to the message. Of a member who has come back the model does not say what it sees. */
function rightsOf(
  subscriber: string,
  { channel, from, members }: StoredMessage,
  { model }: World,
): "own" | "administrator" | "member" | "none" | "unknown" {
  const member = model[channel ?? ""]?.members.find(({ id }) => id === subscriber);
  if (!members.has(subscriber)) return member === undefined ? "none" : "unknown";
  if (from === subscriber) return "own";
  return member?.administrator === true ? "administrator" : "member";
}

test(
  `${SEQUENCES} random sequences come to what the model says`,
  async () => {
    const random = createRandom(`Messaging sequences on ${TEST_ENGINE}`);
    await using nodes = await MessagingNodes.start({
      ...{ channel_limit: LIMITS.channels, member_limit: LIMITS.members },
    });
    for (let at = 0; at < SEQUENCES; at++) {
      const own = randomFrom(random.integer(2 ** 32));
      const subscribers = ["a", "b", "c", "d"].map((each) => `s${at}-${each}`);
      const world = new World({ random: own, nodes, subscribers, limits: LIMITS });
      try {
        await new Sequence(own, world).run();
      } catch (error) {
        throw new Error(`Sequence ${at} of SEED=${random.seed}`, { cause: error });
      }
    }
  },
  SEQUENCES * 10_000,
);
