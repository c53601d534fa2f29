/** A client of the task-token dialect's socket that sees every frame, and time that moves while its pings are answered. */
import { connectRaw, type RawOptions, type RawWebSocket } from "./raw-websocket.ts";
import type { BootedServer } from "./server.ts";
import type { TaskFrame } from "./task-nodes.ts";

export type { TaskFrame } from "./task-nodes.ts";

export interface TaskEnd {
  /** Of the close frame; undefined when the connection ended without one. */
  readonly code: number | undefined;
  /** The last text frame's, if there was any. */
  readonly error: string | undefined;
}

export interface TaskClient extends Disposable {
  readonly raw: RawWebSocket;
  /** All so far, in order. */
  readonly frames: readonly TaskFrame[];
  /** The text of each. */
  readonly texts: readonly string[];
  /** Set once the connection ended. */
  readonly end: TaskEnd | undefined;
  readonly ended: Promise<TaskEnd>;
  /** Decoded messages so far. */
  readonly messages: readonly string[];
  /** The next frame that no `next` took; rejects when the connection ends without one. */
  next(): Promise<TaskFrame>;
  send(frame: unknown): void;
  /** Resolves when all that was sent either way before has arrived. */
  sync(): Promise<void>;
}

const PING = 9;
const PONG = 10;
const CLOSE = 8;

export interface OpenOptions extends RawOptions {
  /** Default `/tasks`. */
  readonly path?: string;
  /** Default true. */
  readonly answersPings?: boolean;
}

/** An open socket that has sent nothing yet. */
export async function openTaskSocket(
  server: Pick<BootedServer, "clientsUrl">,
  { path = "/tasks", answersPings = true, ...options }: OpenOptions = {},
): Promise<TaskClient> {
  const raw = await connectRaw(server.clientsUrl + path, options);
  const texts: string[] = [];
  const frames: TaskFrame[] = [];
  const waiting: { resolve: (frame: TaskFrame) => void; reject: (error: Error) => void }[] = [];
  const pongs: (() => void)[] = [];
  const ended = Promise.withResolvers<TaskEnd>();
  let taken = 0;
  let end: TaskEnd | undefined;

  function finish(code: number | undefined): void {
    if (end !== undefined) return;
    end = { code, error: frames.at(-1)?.Error };
    for (const { reject } of waiting.splice(0)) reject(new Error(`Ended with ${code}`));
    for (const resolve of pongs.splice(0)) resolve();
    ended.resolve(end);
  }

  async function read(): Promise<void> {
    for (;;) {
      const { opcode, payload, text, code } = await raw.next();
      if (opcode === PING && answersPings) raw.sendFrame(PONG, payload);
      else if (opcode === PONG) pongs.shift()?.();
      else if (opcode === CLOSE) {
        finish(code);
        raw.destroy();
      } else if (opcode === 1) {
        const frame = JSON.parse(text) as TaskFrame;
        texts.push(text);
        frames.push(frame);
        const waiter = waiting.shift();
        if (waiter !== undefined) {
          taken += 1;
          waiter.resolve(frame);
        }
      }
    }
  }
  read().catch(() => finish(undefined));

  async function roundTrip(): Promise<void> {
    if (end !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    pongs.push(resolve);
    raw.sendFrame(PING, new Uint8Array());
    await promise;
  }

  return {
    raw,
    frames,
    texts,
    ended: ended.promise,
    get end() {
      return end;
    },
    get messages() {
      const sent = frames.filter(({ Message }) => Message !== "");
      return sent.map(({ Message }) => Buffer.from(Message, "base64").toString());
    },
    next() {
      const frame = frames[taken];
      if (frame !== undefined) {
        taken += 1;
        return Promise.resolve(frame);
      }
      if (end !== undefined) return Promise.reject(new Error(`Ended with ${end.code}`));
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    send: (frame) => raw.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    async sync() {
      // The first answer comes behind the server's pings, the second one behind what it makes of our answers to them.
      await roundTrip();
      await roundTrip();
    },
    [Symbol.dispose]: () => raw.destroy(),
  };
}

/** A socket that has sent this token as its first frame, and whatever else it is to say. */
export async function connectTask(
  server: Pick<BootedServer, "clientsUrl">,
  clientToken: string,
  {
    wish = {},
    ...options
  }: OpenOptions & { readonly wish?: Readonly<Record<string, unknown>> } = {},
): Promise<TaskClient> {
  const client = await openTaskSocket(server, options);
  client.send({ ClientToken: clientToken, ...wish });
  return client;
}

/** How far time moves before pings are answered: less than a client has for it. */
const STEP_MS = 5000;

/** Moves the server's time while these clients stay alive. */
export async function moveTime(
  server: Pick<BootedServer, "advance">,
  ms: number,
  clients: readonly TaskClient[],
): Promise<void> {
  for (let leftMs = ms; leftMs > 0; leftMs -= STEP_MS) {
    await server.advance(Math.min(STEP_MS, leftMs));
    await Promise.all(clients.map((client) => client.sync()));
  }
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
