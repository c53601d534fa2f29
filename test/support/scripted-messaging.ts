/** The published client of `clients/messaging`, on sockets whose every message the test writes. */
import {
  MessagingClient,
  MessagingError,
  type ConversationKey,
  type Events,
  type SocketLike,
} from "../../clients/messaging/messaging-client.ts";
import { createTestRuntime } from "./runtime.ts";

interface Sent {
  readonly id: string;
  readonly type: string;
  readonly [member: string]: unknown;
}

class ScriptedSocket implements SocketLike {
  onopen: (() => unknown) | null = null;
  onmessage: ((event: { readonly data: string }) => unknown) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => unknown) | null = null;
  readonly url: URL;
  readonly sent: Sent[] = [];
  closed = false;

  constructor(url: string) {
    this.url = new URL(url);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Sent);
  }

  close(): void {
    this.closed = true;
  }

  /** What the server sends. */
  push(...messages: object[]): void {
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
  }

  last(type: string): Sent {
    const found = this.sent.findLast((message) => message.type === type);
    if (found === undefined) throw new Error(`No "${type}" was sent`);
    return found;
  }

  /** Answers the newest request of this type, with a response unless it has none. */
  answer(type: string, response?: object, ack: object = { status: true }): void {
    const { id } = this.last(type);
    if (response !== undefined) this.push({ ...response, "reply-to": id });
    this.push({ type: "ack", id, "reply-to": id, ...ack });
  }

  /** The server lets it in. */
  welcome(id = "me"): void {
    this.onopen?.();
    this.answer("whoami", { type: "identity", subscriber: { id } });
  }
}

export interface Started {
  readonly client: MessagingClient;
  readonly sockets: ScriptedSocket[];
  /** The newest one. */
  readonly socket: () => ScriptedSocket;
  readonly events: [keyof Events, unknown][];
  /** Moves time, and lets promises settle. */
  readonly pass: (ms?: number) => Promise<void>;
  /** `<sequence>:<content>` of messages that were given out. */
  readonly texts: () => string[];
}

export function start(
  options: {
    readonly token?: () => string | Promise<string>;
    readonly positions?: ReadonlyMap<ConversationKey, number>;
  } = {},
): Started {
  const runtime = createTestRuntime();
  const sockets: ScriptedSocket[] = [];
  class Socket extends ScriptedSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  let tokens = 0;
  const client = new MessagingClient({
    url: "wss://host.example/messaging/websocket",
    token: () => `t${(tokens += 1)}`,
    socket: Socket,
    environment: {
      after(ms, callback) {
        const timer = runtime.timers.after(ms, callback);
        return () => timer.cancel();
      },
      random: () => 0.5,
    },
    ...options,
  });
  const events: [keyof Events, unknown][] = [];
  const names = ["direct-message", "channel-message", "open", "closed", "subscriber-left"] as const;
  for (const name of names) client.on(name, (event) => void events.push([name, event]));
  return {
    client,
    sockets,
    events,
    socket: () => {
      const socket = sockets.at(-1);
      if (socket === undefined) throw new Error("No socket was opened");
      return socket;
    },
    pass: (ms = 0) => runtime.advance(ms),
    texts: () =>
      events.flatMap(([name, event]) => {
        const { sequence, content } = event as { sequence: number; content: string };
        return name.endsWith("-message") ? [`${sequence}:${content}`] : [];
      }),
  };
}

export async function opened(options: Parameters<typeof start>[0] = {}): Promise<Started> {
  const started = start(options);
  await started.pass();
  started.socket().welcome();
  await started.pass();
  return started;
}

export const inChannel = (sequence: number, content = "x", from = "you") => ({
  ...{ type: "channel-message", "channel-id": "ch_1", "message-id": `m${sequence}` },
  ...{ sequence, content, from },
});
export const direct = (sequence: number, from: string, to: string) => ({
  ...{ type: "direct-message", "message-id": `d${from}${to}${sequence}` },
  ...{ sequence, from, to, content: `${from}>${to}` },
});
export const page = (messages: object[], more = false) => ({ type: "history", messages, more });

export const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => "resolved",
    (error: unknown) => (error instanceof MessagingError ? error.error : String(error)),
  );
