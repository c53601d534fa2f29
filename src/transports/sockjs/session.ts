/** A SockJS session that HTTP requests carry: one receiving request after the other, and the time between them (sockjs.md §5). */
import type { Scheduled, Schedule } from "../../core/schedule.ts";
import { QueuedSocket, shortened, type QueuedContext } from "../queued-socket.ts";
import type { OpenSession } from "../socket.ts";
import { HEARTBEAT_FRAME, OPEN_FRAME } from "./frames.ts";
import type { Receiver, ReceiverOwner } from "./receiver.ts";
import type { Service } from "./service.ts";

export interface SockJsSessionOptions {
  readonly context: QueuedContext;
  readonly schedule: Schedule;
  readonly service: Service;
  readonly opening: OpenSession;
  /** It is forgotten: its id may be another session's. */
  readonly onForgotten: () => void;
}

export class SockJsSession extends QueuedSocket implements Scheduled, ReceiverOwner {
  scheduledPlace = 0;
  /** Who may continue it. */
  readonly admit: OpenSession["admit"];
  readonly #schedule: Schedule;
  readonly #service: Service;
  readonly #onForgotten: () => void;
  #receiver: Receiver | undefined;
  #end: { readonly code: number; readonly reason: string } | undefined;
  #reading = true;
  #senders: (() => void)[] = [];

  constructor({ context, schedule, service, opening, onForgotten }: SockJsSessionOptions) {
    super({ context, transport: "sockjs", opening });
    this.admit = opening.admit;
    this.#schedule = schedule;
    this.#service = service;
    this.#onForgotten = onForgotten;
  }

  /** How it was closed; undefined: it is open. */
  get end(): { readonly code: number; readonly reason: string } | undefined {
    return this.#end;
  }

  get receives(): boolean {
    return this.#receiver !== undefined;
  }

  /** The first receiving request. The application hears of it behind the frame that says so. */
  begin(receiver: Receiver): void {
    receiver.frame(OPEN_FRAME);
    this.#take(receiver);
    this.open();
  }

  /** A later one, when there is none. */
  continue(receiver: Receiver): void {
    this.#take(receiver);
  }

  /** False: it has more to handle than it takes. The promise settles once it has not. */
  sent(messages: readonly string[]): false | Promise<void> {
    if (!this.#reading) return false;
    this.receivedTogether(messages);
    if (this.#reading || this.closed) return Promise.resolve();
    return new Promise((resolve) => this.#senders.push(resolve));
  }

  override read(reading: boolean): void {
    this.#reading = reading;
    if (reading) this.#wakeSenders();
  }

  override close(code: number, reason: string): void {
    if (this.closed) return;
    this.#end = { code, reason: shortened(reason) };
    this.#wait();
    super.close(code, reason);
    this.#wakeSenders();
  }

  override terminate(): void {
    if (this.closed) return;
    super.terminate();
    this.#vanish();
  }

  finished(receiver: Receiver): void {
    if (this.#receiver !== receiver) return;
    this.#receiver = undefined;
    this.detach(receiver);
    this.#wait();
  }

  left(receiver: Receiver): void {
    if (this.#receiver !== receiver) return;
    this.#receiver = undefined;
    this.#vanish();
  }

  due(nowMs: number): void {
    const { heartbeatMs, responseMsMax } = this.#service.settings;
    const receiver = this.#receiver;
    if (receiver === undefined || this.#end !== undefined) {
      this.#vanish();
      return;
    }
    if (nowMs - receiver.sinceMs >= responseMsMax) {
      receiver.expire();
      return;
    }
    // One whose client is behind is not silent.
    if (nowMs - receiver.lastFrameMs >= heartbeatMs && receiver.writable) {
      receiver.frame(HEARTBEAT_FRAME);
      if (this.#receiver !== receiver) return;
    }
    this.#watch(receiver, nowMs);
  }

  #take(receiver: Receiver): void {
    receiver.ownedBy(this);
    if (receiver.over) {
      this.#wait();
      return;
    }
    this.#receiver = receiver;
    this.#watch(receiver, receiver.sinceMs);
    this.attach(receiver);
  }

  #watch(receiver: Receiver, nowMs: number): void {
    const { heartbeatMs, responseMsMax } = this.#service.settings;
    const silentMs = nowMs - receiver.lastFrameMs;
    const nextMs = silentMs < heartbeatMs ? nowMs - silentMs + heartbeatMs : nowMs + heartbeatMs;
    this.#schedule.set(this, Math.min(nextMs, receiver.sinceMs + responseMsMax));
  }

  /** For the next receiving request; or, closed, for one that is told. */
  #wait(): void {
    const nowMs = this.context.clock.monotonicMs();
    this.#schedule.set(this, nowMs + this.#service.settings.disconnectDelayMs);
  }

  /** Its client is not there. */
  #vanish(): void {
    // It may be one that does not read its close.
    this.#receiver?.terminate();
    this.ended(1006, "");
    this.#schedule.clear(this);
    this.#wakeSenders();
    this.#onForgotten();
  }

  #wakeSenders(): void {
    for (const wake of this.#senders.splice(0)) wake();
  }
}
