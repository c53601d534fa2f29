/**
 * A client of Carillon's messaging for browsers and Node 22 or later, without dependencies: over WebSocket, or a SockJS that it is
 * given. It comes back by itself with a fresh token, repeats what may be repeated, and gives each message out once and in order.
 */
import { Conversations, type AnyMessage, type ConversationKey } from "./conversations.ts";
import {
  openLink,
  type Link,
  type Lost,
  type MessagingEnvironment,
  type SocketLike,
} from "./link.ts";
import type { Identity, Pushes, Requests } from "./messages.ts";

export type * from "./messages.ts";
export type { ConversationKey, Lost, MessagingEnvironment, SocketLike };

export interface MessagingOptions {
  /** `wss://…/messaging/websocket`; with SockJS its base, `https://…/messaging`. */
  readonly url: string;
  /** Asked before each connection. When it fails, it is asked again after a while. */
  readonly token: () => string | Promise<string>;
  /** Default: the global WebSocket. `sockjs-client`'s constructor fits. */
  readonly socket?: new (url: string) => SocketLike;
  /** Up to where the application has each conversation (`client.positions`): what came since is fetched. */
  readonly positions?: ReadonlyMap<ConversationKey, number>;
  /** In place of the global timers and chance. */
  readonly environment?: MessagingEnvironment;
}

/** What a client tells of, beside what the server pushes. */
export interface Events extends Pushes {
  /** A connection is there, and whose it is. */
  readonly open: Identity;
  readonly closed: Lost;
}

/** Why a request failed: the server's `error`, or `disconnected`, `ignored`, `queue-full`, `closed`. */
export class MessagingError extends Error {
  readonly error: string;
  readonly field: string | undefined;
  /** Seconds. */
  readonly retryAfter: number | undefined;

  constructor(error: string, ack: Partial<Incoming> = {}) {
    super(ack.reason ?? error);
    this.name = "MessagingError";
    this.error = error;
    this.field = ack.field;
    this.retryAfter = ack["retry-after"];
  }
}

interface Incoming {
  readonly type: string;
  readonly "reply-to"?: string;
  readonly status?: unknown;
  readonly error?: string;
  readonly reason?: string;
  readonly field?: string;
  readonly "retry-after"?: number;
}

type Fields = Readonly<Record<string, unknown>> & { readonly attributes?: object };

interface Asked {
  readonly id: string;
  readonly type: string;
  readonly fields: Fields;
  /** A lost connection's is the next one's again. */
  readonly repeatable: boolean;
  answer?: unknown;
  readonly resolve: (answer: never) => void;
  readonly reject: (error: MessagingError) => void;
}

/** Requests that wait for a connection or their answer: beyond it the application is told at once. */
const ASKED_MAX = 1000;

/** Until what the server cannot do at the moment is asked for again. */
const RETRY_MS = 1000;

/** To do them twice is to do them once: of messages the `dedupe-key` sees to it. */
const REPEATABLE =
  /^((un)?announce|(un)?block-.*|(un)?watch-.*|(list|get|discover)-.*|(direct|channel|edit|delete)-message|history|receipt|ping|whoami)$/;

const globals: MessagingEnvironment = {
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

export class MessagingClient {
  readonly #environment: MessagingEnvironment;
  readonly #conversations: Conversations;
  readonly #link: Link;
  readonly #listeners = new Map<string, Set<(event: never) => void>>();
  /** For the next connection, or the one that is being opened. */
  #waiting: Asked[] = [];
  /** Sent over this connection, in the order in which it acknowledges them. */
  #sent: Asked[] = [];
  /** Messages from before it is known whose the connection is. They are kept when it breaks: to the server they are delivered. */
  readonly #early: AnyMessage[] = [];
  #announced: Fields | undefined;
  readonly #watched = new Set<unknown>();
  #ids = 0;
  #open = false;
  #closed = false;

  constructor(options: MessagingOptions) {
    const { url, token, socket = WebSocket, environment = globals, positions } = options;
    this.#environment = environment;
    this.#conversations = new Conversations({
      ...(positions && { positions }),
      fetch: (range) => this.#history(range),
      emit: (message) => this.#emit(message.type, message),
    });
    this.#link = openLink({
      ...{ url, token, socket, environment },
      onOpen: () => void this.#opened(),
      onText: (text) => this.#received(JSON.parse(text) as Incoming),
      onSilent: () => void this.#once("ping"),
      onLost: (lost) => this.#lost(lost),
    });
  }

  /** Up to where each conversation is complete: for `positions` of a later client. */
  get positions(): Map<ConversationKey, number> {
    return this.#conversations.positions;
  }

  /** Answers what takes the listener away. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const all = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, all.add(listener));
    return () => void all.delete(listener);
  }

  /**
   * Resolves with the required response, where there is one, once the server has acknowledged it; waits for a connection if need be.
   * Rejects with a MessagingError; `disconnected`: it was under way, and may have been done.
   */
  request<Type extends keyof Requests>(
    type: Type,
    ...[fields = {}]: object extends Requests[Type]["fields"]
      ? [fields?: Requests[Type]["fields"]]
      : [fields: Requests[Type]["fields"]]
  ): Promise<Requests[Type]["answer"]> {
    const given = fields as Fields;
    this.#remember(type, given);
    const isNew = type === "direct-message" || type === "channel-message";
    const sent = isNew ? { "dedupe-key": this.#chance() + this.#chance(), ...given } : given;
    if (this.#sent.length + this.#waiting.length >= ASKED_MAX) {
      return Promise.reject(new MessagingError("queue-full"));
    }
    return this.#ask(type, sent, REPEATABLE.test(type));
  }

  /** Leaves for good: what waits is rejected as `closed`. */
  close(): void {
    this.#closed = true;
    this.#link.close();
    for (const { reject } of [...this.#sent.splice(0), ...this.#waiting.splice(0)]) {
      reject(new MessagingError("closed"));
    }
  }

  #ask<Answer>(type: string, fields: Fields, repeatable: boolean, first = false): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new MessagingError("closed"));
      const asked: Asked = { id: `${(this.#ids += 1)}`, type, fields, repeatable, resolve, reject };
      if (this.#open || first) this.#send(asked);
      else this.#waiting.push(asked);
    });
  }

  /** However often it takes: what it does not bring would be missing for good. */
  async #history(range: Requests["history"]["fields"]): Promise<Requests["history"]["answer"]> {
    for (;;) {
      try {
        return await this.#ask("history", range, true);
      } catch (error) {
        const { error: code } = error as MessagingError;
        if (code !== "unavailable" && code !== "rate-limited") throw error;
        await new Promise<void>((resolve) => void this.#environment.after(RETRY_MS, resolve));
      }
    }
  }

  /** Of this connection alone, for this client's own sake: what becomes of it is told by what it answers. */
  #once<Type extends keyof Requests>(
    type: Type,
    fields: Fields = {},
  ): Promise<Requests[Type]["answer"] | undefined> {
    const answer = this.#ask<Requests[Type]["answer"]>(type, fields, false, true);
    return answer.catch(() => undefined);
  }

  #send(asked: Asked): void {
    const { id, type, fields } = asked;
    this.#sent.push(asked);
    this.#link.send(JSON.stringify({ ...fields, type, id }));
  }

  async #opened(): Promise<void> {
    // Of an earlier connection the server knows nothing.
    if (this.#announced !== undefined) void this.#once("announce", this.#announced);
    if (this.#watched.size > 0) {
      void this.#once("watch-availability", { subscribers: [...this.#watched] });
    }
    const whoami = this.#once("whoami");
    this.#open = true;
    for (const asked of this.#waiting.splice(0)) this.#send(asked);
    const identity = await whoami;
    if (identity === undefined) return;
    this.#link.works();
    this.#conversations.self = identity.subscriber.id;
    for (const message of this.#early.splice(0)) this.#conversations.received(message);
    this.#emit("open", identity);
    if (this.positions.size > 0) await this.#catchUp();
  }

  /** What came while there was not a connection, and does not come by itself. */
  async #catchUp(): Promise<void> {
    const [channels, direct] = await Promise.all([
      this.#once("list-channels"),
      this.#once("list-conversations"),
    ]);
    for (const { "channel-id": id, "last-sequence": last = 0 } of channels?.channels ?? []) {
      this.#conversations.goesTo(`channel:${id}`, last);
    }
    for (const { with: id, "last-sequence": last } of direct?.conversations ?? []) {
      this.#conversations.goesTo(`with:${id}`, last);
    }
  }

  #lost(lost: Lost): void {
    this.#open = false;
    const sent = this.#sent.splice(0);
    this.#waiting.unshift(...sent.filter(({ repeatable }) => repeatable));
    for (const { repeatable, reject } of sent) {
      if (!repeatable) reject(new MessagingError("disconnected"));
    }
    this.#emit("closed", lost);
  }

  #received(message: Incoming): void {
    const { type, "reply-to": replyTo } = message;
    if (type === "ack") return this.#acknowledged(message);
    const asked = this.#sent.find(({ id }) => id === replyTo);
    if (asked !== undefined) asked.answer = message;
    else if (type === "direct-message" || type === "channel-message") {
      const pushed = message as unknown as AnyMessage;
      if (this.#conversations.self === "") this.#early.push(pushed);
      else this.#conversations.received(pushed);
    } else this.#emit(type, message);
  }

  /** In the order of the requests, so that those before it were ignored as badly formatted. */
  #acknowledged(ack: Incoming): void {
    const at = this.#sent.findIndex(({ id }) => id === ack["reply-to"]);
    for (const { reject } of this.#sent.splice(0, at)) reject(new MessagingError("ignored"));
    const asked = at < 0 ? undefined : this.#sent.shift();
    if (asked === undefined) return;
    if (ack.status !== true) return asked.reject(new MessagingError(ack.error ?? "", ack));
    this.#noteSent(asked);
    asked.resolve(asked.answer as never);
  }

  /** Before anything else is looked at: the next push may stand in the same frame. */
  #noteSent({ type, fields, answer }: Asked): void {
    const { sequence = 0 } = (answer ?? {}) as { readonly sequence?: number };
    const to = type === "direct-message" ? `with:${String(fields["to"])}` : undefined;
    const key = type === "channel-message" ? `channel:${String(fields["channel-id"])}` : to;
    if (key !== undefined && sequence > 0) this.#conversations.sent(key, sequence);
  }

  /** What a later connection has to be told anew. */
  #remember(type: string, fields: Fields): void {
    if (type === "unannounce") this.#announced = undefined;
    if (type === "announce") {
      const attributes = { ...this.#announced?.["attributes"], ...fields["attributes"] };
      this.#announced = { ...this.#announced, ...fields, attributes };
    }
    for (const contact of (fields["subscribers"] ?? []) as readonly string[]) {
      if (type === "watch-availability") this.#watched.add(contact);
      if (type === "unwatch-availability") this.#watched.delete(contact);
    }
  }

  #chance(): string {
    return this.#environment.random().toString(36).slice(2);
  }

  #emit(type: string, event: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}
