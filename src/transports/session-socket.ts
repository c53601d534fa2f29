/**
 * The inbound half of every socket, and its end: frames one by one to the session, and what a session throws. A base class rather
 * than a part, so that a connection stays one object.
 */
import type { Clock } from "../core/runtime.ts";
import type { Frame } from "../core/types.ts";
import { frameBytes } from "./backpressure.ts";
import { Inbox, type Receiver } from "./inbox.ts";
import type { OpenSession, Session, Socket } from "./socket.ts";

/** Counted since the start, save `lagging`. */
export interface SocketStats {
  opened: number;
  received: number;
  /** Frames sent one by one; group frames are the fan-out's. */
  sent: number;
  /** Sockets out of their native topics now because their peers read too slowly. */
  lagging: number;
  /** Sockets that passed their bound. */
  slow: number;
  /** Exceptions and rejections from sessions. */
  failed: number;
}

/** What the sockets of one transport share. */
export interface SessionContext {
  readonly clock: Clock;
  readonly stats: SocketStats;
  readonly onBug: (error: unknown, context: string) => void;
  /** When a frame may be handled. Absent: as it comes. */
  readonly frames?: FrameTurns;
}

/** Of one app's sockets. */
export interface FrameTurns {
  /** Undefined: at once. */
  turn(): Promise<void> | undefined;
}

export abstract class SessionSocket<Context extends SessionContext> implements Receiver {
  protected readonly context: Context;
  protected closed = false;
  readonly #messageBytesMax: number;
  #opening: OpenSession | undefined;
  #session: Session | undefined;
  #inbox: Inbox | undefined;
  #lastReceivedMs: number;

  constructor(context: Context, opening: OpenSession) {
    this.context = context;
    this.#opening = opening;
    this.#messageBytesMax = opening.messageBytesMax;
    this.#lastReceivedMs = context.clock.monotonicMs();
  }

  abstract close(code: number, reason: string): void;
  abstract hold(): void;
  abstract release(): void;
  /** Whether the peer is read from; called with what is so already as well. */
  abstract read(reading: boolean): void;

  get lastReceivedMs(): number {
    return this.#lastReceivedMs;
  }

  alive(): void {
    this.#lastReceivedMs = this.context.clock.monotonicMs();
  }

  /** To be called once, when frames can be sent. */
  protected openSession(socket: Socket): void {
    const opening = this.#opening;
    this.#opening = undefined;
    this.context.stats.opened += 1;
    // Stands in for a session that closes its socket before it exists.
    const early = new EarlySession();
    this.#session = early;
    try {
      this.#session = opening?.open(socket);
    } catch (error) {
      this.bug(error, "open");
      this.close(1011, "internal error");
    }
    if (early.end !== undefined) this.#finish(early.end.code, early.end.reason);
  }

  received(frame: Frame): void {
    this.take(frame);
  }

  /** One message. */
  protected take(frame: Frame): void {
    if (this.closed) return;
    this.alive();
    this.context.stats.received += 1;
    if (isLarger(frame, this.#messageBytesMax)) {
      this.close(1009, "message too big");
      return;
    }
    if (this.#inbox !== undefined) {
      this.#inbox.push(frame);
      return;
    }
    const pending = this.handle(frame);
    if (pending === undefined || this.closed) return;
    this.#inbox = new Inbox(this);
    this.#inbox.workAfter(pending);
  }

  /** Messages that came as one: what is pushed to the peer meanwhile waits until all are handled. */
  receivedTogether(frames: readonly Frame[]): void {
    // Holding takes a WebSocket out of its groups, and of one message its session knows better whether it is worth it.
    const held = frames.length > 1;
    if (held) this.hold();
    for (const frame of frames) this.take(frame);
    if (!held || this.closed) return;
    if (this.#inbox === undefined) this.release();
    else this.#inbox.afterAll(() => this.release());
  }

  handle(frame: Frame): Promise<void> | undefined {
    const turn = this.context.frames?.turn();
    return turn === undefined ? this.#handle(frame) : turn.then(() => this.#handle(frame));
  }

  #handle(frame: Frame): Promise<void> | undefined {
    try {
      const pending = this.#session?.receive(frame);
      return pending instanceof Promise ? pending.catch((error) => this.#fail(error)) : undefined;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  idle(): void {
    this.#inbox = undefined;
    this.read(true);
  }

  shutdown(): void {
    this.#call("shutdown");
    this.close(1001, "shutdown");
  }

  /** The bound was passed and frames were dropped, so it cannot go on, whatever the session does. */
  protected endSlow(): void {
    this.#call("slow");
    this.close(1013, "slow");
  }

  /** Once, within `close` when that is the cause: the session's last call. */
  protected endSession(code: number, reason: string): void {
    this.closed = true;
    this.#inbox?.clear();
    this.#finish(code, reason);
  }

  #fail(error: unknown): void {
    this.bug(error, "receive");
    if (this.closed) return;
    this.#call("failed");
    this.close(1011, "internal error");
  }

  #call(method: "slow" | "failed" | "shutdown"): void {
    try {
      this.#session?.[method]();
    } catch (error) {
      this.bug(error, method);
    }
  }

  #finish(code: number, reason: string): void {
    const session = this.#session;
    this.#session = undefined;
    try {
      session?.closed(code, reason);
    } catch (error) {
      this.bug(error, "closed");
    }
  }

  protected bug(error: unknown, call: string): void {
    this.context.stats.failed += 1;
    this.context.onBug(error, `session ${call}`);
  }
}

class EarlySession implements Session {
  end: { readonly code: number; readonly reason: string } | undefined;
  receive(): void {}
  slow(): void {}
  failed(): void {}
  shutdown(): void {}
  closed(code: number, reason: string): void {
    this.end = { code, reason };
  }
}

function isLarger(frame: Frame, bytesMax: number): boolean {
  if (frame.length > bytesMax) return true;
  // A UTF-16 code unit is at most three bytes of UTF-8, so short text needs no counting.
  return typeof frame === "string" && frame.length * 3 > bytesMax && frameBytes(frame) > bytesMax;
}
