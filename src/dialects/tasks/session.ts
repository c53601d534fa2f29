/** One client's socket: the wait for its first frame, its authentication, and then its connection (task-tokens.md §5.1). */
import { HubError } from "../../core/errors.ts";
import type { Scheduled } from "../../core/schedule.ts";
import type { Frame } from "../../core/types.ts";
import type { Session, Socket } from "../../transports/socket.ts";
import { accept, Refusal } from "./acceptance.ts";
import type { SessionRequest, TasksContext } from "./context.ts";
import { parseFirstFrame } from "./first-frame.ts";
import { TaskConnection } from "./session-connection.ts";
import { endSocket, type EndName } from "./session-ends.ts";

export class TasksSession implements Session, Scheduled {
  scheduledTick = 0;
  readonly #context: TasksContext;
  readonly #socket: Socket;
  readonly #request: SessionRequest;
  #connection: TaskConnection | undefined;
  #closed = false;

  constructor(context: TasksContext, socket: Socket, request: SessionRequest) {
    this.#context = context;
    this.#socket = socket;
    this.#request = request;
    const { runtime, schedule, settings, metrics } = context;
    metrics.count("connections_opened", { dialect: "tasks" });
    schedule.set(this, runtime.clock.monotonicMs() + settings.authenticationTimeoutMs);
  }

  /** While an authentication is under way the transport holds back what follows. */
  receive(frame: Frame): void | Promise<void> {
    if (this.#connection !== undefined) return this.#connection.receive(frame);
    return this.#closed ? undefined : this.#authenticate(frame);
  }

  #authenticate(frame: Frame): void | Promise<void> {
    const { schedule, sockets, runtime, tokens, publicId } = this.#context;
    const { address, origin } = this.#request;
    const nowMs = runtime.clock.monotonicMs();
    schedule.clear(this);
    if (!sockets.mayAuthenticate(address, nowMs)) return this.#end("too_many_connections");
    const wish = parseFirstFrame(frame);
    if (wish === undefined) return this.#end("bad_request");
    const token = tokens.open(wish.clientToken);
    if (token === undefined || token.publicId !== publicId) {
      sockets.failed(address, nowMs);
      return this.#end("invalid_token");
    }
    const connection = new TaskConnection(this.#context, this.#socket, { token, wish });
    this.#connection = connection;
    return accept(connection, origin).catch((error: unknown) => {
      if (error instanceof Refusal) return this.#refuse(connection, error.end);
      if (!(error instanceof HubError)) throw error;
      connection.report(error, "accepting a connection");
      return connection.end("internal");
    });
  }

  #refuse(connection: TaskConnection, end: EndName): void {
    this.#context.metrics.count("connections_refused", { dialect: "tasks" });
    this.#context.onEvent("refused", { connection: connection.connectionId, reason: end });
    connection.end(end);
  }

  due(): void {
    this.#end("authentication_timeout");
  }

  slow(): void {
    this.#context.metrics.count("limits_hit", { limit: "buffered_bytes_max" });
    this.#end("slow_consumer");
  }

  failed(): void {
    this.#end("internal");
  }

  shutdown(): void {
    this.#end("restart");
  }

  #end(name: EndName): void {
    if (this.#connection !== undefined) return this.#connection.end(name);
    if (this.#closed) return;
    this.closed();
    const { metrics, onEvent } = this.#context;
    onEvent("refused", { address: this.#request.address, reason: name });
    endSocket(this.#socket, name, { ticks: "", metrics });
  }

  closed(): void {
    this.#closed = true;
    this.#context.schedule.clear(this);
    this.#connection?.left();
  }
}
