/**
 * The outbound half of a WebSocket: frames in order, groups, and what happens when its session holds it or its peer
 * reads too slowly. A base class rather than a part, so that a connection stays one object.
 */
import type { ServerWebSocket } from "bun";
import type { Fanout } from "../core/fanout.ts";
import type { Frame } from "../core/types.ts";
import { frameBytes, Waiting } from "./backpressure.ts";
import type { Groups, NativeMember } from "./groups.ts";
import { SessionSocket, type SessionContext } from "./session-socket.ts";
import type { OpenSession } from "./socket.ts";

/** What the sockets of one listener share. */
export interface SocketContext extends SessionContext {
  readonly groups: Groups;
  /** No socket's bound is above this, so that the native limit stays out of reach. */
  readonly bufferedBytesMax: number;
}

export abstract class OutboundSocket<Self>
  extends SessionSocket<SocketContext>
  implements NativeMember
{
  place = -1;
  protected ws: ServerWebSocket<Self> | undefined;
  readonly #bufferedBytesMax: number;
  #waiting: Waiting | undefined;

  constructor(context: SocketContext, opening: OpenSession) {
    super(context, opening);
    this.#bufferedBytesMax = Math.min(opening.bufferedBytesMax, context.bufferedBytesMax);
  }

  get fanout(): Fanout {
    return this.context.groups;
  }

  get bufferedBytes(): number {
    if (this.closed || this.ws === undefined) return 0;
    return this.ws.getBufferedAmount() + (this.#waiting?.bytes ?? 0);
  }

  get writable(): boolean {
    return !this.closed && this.ws !== undefined && this.#waiting?.lagging !== true;
  }

  send(frame: Frame): boolean {
    return this.sendFramed(this.context.groups.framed(frame));
  }

  push(frame: Frame, group?: string): void {
    const waiting = this.#waiting;
    if (waiting === undefined || waiting.holds === 0) this.send(frame);
    else if (!this.closed && waiting.phase === "within") {
      const { groups } = this.context;
      this.#hold(waiting, group && groups.topicOf(group), groups.framed(frame));
    }
  }

  /** What is on the wire already, whatever a message is wrapped in. */
  protected sendFramed(frame: Frame): boolean {
    if (this.closed) return false;
    this.context.stats.sent += 1;
    const waiting = this.#waiting;
    if (waiting?.phase === "over") return false;
    return waiting?.lagging === true ? this.#enqueue(waiting, frame) : this.#write(frame);
  }

  join(group: string): void {
    if (this.closed) return;
    const { groups } = this.context;
    groups.flush();
    const topic = groups.topicOf(group);
    if (this.#waiting === undefined) {
      this.ws?.subscribe(topic);
      return;
    }
    this.#waiting.groups.add(topic);
    groups.detached(topic, this);
  }

  leave(group: string, { keepsHeld = false }: { readonly keepsHeld?: boolean } = {}): void {
    if (this.closed) return;
    this.context.groups.flush();
    this.sweep();
    const topic = this.context.groups.topicOf(group);
    if (this.#waiting === undefined) {
      this.ws?.unsubscribe(topic);
      return;
    }
    this.#waiting.groups.delete(topic);
    if (!keepsHeld) this.#waiting.dropHeld(topic);
    this.context.groups.attached(topic, this);
  }

  hold(): void {
    if (!this.closed) this.#detach().holds += 1;
  }

  release(): void {
    const waiting = this.#waiting;
    if (this.closed) return;
    if (waiting === undefined || waiting.holds === 0) throw new Error("release() without hold()");
    waiting.holds -= 1;
    if (waiting.holds > 0) return;
    for (const { frame } of waiting.takeHeld()) {
      if (waiting.phase !== "within") break;
      // A write may find the peer lagging; what follows then waits in the same order.
      if (waiting.lagging) this.#enqueue(waiting, frame);
      else this.#write(frame);
    }
    this.#attachIfFree(waiting);
  }

  publishToOthers(topic: string, frame: Frame): void {
    // A closed socket is not a member; one out of its topics need not be left out of them, `deliver` skips it.
    if (this.closed || this.ws === undefined) this.context.groups.publishNatively(topic, frame);
    else this.ws.publish(topic, frame, false);
  }

  deliver(topic: string, frame: Frame): void {
    const waiting = this.#waiting;
    if (waiting === undefined || waiting.phase !== "within") return;
    if (waiting.holds === 0) {
      this.#enqueue(waiting, frame);
      return;
    }
    this.#hold(waiting, topic, frame);
  }

  sweep(): void {
    const { ws } = this;
    if (ws === undefined || this.closed || this.#waiting?.lagging === true) return;
    if (ws.getBufferedAmount() > this.#bufferedBytesMax / 2) this.#lag();
  }

  /** Bun's drain handler. */
  drained(): void {
    const waiting = this.#waiting;
    const { ws } = this;
    if (this.closed || ws === undefined || waiting?.lagging !== true) return;
    while (ws.getBufferedAmount() <= this.#bufferedBytesMax / 2) {
      const frame = waiting.shift();
      if (frame === undefined) break;
      ws.send(frame, false);
    }
    // So little is buffered only when nothing waits here any more. A quarter, not a half: a peer that just keeps up
    // would leave and join its topics without end. While anything at all is buffered, another drain follows.
    if (ws.getBufferedAmount() <= this.#bufferedBytesMax / 4) {
      waiting.lagging = false;
      this.context.stats.lagging -= 1;
      this.#attachIfFree(waiting);
    }
  }

  /** Hands all that waits for the peer to Bun. What is held for `release` stays: it was to follow answers that will not come. */
  protected flush(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    for (let frame = waiting.shift(); frame !== undefined; frame = waiting.shift()) {
      this.ws?.send(frame, false);
    }
  }

  /** Forgets the groups and what waits. */
  protected detachForGood(): void {
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      for (const topic of waiting.groups) this.context.groups.attached(topic, this);
      if (waiting.lagging) this.context.stats.lagging -= 1;
      this.#waiting = undefined;
    }
    this.context.groups.remove(this);
  }

  /** False: the frame was dropped. */
  #write(frame: Frame): boolean {
    const { ws } = this;
    if (ws === undefined) return false;
    this.context.groups.flush();
    const status = ws.send(frame, false);
    if (status > 0) return true;
    if (status === 0) {
      // An empty frame's status is 0 as well. Otherwise Bun's own limit was passed between two sweeps and dropped the
      // frame: whatever followed would be behind a gap.
      if (frame.length === 0) return true;
      ws.terminate();
      return false;
    }
    // The bound itself is looked at with the next frame: this one is Bun's already.
    if (ws.getBufferedAmount() > this.#bufferedBytesMax / 2) this.#lag();
    return true;
  }

  #enqueue(waiting: Waiting, frame: Frame): boolean {
    const bytes = frameBytes(frame);
    if (waiting.phase !== "ending" && !this.#fits(waiting, bytes)) return false;
    waiting.push(frame, bytes);
    return true;
  }

  #hold(waiting: Waiting, topic: string | undefined, frame: Frame): void {
    const bytes = frameBytes(frame);
    if (this.#fits(waiting, bytes)) waiting.pushHeld(topic, frame, bytes);
  }

  /** A frame larger than the bound is taken when nothing else waits: it says nothing about its reader. */
  #fits(waiting: Waiting, bytes: number): boolean {
    const before = this.bufferedBytes;
    if (before === 0 || before + bytes <= this.#bufferedBytesMax) return true;
    this.#over(waiting);
    return false;
  }

  /** The session hears of it later, since it may be in the middle of something: it called `send`, or a publication goes round. */
  #over(waiting: Waiting): void {
    if (waiting.phase !== "within") return;
    waiting.phase = "over";
    this.context.stats.slow += 1;
    queueMicrotask(() => {
      waiting.phase = "ending";
      if (!this.closed) this.endSlow();
    });
  }

  #lag(): Waiting {
    const waiting = this.#detach();
    if (!waiting.lagging) this.context.stats.lagging += 1;
    waiting.lagging = true;
    return waiting;
  }

  #detach(): Waiting {
    this.context.groups.flush();
    if (this.#waiting !== undefined) return this.#waiting;
    const topics = this.ws?.subscriptions ?? [];
    for (const topic of topics) {
      this.ws?.unsubscribe(topic);
      this.context.groups.detached(topic, this);
    }
    this.#waiting = new Waiting(topics);
    return this.#waiting;
  }

  #attachIfFree(waiting: Waiting): void {
    // What waits to be joined, this socket had already: it was out of its topics.
    this.context.groups.flush();
    if (waiting.holds > 0 || waiting.lagging || waiting.phase !== "within" || this.closed) return;
    this.#waiting = undefined;
    for (const topic of waiting.groups) {
      this.context.groups.attached(topic, this);
      this.ws?.subscribe(topic);
    }
  }
}
