/** Subscribers of the messaging dialect, message by message, over raw WebSockets and by `sockjs-client`. */
import SockJS from "sockjs-client";
import type { BootedServer } from "./server.ts";
import { hs256 } from "./tokens.ts";

export type Message = Readonly<Record<string, unknown>>;

export interface Answered {
  /** The required response, where there is one. */
  readonly response: Message | undefined;
  readonly ack: Message;
  /** What came before the ack and answers nothing. */
  readonly unsolicited: readonly Message[];
}

/** What a test waits for at the most: only a failing one waits so long. */
const PATIENCE_MS = 15_000;

export class MessagingClient {
  readonly subscriber: string;
  readonly #socket: WebSocket;
  readonly #received: Message[] = [];
  readonly #closed = Promise.withResolvers<{ readonly code: number; readonly reason: string }>();
  #heard = () => {};
  #ids = 0;

  constructor(socket: WebSocket, subscriber: string) {
    this.#socket = socket;
    this.subscriber = subscriber;
    socket.onmessage = ({ data }) => {
      this.#received.push(JSON.parse(String(data)) as Message);
      this.#heard();
    };
    socket.onclose = ({ code, reason }) => {
      this.#closed.resolve({ code, reason });
      this.#heard();
    };
  }

  get closed(): Promise<{ readonly code: number; readonly reason: string }> {
    return this.#closed.promise;
  }

  send(message: Message | string): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  sendBytes(bytes: Uint8Array<ArrayBuffer>): void {
    this.#socket.send(bytes);
  }

  close(): Promise<unknown> {
    this.#socket.close();
    return this.closed;
  }

  /** The next message, whichever it is. */
  async next(): Promise<Message> {
    for (;;) {
      const message = this.#received.shift();
      if (message !== undefined) return message;
      if (this.#socket.readyState !== WebSocket.OPEN) throw new Error("The socket is closed");
      await this.#hear();
    }
  }

  /** The next message of this type; others before it stay. */
  async nextOf(type: string, matches: (message: Message) => boolean = () => true) {
    for (;;) {
      const at = this.#received.findIndex((each) => each["type"] === type && matches(each));
      const [message] = at < 0 ? [] : this.#received.splice(at, 1);
      if (message !== undefined) return message;
      if (this.#socket.readyState !== WebSocket.OPEN) throw new Error("The socket is closed");
      await this.#hear(() => `a message of type ${type} among ${JSON.stringify(this.#received)}`);
    }
  }

  /** All that was received and not taken yet. */
  drain(): readonly Message[] {
    return this.#received.splice(0);
  }

  async #hear(what = () => "a message"): Promise<void> {
    const heard = Promise.withResolvers<void>();
    this.#heard = heard.resolve;
    const timer = setTimeout(() => {
      heard.reject(new Error(`${this.subscriber} waited in vain for ${what()}`));
    }, PATIENCE_MS);
    await heard.promise.finally(() => clearTimeout(timer));
  }

  /** Sends with an id of its own and reads up to the ack. */
  async request(message: Message): Promise<Answered> {
    const id = `r${(this.#ids += 1)}`;
    this.send({ ...message, id });
    const unsolicited: Message[] = [];
    let response: Message | undefined;
    for (;;) {
      const received = await this.next();
      if (received["type"] === "ack" && received["id"] === id) {
        return { response, ack: received, unsolicited };
      }
      if (received["reply-to"] === id) response = received;
      else unsolicited.push(received);
    }
  }

  /** The response of what succeeds; what came before it stays to be read. */
  async ask(message: Message): Promise<Message> {
    const { response, ack, unsolicited } = await this.request(message);
    this.#received.unshift(...unsolicited);
    if (ack["status"] !== true) throw new Error(`Refused: ${JSON.stringify(ack)}`);
    return response ?? {};
  }

  /** The error of what fails. */
  async refused(message: Message): Promise<unknown> {
    const { response, ack, unsolicited } = await this.request(message);
    this.#received.unshift(...unsolicited);
    if (response !== undefined || ack["status"] !== false) {
      throw new Error(`Not refused: ${JSON.stringify([response, ack])}`);
    }
    return ack["error"];
  }

  /** What came up to the answer of a ping, which is no message of anybody else's. */
  async soFar(): Promise<readonly Message[]> {
    const before = this.drain();
    const { unsolicited } = await this.request({ type: "ping" });
    return [...before, ...unsolicited];
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

export const messagingUrl = ({ clientsUrl }: Pick<BootedServer, "clientsUrl">) =>
  `${clientsUrl.replace(/^http/, "ws")}/messaging/websocket`;

/** A connection of the subscriber, who is made if need be. Resolves when it is open. */
export function connect(
  server: Pick<BootedServer, "clientsUrl">,
  subscriber: string,
  token = tokenOf(subscriber),
): Promise<MessagingClient> {
  return opened(new WebSocket(`${messagingUrl(server)}?access_token=${token}`), subscriber);
}

/** Those of the unmodified `sockjs-client` outside browsers. */
export const SOCKJS_TRANSPORTS = ["websocket", "xhr-streaming", "eventsource", "xhr-polling"];

/** The same by `sockjs-client` and one of its transports. */
export function connectSockJs(
  { clientsUrl }: Pick<BootedServer, "clientsUrl">,
  subscriber: string,
  transport: string,
  token = tokenOf(subscriber),
): Promise<MessagingClient> {
  // So long that a slow machine does not end in a timeout of its.
  const options = { transports: [transport], timeout: 10_000 };
  const url = `${clientsUrl}/messaging?access_token=${token}`;
  return opened(new SockJS(url, null, options) as WebSocket, subscriber);
}

/** Rejects when it closes before it is open. */
async function opened(socket: WebSocket, subscriber: string): Promise<MessagingClient> {
  const client = new MessagingClient(socket, subscriber);
  const failed = client.closed.then(({ code }) => {
    throw new Error(`${subscriber} could not connect: ${code}`);
  });
  await Promise.race([new Promise((resolve) => (socket.onopen = resolve)), failed]);
  failed.catch(() => {});
  return client;
}

/** As `carillon token messaging` mints it. */
export const tokenOf = (subscriber: string): string => hs256({ sub: subscriber });
