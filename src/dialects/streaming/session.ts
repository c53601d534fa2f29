/**
 * One client's connection: the order of commands, answers and closes (centrifugo-protocol.md §3).
 * What single commands do is in connect.ts, subscribe.ts and commands.ts.
 */
import type { ConnectGrant, Standing, TellClaims } from "../../core/authority.ts";
import { DisconnectError, type Disconnect } from "../../core/errors.ts";
import { deadlineAt, leftOf, type Deadline } from "../../core/deadline.ts";
import type { Connection, Encoder, Subscriber, Subscription } from "../../core/hub.ts";
import type { ClientInfo, Frame, Payload } from "../../core/types.ts";
import type { Socket } from "../../transports/socket.ts";
import { ClientSession, type Close } from "../session.ts";
import type { ConnectingClient } from "./client.ts";
import { runCommand } from "./commands.ts";
import { connect } from "./connect.ts";
import {
  CloseError,
  CLOSES,
  isRefusal,
  StreamingError,
  UNSUBSCRIBE_CODES,
  wireErrorOf,
  type CloseName,
  type Refusal,
} from "./errors.ts";
import { Heartbeat } from "./heartbeat.ts";
import {
  MalformedFrame,
  UncarriablePayload,
  type Codec,
  type Command,
  mapMethods,
  type ConnectRequest,
  type Result,
  type WirePush,
} from "./protocol.ts";
import type { StreamingContext } from "./context.ts";
import { handleSignal, type Signal } from "./signals.ts";
import { channelOf, detailOf } from "./subscribe.ts";

/** §3.1: a connection whose connect was answered with an error is dropped within this time. */
const REFUSED_CLOSE_DELAY_MS = 5_000;

/** Of what is counted of each command: made once. */
const COMMAND_LABELS = mapMethods((method) => ({ dialect: "streaming", method }));

export interface SessionRequest {
  readonly codec: Codec;
  /** The client asked for pings on the WebSocket level (§1.2). */
  readonly framePings: boolean;
  /** From `userIdHttpHeader`: the user when nothing else tells; `""` without it. */
  readonly userId: string;
}

export class StreamingSession
  extends ClientSession<StreamingContext>
  implements ConnectingClient, Subscriber
{
  readonly codec: Codec;
  /** Until it is connected, what the trusted header said. */
  userId: string;
  tellClaims: TellClaims | undefined;
  info?: Payload;
  connection: Connection | undefined;
  standing: Standing | undefined;
  readonly #heartbeat: Heartbeat;
  #state: "new" | "connecting" | "connected" | "refused" = "new";
  #expires: Deadline | undefined;
  #closeAtMs: number;

  constructor(context: StreamingContext, socket: Socket, request: SessionRequest) {
    const { settings, runtime } = context;
    super(context, socket);
    this.userId = request.userId;
    this.codec = request.codec;
    this.#heartbeat = new Heartbeat(settings, request.framePings);
    this.#closeAtMs = runtime.clock.monotonicMs() + settings.stale_close_delay;
    this.reschedule();
  }

  get dialect() {
    return "streaming";
  }

  protected override get commandsPerSecondMax(): number {
    return this.context.settings.commands_per_second_max;
  }

  get connecting(): boolean {
    return !this.over && this.#state === "connecting";
  }

  get connected(): boolean {
    return !this.over && this.#state === "connected";
  }

  get expires(): Deadline | undefined {
    return this.#expires;
  }

  get framePings(): boolean {
    return this.#heartbeat.framePings;
  }

  get encoder(): Encoder {
    return this.context.encoders[this.codec.name];
  }

  get joinLeaveEncoder(): Encoder {
    return this.context.encoders[`${this.codec.name}JoinLeave`];
  }

  get client(): ClientInfo {
    const { connectionId, userId, info } = this;
    return info === undefined ? { connectionId, userId } : { connectionId, userId, info };
  }

  protected handle(frame: Frame): void | Promise<void> {
    return this.#run(this.codec.decode(frame)[Symbol.iterator]());
  }

  /** Runs the commands of a frame one by one; a promise only when one of them needs to wait. */
  #run(commands: Iterator<Command>): void | Promise<void> {
    while (!this.over && this.#state !== "refused") {
      let id = 0;
      try {
        const next = commands.next();
        if (next.done === true) return undefined;
        ({ id } = next.value);
        const pending = this.#handle(next.value);
        if (pending !== undefined) return this.#runAfter(pending, id, commands);
      } catch (error) {
        this.#fail(error, id);
      }
    }
    return undefined;
  }

  async #runAfter(pending: Promise<void>, id: number, commands: Iterator<Command>): Promise<void> {
    try {
      await pending;
    } catch (error) {
      this.#fail(error, id);
    }
    await this.#run(commands);
  }

  #handle({ id, request }: Command): void | Promise<void> {
    if (request === undefined) {
      // §1.4: neither id nor request is a pong; an id alone is nothing.
      const expected = id === 0 && this.connected && this.#heartbeat.pong();
      if (!expected) throw new CloseError("bad_request", "A pong came without a ping");
      this.reschedule();
      return undefined;
    }
    this.context.metrics.count("commands", COMMAND_LABELS[request.method]);
    if (!this.connected && request.method !== "connect") {
      throw new CloseError("bad_request", "The first command must be connect");
    }
    if (request.method === "send") throw new CloseError("not_available");
    if (id === 0 || request.method === "ping") {
      throw new CloseError(
        "bad_request",
        "The command must have an id and be one that clients send",
      );
    }
    this.#limitRate();
    if (request.method !== "connect") return this.#answer(id, runCommand(this, id, request));
    return this.#connect(id, request.params);
  }

  #connect(id: number, request: ConnectRequest): Promise<void> {
    if (this.#state !== "new") throw new CloseError("bad_request", "A second connect");
    this.#state = "connecting";
    // What the server sends unasked waits behind the answer; behind a refusal it never comes.
    this.member.hold();
    return connect(this, id, request);
  }

  #limitRate(): void {
    const verdict = this.takeCommand();
    if (verdict === "taken") return;
    if (verdict === "flooded") throw new CloseError("too_many_requests");
    throw new StreamingError(
      "too_many_requests",
      "The connection sends more commands than allowed",
    );
  }

  async #answer(id: number, running: Promise<Result | undefined>): Promise<void> {
    const result = await running;
    // Undefined: answered in the same step in which it took effect.
    if (result !== undefined) this.reply(id, result);
  }

  /** One place for everything that a command throws. */
  #fail(error: unknown, id: number): void {
    if (error instanceof DisconnectError) return this.disconnect(error.disconnect);
    if (error instanceof CloseError) return this.closeAs(error.close, error.detail);
    if (error instanceof MalformedFrame) {
      this.tell("Frame refused", { word: "bad_request", detail: error.message });
      return this.closeAs("bad_request");
    }
    if (error instanceof UncarriablePayload) return this.closeAs("uncarriable");
    if (!isRefusal(error)) throw error;
    const wire = wireErrorOf(error, this.context);
    const word = error.code;
    this.count("command_errors", { code: `${wire.code}`, word });
    if (word === "unavailable") this.report(error, "a command");
    this.tell("Command refused", { word, code: wire.code, detail: error.detail });
    this.reply(id, { error: wire });
  }

  reply(id: number, result: Result): void {
    if (!this.over) this.socket.send(this.codec.encodeReply(id, result));
  }

  push(push: WirePush): void {
    this.send(this.codec.encodePush(push));
  }

  /** Never before the connect answer: until then the socket is held. */
  send(frame: Frame): void {
    if (this.connected || this.connecting) this.member.push(frame);
  }

  identify({ userId, info, expiresAtMs, tellClaims }: ConnectGrant): void {
    this.tellClaims = tellClaims;
    this.userId = userId;
    if (info !== undefined) this.info = info;
    this.#expires = this.#deadlineAt(expiresAtMs);
  }

  enter(standing: Standing | undefined): void {
    this.connection = this.context.hub.connect(this);
    this.standOn(standing);
  }

  expireAt(epochMs: number | undefined): void {
    this.#expires = this.#deadlineAt(epochMs);
    this.reschedule();
  }

  #deadlineAt(epochMs: number | undefined): Deadline | undefined {
    return epochMs === undefined ? undefined : deadlineAt(this.context.runtime.clock, epochMs);
  }

  /** The connect answer, and behind it what had to wait. */
  accept(id: number, result: Result): void {
    this.reply(id, result);
    this.#state = "connected";
    this.member.release();
    const { clock, random } = this.context.runtime;
    this.#heartbeat.start(clock.monotonicMs(), random.fraction());
    this.#closeAtMs = Infinity;
    this.reschedule();
    this.count("connections_opened");
  }

  /** The connect was answered with an error: nothing more is heard (§3.2). */
  refuse(id: number, error: Refusal): void {
    if (error.code === "unavailable") this.report(error, "connect");
    this.aside("leaving its channels", this.connection?.close());
    const word = error.code;
    this.count("connections_refused", { word });
    const wire = wireErrorOf(error, this.context);
    this.tell("Connect refused", { word, code: wire.code, detail: error.detail });
    this.reply(id, { error: wire });
    this.#state = "refused";
    this.#closeAtMs = this.context.runtime.clock.monotonicMs() + REFUSED_CLOSE_DELAY_MS;
    this.reschedule();
  }

  protected onDue(nowMs: number): void {
    if (nowMs >= this.#closeAtMs) {
      return this.closeAs(this.#state === "refused" ? "connection_closed" : "stale");
    }
    const beat = this.#heartbeat.beat(nowMs, this.socket.lastReceivedMs);
    if (beat === "dead") return this.closeAs("no_pong");
    if (beat === "ping") this.#ping();
    this.#expire();
  }

  #ping(): void {
    if (this.framePings) this.socket.ping();
    else this.socket.send(this.codec.ping);
  }

  #expire(): void {
    const { settings } = this.context;
    if (this.#leftMs(this.#expires) + settings.expired_close_delay <= 0) {
      return this.closeAs("connection_expired");
    }
    for (const subscription of this.connection?.subscriptions() ?? []) {
      const { expires, serverSide } = detailOf(subscription);
      if (this.#leftMs(expires) + settings.expired_sub_close_delay > 0) continue;
      if (serverSide) return this.closeAs("subscription_expired");
      this.endSubscription(subscription.channel.name, UNSUBSCRIBE_CODES.expired);
    }
  }

  /** Stale or refused close, ping or pong, the end of credentials: what is next. */
  protected nextDueMs(): number {
    const { runtime, settings } = this.context;
    let leftMs = this.#leftMs(this.#expires) + settings.expired_close_delay;
    for (const subscription of this.connection?.subscriptions() ?? []) {
      const subscriptionLeftMs = this.#leftMs(detailOf(subscription).expires);
      leftMs = Math.min(leftMs, subscriptionLeftMs + settings.expired_sub_close_delay);
    }
    const expiryMs = runtime.clock.monotonicMs() + leftMs;
    return Math.min(this.#closeAtMs, this.#heartbeat.nextMs, expiryMs);
  }

  #leftMs(deadline: Deadline | undefined): number {
    return deadline === undefined ? Infinity : leftOf(this.context.runtime.clock, deadline);
  }

  /** From now on the connection stands under this grant's labels; undefined: of an authority that has none. */
  standOn(standing: Standing | undefined): void {
    const labels = standing?.labels ?? [];
    for (const former of this.standing?.labels ?? []) {
      if (!labels.includes(former)) this.connection?.unlabel(former);
    }
    for (const label of labels) this.connection?.label(label);
    this.standing = standing;
  }

  /** Ends a client-side subscription and says so. */
  endSubscription(
    name: string,
    unsubscribe: { readonly code: number; readonly reason: string },
  ): void {
    this.aside("ending a subscription", this.connection?.unsubscribe(channelOf(name)));
    this.push({ channel: name, unsubscribe });
  }

  dropped(subscription: Subscription): void {
    // §4.5: a server-side subscription cannot be asked for again, so its connection is.
    if (detailOf(subscription).serverSide) this.closeAs("missed");
    else {
      const { name } = subscription.channel;
      this.push({ channel: name, unsubscribe: UNSUBSCRIBE_CODES.insufficientState });
    }
  }

  signal(body: unknown): boolean | Promise<boolean> {
    return handleSignal(this, body as Signal);
  }

  protected closeOf({ wire, disconnect }: Disconnect): Close {
    return wire ?? CLOSES[disconnect];
  }

  closeAs(close: CloseName, detail?: string): void {
    this.end(close, CLOSES[close], detail);
  }

  protected leave(): Promise<void> | undefined {
    return this.connection?.close();
  }
}
