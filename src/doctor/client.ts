/** A dialect's client on a WebSocket of its own: connects, answers what has to be answered, and tells what arrives. */
import type { Timer, Timers } from "../core/runtime.ts";
import type { Heard, ProbeClient } from "../dialects/probe.ts";

/** For the handshake and everything up to the subscription; WebRTC takes longest. */
const READY_MS = 8_000;

export type FailureKind =
  /** No WebSocket came to be. */
  | "handshake"
  /** The server ended it, or said no. */
  | "refused"
  | "silent";

export class ClientFailure extends Error {
  override readonly name = "ClientFailure";
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface OpenClient {
  /** The server is never silent for longer, as it says; undefined: it does not say. */
  readonly silenceMs: number | undefined;
  /** Resolves when the connection is gone, with why. */
  readonly ended: Promise<string>;
  /** Resolves at the next frame. */
  heard(): Promise<void>;
  /** Drops the connection without a word, as a network that fails does. */
  cut(): void;
}

export interface ConnectOptions {
  readonly url: URL;
  readonly again: boolean;
  readonly timers: Timers;
  readonly onPublished: (text: string) => void;
}

/** Resolves once it receives. Throws ClientFailure. */
export function connectClient(client: ProbeClient, options: ConnectOptions): Promise<OpenClient> {
  const { url, again, timers, onPublished } = options;
  const socket = new WebSocket(url);
  const ended = Promise.withResolvers<string>();
  const ready = Promise.withResolvers<OpenClient>();
  const waiting = new Set<() => void>();
  let opened = false;
  const timer: Timer = timers.after(READY_MS, () => {
    fail("silent", `The server did not answer the client within ${READY_MS / 1000} s`);
  });

  function fail(kind: FailureKind, message: string): void {
    timer.cancel();
    ready.reject(new ClientFailure(kind, message));
    socket.terminate();
  }

  function act(heard: Heard): void {
    switch (heard.kind) {
      case "ready":
        timer.cancel();
        return ready.resolve({
          ...{ silenceMs: heard.silenceMs, ended: ended.promise },
          heard: () => new Promise((resolve) => waiting.add(resolve)),
          cut: () => socket.terminate(),
        });
      case "published":
        return onPublished(heard.text);
      case "refused":
        return fail("refused", heard.reason);
      case "answer":
        return void Promise.resolve(heard.frame).then(
          (frame) => socket.send(frame),
          (error: unknown) => fail("refused", String(error)),
        );
    }
  }

  socket.addEventListener("open", () => {
    opened = true;
    for (const frame of client.hello(again)) socket.send(frame);
  });
  socket.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    for (const resolve of waiting) resolve();
    waiting.clear();
    try {
      for (const heard of client.read(String(data))) act(heard);
    } catch {
      fail("refused", "The server sends what the protocol does not have");
    }
  });
  // A close follows.
  socket.addEventListener("error", () => {});
  socket.addEventListener("close", ({ code, reason }) => {
    const why = `${code} ${reason}`.trim();
    fail(opened ? "refused" : "handshake", why);
    ended.resolve(why);
  });
  return ready.promise;
}
