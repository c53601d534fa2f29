/**
 * One client's connection: the order of its commands, its heartbeat and its end (§5.1, §5.9).
 * What single commands do is in commands.ts, what the master API asks of it in signals.ts.
 */
import { HubError, type Disconnect } from "../../core/errors.ts";
import type { Connection, Encoder, Subscriber } from "../../core/hub.ts";
import type { Frame } from "../../core/types.ts";
import type { Socket } from "../../transports/socket.ts";
import { explained } from "../explaining.ts";
import { ClientSession, type Close } from "../session.ts";
import type { GusherClient, RefusalAbout } from "./client.ts";
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
import { CLOSES, IDLE } from "./errors.ts";
import { applySignal, type GusherSignal } from "./signals.ts";

/** RFC 6455 §7.4.2: close codes that an application may choose. */
const APPLICATION_CLOSES = { from: 3000, to: 4999 };

export class GusherSession
  extends ClientSession<GusherContext>
  implements GusherClient, Subscriber
{
  readonly userId: string;
  readonly remotes: GusherClaims["remotes"];
  /** From the token's claims, as reload and add changed them since. */
  grants: readonly string[];
  readonly connection: Connection;
  #pingAtMs: number;
  /** Settles when every signal so far took effect. */
  #signalled: Promise<unknown> | undefined;

  constructor(context: GusherContext, socket: Socket, claims: GusherClaims) {
    const { hub, runtime, settings } = context;
    super(context, socket);
    this.userId = claims.userId;
    this.remotes = claims.remotes;
    this.grants = claims.channels;
    this.#pingAtMs = runtime.clock.monotonicMs() + settings.ping_interval;
    this.connection = hub.connect(this);
    this.count("connections_opened");
    this.reschedule();
  }

  get dialect() {
    return "gusher";
  }

  protected override get commandsPerSecondMax(): number {
    return this.context.settings.commands_per_second_max;
  }

  get encoder(): Encoder {
    return encoder;
  }

  protected handle(frame: Frame): void | Promise<void> {
    if (this.takeCommand() !== "taken") return this.disconnect({ disconnect: "too_many_requests" });
    let command: Command | undefined;
    try {
      if (typeof frame === "string") command = decodeCommand(frame);
      else if (!this.context.settings.strict_binary) command = decodeBinaryCommand(frame);
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      this.tell("Frame refused", { word: "bad_request", detail: error.message });
      return this.disconnect({ disconnect: "bad_request" });
    }
    if (command === undefined) return undefined;
    this.count("commands", { method: command.event });
    return runCommand(this, command)?.catch((error: unknown) => {
      // What has no answer of its own ends the connection, and its client comes back.
      if (!(error instanceof HubError)) throw error;
      this.report(error, command.event);
      this.disconnect({ disconnect: "internal_error" });
    });
  }

  /** `data` is JSON text. */
  reply(event: ReplyEvent, data: string, options: { readonly time?: number } = {}): void {
    if (this.over) return;
    this.socket.send(encodeReply(event, { socketId: this.connectionId, data, ...options }));
  }

  refuse(
    event: Extract<ReplyEvent, `${string}_error`>,
    data: Readonly<Record<string, unknown>>,
    { word, ...about }: RefusalAbout,
  ): void {
    const command = event.slice(0, -"_error".length);
    this.count("command_errors", { code: command, word });
    this.tell("Command refused", { word, command, ...about });
    const beside = explained(this.context, { word, detail: about.detail });
    this.reply(event, JSON.stringify({ ...data, ...beside }));
  }

  send(frame: Frame): void {
    if (!this.over) this.member.push(frame);
  }

  dropped(): void {
    // There is no frame that says so: after a reconnect the client subscribes again.
    this.disconnect({ disconnect: "missed" });
  }

  /** One after the other, so that the last notification a client sees tells of its grants as they are. */
  signal(body: unknown): Promise<boolean> {
    const applied = (this.#signalled ?? Promise.resolve()).then(async () => {
      if (!this.over) await applySignal(this, body as GusherSignal);
      if (this.#signalled === applied) this.#signalled = undefined;
      return true;
    });
    this.#signalled = applied;
    return applied;
  }

  /** §5.9: anything that arrived counts as a pong; a client that sends but answers no ping is not a dead peer. */
  protected onDue(nowMs: number): void {
    const { settings } = this.context;
    if (nowMs >= this.socket.lastReceivedMs + settings.pong_timeout) {
      return this.disconnect({ disconnect: "no_pong" });
    }
    if (nowMs < this.#pingAtMs) return;
    this.socket.ping();
    this.#pingAtMs += settings.ping_interval;
    // After a standstill one ping is enough.
    if (this.#pingAtMs <= nowMs) this.#pingAtMs = nowMs + settings.ping_interval;
    if (settings.drop_idle && this.connection.subscriptionCount === 0) {
      this.end("idle", this.#unsaid(IDLE));
    }
  }

  protected nextDueMs(): number {
    const { pong_timeout: pongTimeoutMs } = this.context.settings;
    return Math.min(this.#pingAtMs, this.socket.lastReceivedMs + pongTimeoutMs);
  }

  protected closeOf({ wire, disconnect }: Disconnect): Close {
    const own = wire !== undefined && isApplicationClose(wire.code) ? wire : CLOSES[disconnect];
    return disconnect === "shutdown" ? own : this.#unsaid(own);
  }

  /** D7, D9: the original drops the TCP connection; only a stop is told of, since clients are to come back elsewhere. */
  #unsaid(close: Close): Close {
    return { ...close, cut: this.context.settings.strict_close };
  }

  protected leave(): Promise<void> | undefined {
    return this.connection.close();
  }
}

function isApplicationClose(code: number): boolean {
  return code >= APPLICATION_CLOSES.from && code <= APPLICATION_CLOSES.to;
}
