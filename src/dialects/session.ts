/**
 * What a client's session does in every dialect alike: its identity, the rate of its commands, its one deadline, its ends, and what is
 * counted and logged of it. A dialect adds what its frames mean.
 */
import type { Disconnect } from "../core/errors.ts";
import type { GroupMember } from "../core/fanout.ts";
import type { CounterName } from "../core/metrics.ts";
import type { Scheduled } from "../core/schedule.ts";
import type { Frame } from "../core/types.ts";
import type { Session, Socket } from "../transports/socket.ts";
import type { Word } from "./every-word.ts";
import { explainedReason } from "./explaining.ts";
import {
  limitHit,
  type AboutEvent,
  type EventName,
  type LimitName,
  type SessionServices,
} from "./dialect.ts";

/** How a socket is closed on the wire. */
export interface Close {
  readonly code: number;
  readonly reason: string;
  /** Drops the connection, without a close frame. */
  readonly cut?: boolean;
}

/** RFC 6455 §7.4.1: nobody was refused anything. */
const NORMAL_CLOSURE = 1000;

const SECOND_MS = 1000;
/** Sums of shares come out a little beyond it. */
const EPSILON_MS = 1e-3;

export abstract class ClientSession<Context extends SessionServices = SessionServices>
  implements Session, Scheduled
{
  abstract readonly dialect: string;
  readonly context: Context;
  readonly socket: Socket;
  readonly connectionId: string;
  scheduledPlace = 0;
  /** Monotonic: each command takes its share of a second behind the one before it. A number does, where every connection has one. */
  #commandsUntilMs = 0;
  #over = false;

  /** `connectionId`: for protocols that write it in a form of their own. */
  constructor(context: Context, socket: Socket, connectionId = context.runtime.random.uuid()) {
    this.context = context;
    this.socket = socket;
    this.connectionId = connectionId;
  }

  /** 0: any number. */
  protected get commandsPerSecondMax(): number {
    return 0;
  }

  /** One inbound frame; not called once the session is over. */
  protected abstract handle(frame: Frame): void | Promise<void>;
  /** What the dialect's wire says of a reason. */
  protected abstract closeOf(reason: Disconnect): Close;
  /** The session is over: leaves the hub. */
  protected abstract leave(): Promise<void> | undefined;
  /** When `onDue` is to be called next, monotonic milliseconds; Infinity: not at all. */
  protected abstract nextDueMs(): number;
  protected abstract onDue(nowMs: number): void;

  get over(): boolean {
    return this.#over;
  }

  get member(): GroupMember {
    return this.socket.member;
  }

  get unsentBytes(): number {
    return this.socket.bufferedBytes;
  }

  receive(frame: Frame): void | Promise<void> {
    return this.#over ? undefined : this.handle(frame);
  }

  /** `limited`: over the rate; `flooded`: over it by another second's worth. */
  protected takeCommand(): "taken" | "limited" | "flooded" {
    const most = this.commandsPerSecondMax;
    if (most === 0) return "taken";
    const nowMs = this.context.runtime.clock.monotonicMs();
    this.#commandsUntilMs = Math.max(this.#commandsUntilMs, nowMs) + SECOND_MS / most;
    const aheadMs = this.#commandsUntilMs - nowMs - EPSILON_MS;
    if (aheadMs <= SECOND_MS) return "taken";
    this.limitHit("commands_per_second_max");
    return aheadMs > 2 * SECOND_MS ? "flooded" : "limited";
  }

  due(nowMs: number): void {
    if (this.#over) return;
    this.onDue(nowMs);
    if (!this.#over) this.reschedule();
  }

  /** To be called whenever `nextDueMs` has changed. */
  reschedule(): void {
    const { schedule } = this.context;
    const nextMs = this.nextDueMs();
    if (nextMs === Infinity) schedule.clear(this);
    else schedule.set(this, nextMs);
  }

  slow(): void {
    this.limitHit("queue_max_size");
    this.disconnect({ disconnect: "slow" });
  }

  failed(): void {
    this.disconnect({ disconnect: "internal_error" });
  }

  shutdown(): void {
    this.disconnect({ disconnect: "shutdown" });
  }

  /** `detail`, for the log and for clients in development mode: what the reason leaves open. */
  disconnect(reason: Disconnect, detail?: string): void {
    if (!this.#over) this.end(reason.disconnect, this.closeOf(reason), detail);
  }

  /** `word`: for log and metric, the core's where it has one. */
  protected end(word: Word, { code, reason, cut = false }: Close, detail = reason): void {
    if (this.#over) return;
    this.count("disconnects", { code: `${code}`, word });
    this.tell("Connection ended", { word, code, detail });
    this.#leave();
    if (cut) this.socket.terminate();
    else if (code === NORMAL_CLOSURE) this.socket.close(code, reason);
    else this.socket.close(code, explainedReason(this.context, reason, detail));
  }

  /** By the client, by its network or by the transport: whatever ended it otherwise has been told. */
  closed(code: number, reason: string): void {
    if (this.#over) return;
    const detail = reason === "" ? "by the client" : reason;
    this.tell("Connection ended", { word: "closed", code, detail });
    this.#leave();
  }

  #leave(): void {
    this.#over = true;
    this.context.schedule.clear(this);
    this.aside("leaving its channels", this.leave());
  }

  protected count(
    name: CounterName,
    labels?: Parameters<SessionServices["metrics"]["count"]>[1],
  ): void {
    const { dialect } = this;
    this.context.metrics.count(name, labels === undefined ? { dialect } : { dialect, ...labels });
  }

  limitHit(limit: LimitName): void {
    limitHit(this.context.metrics, limit);
  }

  /** A line at level debug. */
  tell<Name extends EventName>(event: Name, about: AboutEvent<Name>): void {
    this.context.onEvent(event, { connection: this.connectionId, ...about });
  }

  /** A bug, or an engine that is away. */
  report(error: unknown, doing: string): void {
    this.context.onError(error, { connection: this.connectionId, doing });
  }

  /** Follows work that nothing waits for. */
  aside(doing: string, work: Promise<unknown> | undefined): void {
    work?.catch((error: unknown) => this.report(error, doing));
  }
}
