/** SockJS over a WebSocket: frames of messages, and heartbeats by which a dead peer is found (sockjs.md §7.1, §8, §10). */
import type { Timers } from "../../core/runtime.ts";
import type { Schedule, Scheduled } from "../../core/schedule.ts";
import type { Frame } from "../../core/types.ts";
import type { SocketContext } from "../outbound.ts";
import { shortened } from "../queued-socket.ts";
import type { OpenSession, TransportName } from "../socket.ts";
import { WebSocketConnection } from "../websocket.ts";
import { closeFrame, HEARTBEAT_FRAME, OPEN_FRAME } from "./frames.ts";
import { readFrame } from "./messages.ts";

/** Milliseconds that a peer has to answer a heartbeat's ping. */
const PONG_MS = 10_000;

export interface SockJsWebSocketOptions {
  /** With groups of SockJS's framing. */
  readonly context: SocketContext;
  readonly schedule: Schedule;
  readonly opening: OpenSession;
  readonly frameBytesMax: number;
  readonly heartbeatMs: number;
}

export class SockJsWebSocket extends WebSocketConnection implements Scheduled {
  scheduledPlace = 0;
  readonly #schedule: Schedule;
  readonly #heartbeatMs: number;
  readonly #frameBytesMax: number;
  #lastSentMs = 0;
  /** Nothing has come since the last ping. */
  #pinged = false;

  constructor({ context, schedule, opening, frameBytesMax, heartbeatMs }: SockJsWebSocketOptions) {
    super(context, opening);
    this.#schedule = schedule;
    this.#heartbeatMs = heartbeatMs;
    this.#frameBytesMax = frameBytesMax;
  }

  override get transport(): TransportName {
    return "sockjs";
  }

  override received(frame: Frame): void {
    if (this.closed) return;
    this.alive();
    // SockJS has no frames of bytes.
    if (typeof frame !== "string") return;
    const messages = Buffer.byteLength(frame) > this.#frameBytesMax ? "too_many" : readFrame(frame);
    if (messages === "too_many") this.close(1009, "message too big");
    // What it meant is not known, so it is told nothing that it might read.
    else if (typeof messages === "string") super.close(3000, "Broken framing.");
    else this.receivedTogether(messages);
  }

  override close(code: number, reason: string): void {
    if (this.closed) return;
    this.sendFramed(closeFrame(code, shortened(reason)));
    super.close(isOnWire(code) ? code : 1000, reason);
  }

  override ended(code: number, reason: string): void {
    this.#schedule.clear(this);
    super.ended(code, reason);
  }

  due(nowMs: number): void {
    if (this.closed) return;
    if (this.#pinged) {
      this.close(3000, "No response from heartbeat");
      return;
    }
    const beatMs = this.#lastSentMs + this.#heartbeatMs;
    if (nowMs < beatMs) {
      this.#schedule.set(this, beatMs);
      return;
    }
    this.sendFramed(HEARTBEAT_FRAME);
    this.ping();
    this.#pinged = true;
    this.#schedule.set(this, nowMs + PONG_MS);
  }

  override alive(): void {
    super.alive();
    if (!this.#pinged) return;
    this.#pinged = false;
    this.#schedule.set(this, this.#lastSentMs + this.#heartbeatMs);
  }

  protected override begin(): void {
    this.sendFramed(OPEN_FRAME);
    this.#schedule.set(this, this.#lastSentMs + this.#heartbeatMs);
    super.begin();
  }

  /** What goes to groups does not come by here: its silence is not known, and a heartbeat too many does no harm. */
  protected override sendFramed(frame: Frame): boolean {
    this.#lastSentMs = this.context.clock.monotonicMs();
    return super.sendFramed(frame);
  }
}

/** A raw one. Its session is opened once the handshake's answer has left: some clients read no frame that comes with it. */
export class RawWebSocket extends WebSocketConnection {
  readonly #timers: Timers;

  constructor(context: SocketContext, opening: OpenSession, timers: Timers) {
    super(context, opening);
    this.#timers = timers;
  }

  protected override begin(): void {
    this.read(false);
    this.#timers.soon(() => {
      if (this.closed) return;
      super.begin();
      this.read(true);
    });
  }
}

/** RFC 6455 §7.4: what a server may send. Every other code stands in the close frame of SockJS alone. */
function isOnWire(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011);
}
