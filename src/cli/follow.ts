/**
 * Follows one channel as a streaming client in JSON (centrifugo-protocol.md §1, §3 to §7): over restarts of the server and broken links
 * it connects again, and asks for what was published meanwhile.
 */
import { z } from "zod";
import { CommandError, REFUSED } from "./failure.ts";

export interface FollowOptions {
  /** `ws://…` or `wss://…`, with its path. */
  readonly target: URL;
  readonly channel: string;
  readonly token?: string | undefined;
  readonly subscriptionToken?: string | undefined;
  /** Each publication's data once and in order, as JSON with every digit as it was sent. False: that was enough. */
  readonly onData: (json: string) => boolean;
  /** What becomes of the connection, as sentences. */
  readonly onState: (line: string) => void;
}

const CONNECT_ID = 1;
const SUBSCRIBE_ID = 2;
/** For an answer, and behind the time of the server's next ping. */
const SILENCE_MS = 10_000;
/** Full jitter, as the SDKs have it. */
const BACKOFF_MS = { first: 500, max: 20_000 };

const publication = z.object({ data: z.unknown(), offset: z.number().optional() });
const message = z.object({
  id: z.number().optional(),
  error: z
    .object({ code: z.number(), message: z.string(), temporary: z.boolean().optional() })
    .optional(),
  connect: z.object({ ping: z.number().optional() }).optional(),
  subscribe: z
    .object({
      recoverable: z.boolean().optional(),
      recovered: z.boolean().optional(),
      epoch: z.string().optional(),
      offset: z.number().optional(),
      publications: z.array(publication).optional(),
    })
    .optional(),
  push: z
    .object({
      channel: z.string().optional(),
      pub: publication.optional(),
      unsubscribe: z.object({ code: z.number(), reason: z.string().optional() }).optional(),
    })
    .optional(),
});
type Message = z.output<typeof message>;

interface Position {
  readonly epoch: string;
  offset: number;
}

/** Resolves once `onData` had enough. Throws CommandError when the server refuses, or cannot be reached in the first place. */
export async function follow(options: FollowOptions): Promise<void> {
  const state: { position: Position | undefined; subscribed: boolean; failures: number } = {
    ...{ position: undefined, subscribed: false, failures: 0 },
  };
  for (;;) {
    const lost = await followOnce(options, state);
    if (lost === undefined) return;
    if (!state.subscribed) throw new CommandError(lost, { word: "server_unreachable" });
    if (state.failures === 0) options.onState(`${lost}; connecting again`);
    const waitMs = Math.min(BACKOFF_MS.max, BACKOFF_MS.first * 2 ** state.failures);
    state.failures += 1;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * waitMs));
  }
}

/** One connection. Resolves with why it was lost, and with undefined once `onData` had enough; rejects when there is no point in another. */
function followOnce(
  { target, channel, token, subscriptionToken, onData, onState }: FollowOptions,
  state: { position: Position | undefined; subscribed: boolean; failures: number },
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(target);
    let silence: ReturnType<typeof setTimeout> | undefined;
    let silenceMs = SILENCE_MS;
    let over = false;

    function leave(settle: () => void): void {
      over = true;
      clearTimeout(silence);
      settle();
      socket.close();
    }
    const lose = (reason: string) => leave(() => resolve(reason));
    const fail = (reason: string) => leave(() => reject(new CommandError(reason, REFUSED)));

    function heard(): void {
      if (over) return;
      clearTimeout(silence);
      silence = setTimeout(() => lose("The server has stopped answering"), silenceMs);
    }

    function receive(line: string): void {
      if (line === "{}") {
        socket.send("{}");
        return;
      }
      const parsed = message.parse(JSON.parse(line));
      const { id, error, connect, subscribe, push } = parsed;
      if (error !== undefined) {
        const what = id === CONNECT_ID ? "Connecting" : "Subscribing";
        const reason = `${what} was refused: ${error.code} ${error.message}`;
        return error.temporary === true && state.subscribed ? lose(reason) : fail(reason);
      }
      if (connect?.ping !== undefined) silenceMs = connect.ping * 1000 + SILENCE_MS;
      if (subscribe !== undefined) joined(subscribe);
      if (push !== undefined && push.channel !== channel) return;
      if (push?.unsubscribe !== undefined) {
        const { code, reason = "" } = push.unsubscribe;
        const ended = `The server ended the subscription: ${code} ${reason}`.trimEnd();
        return code >= 2500 && state.subscribed ? lose(ended) : fail(ended);
      }
      for (const [index, { offset }] of publicationsOf(parsed).entries()) {
        if (state.position !== undefined && offset !== undefined) state.position.offset = offset;
        if (!onData(exactData(line, index))) return leave(() => resolve(undefined));
      }
    }

    function joined({ recoverable, recovered, epoch = "", offset = 0 }: Joined): void {
      if (!state.subscribed) onState(`Subscribed to "${channel}"`);
      else if (recovered === true) onState(`Subscribed to "${channel}" again`);
      else onState(`Subscribed to "${channel}" again, without what was published meanwhile`);
      state.position = recoverable === true ? { epoch, offset } : undefined;
      state.subscribed = true;
      state.failures = 0;
    }

    heard();
    socket.addEventListener("open", () => {
      const recover = state.position === undefined ? {} : { recover: true, ...state.position };
      const commands = [
        { id: CONNECT_ID, connect: { name: "carillon", token } },
        {
          id: SUBSCRIBE_ID,
          subscribe: { channel, token: subscriptionToken, recoverable: true, ...recover },
        },
      ];
      socket.send(commands.map((command) => JSON.stringify(command)).join("\n"));
    });
    socket.addEventListener("message", (event: MessageEvent<unknown>) => {
      heard();
      try {
        for (const line of String(event.data).split("\n")) if (line !== "" && !over) receive(line);
      } catch {
        fail("The server does not speak the streaming protocol");
      }
    });
    socket.addEventListener("error", () => {
      lose(`Connecting to ${target.origin}${target.pathname} failed`);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      const closed = `The server closed the connection: ${code} ${reason}`.trimEnd();
      return isFinal(code) ? fail(closed) : lose(closed);
    });
  });
}

type Joined = NonNullable<Message["subscribe"]>;

/** Close codes that forbid to come back (centrifugo-protocol.md §7). */
function isFinal(code: number): boolean {
  return (code >= 3500 && code < 4000) || (code >= 4500 && code < 5000);
}

function publicationsOf({ subscribe, push }: Message) {
  return subscribe?.publications ?? (push?.pub === undefined ? [] : [push.pub]);
}

/** The data of a line's publication of that index as JSON in which numbers stay as they were written, however many digits they have. */
function exactData(line: string, index: number): string {
  return JSON.stringify(publicationsOf(JSON.parse(line, keepNumber) as Message)[index]?.data);
}

function keepNumber(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  // The library's types do not know the language's `JSON.rawJSON` yet.
  const { rawJSON } = JSON as unknown as { rawJSON(this: void, text: string): unknown };
  return typeof value === "number" && context?.source ? rawJSON(context.source) : value;
}
