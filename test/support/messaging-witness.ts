/**
 * A subscriber's connection that keeps all it is told, and complains of what must never be: a message twice, a step back, a status that
 * is not higher. It makes of it what a user would see: channels, and messages as they are now.
 */
import { messagingUrl, type Message } from "./messaging.ts";
import type { BootedServer } from "./server.ts";

/** What a test waits for at the most: only a failing one waits so long. */
const PATIENCE_MS = 10_000;
const LADDER = ["stored", "received", "displayed", "read"];

export interface Answer {
  /** Undefined: it was done. */
  readonly error: string | undefined;
  readonly response: Message;
}

export interface SeenMessage {
  readonly conversation: string;
  readonly sequence: number;
  /** As it is now; undefined: deleted. */
  content: string | undefined;
  /** Its channel was left since. */
  isOver?: true;
}

interface Asked {
  readonly message: Message;
  response: Message;
  readonly answered: PromiseWithResolvers<Answer>;
}

export class Witness {
  readonly subscriber: string;
  readonly token: string;
  readonly node: BootedServer;
  /** What must never be. */
  readonly complaints: string[] = [];
  /** By channel-id: whether it is an administrator there. */
  readonly channels = new Map<string, boolean>();
  /** By message-id. */
  readonly messages = new Map<string, SeenMessage>();
  /** By message-id: the highest status that it was told of. */
  readonly statuses = new Map<string, string>();
  readonly #socket: WebSocket;
  /** All of it, for whoever looks into a failure. */
  readonly #told: string[] = [];
  readonly #asked = new Map<string, Asked>();
  readonly #last = new Map<string, number>();
  readonly #closed = Promise.withResolvers<number>();
  #open = true;
  #heard = Promise.withResolvers<void>();
  #ids = 0;

  private constructor(socket: WebSocket, node: BootedServer, subscriber: string, token: string) {
    this.#socket = socket;
    this.node = node;
    this.subscriber = subscriber;
    this.token = token;
    socket.onmessage = ({ data }) => {
      this.#told.push(String(data));
      this.#take(JSON.parse(String(data)) as Message);
      this.#wake();
    };
    socket.onclose = ({ code }) => {
      this.#open = false;
      for (const { answered } of this.#asked.values()) {
        answered.resolve({ error: "closed", response: {} });
      }
      this.#closed.resolve(code);
      this.#wake();
    };
  }

  /** Resolves once it knows its subscriber's channels; rejects when the server does not let it in. */
  static async open(node: BootedServer, subscriber: string, token: string): Promise<Witness> {
    const socket = new WebSocket(`${messagingUrl(node)}?access_token=${token}`);
    const witness = new Witness(socket, node, subscriber, token);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`${subscriber} was not let in`));
    });
    const { error } = await witness.ask({ type: "list-channels" });
    if (error !== undefined) throw new Error(`${subscriber} cannot list its channels: ${error}`);
    return witness;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** The code that it was closed with. */
  get closed(): Promise<number> {
    return this.#closed.promise;
  }

  close(): void {
    this.#socket.close();
  }

  ask(message: Message): Promise<Answer> {
    if (!this.#open) return Promise.resolve({ error: "closed", response: {} });
    const id = `${(this.#ids += 1)}`;
    const answered = Promise.withResolvers<Answer>();
    this.#asked.set(id, { message, response: {}, answered });
    this.#socket.send(JSON.stringify({ ...message, id }));
    return answered.promise;
  }

  /** Resolves when it holds; what it was told since is looked at each time. */
  async until(what: () => string, holds: () => boolean): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`${this.subscriber} waited in vain: ${what()}\n${this.#last20}`)),
      PATIENCE_MS,
    );
    try {
      while (!holds()) await Promise.race([this.#heard.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What this connection itself changed of a message: it is not told of that. */
  changed(messageId: string, content: string | undefined): void {
    const seen = this.messages.get(messageId);
    if (seen !== undefined) seen.content = content;
  }

  get #last20(): string {
    return this.#told.slice(-20).join("\n");
  }

  #wake(): void {
    this.#heard.resolve();
    this.#heard = Promise.withResolvers<void>();
  }

  #take(message: Message): void {
    const replyTo = message["reply-to"];
    if (message["type"] === "ack") return this.#acknowledged(message);
    const asked = this.#asked.get(String(replyTo));
    if (replyTo !== undefined && asked === undefined) {
      return this.#complain("An answer to nothing", message);
    }
    if (asked !== undefined) asked.response = message;
    this.#apply(message, asked?.message);
  }

  #acknowledged(message: Message): void {
    const asked = this.#asked.get(String(message["id"]));
    if (asked === undefined) return this.#complain("An ack for nothing", message);
    this.#asked.delete(String(message["id"]));
    const { response } = asked;
    const error = message["status"] === true ? undefined : String(message["error"]);
    asked.answered.resolve({ error, response });
  }

  #apply(message: Message, asked: Message | undefined): void {
    switch (message["type"]) {
      case "channels":
        this.channels.clear();
        for (const each of message["channels"] as Message[]) this.#entered(each);
        return;
      case "invitation":
        if (asked !== undefined) this.#entered(message);
        return;
      case "membership": {
        const channel = message["channel"] as Message;
        if (message["change"] === "joined" || message["change"] === "updated") {
          return this.#entered(channel);
        }
        return this.#left(String(channel["channel-id"]));
      }
      case "channel-message":
      case "direct-message":
        return this.#received(message);
      case "message-updated":
        return this.changed(String(message["message-id"]), String(message["content"]));
      case "message-deleted":
        return this.changed(String(message["message-id"]), undefined);
      case "delivery":
        return this.#delivered(message, asked);
    }
  }

  #entered(channel: Message): void {
    this.channels.set(String(channel["channel-id"]), channel["administrator"] === true);
  }

  /** What happens to its messages from here on is not told any more. */
  #left(channelId: string): void {
    this.channels.delete(channelId);
    for (const seen of this.messages.values()) {
      if (seen.conversation === channelId) seen.isOver = true;
    }
  }

  #received(message: Message): void {
    const { from, to, sequence, content } = message;
    const id = String(message["message-id"]);
    const other = from === this.subscriber ? to : from;
    const conversation = conversationOf(message["channel-id"], other);
    if (this.messages.has(id)) this.#complain("A message twice", message);
    if (Number(sequence) <= (this.#last.get(conversation) ?? 0)) {
      this.#complain("A step back", message);
    }
    this.#last.set(conversation, Number(sequence));
    this.messages.set(id, { conversation, sequence: Number(sequence), content: String(content) });
  }

  #delivered(message: Message, asked: Message | undefined): void {
    const id = String(message["message-id"]);
    const status = String(message["status"]);
    if (asked !== undefined) {
      // Its own message is as it sent it.
      const { content, to, "channel-id": channel } = asked;
      const conversation = conversationOf(channel, to);
      const sequence = Number(message["sequence"]);
      this.messages.set(id, { conversation, sequence, content: String(content) });
    }
    const before = this.statuses.get(id);
    if (before !== undefined && LADDER.indexOf(status) <= LADDER.indexOf(before)) {
      this.#complain(`A status that is not above ${before}`, message);
    }
    this.statuses.set(id, status);
  }

  #complain(what: string, message: Message): void {
    this.complaints.push(`${what}, to ${this.subscriber}: ${JSON.stringify(message)}`);
  }
}

function conversationOf(channel: unknown, other: unknown): string {
  return typeof channel === "string" ? channel : `with ${String(other)}`;
}
