/**
 * A transport for tests that carries frames through a pipe in memory, over queued sockets: what HTTP streams, polls and DataChannels
 * have in common, without any of them. A pipe holds a few bytes itself while its reader does not read.
 */
import type { TransportClient, TransportUnderTest } from "../conformance/transport/under-test.ts";
import type { Frame } from "../../src/core/types.ts";
import { LocalGroups } from "../../src/transports/local-groups.ts";
import { QueuedSocket } from "../../src/transports/queued-socket.ts";
import type { OpenSession, Outlet } from "../../src/transports/socket.ts";
import { createTestRuntime } from "./runtime.ts";

/** Bytes that a pipe takes while nobody reads. */
const PIPE_BYTES = 65_536;

interface End {
  readonly code: number;
  readonly reason: string;
}

export interface PipeTransport extends TransportUnderTest {
  /** A socket without an outlet yet, for tests of what waits in between. */
  open(opening: OpenSession): QueuedSocket;
}

export function createPipeTransport(): PipeTransport {
  const runtime = createTestRuntime();
  const groups = new LocalGroups();
  const bugs: unknown[] = [];
  const stats = { opened: 0, received: 0, sent: 0, lagging: 0, slow: 0, failed: 0 };
  const context = {
    ...{ groups, stats, clock: runtime.clock, timers: runtime.timers },
    onBug: (error: unknown) => void bugs.push(error),
  };
  function open(opening: OpenSession): QueuedSocket {
    return new QueuedSocket({ context, transport: "http_stream", opening });
  }
  return {
    ...{ runtime, bugs, open, fanout: groups },
    async connect(openSession, limits) {
      const socket = open({ open: openSession, ...limits });
      const pipe = new Pipe(socket);
      socket.attach(pipe);
      socket.open();
      return clientOf(pipe, socket);
    },
    async close() {
      groups.shutdown();
    },
  };
}

export class Pipe implements Outlet {
  reading = true;
  readonly end = Promise.withResolvers<End>();
  readonly messages: Frame[] = [];
  readonly #socket: QueuedSocket;
  #inside: Frame[] = [];
  #takers: { resolve: (frame: Frame) => void; reject: (error: Error) => void }[] = [];
  #closing: End | undefined;

  constructor(socket: QueuedSocket) {
    this.#socket = socket;
  }

  get bufferedBytes(): number {
    return this.#inside.reduce((sum, frame) => sum + Buffer.byteLength(frame), 0);
  }

  get writable(): boolean {
    return this.reading || this.bufferedBytes < PIPE_BYTES;
  }

  write(frame: Frame): boolean {
    if (!this.writable) return false;
    this.#inside.push(frame);
    this.flow();
    return true;
  }

  ping(): void {
    this.#socket.alive();
  }

  close(code: number, reason: string): void {
    this.#closing = { code, reason };
    this.flow();
  }

  terminate(): void {
    this.#inside = [];
    this.finish({ code: 1006, reason: "" });
  }

  take(): Promise<Frame> {
    const message = this.messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    const { promise, resolve, reject } = Promise.withResolvers<Frame>();
    this.#takers.push({ resolve, reject });
    return promise;
  }

  flow(): void {
    if (!this.reading) return;
    for (const frame of this.#inside.splice(0)) {
      const taker = this.#takers.shift();
      if (taker === undefined) this.messages.push(frame);
      else taker.resolve(frame);
    }
    if (this.#closing !== undefined) this.finish(this.#closing);
  }

  finish(end: End): void {
    this.end.resolve(end);
    for (const { reject } of this.#takers.splice(0)) reject(new Error("The pipe has ended"));
  }
}

function clientOf(pipe: Pipe, socket: QueuedSocket): TransportClient {
  return {
    send: (message) => socket.received(message),
    next: () => pipe.take(),
    async ended() {
      const end = await pipe.end.promise;
      return { ...end, messages: pipe.messages.splice(0) };
    },
    close(code, reason) {
      pipe.finish({ code, reason });
      socket.ended(code, reason);
    },
    pause() {
      pipe.reading = false;
    },
    resume() {
      pipe.reading = true;
      pipe.flow();
      socket.drained(pipe);
    },
  };
}
