/**
 * One WebSocket on Bun's own server. What comes in is in `session-socket.ts`, what goes out in `outbound.ts`. An idle connection costs
 * this one object; the listener (`listener.ts`) makes them.
 */
import type { ServerWebSocket } from "bun";
import type { GroupMember } from "../core/fanout.ts";
import { OutboundSocket, type SocketContext } from "./outbound.ts";
import type { OpenSession, Socket, TransportName } from "./socket.ts";

export class WebSocketConnection extends OutboundSocket<WebSocketConnection> implements Socket {
  constructor(context: SocketContext, opening: OpenSession) {
    super(context, opening);
  }

  get transport(): TransportName {
    return "websocket";
  }

  get member(): GroupMember {
    return this;
  }

  /** A socket that is not read because its session is busy counts as alive: its pongs may be waiting unread. */
  override get lastReceivedMs(): number {
    return this.ws?.isPaused === true ? this.context.clock.monotonicMs() : super.lastReceivedMs;
  }

  together(sending: () => void): void {
    if (this.closed || this.ws === undefined) sending();
    else this.ws.cork(sending);
  }

  ping(): void {
    if (!this.closed) this.ws?.ping();
  }

  /** Bun sends what it has buffered, then the close frame, and cuts a peer that has not closed 4 s later. */
  close(code: number, reason: string): void {
    if (this.closed || this.ws === undefined) return;
    this.context.groups.flush();
    this.closed = true;
    this.flush();
    this.ws.close(code, reason);
  }

  terminate(): void {
    if (this.closed || this.ws === undefined) return;
    this.closed = true;
    this.ws.terminate();
  }

  read(reading: boolean): void {
    if (this.ws === undefined || this.closed || this.ws.isPaused !== reading) return;
    if (reading) this.ws.resume();
    else this.ws.pause();
  }

  // Bun's handlers call these, `received` and `alive`.

  opened(ws: ServerWebSocket<WebSocketConnection>): void {
    this.ws = ws;
    // Bun copies binary messages out of its receive buffer, so a session may keep them.
    ws.binaryType = "uint8array";
    this.context.groups.add(this);
    this.begin();
  }

  protected begin(): void {
    this.openSession(this);
  }

  /** Once per socket, within `close` when that is the cause. */
  ended(code: number, reason: string): void {
    this.closed = true;
    this.detachForGood();
    this.endSession(wireCode(code, reason), reason);
  }
}

/** Bun sends 1009, 1007 or 1002, then reports 1006 with what it sent as the reason. 1006 itself is never on the wire. */
function wireCode(code: number, reason: string): number {
  if (code !== 1006) return code;
  if (reason.startsWith("Received too big message")) return 1009;
  if (reason.startsWith("Received invalid UTF-8")) return 1007;
  return reason.startsWith("Received invalid") ? 1002 : 1006;
}
