/**
 * Every message of a random test that was stored: who has to get it, who must not, what it says now. Membership is the model's
 * (`chat-model.ts`) before and behind the step in which it was sent; what changes within the step may be on either side of it.
 */
import type { Done, ModelState } from "./chat-model.ts";
import type { Witness } from "./messaging-witness.ts";

export interface StoredMessage {
  readonly id: string;
  readonly from: string;
  /** Either of the two. */
  readonly channel?: string;
  readonly to?: string;
  readonly sequence: number;
  readonly by: Witness;
  /** As it is now; undefined: deleted. */
  content: string | undefined;
  /** Its recipient reported so. */
  isRead?: true;
  /** Those that have been members from before it until now. */
  readonly members: Set<string>;
  /** Those that were no members. */
  readonly strangers: Set<string>;
  /** Those that have it, or have it to come with their next backlog. */
  readonly owed: Set<string>;
}

export interface Around {
  readonly before: ModelState;
  readonly after: ModelState;
  readonly done: readonly Done[];
  readonly subscribers: readonly string[];
  /** Connections that were open all the time. */
  readonly stable: readonly Witness[];
  /** Subscribers of whom a connection came or went. */
  readonly moving: ReadonlySet<string>;
}

export class Ledger {
  readonly messages: StoredMessage[] = [];

  /** Adds what a step stored; resolves when all who have to get it have it. */
  async settle(stored: readonly StoredMessage[], around: Around): Promise<void> {
    for (const message of this.messages) forgetMembers(message, around);
    for (const message of stored) {
      enrol(message, around);
      this.messages.push(message);
    }
    await Promise.all(stored.map((message) => arrived(message, around)));
    await this.#shown(around);
  }

  /** Every connection shows what it has of a message as it is now. */
  async #shown({ stable }: Around): Promise<void> {
    for (const witness of stable) {
      for (const { id, content } of this.messages) {
        const isShown = () => {
          const seen = witness.messages.get(id);
          return seen === undefined || seen.isOver === true || seen.content === content;
        };
        const what = () => `${id} as ${content}, not ${witness.messages.get(id)?.content}`;
        if (!isShown()) await witness.until(what, isShown);
      }
    }
  }

  /** Messages that reached whom they must not. */
  leaks(witnesses: readonly Witness[]): readonly string[] {
    return witnesses.flatMap(({ subscriber, messages }) =>
      this.messages
        .filter(({ id, strangers }) => strangers.has(subscriber) && messages.has(id))
        .map(({ id }) => `${id} reached ${subscriber}, who was no member`),
    );
  }
}

/** Whether the step may have changed the subscriber's place in the channel, for however long. */
function isMoved(subscriber: string, channel: string, { done }: Around): boolean {
  return done.some(({ operation, outcome }) => {
    if (outcome.answer !== "done" || operation.type === "create") return false;
    // By its token a channel is joined without its id.
    if (operation.type === "join") return operation.by === subscriber;
    if (operation.channel !== channel) return false;
    if (operation.type === "delete") return true;
    if (operation.type === "leave") return operation.by === subscriber;
    return operation.type === "remove" && operation.subscriber === subscriber;
  });
}

const isIn = (state: ModelState, channel: string, subscriber: string) =>
  state[channel]?.members.some(({ id }) => id === subscriber) === true;

function forgetMembers({ channel, members, owed }: StoredMessage, around: Around): void {
  if (channel === undefined) return;
  for (const subscriber of members) {
    if (isIn(around.after, channel, subscriber) && !isMoved(subscriber, channel, around)) continue;
    members.delete(subscriber);
    owed.delete(subscriber);
  }
}

function enrol(message: StoredMessage, around: Around): void {
  const { channel, to, from, members, strangers, owed } = message;
  if (channel === undefined) {
    for (const subscriber of around.subscribers) {
      (subscriber === from || subscriber === to ? members : strangers).add(subscriber);
    }
  } else {
    for (const subscriber of around.subscribers) {
      const [was, is] = [around.before, around.after].map((each) =>
        isIn(each, channel, subscriber),
      );
      const moved = isMoved(subscriber, channel, around);
      if (was === true && is === true && !moved) members.add(subscriber);
      if (was === false && is === false && !moved) strangers.add(subscriber);
    }
  }
  for (const subscriber of members) {
    // A connection that ended meanwhile may have taken it with it.
    if (!around.moving.has(subscriber)) owed.add(subscriber);
  }
}

async function arrived(message: StoredMessage, { stable }: Around): Promise<void> {
  const { id, by, members, to, from } = message;
  const receivers = stable.filter(({ subscriber }) => members.has(subscriber));
  const what = (of: string) => () => `${of} ${from}'s "${message.content}" (${id})`;
  await Promise.all(
    receivers.map((each) => each.until(what("message"), () => each.messages.has(id))),
  );
  if (to === undefined || !receivers.some(({ subscriber }) => subscriber === to)) return;
  await Promise.all(
    [by, ...receivers.filter(({ subscriber }) => subscriber === from)].map((each) =>
      each.until(what("report of"), () => (each.statuses.get(id) ?? "stored") !== "stored"),
    ),
  );
}
