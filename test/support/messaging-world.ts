/** What a random test of messaging does and knows: connections on nodes, the model's state, the messages; and what has to hold of them. */
import { expect } from "bun:test";
import { directChannel } from "../../src/dialects/messaging/chat/ids.ts";
import { cursorKey, memberKey } from "../../src/dialects/messaging/chat/keys.ts";
import { explain, withToken, type Done, type ModelLimits, type ModelState } from "./chat-model.ts";
import { stateOf } from "./chat-operations.ts";
import { Ledger, type StoredMessage } from "./messaging-ledger.ts";
import type { MessagingNodes } from "./messaging-nodes.ts";
import { channelsOf } from "./messaging-operations.ts";
import { Witness } from "./messaging-witness.ts";
import type { Message } from "./messaging.ts";
import type { Random } from "./random.ts";
import { until } from "./redis.ts";
import { hs256 } from "./tokens.ts";

export interface WorldOptions {
  readonly random: Random;
  readonly nodes: MessagingNodes;
  readonly subscribers: readonly string[];
  readonly limits: ModelLimits;
}

export class World {
  readonly random: Random;
  readonly nodes: MessagingNodes;
  readonly subscribers: readonly string[];
  readonly ledger = new Ledger();
  /** Channels that were made, also those that are gone. */
  readonly channels: string[] = [];
  readonly #limits: ModelLimits;
  readonly #gone: Witness[] = [];
  #witnesses: Witness[] = [];
  #model: ModelState = {};
  #tokens = 0;

  constructor({ random, nodes, subscribers, limits }: WorldOptions) {
    this.random = random;
    this.nodes = nodes;
    this.subscribers = subscribers;
    this.#limits = limits;
  }

  get model(): ModelState {
    return this.#model;
  }

  /** Connections that are open. */
  get witnesses(): readonly Witness[] {
    return this.#witnesses;
  }

  async connect(subscriber: string, node = this.nodes.pick(this.random)): Promise<Witness> {
    const token = hs256({ sub: subscriber, jti: `${(this.#tokens += 1)}` });
    const witness = await Witness.open(node, subscriber, token);
    this.#witnesses.push(witness);
    return witness;
  }

  /** Puts those that were closed aside. */
  sort(): void {
    this.#gone.push(...this.#witnesses.filter(({ isOpen }) => !isOpen));
    this.#witnesses = this.#witnesses.filter(({ isOpen }) => isOpen);
  }

  /** The records are as some order of what was done makes them, and every connection shows its subscriber's channels so. */
  async compareState(done: readonly Done[]): Promise<void> {
    const state = await stateOf(this.nodes.records, this.subscribers);
    const isState = (each: ModelState) => Bun.deepEquals(each, state, true);
    const agrees = ({ operation, outcome }: Done, answer: string): boolean => {
      const [said] = answer.split(" ");
      if (said === outcome.answer) return true;
      // Who is removed again before the join is answered is told that the membership has ended.
      if (operation.type !== "join" || said !== "done" || outcome.answer !== "not-found")
        return false;
      const channel = operation.channel ?? withToken(state, operation.token) ?? "";
      return !channelsOf(state, operation.by).has(channel);
    };
    const next = explain(this.#model, done, this.#limits, isState, agrees);
    if (next === undefined) {
      throw new Error(`No order explains ${JSON.stringify({ model: this.#model, done, state })}`);
    }
    this.#model = next;
    await Promise.all(
      this.#witnesses.map((witness) => {
        const expected = channelsOf(next, witness.subscriber);
        const isShown = () => Bun.deepEquals(new Map(witness.channels), expected, true);
        const what = () =>
          `the channels ${JSON.stringify([...expected])}, not ${JSON.stringify([...witness.channels])}`;
        return witness.until(what, isShown);
      }),
    );
  }

  /** Everybody leaves and comes back: with what was missed, and with nothing that was seen. */
  async comeBack(): Promise<void> {
    await this.quiet();
    for (const witness of this.#witnesses) {
      witness.close();
      await witness.closed;
    }
    this.#gone.push(...this.#witnesses.splice(0));
    await this.#kept(({ channel }) => channel !== undefined);
    const { messages } = this.ledger;
    for (const subscriber of this.subscribers) {
      const seen = new Set(this.#seenBy(subscriber).flatMap((each) => [...each.messages.keys()]));
      const witness = await this.connect(subscriber);
      const missed = messages.filter(({ id, owed }) => owed.has(subscriber) && !seen.has(id));
      const what = () => `${missed.map(({ id }) => id).join()} from its backlog`;
      await witness.until(what, () => missed.every(({ id }) => witness.messages.has(id)));
      const again = messages.filter(
        ({ id, owed }) => owed.has(subscriber) && seen.has(id) && witness.messages.has(id),
      );
      expect(again.map(({ id }) => id)).toEqual([]);
    }
    await this.compareState([]);
  }

  #seenBy(subscriber: string): readonly Witness[] {
    return [...this.#gone, ...this.#witnesses].filter((each) => each.subscriber === subscriber);
  }

  /** Resolves when nothing waits behind an answer any more: a connection that ends then has taken all that it was sent. */
  async quiet(): Promise<void> {
    await Promise.all(this.#witnesses.map((each) => each.ask({ type: "ping" })));
    await this.#kept(({ channel }) => channel === undefined);
  }

  /** Resolves when those messages count as delivered to whoever has them. */
  async #kept(which: (message: StoredMessage) => boolean): Promise<void> {
    const { records } = this.nodes;
    for (const { id, channel, from, to, sequence, owed } of this.ledger.messages.filter(which)) {
      for (const subscriber of owed) {
        const isSeen = this.#seenBy(subscriber).some(({ messages }) => messages.has(id));
        if (!isSeen || (channel === undefined && subscriber === from)) continue;
        const key =
          channel === undefined
            ? cursorKey(subscriber, directChannel(from, to ?? "").name)
            : memberKey(channel, subscriber);
        await until(`${id} counts as delivered to ${subscriber}`, async () => {
          const { deliveredSequence = 0, delivered = 0 } = JSON.parse(
            (await records.get(key))?.value ?? "{}",
          ) as { deliveredSequence?: number; delivered?: number };
          return Math.max(deliveredSequence, delivered) >= sequence;
        });
      }
    }
  }

  /** Every conversation is whole, in its order and as it is now, for whoever may read it. */
  async compareHistories(): Promise<void> {
    const { messages } = this.ledger;
    for (const witness of this.#witnesses) {
      const { subscriber } = witness;
      for (const channel of this.channels) {
        const { error, response } = await witness.ask({
          ...{ type: "history", "channel-id": channel, limit: 200 },
        });
        const isMember = channelsOf(this.#model, subscriber).has(channel);
        expect(error).toBe(isMember ? undefined : "not-found");
        if (error !== undefined) continue;
        const of = messages.filter((each) => each.channel === channel);
        const found = response["messages"] as Message[];
        const [first = of.length + 1] = found.map(({ sequence }) => Number(sequence));
        const visible = of
          .filter(({ sequence }) => sequence >= first)
          .toSorted((a, b) => a.sequence - b.sequence);
        expect(found.map(entry)).toEqual(visible.map((each) => entryOf(each)));
        const due = of.filter(({ members }) => members.has(subscriber));
        expect(due.every(({ sequence }) => sequence >= first)).toBe(true);
        const hidden = of.filter(({ strangers }) => strangers.has(subscriber));
        expect(hidden.some(({ sequence }) => sequence >= first)).toBe(false);
      }
      for (const other of this.subscribers.filter((each) => each !== subscriber)) {
        const { response } = await witness.ask({ type: "history", with: other, limit: 200 });
        const of = messages
          .filter(({ from, to }) =>
            [`${from} ${to}`, `${to} ${from}`].includes(`${subscriber} ${other}`),
          )
          .toSorted((a, b) => a.sequence - b.sequence);
        expect(of.map(({ sequence }) => sequence)).toEqual(of.map((_, at) => at + 1));
        const found = response["messages"] as Message[];
        expect(found.map(entry)).toEqual(of.map((each) => entryOf(each)));
        const read = of.filter(({ from, isRead }) => from === subscriber && isRead === true);
        const shown = (id: string) => found.find((each) => each["message-id"] === id)?.["status"];
        expect(read.map(({ id }) => shown(id))).toEqual(read.map(() => "read"));
      }
    }
  }

  async leave(): Promise<void> {
    for (const [channel, { members }] of Object.entries(this.#model)) {
      const owner = members.find(({ administrator }) => administrator)?.id;
      const witness = this.#witnesses.find(({ subscriber }) => subscriber === owner);
      await witness?.ask({ type: "delete-channel", "channel-id": channel });
    }
    expect(await stateOf(this.nodes.records, this.subscribers)).toEqual({});
    for (const witness of this.#witnesses) {
      witness.close();
      await witness.closed;
    }
  }

  /** What must never have been. */
  complaints(): readonly string[] {
    const all = [...this.#gone, ...this.#witnesses];
    return [...all.flatMap(({ complaints }) => complaints), ...this.ledger.leaks(all)];
  }
}

const entry = (message: Message) => ({
  id: message["message-id"],
  from: message["from"],
  sequence: message["sequence"],
  content: message["content"],
});
const entryOf = (message: StoredMessage) => {
  const { id, from, sequence, content = "" } = message;
  return { id, from, sequence, content };
};
