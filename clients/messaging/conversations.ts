/**
 * Puts the messages of each conversation into their order, each once: sequences without gaps are the protocol's promise, so that
 * one which is missing was missed, and is fetched from the history before anything behind it is given out.
 */
import type { ChannelMessage, DirectMessage, HistoryMessage, Requests, Where } from "./messages.ts";

export type AnyMessage = DirectMessage | ChannelMessage;

type Range = Requests["history"]["fields"];

export interface Fetched {
  readonly messages: readonly HistoryMessage[];
  readonly more: boolean;
}

/** `channel:<channel-id>` or `with:<subscriber>`. */
export type ConversationKey = string;

interface State {
  /** Everything up to here was given out, or is gone for good. */
  last: number;
  /** It begins here with what this client sent itself, and nothing else of it has come yet. */
  ownSince: number | undefined;
  /** Above it: what this client sent itself, which comes in no push. */
  readonly own: Set<number>;
  /** It is known to go up to there. */
  goal: number;
  /** What came behind a gap. */
  readonly waiting: AnyMessage[];
  closing: boolean;
}

/** Ids of messages without a sequence that are remembered. */
const IDS_MAX = 1000;
const PAGE = 200;

export interface ConversationsOptions {
  /** Where the application stands already. Absent: a conversation begins with the first message that comes. */
  readonly positions?: ReadonlyMap<ConversationKey, number>;
  readonly fetch: (range: Range) => Promise<Fetched>;
  readonly emit: (message: AnyMessage) => void;
}

export class Conversations {
  /** This subscriber: to be known before anything is received. */
  self = "";
  readonly #options: ConversationsOptions;
  readonly #states = new Map<ConversationKey, State>();
  readonly #ids = new Set<string>();

  constructor(options: ConversationsOptions) {
    this.#options = options;
    for (const [key, last] of options.positions ?? []) this.#stateAt(key, last);
  }

  /** Up to where each conversation is complete. */
  get positions(): Map<ConversationKey, number> {
    return new Map([...this.#states].map(([key, { last }]) => [key, last]));
  }

  /** A push. */
  received(message: AnyMessage): void {
    if (message.sequence === 0) return this.#withoutSequence(message);
    const key = keyOf(message, this.self);
    const state = this.#stateAt(key, message.sequence - 1);
    beginAt(state, message.sequence);
    if (message.sequence <= state.last || state.own.has(message.sequence)) return;
    state.waiting.push(message);
    this.#reach(key, state, message.sequence - 1);
  }

  /** This client sent the message of this sequence. */
  sent(key: ConversationKey, sequence: number): void {
    if (!this.#states.has(key)) this.#stateAt(key, sequence - 1).ownSince = sequence;
    const state = this.#stateAt(key, sequence - 1);
    if (sequence > state.last) state.own.add(sequence);
    advance(state);
  }

  /** The conversation is known to go up to there: what is missing of it is fetched. One that was never seen is left alone. */
  goesTo(key: ConversationKey, sequence: number): void {
    const state = this.#states.get(key);
    if (state !== undefined) this.#reach(key, state, sequence);
  }

  #stateAt(key: ConversationKey, last: number): State {
    let state = this.#states.get(key);
    if (state === undefined) {
      state = {
        ...{ last, goal: last, ownSince: undefined },
        ...{ own: new Set(), waiting: [], closing: false },
      };
      this.#states.set(key, state);
    }
    return state;
  }

  #reach(key: ConversationKey, state: State, sequence: number): void {
    state.goal = Math.max(state.goal, sequence);
    if (state.closing) return;
    this.#giveWaiting(state);
    if (state.last < state.goal) void this.#close(key, state);
  }

  async #close(key: ConversationKey, state: State): Promise<void> {
    state.closing = true;
    try {
      while (state.last < state.goal) {
        const { last: after, goal } = state;
        const page = await this.#options.fetch({ ...whereOf(key), after, limit: PAGE });
        for (const message of page.messages) this.#inOrder(state, this.#typed(message, key));
        // What the history does not have is gone.
        if (!page.more || state.last === after) state.last = Math.max(state.last, goal);
        advance(state);
        this.#giveWaiting(state);
      }
    } catch (error) {
      // Of a channel that was left, what came meanwhile is all there is. Otherwise the gap is closed with the next message or connection.
      if ((error as { readonly error?: unknown }).error === "not-found") {
        for (const message of state.waiting.splice(0)) this.#inOrder(state, message);
        state.goal = state.last;
      }
    }
    state.closing = false;
  }

  /** Up to where one is missing. */
  #giveWaiting(state: State): void {
    for (let [next] = state.waiting; next !== undefined; [next] = state.waiting) {
      if (next.sequence > state.last + 1) {
        state.goal = Math.max(state.goal, next.sequence - 1);
        return;
      }
      state.waiting.shift();
      this.#inOrder(state, next);
    }
  }

  #inOrder(state: State, message: AnyMessage): void {
    if (message.sequence <= state.last) return;
    if (state.own.has(message.sequence)) state.last = message.sequence;
    else this.#give(state, message);
    advance(state);
  }

  #give(state: State, message: AnyMessage): void {
    state.last = message.sequence;
    advance(state);
    this.#options.emit(message);
  }

  /** The history leaves out what its question says. */
  #typed(message: HistoryMessage, key: ConversationKey): AnyMessage {
    const { with: other = "", "channel-id": channel } = whereOf(key);
    if (channel !== undefined) {
      return { ...message, type: "channel-message", "channel-id": channel, backlog: true };
    }
    const to = message.from === other ? this.self : other;
    return { ...message, type: "direct-message", to, backlog: true };
  }

  #withoutSequence(message: AnyMessage): void {
    const id = message["message-id"];
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    const [oldest = ""] = this.#ids;
    if (this.#ids.size > IDS_MAX) this.#ids.delete(oldest);
    this.#options.emit(message);
  }
}

/** What was pushed while this client's first message was under way comes behind the answer to that, and is as new. */
function beginAt(state: State, sequence: number): void {
  const { ownSince = sequence, last } = state;
  state.ownSince = undefined;
  if (sequence >= ownSince) return;
  for (let own = ownSince; own <= last; own++) state.own.add(own);
  state.last = sequence - 1;
  if (state.goal < ownSince) state.goal = state.last;
}

/** Over what this client sent itself. */
function advance(state: State): void {
  for (const sequence of state.own) if (sequence <= state.last) state.own.delete(sequence);
  while (state.own.delete(state.last + 1)) state.last += 1;
}

function keyOf(message: AnyMessage, self: string): ConversationKey {
  if (message.type === "channel-message") return `channel:${message["channel-id"]}`;
  return `with:${message.from === self ? message.to : message.from}`;
}

function whereOf(key: ConversationKey): Where {
  const name = key.slice(key.indexOf(":") + 1);
  return key.startsWith("channel:") ? { "channel-id": name } : { with: name };
}
