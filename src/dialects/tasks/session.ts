/**
 * One client's socket (task-tokens.md §5): the wait for its first frame, its acceptance (`acceptance.ts`), and then its task's messages,
 * ticks and end. What it is sent before it has joined its task's stream waits, so that the replayed message comes first.
 */
import { deadlineAt, leftOf, type Deadline } from "../../core/deadline.ts";
import { HubError, type Disconnect } from "../../core/errors.ts";
import type { Connection, Encoder, Subscribed, Subscriber } from "../../core/hub.ts";
import { MinuteBound } from "../../core/rates.ts";
import type { Frame, Push } from "../../core/types.ts";
import type { Socket } from "../../transports/socket.ts";
import type { Word } from "../every-word.ts";
import { explained } from "../explaining.ts";
import { ClientSession, type Close } from "../session.ts";
import { accept, Refusal, withClaims, type Applicant } from "./acceptance.ts";
import type { TaskToken } from "./client-token.ts";
import type { SessionRequest, TasksContext } from "./context.ts";
import { Timetable, connectionDeadline, messageClock } from "./timetable.ts";
import {
  isDisplaced,
  standsAlone,
  type Displacement,
  type TaskSignal,
  type TaskSocket,
} from "./sockets.ts";
import {
  DISCONNECT_ENDS,
  ENDS,
  errorFrame,
  formatTicks,
  messageFrame,
  parseFirstFrame,
  tickFrame,
  type End,
  type EndName,
  type FirstFrame,
} from "./frames.ts";
import { CLIENT_FRAME_BYTES_MAX, CLIENT_FRAMES_PER_MINUTE, EARLY_MESSAGES_MAX } from "./limits.ts";
import {
  TaskRecords,
  channelOf,
  labelOf,
  messageOf,
  streamOf,
  taskEncoder,
  type TaskMessage,
  type TaskStream,
} from "./task-record.ts";

/** From its first frame on: a token that is good, and what came with it. */
interface Admitted {
  readonly token: TaskToken;
  readonly wish: FirstFrame;
}

export class TasksSession
  extends ClientSession<TasksContext>
  implements Subscriber, Applicant, TaskSocket
{
  readonly userId = "";
  readonly #request: SessionRequest;
  readonly #firstFrameByMs: number;
  #admitted: Admitted | undefined;
  #connection: Connection | undefined;
  /** From the acceptance on; 0 before. */
  #number = 0;
  /** Displacements by others that came before the number was known. */
  #displacements: Displacement[] | undefined;
  /** Messages that came before the stream was joined. */
  #early: TaskMessage[] | undefined;
  /** Both from the joining on. */
  #deadline: Deadline | undefined;
  #timetable: Timetable | undefined;
  #frames: MinuteBound | undefined;

  constructor(context: TasksContext, socket: Socket, request: SessionRequest) {
    super(context, socket);
    const { runtime, settings } = context;
    this.#request = request;
    this.#firstFrameByMs = runtime.clock.monotonicMs() + settings.authentication_timeout;
    this.count("connections_opened");
    this.tell("Connection opened", { address: request.address });
    this.reschedule();
  }

  get dialect() {
    return "tasks";
  }

  get encoder(): Encoder {
    return taskEncoder;
  }

  get token(): TaskToken {
    if (this.#admitted === undefined) throw new Error("No token was sent yet");
    return this.#admitted.token;
  }

  /** While an authentication is under way the transport holds back what follows. */
  protected handle(frame: Frame): void | Promise<void> {
    return this.#admitted === undefined ? this.#authenticate(frame) : this.#ignore(frame);
  }

  #authenticate(frame: Frame): void | Promise<void> {
    const { sockets, runtime, tokens, publicId } = this.context;
    const { address, origin } = this.#request;
    const nowMs = runtime.clock.monotonicMs();
    if (!sockets.mayAuthenticate(address, nowMs)) {
      this.limitHit("failed_authentications_per_minute");
      return this.#refuse("too_many_connections");
    }
    const wish = parseFirstFrame(frame);
    if (wish === undefined) return this.#refuse("bad_request", NO_FIRST_FRAME);
    const token = tokens.open(wish.clientToken);
    if (token === undefined || token.publicId !== publicId) {
      sockets.failed(address, nowMs);
      const detail = token === undefined ? NOT_OURS : withClaims(OTHER_APP, token);
      return this.#refuse("invalid_token", detail);
    }
    this.#admitted = { token, wish };
    this.#early = [];
    this.reschedule();
    return accept(this, origin).catch((error: unknown) => {
      if (error instanceof Refusal) return this.#refuse(error.end, error.detail);
      if (!(error instanceof HubError)) throw error;
      this.report(error, "accepting a connection");
      return this.endAs("internal");
    });
  }

  /** `detail`: what the end leaves open. */
  #refuse(end: EndName, detail: string = end): void {
    if (this.over) return;
    const { word } = ENDS[end];
    this.count("connections_refused", { word });
    this.tell("Connect refused", { word, address: this.#request.address, detail });
    this.endAs(end, word, detail);
  }

  /** §5.6: ignored, unless there are too many of them, or too large ones. */
  #ignore(frame: Frame): void {
    const bytes = typeof frame === "string" ? Buffer.byteLength(frame) : frame.byteLength;
    const nowMs = this.context.runtime.clock.monotonicMs();
    this.#frames ??= new MinuteBound(CLIENT_FRAMES_PER_MINUTE);
    if (bytes > CLIENT_FRAME_BYTES_MAX || !this.#frames.take(nowMs)) this.endAs("bad_request");
  }

  get #alone(): boolean {
    return standsAlone(this.token, this.context.settings);
  }

  reserve(): void {
    const { hub, sockets } = this.context;
    const { taskId } = this.token;
    sockets.add(taskId, this);
    this.#connection = hub.connect(this);
    this.#connection.label(labelOf(taskId));
  }

  accepted(number: number): void {
    this.#number = number;
    for (const displacement of this.#displacements ?? []) this.displace(displacement);
    this.#displacements = undefined;
  }

  displace(displacement: Displacement): boolean {
    if (this.over) return false;
    if (this.#number === 0) (this.#displacements ??= []).push(displacement);
    else if (isDisplaced({ number: this.#number, alone: this.#alone }, displacement)) {
      this.endAs("replaced");
      return true;
    }
    return false;
  }

  async join(acceptedMs: number): Promise<void> {
    let stream: TaskStream | undefined;
    const joined = (subscribed: Subscribed): void => {
      stream = streamOf(subscribed);
    };
    const options = { encoder: taskEncoder, replayNewest: 1 };
    await this.#connection?.subscribe(channelOf(this.token.taskId), options, joined);
    if (this.over || stream === undefined) return;
    const { records, runtime } = this.context;
    const deadlineMs = await connectionDeadline(
      new TaskRecords(records, runtime.clock),
      this.token,
      { acceptedMs, stream },
    );
    if (!this.over) this.#begin(stream, deadlineMs);
  }

  #begin({ last }: TaskStream, deadlineMs: number): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    const { runtime, settings } = this.context;
    this.#deadline = deadlineAt(runtime.clock, deadlineMs);
    const tickSeconds = this.#admitted?.wish.tickSeconds;
    this.#timetable = new Timetable({
      nowMs: runtime.clock.monotonicMs(),
      tickMs: tickSeconds === undefined ? settings.tick_interval : tickSeconds * 1000,
      pingMs: settings.ping_interval,
      pongTimeoutMs: settings.pong_timeout,
      standsAlone: this.#alone,
      random: runtime.random,
    });
    const replayed = last !== undefined && this.#isOwed(last);
    if (replayed) this.#sendMessage(last, true);
    for (const message of early) this.#receive(message);
    if (this.over) return;
    // A message counts as a tick.
    if (this.#remainingMs() <= 0) return this.endAs("timeout");
    if (!replayed && early.length === 0) this.socket.send(tickFrame(this.#ticks()));
    this.reschedule();
  }

  /** §5.3. One that was sent behind this token is owed even where the two raced, and it was sent as nobody's to keep. */
  #isOwed({ keptUntilMs, sentMs }: TaskMessage): boolean {
    if (!this.token.sendOfflineMessage) return false;
    return keptUntilMs > this.context.runtime.clock.epochMs() || sentMs > this.token.issuedMs;
  }

  /** The hub's: a message of the task. */
  send(_frame: Frame, push: Push): void {
    if (this.over || push.type !== "publication") return;
    const message = messageOf(push.publication);
    if (this.#early === undefined) this.#receive(message);
    else if (this.#early.length < EARLY_MESSAGES_MAX) this.#early.push(message);
    // Its store is away for so long that it has to begin again.
    else this.endAs("internal");
  }

  #receive(message: TaskMessage): void {
    if (this.over) return;
    const { clock } = this.context.runtime;
    this.#deadline = deadlineAt(clock, messageClock(message, clock.epochMs()));
    this.#sendMessage(message, false);
    if (!this.over) this.reschedule();
  }

  #sendMessage({ message, seq, newTimeoutMs }: TaskMessage, replay: boolean): void {
    const completed = newTimeoutMs === 0;
    const ticks = completed ? formatTicks(0) : this.#ticks();
    const extended = this.#admitted?.wish.extended === true ? { extended: { seq, replay } } : {};
    this.socket.send(messageFrame({ ticks, message, completed, ...extended }));
    if (completed) this.endAs("completed");
  }

  signal(body: unknown): boolean {
    if (this.over) return false;
    const signal = body as TaskSignal;
    switch (signal.ask) {
      case "count":
        return this.#timetable !== undefined;
      case "displace":
        return this.displace(signal);
      case "revoke":
        if (this.token.issuedMs > signal.issuedUpToMs) return false;
        this.endAs("revoked");
        return true;
    }
  }

  protected onDue(nowMs: number): void {
    const timetable = this.#timetable;
    if (timetable === undefined) {
      if (this.#admitted === undefined) this.#refuse("authentication_timeout");
      return;
    }
    if (this.#remainingMs() <= 0) return this.endAs("timeout");
    for (const duty of timetable.take(nowMs, this.socket.lastReceivedMs)) {
      if (duty === "tick") this.#tick();
      else if (duty === "ping") this.socket.ping();
      else if (duty === "check_newest") this.#checkNewest();
      else return this.endAs("no_pong");
    }
  }

  /** While it is being accepted nothing is: the store's own limits hold. */
  protected nextDueMs(): number {
    if (this.#admitted === undefined) return this.#firstFrameByMs;
    if (this.#timetable === undefined) return Infinity;
    const deadlineMs = this.context.runtime.clock.monotonicMs() + this.#remainingMs();
    return Math.min(this.#timetable.nextMs, deadlineMs);
  }

  /** A client that does not take what it is sent is not sent ticks as well. */
  #tick(): void {
    const frame = tickFrame(this.#ticks());
    const { queue_max_size: bufferedBytesMax } = this.context.settings;
    if (this.socket.bufferedBytes + frame.length <= bufferedBytesMax) this.socket.send(frame);
  }

  /** §5.8: for when it was not told of a newer connection. */
  #checkNewest(): void {
    const { records, runtime } = this.context;
    const looking = new TaskRecords(records, runtime.clock).get(this.token.taskId);
    this.aside(
      "looking for a newer connection",
      looking.then((record) => {
        if (record !== undefined && record.newest > this.#number) this.endAs("replaced");
      }),
    );
  }

  #remainingMs(): number {
    return this.#deadline === undefined ? 0 : leftOf(this.context.runtime.clock, this.#deadline);
  }

  /** Empty until the connection knows its deadline. */
  #ticks(): string {
    return this.#timetable === undefined ? "" : formatTicks(this.#remainingMs());
  }

  dropped(): void {
    // What was missed is gone but for what is kept, which it is given when it comes back.
    this.endAs("internal");
  }

  override disconnect(reason: Disconnect, detail?: string): void {
    if (reason.wire === undefined)
      this.endAs(DISCONNECT_ENDS[reason.disconnect], reason.disconnect);
    else super.disconnect(reason, detail);
  }

  protected closeOf({ wire, disconnect }: Disconnect): Close {
    const { code } = ENDS[DISCONNECT_ENDS[disconnect]];
    return wire ?? { code, reason: disconnect };
  }

  /** With the last frame, where this end has one. */
  endAs(name: EndName, word: Word = ENDS[name].word, detail?: string): void {
    if (this.over) return;
    const { code, error }: End = ENDS[name];
    if (error !== undefined) {
      const beside = detail === undefined ? undefined : explained(this.context, { word, detail });
      this.socket.send(errorFrame(error, this.#ticks(), beside));
    }
    this.end(word, { code, reason: error ?? name.replaceAll("_", " ") }, detail);
  }

  protected leave(): Promise<void> | undefined {
    if (this.#connection === undefined) return undefined;
    this.context.sockets.delete(this.token.taskId, this);
    return this.#connection.close();
  }
}

const NO_FIRST_FRAME =
  'The first frame is not an object of JSON with a text "client_token", or its ticks are out of bounds';
const NOT_OURS =
  "No key of this server has sealed the token: it was cut short or changed, is another server's, or master_key has changed";
const OTHER_APP = "The token is for another app than this address";
