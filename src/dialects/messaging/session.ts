/**
 * One subscriber's connection: the order of its messages and acks (messaging.md §6.2), its rate, its liveness and its ends (§4).
 * `handlers/` has the effect of each message, `events.ts` the news from others, `opening.ts` the beginning.
 */
import { HubError, type Disconnect } from "../../core/errors.ts";
import type { Connection, Subscriber } from "../../core/hub.ts";
import type { Frame, Push } from "../../core/types.ts";
import type { Socket } from "../../transports/socket.ts";
import { ClientSession, type Close } from "../session.ts";
import { AnswerHold } from "./answer-hold.ts";
import { labelOf, type Bearer } from "./auth/contract.ts";
import type { MessagingClient } from "./client.ts";
import type { ClientMessage } from "./client-messages.ts";
import type { MessagingContext } from "./context.ts";
import { messageChannel } from "./chat/contract.ts";
import { addressed } from "./encoder.ts";
import { CLOSES, HUB_ERRORS, Refusal, UNAUTHORIZED } from "./errors.ts";
import { applySignal, receiveNote } from "./events.ts";
import type { Answer } from "./handlers/answer.ts";
import { answer } from "./handlers/index.ts";
import { Liveness } from "./liveness.ts";
import { MessageRate } from "./message-rate.ts";
import { begin } from "./opening.ts";
import { OwedWhenWritten, type Owed } from "./owed.ts";
import type { OpenConnection } from "./presence.ts";
import { SessionState } from "./session-state.ts";
import { ackMessage, serverMessage } from "./server-messages.ts";
import type { MessagingSignal } from "./signals.ts";

export class MessagingSession
  extends ClientSession<MessagingContext>
  implements MessagingClient, Subscriber
{
  readonly userId: string;
  readonly bearer: Bearer;
  readonly openedMs: number;
  readonly connection: Connection;
  /** Its knowledge of its subscriber's conversations and announcement. */
  readonly state = new SessionState();
  readonly #rate: MessageRate | undefined;
  /** Settles when the backlog is sent; messages and signals wait for it. */
  #opening: Promise<void> | undefined;
  /** Settles when every signal so far took effect. */
  #signalled: Promise<unknown> | undefined;
  readonly #hold: AnswerHold;
  /** §4.5: other transports have heartbeats of their own, and may leave frames waiting. */
  readonly #liveness: Liveness | undefined;
  /** Monotonic milliseconds: the next check of its token, and of the written frames. */
  readonly #at: { recheck: number; check: number };
  /** Settles when the last of those that must not overlap is done. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #owed = new OwedWhenWritten(this);
  /** Settles, never with a rejection, when the channel message that is being sent is. */
  #sending: Promise<unknown> | undefined;
  /** Of a session that HTTP requests carry: where its channels stood when all was written. */
  #written: ReadonlyMap<string, number> = new Map();
  #lossy = false;

  constructor(context: MessagingContext, socket: Socket, bearer: Bearer) {
    super(context, socket);
    const { hub, runtime, settings } = context;
    const nowMs = runtime.clock.monotonicMs();
    const perSecondMax = settings.messages_per_second_max;
    this.#rate = perSecondMax === 0 ? undefined : new MessageRate(perSecondMax, nowMs);
    this.userId = bearer.subscriber;
    this.bearer = bearer;
    this.openedMs = runtime.clock.epochMs();
    const { ping_interval: intervalMs } = settings;
    const raw = socket.transport === "websocket";
    this.#liveness = raw ? new Liveness(socket, intervalMs, nowMs) : undefined;
    this.#at = {
      recheck: nowMs + (bearer.recheckMs ?? Infinity),
      check: raw ? Infinity : nowMs + intervalMs,
    };
    this.#hold = new AnswerHold(this.member, runtime.timers);
    this.connection = hub.connect(this);
    this.connection.label(labelOf(bearer));
    this.count("connections_opened");
    this.tell("Connection opened", { user: this.userId, transport: socket.transport });
    this.reschedule();
    this.#open();
  }

  get dialect() {
    return "messaging";
  }

  get encoder() {
    return this.context.encoder;
  }

  get open(): OpenConnection {
    return { subscriber: this.userId, connectionId: this.connectionId };
  }

  #open(): void {
    this.member.hold();
    const opening = begin(this)
      .catch((error: unknown) => {
        this.report(error, "opening");
        this.disconnect({ disconnect: "internal_error" });
      })
      .then(() => {
        this.#opening = undefined;
        if (!this.over) this.member.release();
      });
    this.#opening = opening;
  }

  protected handle(frame: Frame): void | Promise<void> {
    const taken = this.#rate?.take(this.context.runtime.clock.monotonicMs()) ?? "taken";
    if (taken !== "taken") this.limitHit("messages_per_second_max");
    if (taken === "flooded") return this.disconnect({ disconnect: "too_many_requests" });
    const message = this.context.readMessage(frame);
    if (message === undefined) {
      this.count("command_errors", { code: "ignored", word: "bad_request" });
      return undefined;
    }
    this.count("commands", { method: message.type });
    const refusal = taken === "taken" ? message.refusal : tooFast(taken.retryAfterMs);
    if (this.#opening === undefined) return this.#run(message, refusal);
    return this.#opening.then(() => this.#run(message, refusal));
  }

  #run(message: ClientMessage, refusal: Refusal | undefined): void | Promise<void> {
    if (this.over) return undefined;
    if (refusal !== undefined) return this.#acknowledge(message, refusal);
    const answered = answer(this, message);
    if (!(answered instanceof Promise)) return this.#reply(message, answered);
    return this.#replyLater(message, answered);
  }

  /** §6.2: nothing unsolicited passes from the moment the message is taken until its ack. */
  async #replyLater(message: ClientMessage, answering: Promise<Answer>): Promise<void> {
    this.#hold.begin();
    try {
      this.#reply(message, await answering);
    } catch (error) {
      this.#acknowledge(message, this.#refusalOf(error, message));
    } finally {
      this.#hold.end();
    }
  }

  #reply(message: ClientMessage, { response, afterwards }: Answer): void {
    if (response === undefined) this.#acknowledge(message);
    else if (!this.over) {
      this.socket.together(() => {
        this.socket.send(serverMessage(response.type, response.members, message.id));
        this.#acknowledge(message);
      });
    }
    // Others are told of a finished change whether or not the connection is still there.
    if (afterwards !== undefined) this.aside(`telling of ${message.type}`, afterwards());
  }

  #acknowledge({ id, type }: ClientMessage, refusal?: Refusal): void {
    if (this.over) return;
    if (refusal !== undefined) {
      const { word, error: code, message: detail } = refusal;
      this.count("command_errors", { code, word });
      this.tell("Command refused", { word, command: type, code, detail });
    }
    this.socket.send(ackMessage(id, refusal));
  }

  #refusalOf(error: unknown, { type }: ClientMessage): Refusal {
    if (error instanceof Refusal) return error;
    if (!(error instanceof HubError)) throw error;
    if (error.code === "unavailable") this.report(error, type);
    return new Refusal(HUB_ERRORS[error.code], error.message, {}, error.code);
  }

  push(frame: Frame, group?: string): void {
    if (!this.over) this.member.push(frame, group);
  }

  write(frame: Frame): boolean {
    if (this.over) return false;
    const writable = this.socket.writable;
    this.member.push(frame);
    return writable;
  }

  owe(add: (owed: Owed) => void): void {
    this.#owed.add(add);
  }

  inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async sending<Result>(send: Promise<Result>): Promise<Result> {
    this.#sending = send.catch(() => {});
    return send;
  }

  get sent(): Promise<unknown> | undefined {
    return this.#sending;
  }

  positionIn(channelId: string): number {
    return this.connection.subscription(messageChannel(channelId))?.position?.offset ?? 0;
  }

  #positions(): ReadonlyMap<string, number> {
    const ids = [...this.state.channels.keys()];
    return new Map(ids.map((id) => [id, this.positionIn(id)]));
  }

  /** Pushes that come one by one: notes, and messages where the socket is not in a group. */
  send(frame: Frame, push: Push, group?: string): void {
    if (this.over) return;
    if (push.type === "note") receiveNote(this, { frame: String(frame), push, group });
    else if (push.type === "direct") this.member.push(addressed(frame, this.userId));
    else this.member.push(frame);
  }

  dropped(): void {
    // Its backlog has the lost ones.
    this.disconnect({ disconnect: "missed" });
  }

  /** One after the other, behind the opening; at once while none waits. */
  signal(body: unknown): boolean | Promise<boolean> {
    const apply = () => !this.over && applySignal(this, body as MessagingSignal);
    const before = this.#signalled ?? this.#opening;
    if (before === undefined) {
      const applied = apply();
      return applied instanceof Promise ? this.#follow(applied) : applied;
    }
    return this.#follow(before.then(apply));
  }

  async #follow(applying: Promise<boolean>): Promise<boolean> {
    const applied = applying.catch((error: unknown) => {
      this.report(error, "being told of an event");
      // The backlog has the rest.
      this.disconnect({ disconnect: "missed" });
      return false;
    });
    this.#signalled = applied;
    const concerned = await applied;
    if (this.#signalled === applied) this.#signalled = undefined;
    return concerned;
  }

  protected onDue(nowMs: number): void {
    if (this.#expiresAtMs(nowMs) <= nowMs) {
      const detail = `The token was good until ${new Date(this.bearer.expiresMs).toISOString()}`;
      return this.end("token_expired", UNAUTHORIZED, detail);
    }
    if (nowMs >= this.#at.recheck) {
      this.#at.recheck = nowMs + (this.bearer.recheckMs ?? Infinity);
      this.aside("reading its token again", this.requireToken());
    }
    if (this.#liveness?.check(nowMs) === false) return this.disconnect({ disconnect: "no_pong" });
    if (nowMs >= this.#at.check) {
      this.#at.check = nowMs + this.context.settings.ping_interval;
      if (this.socket.writable) this.#written = this.#positions();
    }
  }

  async requireToken(): Promise<boolean> {
    if (await this.context.gate.holds(this.bearer)) return true;
    const detail = "The token was revoked, or its subscriber is not active any more";
    this.end("invalid_token", UNAUTHORIZED, detail);
    return false;
  }

  protected nextDueMs(): number {
    const nowMs = this.context.runtime.clock.monotonicMs();
    const { recheck, check } = this.#at;
    const ping = this.#liveness?.nextMs ?? Infinity;
    return Math.min(recheck, check, ping, this.#expiresAtMs(nowMs));
  }

  /** On the monotonic clock, by the wall clock as it is now. */
  #expiresAtMs(nowMs: number): number {
    return nowMs + this.bearer.expiresMs - this.context.runtime.clock.epochMs();
  }

  override slow(): void {
    this.#lossy = true;
    super.slow();
  }

  protected closeOf({ disconnect, wire }: Disconnect): Close {
    return wire ?? CLOSES[disconnect];
  }

  protected leave(): Promise<void> {
    this.#owed.close();
    // Frames that were held back, or waited for a slow reader, are not written.
    if (this.#hold.held || this.#opening !== undefined) this.#lossy = true;
    const raw = this.#liveness !== undefined;
    const positions = this.#lossy ? new Map() : raw ? this.#positions() : this.#written;
    const { connection, open } = this;
    const departure = { connection, open, positions, opening: this.#opening };
    return this.context.departures.follow(departure);
  }
}

function tooFast(retryAfterMs: number): Refusal {
  return new Refusal("rate-limited", "Too many messages", {
    retryAfterSeconds: retryAfterMs / 1000,
  });
}
