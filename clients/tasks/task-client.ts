/**
 * Waits for the results of a task: a client of Carillon's task-token socket for browsers and Node 22 or later, without
 * dependencies. It connects again by itself wherever the server's close codes advise it.
 */

export interface TaskOptions {
  /** `wss://…/`, `/envoy` or `/tasks`. */
  readonly url: string;
  /** The `client_token` of `get_envoy_token`. It travels in the first frame, never in the URL. */
  readonly token: string;
  /** Each message once and in order, the last one included; one from before this page, too, if the token asks for it. */
  readonly onMessage?: (message: TaskMessage) => void;
  /** The time that is left, `mm:ss`, about every two seconds. */
  readonly onTick?: (left: string) => void;
  /** In place of the global ones. */
  readonly environment?: TaskEnvironment;
}

export interface TaskMessage {
  /** As it was given to `invoke_envoy`. */
  readonly message: string;
  /** What that is the base64 of, as text. Throws when it is not base64. */
  text(): string;
  /** Rises with each message of the task. */
  readonly seq: number;
  /** Sent before this connection was there. */
  readonly replay: boolean;
  /** Nothing more will come. */
  readonly completed: boolean;
}

export interface Task {
  /** The message that completed the task. Rejects with a `TaskEnded` when there will be none. */
  readonly completed: Promise<TaskMessage>;
  /** Leaves for good; `completed` rejects with code 1000. */
  close(): void;
}

/** The server ended the connection with a code that forbids to come back, such as 4500 `timeout` and 4503 `token expired`. */
export class TaskEnded extends Error {
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason === "" ? `Closed with ${code}` : reason);
    this.name = "TaskEnded";
    this.code = code;
  }
}

export interface TaskEnvironment {
  connect(url: string): WebSocket;
  /** Returns what cancels it. */
  after(ms: number, callback: () => void): () => void;
  /** From 0 up to 1. */
  random(): number;
}

/** The server sends a frame every two seconds: a link that is silent for so long is dead. */
const SILENT_MS = 5000;
/** Likewise before the first frame, which has to wait for the network. */
const CONNECT_MS = 10_000;
const BACKOFF_MS = { first: 500, max: 30_000 };

const globals: TaskEnvironment = {
  connect: (url) => new WebSocket(url),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

interface Frame {
  readonly Error: string;
  readonly Ticks: string;
  readonly Message: string;
  readonly Completed: boolean;
  readonly Seq?: number;
  readonly Replay?: boolean;
}

export function connectTask(options: TaskOptions): Task {
  const { url, token, onMessage, onTick, environment = globals } = options;
  let socket: WebSocket | undefined;
  let cancelTimer = (): void => {};
  /** Connections in a row that brought nothing. */
  let failures = 0;
  let unheard = 0;
  let lastSeq = 0;
  let reason = "";
  let over = false;
  let settle: { resolve(message: TaskMessage): void; reject(ended: TaskEnded): void };
  const completed = new Promise<TaskMessage>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Those who only listen to messages need not look at how it ends.
  completed.catch(() => {});

  function setTimer(ms: number, callback: () => void): void {
    cancelTimer();
    cancelTimer = environment.after(ms, callback);
  }

  function open(): void {
    const opened = environment.connect(url);
    socket = opened;
    setTimer(CONNECT_MS, drop);
    opened.onopen = () => opened.send(JSON.stringify({ ClientToken: token, Extended: true }));
    opened.onmessage = ({ data }) => {
      if (opened === socket) receive(JSON.parse(String(data)) as Frame);
    };
    opened.onclose = ({ code }) => {
      if (opened === socket) lost(code);
    };
  }

  /** Not waiting for the answer to a close, which a dead link never brings. */
  function drop(): void {
    const dead = socket;
    socket = undefined;
    dead?.close();
    lost(1006);
  }

  function receive(frame: Frame): void {
    setTimer(SILENT_MS, drop);
    reason = frame.Error;
    if (reason !== "") return;
    failures = 0;
    unheard = 0;
    onTick?.(frame.Ticks);
    if (frame.Message === "") return;
    const { Message: message, Seq: seq = lastSeq + 1, Replay: replay = false } = frame;
    const known = replay && seq <= lastSeq;
    lastSeq = seq;
    const made = { message, text: () => decode(message), seq, replay, completed: frame.Completed };
    if (!known) onMessage?.(made);
    if (!frame.Completed) return;
    end();
    settle.resolve(made);
  }

  function lost(code: number): void {
    cancelTimer();
    socket = undefined;
    if (over) return;
    if (code === 4505) unheard += 1;
    const waitMs = unheard > 1 ? undefined : reconnectAfter(code, failures, environment.random());
    failures += 1;
    if (waitMs !== undefined) return setTimer(waitMs, open);
    end();
    settle.reject(new TaskEnded(code, reason));
  }

  function end(): void {
    over = true;
    cancelTimer();
    const closing = socket;
    socket = undefined;
    closing?.close();
  }

  open();
  return {
    completed,
    close() {
      if (over) return;
      end();
      settle.reject(new TaskEnded(1000, "closed"));
    },
  };
}

/** Milliseconds; undefined: never. Codes 4000 to 4499 advise to come back, 4500 to 4999 forbid it. */
function reconnectAfter(code: number, failures: number, random: number): number | undefined {
  if (code === 1012 && failures === 0) return random * 1000;
  if (code === 4403) return 30_000 + random * 10_000;
  if (code === 1000 || (code >= 4500 && code <= 4999 && code !== 4505)) return undefined;
  const waitMs = Math.min(BACKOFF_MS.first * 2 ** failures, BACKOFF_MS.max);
  return (waitMs * (1 + random)) / 2;
}

function decode(message: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(message), (sign) => sign.charCodeAt(0)));
}
