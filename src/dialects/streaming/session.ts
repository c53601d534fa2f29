/**
 * One client's connection: the order of commands, answers and closes (centrifugo-protocol.md §3).
 * What single commands do is in connect.ts, subscribe.ts and commands.ts.
 */
import type { HeldGrant } from "../../core/authority.ts";
import {
  DisconnectError,
  HubError,
  type Disconnect,
  type HubErrorCode,
} from "../../core/errors.ts";
import { deadlineAt, leftOf, type Deadline } from "../../core/deadline.ts";
import type { GroupMember } from "../../core/fanout.ts";
import type { Connection, Encoder, Subscriber, Subscription } from "../../core/hub.ts";
import type { Scheduled } from "../../core/schedule.ts";
import type { ClientInfo, Frame, Payload } from "../../core/types.ts";
import type { Session, Socket } from "../../transports/socket.ts";
import { runCommand } from "./commands.ts";
import { connect } from "./connect.ts";
import { DISCONNECTS, UNSUBSCRIBE_CODES, wireErrorOf } from "./errors.ts";
import { Heartbeat } from "./heartbeat.ts";
import {
  MalformedFrame,
  UncarriablePayload,
  type Codec,
  type Command,
  type Result,
  type WirePush,
} from "./protocol.ts";
import { RateLimit } from "../../core/rate-limit.ts";
import type { StreamingContext } from "./settings.ts";
import { handleSignal, type Signal } from "./signals.ts";
import { channelOf, detailOf } from "./subscribe.ts";

/** §3.1: a connection whose connect was answered with an error is dropped within this time. */
const REFUSED_CLOSE_DELAY_MS = 5_000;

export interface SessionRequest {
  readonly codec: Codec;
  /** The client asked for pings on the WebSocket level (§1.2). */
  readonly framePings: boolean;
  /** From `userIdHttpHeader`: the user when nothing else tells; `""` without it. */
  readonly userId: string;
}

export type SessionState = "new" | "connecting" | "connected" | "refused" | "closed";

export class StreamingSession implements Session, Subscriber, Scheduled {
  readonly context: StreamingContext;
  readonly codec: Codec;
  readonly socket: Socket;
  readonly connectionId: string;
  /** Until it is connected, what the trusted header said. */
  userId: string;
  info?: Payload;
  state: SessionState = "new";
  connection: Connection | undefined;
  held: HeldGrant | undefined;
  /** The end of the credentials; undefined: never. */
  expires: Deadline | undefined;
  scheduledTick = 0;
  readonly heartbeat: Heartbeat;
  readonly #rate: RateLimit;
  #closeAtMs: number;

  constructor(context: StreamingContext, socket: Socket, request: SessionRequest) {
    this.context = context;
    this.socket = socket;
    this.userId = request.userId;
    this.codec = request.codec;
    const { settings, runtime } = context;
    const nowMs = runtime.clock.monotonicMs();
    this.connectionId = runtime.random.uuid();
    this.heartbeat = new Heartbeat(settings, request.framePings);
    this.#rate = new RateLimit(settings.commandsPerSecondMax, nowMs);
    this.#closeAtMs = nowMs + settings.staleCloseDelayMs;
    this.reschedule();
  }

  get dialect(): string {
    return "streaming";
  }

  get member(): GroupMember {
    return this.socket.member;
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

  receive(frame: Frame): void | Promise<void> {
    if (this.state === "closed" || this.state === "refused") return undefined;
    return this.#run(this.codec.decode(frame)[Symbol.iterator]());
  }

  /** Runs the commands of a frame one by one; a promise only when one of them needs to wait. */
  #run(commands: Iterator<Command>): void | Promise<void> {
    while (!this.#isOver()) {
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

  #isOver(): boolean {
    return this.state === "closed" || this.state === "refused";
  }

  #handle({ id, request }: Command): void | Promise<void> {
    if (request === undefined) {
      // §1.4: neither id nor request is a pong; an id alone is nothing.
      const expected = id === 0 && this.state === "connected" && this.heartbeat.pong();
      if (!expected) throw new DisconnectError("bad_request");
      this.reschedule();
      return undefined;
    }
    const { metrics } = this.context;
    metrics.count("commands", { dialect: "streaming", method: request.method });
    if (this.state !== "connected" && request.method !== "connect") {
      throw new DisconnectError("bad_request");
    }
    if (request.method === "send") throw new DisconnectError("not_available");
    if (id === 0 || request.method === "ping") throw new DisconnectError("bad_request");
    this.#limitRate();
    if (request.method !== "connect") return this.#answer(id, runCommand(this, id, request));
    if (this.state !== "new") throw new DisconnectError("bad_request");
    return connect(this, id, request.params);
  }

  #limitRate(): void {
    const verdict = this.#rate.take(this.context.runtime.clock.monotonicMs());
    if (verdict === "taken") return;
    this.context.metrics.count("limits_hit", { limit: "commands_per_second_max" });
    if (verdict === "flooded") throw new DisconnectError("too_many_requests");
    throw new HubError("too_many_requests", "More commands than a connection may send");
  }

  async #answer(id: number, running: Promise<Result | undefined>): Promise<void> {
    const result = await running;
    // Undefined: answered in the same step in which it took effect.
    if (result !== undefined) this.reply(id, result);
  }

  /** One place for everything that a command throws. */
  #fail(error: unknown, id: number): void {
    if (error instanceof DisconnectError) {
      const { cause, disconnect } = error;
      return this.disconnect(disconnect, cause instanceof HubError ? cause.message : undefined);
    }
    if (error instanceof MalformedFrame) return this.disconnect({ disconnect: "bad_request" });
    if (error instanceof UncarriablePayload) {
      return this.disconnect({ disconnect: "inappropriate_protocol" });
    }
    if (!(error instanceof HubError)) throw error;
    const wire = wireErrorOf(error, this.context.settings);
    this.context.metrics.count("command_errors", { dialect: "streaming", code: `${wire.code}` });
    if (error.code === "unavailable" || error.code === "internal") {
      this.context.onError(error, { connection: this.connectionId, doing: "a command" });
    }
    this.context.onEvent("Command refused", {
      ...{ connection: this.connectionId, code: wire.code, detail: error.message },
    });
    this.reply(id, { error: wire });
  }

  reply(id: number, result: Result): void {
    if (this.state !== "closed") this.socket.send(this.codec.encodeReply(id, result));
  }

  push(push: WirePush): void {
    this.send(this.codec.encodePush(push));
  }

  /** Never before the connect answer: until then the socket is held. */
  send(frame: Frame): void {
    if (this.state === "connected" || this.state === "connecting") this.member.push(frame);
  }

  /** The connect answer; what had to wait for it follows when the socket is released. */
  connected(id: number, result: Result): void {
    this.reply(id, result);
    this.state = "connected";
    const { clock, random } = this.context.runtime;
    this.heartbeat.start(clock.monotonicMs(), random.fraction());
    this.#closeAtMs = Infinity;
    this.reschedule();
  }

  /** The connect was answered with an error: nothing more is heard (§3.2). */
  refuse(id: number, error: HubError): void {
    this.context.metrics.count("connections_refused", { dialect: "streaming" });
    const wire = wireErrorOf(error, this.context.settings);
    this.context.onEvent("Connect refused", {
      ...{ connection: this.connectionId, code: wire.code, detail: error.message },
    });
    this.reply(id, { error: wire });
    this.state = "refused";
    this.#closeAtMs = this.context.runtime.clock.monotonicMs() + REFUSED_CLOSE_DELAY_MS;
    this.reschedule();
  }

  due(nowMs: number): void {
    if (this.state === "closed") return;
    if (nowMs >= this.#closeAtMs) {
      this.disconnect({ disconnect: this.state === "refused" ? "connection_closed" : "stale" });
      return;
    }
    const beat = this.heartbeat.beat(nowMs, this.socket.lastReceivedMs);
    if (beat === "dead") return this.disconnect({ disconnect: "no_pong" });
    if (beat === "ping") this.#ping();
    this.#expire();
    if (!this.#isOver() || this.state === "refused") this.reschedule();
  }

  #ping(): void {
    if (this.heartbeat.framePings) this.socket.ping();
    else this.socket.send(this.codec.ping);
  }

  #expire(): void {
    const { settings } = this.context;
    if (this.#leftMs(this.expires) + settings.expiredCloseDelayMs <= 0) {
      return this.disconnect({ disconnect: "connection_expired" });
    }
    for (const subscription of this.connection?.subscriptions() ?? []) {
      const { expires, serverSide } = detailOf(subscription);
      if (this.#leftMs(expires) + settings.expiredSubCloseDelayMs > 0) continue;
      if (serverSide) return this.disconnect({ disconnect: "subscription_expired" });
      this.endSubscription(subscription.channel.name, UNSUBSCRIBE_CODES.expired);
    }
  }

  /** Sets the one deadline that is next: stale or refused close, ping or pong, the end of credentials. */
  reschedule(): void {
    const { runtime, schedule, settings } = this.context;
    let leftMs = this.#leftMs(this.expires) + settings.expiredCloseDelayMs;
    for (const subscription of this.connection?.subscriptions() ?? []) {
      const subscriptionLeftMs = this.#leftMs(detailOf(subscription).expires);
      leftMs = Math.min(leftMs, subscriptionLeftMs + settings.expiredSubCloseDelayMs);
    }
    const expiryMs = runtime.clock.monotonicMs() + leftMs;
    const nextMs = Math.min(this.#closeAtMs, this.heartbeat.nextMs, expiryMs);
    if (nextMs === Infinity) schedule.clear(this);
    else schedule.set(this, nextMs);
  }

  #leftMs(deadline: Deadline | undefined): number {
    return deadline === undefined ? Infinity : leftOf(this.context.runtime.clock, deadline);
  }

  /** `atMs`: epoch milliseconds; undefined: never. */
  expireAt(atMs: number | undefined): void {
    this.expires = atMs === undefined ? undefined : deadlineAt(this.context.runtime.clock, atMs);
  }

  /** From now on the connection stands under this grant's labels; undefined: of an authority that has none. */
  hold(held: HeldGrant | undefined): void {
    const labels = held?.labels ?? [];
    for (const former of this.held?.labels ?? []) {
      if (!labels.includes(former)) this.connection?.unlabel(former);
    }
    for (const label of labels) this.connection?.label(label);
    this.held = held;
  }

  /** Ends a client-side subscription and says so. */
  endSubscription(
    name: string,
    unsubscribe: { readonly code: number; readonly reason: string },
  ): void {
    this.aside("ending a subscription", this.connection?.unsubscribe(channelOf(name)));
    this.push({ channel: name, unsubscribe });
  }

  dropped(subscription: Subscription, _code: HubErrorCode): void {
    // §4.5: a server-side subscription cannot be asked for again, so its connection is.
    if (detailOf(subscription).serverSide) this.disconnect({ disconnect: "insufficient_state" });
    else {
      const { name } = subscription.channel;
      this.push({ channel: name, unsubscribe: UNSUBSCRIBE_CODES.insufficientState });
    }
  }

  signal(body: unknown): boolean | Promise<boolean> {
    return handleSignal(this, body as Signal);
  }

  slow(): void {
    this.context.metrics.count("limits_hit", { limit: "queue_max_size" });
    this.disconnect({ disconnect: "slow" });
  }

  failed(): void {
    this.disconnect({ disconnect: "internal_error" });
  }

  shutdown(): void {
    this.disconnect({ disconnect: "shutdown" });
  }

  /** `detail` is for the log. */
  disconnect(reason: Disconnect, detail?: string): void {
    if (this.state === "closed") return;
    const { code, reason: text } = reason.wire ?? DISCONNECTS[reason.disconnect];
    this.context.metrics.count("disconnects", { dialect: "streaming", code: `${code}` });
    this.context.onEvent("Connection ended", { connection: this.connectionId, code, detail });
    this.#end();
    this.socket.close(code, text);
  }

  closed(): void {
    if (this.state !== "closed") this.#end();
  }

  #end(): void {
    this.state = "closed";
    this.context.schedule.clear(this);
    this.aside("leaving its channels", this.connection?.close());
  }

  /** Follows work that no command waits for. */
  aside(doing: string, work: Promise<unknown> | undefined): void {
    work?.catch((error: unknown) => {
      this.context.onError(error, { connection: this.connectionId, doing });
    });
  }
}
