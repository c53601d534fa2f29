/**
 * One client's connection, kept up: connected, checked, made again after each loss, by a new client. The clients' own reconnects and
 * queues stay off: they restore no subscription or send twice what may have been done, and hold calls without bound.
 */
import { HubError } from "../../../core/errors.ts";
import type { Runtime, Timer } from "../../../core/runtime.ts";
import { Calls, type Recover } from "./calls.ts";
import { RedisFailure } from "./diagnosis.ts";
import type { LateArguments, LinkClient, RedisArgument } from "./contract.ts";
import { replyCode, replyError } from "./replies.ts";

/** Time a server has to accept a connection and greet, milliseconds. */
export const CONNECT_TIMEOUT_MS = 1_000;
/**
 * Time for all that an attempt to connect takes, with Sentinels to ask before and a reason to find out behind it, milliseconds. Each
 * step has its own limit; this one holds where a client fails to keep them.
 */
export const OPEN_TIMEOUT_MS = 10_000;
/** Pause before the first reconnect and the longest one, milliseconds; each pause is twice the last, less up to half of it. */
const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 1_000;

export interface LinkOptions<Client extends LinkClient> {
  /** A connected client, asked for at each attempt. Rejects with `RedisFailure`. */
  readonly open: () => Promise<Client>;
  readonly runtime: Runtime;
  /** Checks and prepares a new connection before it counts as up; a rejection gives it up. */
  readonly prepare: (connection: Connection<Client>) => Promise<void>;
  readonly onUp: () => void;
  /** A connection is gone, or was not made. */
  readonly onLost: () => void;
  /** Once for each reason. */
  readonly onAway: (reason: string) => void;
}

export class Connection<Client extends LinkClient = LinkClient> {
  readonly client: Client;
  readonly calls: Calls;

  constructor(client: Client, runtime: Runtime) {
    this.client = client;
    this.calls = new Calls(runtime, () => client.silent());
  }

  /** Rejects with what `replyError` makes of a failure, unless `recover` makes more of it. */
  send(
    command: string,
    args: LateArguments,
    recover: Recover = (error) => this.failed(error),
  ): Promise<unknown> {
    if (typeof args !== "function") {
      const bytes = command.length + bytesOf(args);
      return this.calls.track(bytes, () => this.client.send(command, args as string[]), recover);
    }
    return this.calls.track(
      command.length,
      (call) => {
        const given = args();
        this.calls.grow(call, bytesOf(given));
        return this.client.send(command, given as string[]);
      },
      recover,
    );
  }

  /** Throws what the asker is to see of it. */
  failed(error: unknown): never {
    // Not the master any more: another connection looks for it.
    if (replyCode(error) === "READONLY") this.client.close();
    throw replyError(error);
  }
}

function bytesOf(args: readonly RedisArgument[]): number {
  let bytes = 0;
  for (const arg of args) bytes += typeof arg === "number" ? 8 : arg.length;
  return bytes;
}

export class Link<Client extends LinkClient> {
  readonly #options: LinkOptions<Client>;
  #up: Connection<Client> | undefined;
  #retry: Timer | undefined;
  #pauseMs = RECONNECT_MS_MIN;
  #everUp = false;
  #reason = "not connected yet";
  #closed = false;
  #started = Promise.withResolvers<void>();

  constructor(options: LinkOptions<Client>) {
    this.#options = options;
  }

  /** Resolves when it is up for the first time. Rejects with `RedisFailure` for what no retry can mend. */
  start(): Promise<void> {
    void this.#attempt();
    return this.#started.promise;
  }

  /** Why it is away; undefined while it is up. */
  get reason(): string | undefined {
    return this.#up === undefined ? this.#reason : undefined;
  }

  /** Throws HubError `unavailable` while it is away. */
  get connection(): Connection<Client> {
    if (this.#up === undefined) throw new HubError("unavailable", `Redis is away: ${this.#reason}`);
    return this.#up;
  }

  /** Ends the connection, if there is one, and makes another: for one that turned out to be with the wrong server. */
  reconnect(): void {
    this.#up?.client.close();
  }

  /** Waits for answers to what was asked, as long as the server gives any. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    this.#started.reject(new HubError("unavailable", "The engine is closed"));
    this.#started.promise.catch(() => {});
    await this.#up?.calls.idle();
    this.#up?.client.close();
    this.#up = undefined;
  }

  async #attempt(): Promise<void> {
    let connection: Connection<Client> | undefined;
    try {
      const client = await this.#open();
      const opened = (connection = new Connection(client, this.#options.runtime));
      client.onclose = () => {
        // The client itself knows better reasons.
        this.#options.runtime.timers.soon(() => opened.calls.fail());
        this.#lost(client);
      };
      await this.#options.prepare(connection);
      if (!client.connected) throw new RedisFailure("the connection was lost at once");
    } catch (error) {
      connection?.client.close();
      this.#failed(error);
      return;
    }
    if (this.#closed) return connection.client.close();
    this.#up = connection;
    this.#everUp = true;
    this.#reason = "";
    this.#pauseMs = RECONNECT_MS_MIN;
    this.#options.onUp();
    this.#started.resolve();
  }

  #open(): Promise<Client> {
    const { promise, resolve, reject } = Promise.withResolvers<Client>();
    let late = false;
    const limit = this.#options.runtime.timers.after(OPEN_TIMEOUT_MS, () => {
      late = true;
      reject(new RedisFailure(`no connection within ${OPEN_TIMEOUT_MS} ms`));
    });
    this.#options.open().then(
      (client) => {
        limit.cancel();
        if (late) client.close();
        else resolve(client);
      },
      (error: unknown) => {
        limit.cancel();
        reject(error);
      },
    );
    return promise;
  }

  #lost(client: Client): void {
    if (this.#up?.client !== client) return;
    this.#up = undefined;
    this.#options.onLost();
    this.#away("the connection was lost");
    if (!this.#closed) void this.#attempt();
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    const failure =
      error instanceof RedisFailure
        ? error
        : new RedisFailure(error instanceof Error ? error.message : String(error));
    this.#options.onLost();
    if (failure.final && !this.#everUp) {
      // Whoever starts it hears of it, and gives up.
      this.#started.reject(failure);
      return;
    }
    this.#away(failure.message);
    const { timers, random } = this.#options.runtime;
    const pauseMs = this.#pauseMs * (1 - random.fraction() / 2);
    this.#pauseMs = Math.min(2 * this.#pauseMs, RECONNECT_MS_MAX);
    this.#retry = timers.after(pauseMs, () => void this.#attempt());
  }

  #away(reason: string): void {
    if (this.#closed || reason === this.#reason) return;
    this.#reason = reason;
    this.#options.onAway(reason);
  }
}
