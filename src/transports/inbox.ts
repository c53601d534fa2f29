/** The frames that wait while a session still handles an earlier one. Exists only for as long as a session is busy. */
import type { Frame } from "../core/types.ts";
import { frameBytes } from "./backpressure.ts";

/** Bytes and frames that wait before the socket is no longer read. What was already read still arrives. */
export const INBOX_BYTES_MAX = 256 * 1024;
export const INBOX_FRAMES_MAX = 256;

export interface Receiver {
  /** A promise while the session is busy; it never rejects. */
  handle(frame: Frame): Promise<void> | undefined;
  /** Whether the peer is read from; called with what is so already as well. */
  read(reading: boolean): void;
  /** Nothing waits, and the session is free. */
  idle(): void;
}

export class Inbox {
  readonly #receiver: Receiver;
  #frames: (Frame | (() => void))[] = [];
  #next = 0;
  #bytes = 0;

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
  }

  push(frame: Frame): void {
    this.#frames.push(frame);
    this.#bytes += frameBytes(frame);
    if (this.#bytes > INBOX_BYTES_MAX || this.#waiting > INBOX_FRAMES_MAX)
      this.#receiver.read(false);
  }

  /** Runs `callback` once what waits by now is handled; not when the socket is closed before. */
  afterAll(callback: () => void): void {
    this.#frames.push(callback);
  }

  /** Hands on one frame after the other, each when the one before is done, until none waits. */
  workAfter(pending: Promise<void>): void {
    void pending.then(() => this.#work());
  }

  /** The socket is closed: its session sees nothing more. */
  clear(): void {
    this.#frames = [];
    this.#next = 0;
    this.#bytes = 0;
  }

  #work(): void {
    for (let frame = this.#shift(); frame !== undefined; frame = this.#shift()) {
      // Half: reading again earlier would pause and resume with each frame.
      if (this.#bytes <= INBOX_BYTES_MAX / 2 && this.#waiting <= INBOX_FRAMES_MAX / 2) {
        this.#receiver.read(true);
      }
      const pending = this.#receiver.handle(frame);
      if (pending !== undefined) {
        this.workAfter(pending);
        return;
      }
    }
    this.#receiver.idle();
  }

  #shift(): Frame | undefined {
    for (;;) {
      const frame = this.#frames[this.#next];
      if (frame === undefined) return undefined;
      this.#next += 1;
      if (typeof frame !== "function") this.#bytes -= frameBytes(frame);
      if (this.#next === this.#frames.length) this.clear();
      if (typeof frame !== "function") return frame;
      frame();
    }
  }

  get #waiting(): number {
    return this.#frames.length - this.#next;
  }
}
