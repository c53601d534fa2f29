/** Whether a raw WebSocket's peer is there (messaging.md §4.5): pings, and how many of them in a row it left unanswered. */
import type { Socket } from "../../transports/socket.ts";

const UNANSWERED_PINGS_MAX = 2;

export class Liveness {
  readonly #socket: Socket;
  readonly #intervalMs: number;
  /** Monotonic milliseconds of the next ping. */
  nextMs: number;
  #pingedAtMs = -Infinity;
  #unanswered = 0;

  constructor(socket: Socket, intervalMs: number, nowMs: number) {
    this.#socket = socket;
    this.#intervalMs = intervalMs;
    this.nextMs = nowMs + intervalMs;
  }

  /** Pings when it is time. False: the peer is gone. */
  check(nowMs: number): boolean {
    if (nowMs < this.nextMs) return true;
    // Anything that came since counts as an answer.
    const answered = this.#socket.lastReceivedMs >= this.#pingedAtMs;
    this.#unanswered = answered ? 0 : this.#unanswered + 1;
    if (this.#unanswered >= UNANSWERED_PINGS_MAX) return false;
    this.#pingedAtMs = nowMs;
    this.nextMs = nowMs + this.#intervalMs;
    this.#socket.ping();
    return true;
  }
}
