/**
 * A socket with a good token: from its acceptance (`acceptance.ts`) over the joining of its task's stream to its end. What it is
 * sent before it has joined waits, so that the replayed message comes first.
 */
import { deadlineAt, leftOf, type Deadline } from "../../core/deadline.ts";
import type { Disconnect, HubErrorCode } from "../../core/errors.ts";
import type { Connection, Encoder, Subscribed, Subscriber, Subscription } from "../../core/hub.ts";
import type { Scheduled } from "../../core/schedule.ts";
import type { Frame, Push } from "../../core/types.ts";
import type { Socket } from "../../transports/socket.ts";
import { MinuteBound } from "./acceptance-window.ts";
import type { TaskToken } from "./client-token.ts";
import type { TasksContext } from "./context.ts";
import { connectionDeadline, messageClock } from "./deadlines.ts";
import { Timetable } from "./deadlines-timetable.ts";
import { isDisplaced, standsAlone, type Displacement, type TaskSignal } from "./displacement.ts";
import type { FirstFrame } from "./first-frame.ts";
import { formatTicks, messageFrame, tickFrame } from "./frames.ts";
import { DISCONNECT_ENDS, endSocket, type EndName } from "./session-ends.ts";
import {
  CLIENT_FRAME_BYTES_MAX,
  CLIENT_FRAMES_PER_MINUTE,
  EARLY_MESSAGES_MAX,
} from "./session-limits.ts";
import {
  channelOf,
  labelOf,
  messageOf,
  streamOf,
  taskEncoder,
  type TaskMessage,
  type TaskStream,
} from "./task-channel.ts";
import { TaskRecords } from "./task-store-record.ts";

export class TaskConnection implements Subscriber, Scheduled {
  readonly context: TasksContext;
  readonly token: TaskToken;
  readonly connectionId: string;
  scheduledTick = 0;
  readonly #socket: Socket;
  readonly #wish: FirstFrame;
  #connection: Connection | undefined;
  #closed = false;
  /** From the acceptance on; 0 before. */
  #number = 0;
  /** Displacements by others that came before the number was known. */
  #displacements: Displacement[] = [];
  /** Messages that came before the stream was joined; undefined from then on. */
  #early: TaskMessage[] | undefined = [];
  /** From the joining on. */
  #deadline: Deadline | undefined;
  #timetable: Timetable | undefined;
  #frames: MinuteBound | undefined;

  constructor(
    context: TasksContext,
    socket: Socket,
    opened: { token: TaskToken; wish: FirstFrame },
  ) {
    this.context = context;
    this.#socket = socket;
    this.token = opened.token;
    this.#wish = opened.wish;
    this.connectionId = context.runtime.random.uuid();
  }

  get dialect(): string {
    return "tasks";
  }

  get userId(): string {
    return "";
  }

  get encoder(): Encoder {
    return taskEncoder;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get #alone(): boolean {
    return standsAlone(this.token, this.context.settings);
  }

  /** Takes its place among the task's connections: from here on it hears what is said to them, on whichever node. */
  reserve(): void {
    const { hub, sockets } = this.context;
    const { taskId } = this.token;
    sockets.add(taskId, this);
    this.#connection = hub.connect(this);
    this.#connection.label(labelOf(taskId));
  }

  /** It has its number: what displaces it takes effect. */
  accepted(number: number): void {
    this.#number = number;
    for (const displacement of this.#displacements) this.displace(displacement);
    this.#displacements = [];
  }

  displace(displacement: Displacement): boolean {
    if (this.#closed) return false;
    if (this.#number === 0) this.#displacements.push(displacement);
    else if (isDisplaced({ number: this.#number, alone: this.#alone }, displacement)) {
      this.end("replaced");
      return true;
    }
    return false;
  }

  /** The last steps of an acceptance (§5.1): last message, deadline, first tick. */
  async join(acceptedMs: number): Promise<void> {
    let stream: TaskStream | undefined;
    const joined = (subscribed: Subscribed): void => {
      stream = streamOf(subscribed);
    };
    const options = { encoder: taskEncoder, replayNewest: 1 };
    await this.#connection?.subscribe(channelOf(this.token.taskId), options, joined);
    if (this.#closed || stream === undefined) return;
    const { records, runtime } = this.context;
    const deadlineMs = await connectionDeadline(
      new TaskRecords(records, runtime.clock),
      this.token,
      { acceptedMs, stream },
    );
    if (!this.#closed) this.#begin(stream, deadlineMs);
  }

  #begin(stream: TaskStream, deadlineMs: number): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    const { runtime, settings } = this.context;
    this.#deadline = deadlineAt(runtime.clock, deadlineMs);
    const { tickSeconds } = this.#wish;
    this.#timetable = new Timetable({
      nowMs: runtime.clock.monotonicMs(),
      tickMs: tickSeconds === undefined ? settings.tickIntervalMs : tickSeconds * 1000,
      pingMs: settings.pingIntervalMs,
      pongTimeoutMs: settings.pongTimeoutMs,
      standsAlone: this.#alone,
      random: runtime.random,
    });
    const { last } = stream;
    const replayed = last !== undefined && this.#isOwed(last);
    if (replayed) this.#sendMessage(last, true);
    for (const message of early) this.#receive(message);
    if (this.#closed) return;
    // A message counts as a tick.
    if (this.#remainingMs() <= 0) this.end("timeout");
    else if (!replayed && early.length === 0) this.#socket.send(tickFrame(this.#ticks()));
    this.#reschedule();
  }

  /** §5.3. One that was sent behind this token is owed even where the two raced, and it was sent as nobody's to keep. */
  #isOwed({ keptUntilMs, sentMs }: TaskMessage): boolean {
    if (!this.token.sendOfflineMessage) return false;
    return keptUntilMs > this.context.runtime.clock.epochMs() || sentMs > this.token.issuedMs;
  }

  /** The hub's: a message of the task. */
  send(_frame: Frame, push: Push): void {
    if (this.#closed || push.type !== "publication") return;
    const message = messageOf(push.publication);
    if (this.#early === undefined) this.#receive(message);
    else if (this.#early.length < EARLY_MESSAGES_MAX) this.#early.push(message);
    // Its store is away for so long that it has to begin again.
    else this.end("internal");
  }

  #receive(message: TaskMessage): void {
    if (this.#closed) return;
    const { clock } = this.context.runtime;
    this.#deadline = deadlineAt(clock, messageClock(message, clock.epochMs()));
    this.#sendMessage(message, false);
    this.#reschedule();
  }

  #sendMessage({ message, seq, newTimeoutMs }: TaskMessage, replay: boolean): void {
    const completed = newTimeoutMs === 0;
    const ticks = completed ? formatTicks(0) : this.#ticks();
    const extended = this.#wish.extended ? { extended: { seq, replay } } : {};
    this.#socket.send(messageFrame({ ticks, message, completed, ...extended }));
    if (completed) this.end("completed");
  }

  /** §5.6: ignored, unless there are too many of them, or too large ones. */
  receive(frame: Frame): void {
    if (this.#closed) return;
    const bytes = typeof frame === "string" ? Buffer.byteLength(frame) : frame.byteLength;
    const nowMs = this.context.runtime.clock.monotonicMs();
    this.#frames ??= new MinuteBound(CLIENT_FRAMES_PER_MINUTE);
    if (bytes > CLIENT_FRAME_BYTES_MAX || !this.#frames.take(nowMs)) this.end("bad_request");
  }

  signal(body: unknown): boolean {
    if (this.#closed) return false;
    const signal = body as TaskSignal;
    switch (signal.ask) {
      case "count":
        return this.#timetable !== undefined;
      case "displace":
        return this.displace(signal);
      case "revoke":
        if (this.token.issuedMs > signal.issuedUpToMs) return false;
        this.end("revoked");
        return true;
    }
  }

  due(nowMs: number): void {
    if (this.#closed || this.#timetable === undefined) return;
    if (this.#remainingMs() <= 0) return this.end("timeout");
    for (const duty of this.#timetable.take(nowMs, this.#socket.lastReceivedMs)) {
      if (duty === "tick") this.#tick();
      else if (duty === "ping") this.#socket.ping();
      else if (duty === "check_newest") this.#checkNewest();
      else return this.end("no_pong");
    }
    this.#reschedule();
  }

  /** A client that does not take what it is sent is not sent ticks as well. */
  #tick(): void {
    const frame = tickFrame(this.#ticks());
    const { bufferedBytesMax } = this.context.settings;
    if (this.#socket.bufferedBytes + frame.length <= bufferedBytesMax) this.#socket.send(frame);
  }

  /** §5.8: for when it was not told of a newer connection. */
  #checkNewest(): void {
    const { records, runtime } = this.context;
    new TaskRecords(records, runtime.clock).get(this.token.taskId).then(
      (record) => {
        if (record !== undefined && record.newest > this.#number) this.end("replaced");
      },
      (error: unknown) => this.report(error, "looking for a newer connection"),
    );
  }

  #reschedule(): void {
    if (this.#closed || this.#timetable === undefined) return;
    const { schedule, runtime } = this.context;
    const deadlineMs = runtime.clock.monotonicMs() + this.#remainingMs();
    schedule.set(this, Math.min(this.#timetable.nextMs, deadlineMs));
  }

  #remainingMs(): number {
    return this.#deadline === undefined ? 0 : leftOf(this.context.runtime.clock, this.#deadline);
  }

  /** Empty until the connection knows its deadline. */
  #ticks(): string {
    return this.#timetable === undefined ? "" : formatTicks(this.#remainingMs());
  }

  dropped(_subscription: Subscription, _code: HubErrorCode): void {
    // What was missed is gone but for what is kept, which it is given when it comes back.
    this.end("internal");
  }

  disconnect({ disconnect, wire }: Disconnect): void {
    if (wire === undefined) return this.end(DISCONNECT_ENDS[disconnect]);
    if (!this.left()) return;
    this.context.metrics.count("disconnects", { dialect: "tasks", code: `${wire.code}` });
    this.#socket.close(wire.code, wire.reason);
  }

  end(name: EndName): void {
    const ticks = this.#ticks();
    if (this.left()) endSocket(this.#socket, name, { ticks, metrics: this.context.metrics });
  }

  /** It is no connection of its task any more. False: it had ended before. */
  left(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    const { schedule, sockets } = this.context;
    schedule.clear(this);
    if (this.#connection !== undefined) {
      sockets.delete(this.token.taskId, this);
      this.#connection.close().catch((error: unknown) => this.report(error, "leaving its task"));
    }
    return true;
  }

  report(error: unknown, doing: string): void {
    this.context.onError(error, { connection: this.connectionId, doing });
  }
}
