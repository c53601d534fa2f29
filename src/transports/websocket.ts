/**
 * One WebSocket on Bun's own server: its session, its inbound frames and its end. What goes out is in `outbound.ts`.
 * An idle connection costs this one object; the listener (`listener.ts`) makes them.
 */
import type { ServerWebSocket } from "bun";
import type { GroupMember } from "../core/fanout.ts";
import type { Frame } from "../core/types.ts";
import { frameBytes } from "./backpressure.ts";
import { Inbox, type Receiver } from "./inbox.ts";
import { OutboundSocket, type SocketContext } from "./outbound.ts";
import type { OpenSession, Session, Socket, TransportName } from "./socket.ts";

export class WebSocketConnection
  extends OutboundSocket<WebSocketConnection>
  implements Socket, Receiver
{
  readonly #messageBytesMax: number;
  #opening: OpenSession | undefined;
  #session: Session | undefined;
  #inbox: Inbox | undefined;
  #lastReceivedMs: number;

  constructor(context: SocketContext, opening: OpenSession) {
    super(context, opening);
    this.#opening = opening;
    this.#messageBytesMax = opening.messageBytesMax;
    this.#lastReceivedMs = context.clock.monotonicMs();
  }

  get transport(): TransportName {
    return "websocket";
  }

  get member(): GroupMember {
    return this;
  }

  /** A socket that is not read because its session is busy counts as alive: its pongs may be waiting unread. */
  get lastReceivedMs(): number {
    return this.ws?.isPaused === true ? this.context.clock.monotonicMs() : this.#lastReceivedMs;
  }

  ping(): void {
    if (!this.closed) this.ws?.ping();
  }

  /** Bun sends what it has buffered, then the close frame, and cuts a peer that has not closed 4 s later. */
  close(code: number, reason: string): void {
    if (this.closed || this.ws === undefined) return;
    this.closed = true;
    this.flush();
    this.ws.close(code, reason);
  }

  terminate(): void {
    if (this.closed || this.ws === undefined) return;
    this.closed = true;
    this.ws.terminate();
  }

  // Bun's handlers call these.

  opened(ws: ServerWebSocket<WebSocketConnection>): void {
    const opening = this.#opening;
    this.#opening = undefined;
    this.ws = ws;
    // Bun copies binary messages out of its receive buffer, so a session may keep them.
    ws.binaryType = "uint8array";
    this.context.groups.add(this);
    this.context.stats.opened += 1;
    // Stands in for a session that closes its socket before it exists.
    const early = new EarlySession();
    this.#session = early;
    try {
      this.#session = opening?.open(this);
    } catch (error) {
      this.#bug(error, "open");
      this.close(1011, "internal error");
    }
    if (early.end !== undefined) this.#finish(early.end.code, early.end.reason);
  }

  alive(): void {
    this.#lastReceivedMs = this.context.clock.monotonicMs();
  }

  received(frame: Frame): void {
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

  /** Once per socket, within `close` when that is the cause. */
  ended(code: number, reason: string): void {
    this.closed = true;
    this.#inbox?.clear();
    this.detachForGood();
    this.#finish(wireCode(code, reason), reason);
  }

  // The inbox calls these.

  handle(frame: Frame): Promise<void> | undefined {
    try {
      const pending = this.#session?.receive(frame);
      return pending instanceof Promise ? pending.catch((error) => this.#fail(error)) : undefined;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  read(reading: boolean): void {
    if (this.ws === undefined || this.closed || this.ws.isPaused !== reading) return;
    if (reading) this.ws.resume();
    else this.ws.pause();
  }

  idle(): void {
    this.#inbox = undefined;
    this.read(true);
  }

  override shutdown(): void {
    this.#call("shutdown");
    this.close(1001, "shutdown");
  }

  protected override endSlow(): void {
    this.#call("slow");
    // Frames were dropped, so it cannot go on, whatever the session did.
    this.close(1013, "slow");
  }

  #fail(error: unknown): void {
    this.#bug(error, "receive");
    if (this.closed) return;
    this.#call("failed");
    this.close(1011, "internal error");
  }

  #call(method: "slow" | "failed" | "shutdown"): void {
    try {
      this.#session?.[method]();
    } catch (error) {
      this.#bug(error, method);
    }
  }

  #finish(code: number, reason: string): void {
    const session = this.#session;
    this.#session = undefined;
    try {
      session?.closed(code, reason);
    } catch (error) {
      this.#bug(error, "closed");
    }
  }

  #bug(error: unknown, call: string): void {
    this.context.stats.failed += 1;
    this.context.onBug(error, `websocket session ${call}`);
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

/** Bun sends 1009, 1007 or 1002, then reports 1006 with what it sent as the reason. 1006 itself is never on the wire. */
function wireCode(code: number, reason: string): number {
  if (code !== 1006) return code;
  if (reason.startsWith("Received too big message")) return 1009;
  if (reason.startsWith("Received invalid UTF-8")) return 1007;
  return reason.startsWith("Received invalid") ? 1002 : 1006;
}
