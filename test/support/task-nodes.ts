/** Nodes of one app of the task-token dialect on a simulated network, and clients whose sockets record what they are sent. */
import type { AppEngine } from "../../src/core/engine.ts";
import { createHub, type OwnedHub } from "../../src/core/create-hub.ts";
import { createSchedule } from "../../src/core/schedule.ts";
import type { GroupMember } from "../../src/core/fanout.ts";
import type { Frame } from "../../src/core/types.ts";
import type { TaskToken } from "../../src/dialects/tasks/client-token.ts";
import { PublishLimit } from "../../src/dialects/publish-limit.ts";
import type { TasksContext } from "../../src/dialects/tasks/context.ts";
import { tasksSection, type TasksSettings } from "../../src/dialects/tasks/config.ts";
import { createTaskSockets } from "../../src/dialects/tasks/sockets.ts";
import { TasksSession } from "../../src/dialects/tasks/session.ts";
import { createTaskStore } from "../../src/dialects/tasks/task-store.ts";
import type { Session, Socket } from "../../src/transports/socket.ts";
import { namespaces } from "./recorder.ts";
import type { TestRuntime } from "./runtime.ts";

export const TASK = "a".repeat(80);
const MINUTE_MS = 60_000;

export const DEFAULT_SETTINGS: TasksSettings = { ...tasksSection.parse({}), suspended: false };

export interface TaskFrame {
  readonly Error: string;
  readonly Ticks: string;
  readonly Message: string;
  readonly Completed: boolean;
  readonly Seq?: number;
  readonly Replay?: boolean;
}

export interface TaskNode {
  readonly context: TasksContext;
  readonly hub: OwnedHub;
  /** Opens a socket; its first frame is for the caller to send. */
  open(request?: { readonly address?: string; readonly origin?: string }): RecordedSocket;
  /** Opens one with this token. */
  connect(token: TaskToken, wish?: Readonly<Record<string, unknown>>): RecordedSocket;
}

export interface TaskNodeOptions {
  readonly engine: AppEngine;
  readonly runtime: TestRuntime;
  readonly settings?: Partial<TasksSettings>;
  readonly allowsOrigin?: TasksContext["allowsOrigin"];
  readonly bugs: unknown[];
}

/** A token's text is its JSON: sealing is not what is looked at here. */
export function createTaskNode(options: TaskNodeOptions): TaskNode {
  const { engine, runtime, bugs } = options;
  const onBug = (error: unknown) => void bugs.push(error);
  const hub = createHub({ app: "app", namespaces: namespaces(), engine, runtime, onBug });
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const parts = { hub, settings, records: engine.records, runtime, onError: onBug };
  const context: TasksContext = {
    ...parts,
    publishLimit: new PublishLimit(Infinity, () => {}),
    publicId: "app",
    ids: { of: () => TASK, genuine: (id) => id },
    tokens: { seal: (token) => JSON.stringify(token), open: (text) => openToken(text) },
    tasks: createTaskStore(parts),
    sockets: createTaskSockets(settings),
    allowsOrigin: options.allowsOrigin ?? (() => true),
    schedule: createSchedule(runtime),
    metrics: { count() {} },
    onEvent() {},
    explainsRefusals: false,
  };
  function open({ address = "127.0.0.1", origin }: { address?: string; origin?: string } = {}) {
    const socket = new RecordedSocket(runtime, onBug);
    socket.session = new TasksSession(context, socket, { address, origin: origin ?? null });
    return socket;
  }
  return {
    context,
    hub,
    open,
    connect(token, wish = {}) {
      const socket = open();
      socket.receive(JSON.stringify({ ClientToken: JSON.stringify(token), ...wish }));
      return socket;
    },
  };
}

function openToken(text: string): TaskToken | undefined {
  try {
    return JSON.parse(text) as TaskToken;
  } catch {
    return undefined;
  }
}

let tokens = 0;

/** Made now, for an hour and a wait of ten minutes unless told otherwise. */
export function taskToken(runtime: TestRuntime, options: Partial<TaskToken> = {}): TaskToken {
  const issuedMs = runtime.clock.epochMs();
  return {
    tokenId: `${(tokens += 1)}`,
    publicId: "app",
    taskId: TASK,
    issuedMs,
    expiresMs: issuedMs + 60 * MINUTE_MS,
    singleUse: false,
    timeoutMs: 10 * MINUTE_MS,
    sendOfflineMessage: false,
    singleInstance: false,
    persistTimeout: false,
    ...options,
  };
}

export class RecordedSocket implements Socket {
  readonly transport = "websocket";
  readonly frames: TaskFrame[] = [];
  /** What still waits for a client that does not read. */
  bufferedBytes = 0;
  /** Monotonic; a client that answers pings moves it by itself. */
  lastReceivedMs = 0;
  readonly writable = true;
  answersPings = true;
  pings = 0;
  session: Session | undefined;
  closeCode: number | undefined;
  /** Runs with each frame. */
  onFrame: ((frame: TaskFrame) => void) | undefined;
  /** Settles when the session is done with the frames so far. */
  handled: Promise<void> = Promise.resolve();
  readonly #runtime: TestRuntime;
  readonly #onBug: (error: unknown) => void;

  constructor(runtime: TestRuntime, onBug: (error: unknown) => void) {
    this.#runtime = runtime;
    this.#onBug = onBug;
  }

  together(sending: () => void): void {
    sending();
  }

  get isOpen(): boolean {
    return this.closeCode === undefined;
  }

  get last(): TaskFrame | undefined {
    return this.frames.at(-1);
  }

  receive(frame: Frame): void {
    this.lastReceivedMs = this.#runtime.clock.monotonicMs();
    this.handled = this.handled
      .then(() => this.session?.receive(frame))
      .catch((error: unknown) => this.#onBug(error));
  }

  /** The client goes away without a word. */
  leave(): void {
    this.#end(1006, "");
  }

  get member(): GroupMember {
    throw new Error("Tasks' sockets are members of no groups");
  }

  send(frame: Frame): boolean {
    if (!this.isOpen) throw new Error("Sent behind the close");
    const read = JSON.parse(String(frame)) as TaskFrame;
    this.frames.push(read);
    this.onFrame?.(read);
    return true;
  }

  ping(): void {
    this.pings += 1;
    if (this.answersPings) this.lastReceivedMs = this.#runtime.clock.monotonicMs();
  }

  close(code: number, reason: string): void {
    this.#end(code, reason);
  }

  terminate(): void {
    this.#end(1006, "");
  }

  #end(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.closeCode = code;
    this.session?.closed(code, reason);
  }
}
