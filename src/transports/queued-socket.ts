/**
 * A socket whose frames wait here until something takes them: an HTTP response that streams, a poll that comes now and then, a
 * DataChannel that a session opened itself. What takes them is an outlet; it may go and another may come, and nothing is
 * lost in between.
 */
import type { Fanout, GroupMember } from "../core/fanout.ts";
import type { Timer, Timers } from "../core/runtime.ts";
import type { Frame } from "../core/types.ts";
import { frameBytes, Waiting } from "./backpressure.ts";
import type { LocalGroups, LocalMember } from "./local-groups.ts";
import { SessionSocket, type SessionContext } from "./session-socket.ts";
import type { CarriedSocket, OpenSession, Outlet, Socket, TransportName } from "./socket.ts";

export interface QueuedContext extends SessionContext {
  readonly groups: LocalGroups;
  readonly timers: Timers;
}

/** Milliseconds that a closed socket's last frames and its close may take; then its outlet is cut. */
export const CLOSE_MS = 5_000;

export interface QueuedSocketOptions {
  readonly context: QueuedContext;
  readonly transport: TransportName;
  readonly opening: OpenSession;
  /** Called when more, or less, can wait for the session than it takes. Default: nothing is done. */
  readonly onRead?: (reading: boolean) => void;
}

export class QueuedSocket
  extends SessionSocket<QueuedContext>
  implements Socket, CarriedSocket, GroupMember, LocalMember
{
  readonly transport: TransportName;
  readonly #bufferedBytesMax: number;
  readonly #waiting = new Waiting([]);
  readonly #onRead: ((reading: boolean) => void) | undefined;
  #outlet: Outlet | undefined;
  /** A close that is still behind frames, or waits for an outlet to go through. */
  #closing: { readonly code: number; readonly reason: string; readonly cut: Timer } | undefined;

  constructor({ context, transport, opening, onRead }: QueuedSocketOptions) {
    super(context, opening);
    this.transport = transport;
    this.#bufferedBytesMax = opening.bufferedBytesMax;
    this.#onRead = onRead;
  }

  get member(): GroupMember {
    return this;
  }

  get fanout(): Fanout {
    return this.context.groups;
  }

  get bufferedBytes(): number {
    return this.closed ? 0 : this.#waiting.bytes + (this.#outlet?.bufferedBytes ?? 0);
  }

  // Its owner calls these, `received` and `alive`.

  /** Opens the session. Frames wait until there is an outlet. */
  open(): void {
    this.context.groups.add(this);
    this.openSession(this);
  }

  attach(outlet: Outlet): void {
    if (this.#outlet !== outlet) this.#outlet?.terminate();
    this.#outlet = outlet;
    this.drained(outlet);
  }

  detach(outlet: Outlet): void {
    if (this.#outlet === outlet) this.#outlet = undefined;
  }

  drained(outlet: Outlet | undefined): void {
    if (outlet === undefined || this.#outlet !== outlet) return;
    for (let frame = this.#waiting.first; frame !== undefined; frame = this.#waiting.first) {
      if (!outlet.write(frame)) return;
      this.#waiting.shift();
    }
    if (this.#closing === undefined) return;
    const { code, reason, cut } = this.#closing;
    cut.cancel();
    this.#outlet = undefined;
    outlet.close(code, reason);
  }

  ended(code: number, reason: string): void {
    this.#outlet = undefined;
    this.#closing?.cut.cancel();
    if (!this.closed) this.#end(code, reason);
  }

  // The session and the groups call these.

  get writable(): boolean {
    if (this.closed || this.#waiting.first !== undefined) return false;
    return this.#outlet?.writable === true;
  }

  together(sending: () => void): void {
    sending();
  }

  send(frame: Frame): boolean {
    if (this.closed || this.#waiting.phase === "over") return false;
    this.context.stats.sent += 1;
    return this.#sendOrQueue(this.context.groups.framed(frame));
  }

  push(frame: Frame, group?: string): void {
    if (this.#waiting.holds === 0) this.send(frame);
    else this.#hold(group, this.context.groups.framed(frame));
  }

  deliver(group: string, frame: Frame): void {
    if (this.closed || this.#waiting.phase !== "within") return;
    if (this.#waiting.holds === 0) this.#sendOrQueue(frame);
    else this.#hold(group, frame);
  }

  join(group: string): void {
    if (this.closed) return;
    this.#waiting.groups.add(group);
    this.context.groups.join(group, this);
  }

  leave(group: string, { keepsHeld = false }: { readonly keepsHeld?: boolean } = {}): void {
    if (!this.#waiting.groups.delete(group)) return;
    this.context.groups.leave(group, this);
    if (!keepsHeld) this.#waiting.dropHeld(group);
  }

  hold(): void {
    if (!this.closed) this.#waiting.holds += 1;
  }

  release(): void {
    if (this.closed) return;
    if (this.#waiting.holds === 0) throw new Error("release() without hold()");
    this.#waiting.holds -= 1;
    if (this.#waiting.holds > 0) return;
    for (const { frame } of this.#waiting.takeHeld()) {
      if (this.#waiting.phase !== "within") return;
      this.#sendOrQueue(frame);
    }
  }

  ping(): void {
    if (!this.closed) this.#outlet?.ping();
  }

  close(code: number, reason: string): void {
    if (this.closed) return;
    const words = shortened(reason);
    const cut = this.context.timers.after(CLOSE_MS, () => {
      this.#outlet?.terminate();
      this.#outlet = undefined;
    });
    this.#closing = { code, reason: words, cut };
    this.closed = true;
    this.#waiting.takeHeld();
    this.drained(this.#outlet);
    this.#end(code, words);
  }

  terminate(): void {
    if (this.closed) return;
    const outlet = this.#outlet;
    this.#outlet = undefined;
    outlet?.terminate();
    this.#end(1006, "");
  }

  #end(code: number, reason: string): void {
    for (const group of this.#waiting.groups) this.context.groups.leave(group, this);
    this.#waiting.groups.clear();
    this.context.groups.remove(this);
    this.endSession(code, reason);
  }

  read(reading: boolean): void {
    this.#onRead?.(reading);
  }

  #sendOrQueue(frame: Frame): boolean {
    const waiting = this.#waiting;
    if (waiting.first === undefined && this.#outlet?.write(frame) === true) return true;
    const bytes = frameBytes(frame);
    if (waiting.phase !== "ending" && !this.#fits(bytes)) return false;
    waiting.push(frame, bytes);
    return true;
  }

  #hold(group: string | undefined, frame: Frame): void {
    if (this.closed || this.#waiting.phase !== "within") return;
    const bytes = frameBytes(frame);
    if (this.#fits(bytes)) this.#waiting.pushHeld(group, frame, bytes);
  }

  /** A frame larger than the bound is taken when nothing else waits: it says nothing about its reader. */
  #fits(bytes: number): boolean {
    const before = this.bufferedBytes;
    if (before === 0 || before + bytes <= this.#bufferedBytesMax) return true;
    if (this.#waiting.phase !== "within") return false;
    this.#waiting.phase = "over";
    this.context.stats.slow += 1;
    // The session hears of it later, since it may be in the middle of something.
    queueMicrotask(() => {
      this.#waiting.phase = "ending";
      if (!this.closed) this.endSlow();
    });
    return false;
  }
}

/** RFC 6455 §5.5 leaves 123 bytes for a reason; the other transports keep to it, so that a dialect may say the same on all. */
const REASON_BYTES_MAX = 123;

/** A reason as it is sent: at most 123 bytes. */
export function shortened(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_BYTES_MAX) return reason;
  let end = REASON_BYTES_MAX;
  // Not within a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}
