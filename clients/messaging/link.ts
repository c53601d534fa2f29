/** One connection after the other, each with a token of its own: opens, notices when it is dead, and comes back after a while. */

export interface SocketLike {
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  send(text: string): void;
  close(): void;
}

export interface MessagingEnvironment {
  /** Returns what cancels it. */
  after(ms: number, callback: () => void): () => void;
  /** From 0 up to 1. */
  random(): number;
}

export interface Lost {
  /** 0: there was not a token. */
  readonly code: number;
  readonly reason: string;
  /** Until the next connection is tried. */
  readonly retryMs: number;
}

export interface LinkOptions {
  readonly url: string;
  readonly token: () => string | Promise<string>;
  readonly socket: new (url: string) => SocketLike;
  readonly environment: MessagingEnvironment;
  readonly onOpen: () => void;
  readonly onText: (text: string) => void;
  /** Nothing came for a while: something is to be asked. */
  readonly onSilent: () => void;
  readonly onLost: (lost: Lost) => void;
}

export interface Link {
  send(text: string): void;
  /** What comes over it makes sense: the next time that it is lost, it is tried soon. */
  works(): void;
  /** For good. */
  close(): void;
}

/** A link that is silent for so long is asked, and given up when it does not answer. */
const SILENT_MS = 30_000;
const ANSWER_MS = 10_000;
/** Until a connection is open, a token and SockJS's tries included. */
const CONNECT_MS = 20_000;
const BACKOFF_MS = { first: 500, max: 30_000 };
/** Too many connections, or too many messages: it does not help to come back soon. */
const UNWELCOME_CODES: readonly number[] = [4409, 4429];

export function openLink(options: LinkOptions): Link {
  const { environment, onOpen, onText, onSilent, onLost } = options;
  let socket: SocketLike | undefined;
  let cancelTimer = (): void => {};
  let failures = 0;
  /** Counts the tries: what belongs to an earlier one is not looked at. */
  let tries = 0;

  function setTimer(ms: number, callback: () => void): void {
    cancelTimer();
    cancelTimer = environment.after(ms, callback);
  }

  async function open(): Promise<void> {
    const mine = (tries += 1);
    const current = (): boolean => mine === tries;
    setTimer(CONNECT_MS, () => lost(1006, "no answer"));
    try {
      const url = new URL(options.url);
      url.searchParams.set("access_token", await options.token());
      if (!current()) return;
      const opened = (socket = new options.socket(url.href));
      opened.onopen = () => {
        if (!current()) return;
        listen();
        onOpen();
      };
      opened.onmessage = ({ data }: { readonly data: unknown }) => {
        if (!current()) return;
        listen();
        onText(String(data));
      };
      opened.onclose = ({ code, reason }: { readonly code: number; readonly reason: string }) => {
        if (current()) lost(code, reason);
      };
    } catch (error) {
      if (current()) lost(0, String(error));
    }
  }

  function listen(): void {
    setTimer(SILENT_MS, () => {
      setTimer(ANSWER_MS, () => lost(1006, "no answer"));
      onSilent();
    });
  }

  /** Not waiting for the answer to a close, which a dead link never brings. */
  function drop(): void {
    cancelTimer();
    tries += 1;
    const dead = socket;
    socket = undefined;
    dead?.close();
  }

  function lost(code: number, reason: string): void {
    drop();
    const { first, max } = BACKOFF_MS;
    const mostMs = UNWELCOME_CODES.includes(code) ? max : Math.min(first * 2 ** failures, max);
    const retryMs = (mostMs * (1 + environment.random())) / 2;
    failures += 1;
    setTimer(retryMs, () => void open());
    onLost({ code, reason, retryMs });
  }

  void open();
  return {
    send: (text) => socket?.send(text),
    works: () => void (failures = 0),
    close: drop,
  };
}
