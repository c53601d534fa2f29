/**
 * One client's connection: the order of its commands, its heartbeat and its end (§5.1, §5.9).
 * What single commands do is in commands.ts, what the master API asks of it in signals.ts.
 */
import { HubError, type Disconnect, type HubErrorCode } from "../../core/errors.ts";
import type { GroupMember } from "../../core/fanout.ts";
import type { Connection, Encoder, Subscriber, Subscription } from "../../core/hub.ts";
import { RateLimit } from "../../core/rate-limit.ts";
import type { Scheduled } from "../../core/schedule.ts";
import type { Frame } from "../../core/types.ts";
import type { Session, Socket } from "../../transports/socket.ts";
import {
  decodeBinaryCommand,
  decodeCommand,
  encodeReply,
  encoder,
  MalformedFrame,
  type Command,
  type ReplyEvent,
} from "./codec.ts";
import { runCommand } from "./commands.ts";
import type { GusherClaims, GusherContext } from "./context.ts";
import { CLOSES } from "./errors.ts";
import { applySignal, type GusherSignal } from "./signals.ts";

/** RFC 6455 §7.4.2: close codes that an application may choose. */
const APPLICATION_CLOSES = { from: 3000, to: 4999 };

export class GusherSession implements Session, Subscriber, Scheduled {
  readonly context: GusherContext;
  readonly socket: Socket;
  readonly connectionId: string;
  readonly userId: string;
  readonly remotes: GusherClaims["remotes"];
  /** From the token's claims, as reload and add changed them since. */
  grants: readonly string[];
  scheduledTick = 0;
  readonly connection: Connection;
  readonly #rate: RateLimit;
  #pingAtMs: number;
  #closed = false;
  /** Settles when every signal so far took effect. */
  #signalled: Promise<unknown> | undefined;

  constructor(context: GusherContext, socket: Socket, claims: GusherClaims) {
    const { hub, runtime, settings, metrics } = context;
    const nowMs = runtime.clock.monotonicMs();
    this.context = context;
    this.socket = socket;
    this.connectionId = runtime.random.uuid();
    this.userId = claims.userId;
    this.remotes = claims.remotes;
    this.grants = claims.channels;
    this.#rate = new RateLimit(settings.commandsPerSecondMax, nowMs);
    this.#pingAtMs = nowMs + settings.pingIntervalMs;
    this.connection = hub.connect(this);
    metrics.count("connections_opened", { dialect: "gusher" });
    this.#reschedule();
  }

  get dialect(): string {
    return "gusher";
  }

  get member(): GroupMember {
    return this.socket.member;
  }

  get encoder(): Encoder {
    return encoder;
  }

  receive(frame: Frame): void | Promise<void> {
    if (this.#closed) return undefined;
    const { metrics, settings, runtime } = this.context;
    if (this.#rate.take(runtime.clock.monotonicMs()) !== "taken") {
      metrics.count("limits_hit", { limit: "commands_per_second_max" });
      return this.disconnect({ disconnect: "too_many_requests" });
    }
    let command: Command | undefined;
    try {
      if (typeof frame === "string") command = decodeCommand(frame);
      else if (!settings.strictBinary) command = decodeBinaryCommand(frame);
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      this.tell("Frame refused", { detail: error.message });
      return this.disconnect({ disconnect: "bad_request" });
    }
    if (command === undefined) return undefined;
    metrics.count("commands", { dialect: "gusher", method: command.event });
    return runCommand(this, command)?.catch((error: unknown) => {
      // What has no answer of its own ends the connection, and its client comes back.
      if (!(error instanceof HubError)) throw error;
      this.report(error, command.event);
      this.disconnect({ disconnect: "internal_error" });
    });
  }

  /** `data` is JSON text. */
  reply(event: ReplyEvent, data: string, options: { readonly time?: number } = {}): void {
    this.send(encodeReply(event, { socketId: this.connectionId, data, ...options }));
  }

  /** A command answered with its error; `detail` is for the log, since the protocol has no place for it. */
  refuse(
    event: Extract<ReplyEvent, `${string}_error`>,
    data: string,
    { detail, ...about }: { readonly detail: string; readonly channel?: string },
  ): void {
    const command = event.slice(0, -"_error".length);
    this.context.metrics.count("command_errors", { dialect: "gusher", code: command });
    this.tell("Command refused", { command, ...about, detail });
    this.reply(event, data);
  }

  send(frame: Frame): void {
    if (!this.#closed) this.socket.send(frame);
  }

  dropped(_subscription: Subscription, _code: HubErrorCode): void {
    // There is no frame that says so: after a reconnect the client subscribes again.
    this.disconnect({ disconnect: "insufficient_state" });
  }

  /** One after the other, so that the last notification a client sees tells of its grants as they are. */
  signal(body: unknown): Promise<boolean> {
    const applied = (this.#signalled ?? Promise.resolve()).then(async () => {
      if (!this.#closed) await applySignal(this, body as GusherSignal);
      if (this.#signalled === applied) this.#signalled = undefined;
      return true;
    });
    this.#signalled = applied;
    return applied;
  }

  /** §5.9: anything that arrived counts as a pong; a client that sends but answers no ping is no dead peer. */
  due(nowMs: number): void {
    if (this.#closed) return;
    const { settings } = this.context;
    if (nowMs >= this.socket.lastReceivedMs + settings.pongTimeoutMs) {
      return this.disconnect({ disconnect: "no_pong" });
    }
    if (nowMs >= this.#pingAtMs) {
      this.socket.ping();
      this.#pingAtMs += settings.pingIntervalMs;
      // After a standstill one ping is enough.
      if (this.#pingAtMs <= nowMs) this.#pingAtMs = nowMs + settings.pingIntervalMs;
      if (settings.dropIdle && this.connection.subscriptionCount === 0) {
        return this.disconnect({ disconnect: "stale" });
      }
    }
    this.#reschedule();
  }

  #reschedule(): void {
    const { schedule, settings } = this.context;
    const deadAtMs = this.socket.lastReceivedMs + settings.pongTimeoutMs;
    schedule.set(this, Math.min(this.#pingAtMs, deadAtMs));
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

  disconnect(reason: Disconnect): void {
    if (this.#closed) return;
    const { wire, disconnect } = reason;
    const own = wire !== undefined && isApplicationClose(wire.code) ? wire : CLOSES[disconnect];
    const { metrics, settings } = this.context;
    metrics.count("disconnects", { dialect: "gusher", code: `${own.code}` });
    this.tell("Connection ended", { code: own.code, detail: own.reason });
    this.#end();
    // D7, D9: the original drops the TCP connection; only a stop is told of, since clients are to come back elsewhere.
    if (settings.strictClose && disconnect !== "shutdown") this.socket.terminate();
    else this.socket.close(own.code, own.reason);
  }

  closed(): void {
    if (!this.#closed) this.#end();
  }

  #end(): void {
    this.#closed = true;
    this.context.schedule.clear(this);
    this.connection.close().catch((error: unknown) => this.report(error, "leaving its channels"));
  }

  tell(event: string, about: Readonly<Record<string, unknown>>): void {
    this.context.onEvent(event, { connection: this.connectionId, ...about });
  }

  report(error: unknown, doing: string): void {
    this.context.onError(error, { connection: this.connectionId, doing });
  }
}

function isApplicationClose(code: number): boolean {
  return code >= APPLICATION_CLOSES.from && code <= APPLICATION_CLOSES.to;
}
