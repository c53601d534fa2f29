/** What a dialect gives to the server: its HTTP routes on both listeners and its socket routes. */
import type { Hono } from "hono";
import type { Metrics } from "../core/metrics.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Schedule } from "../core/schedule.ts";
import type { Mount, ReadBody } from "../transports/request.ts";
import type { SocketRoute } from "../transports/socket.ts";

/** What handlers of the `clients` listener find in `c.env`. */
export interface ClientsEnv {
  readonly Bindings: {
    readonly mount: Mount;
    /** Not of a GET: that listener drops its body. */
    readonly readBody: ReadBody;
  };
}

/** What handlers of the `api` listener find in `c.env`. */
export interface ApiEnv {
  readonly Bindings: {
    readonly mount: Mount;
    /** Also of a GET. To be called once the caller is known, where its credential is not in the body. */
    readonly readBody: ReadBody;
    /** Runs `callback` when the caller leaves before it is answered. */
    readonly onLeave: (callback: () => void) => void;
  };
}

/** What is worth a line when somebody looks for why, in every dialect by the same name: at level debug, save `Origin refused`. */
export type EventName =
  /** With `app` and `origin`: a page that its operator may have forgotten. */
  | "Origin refused"
  | "Connection opened"
  | "Connect refused"
  | "Frame refused"
  | "Command refused"
  | "Connection ended"
  | "Login refused"
  | "API call refused"
  /** A call that is answered as done, save for what it does not reach. */
  | "Push left out"
  | "Channel left out";

/** Never told of a token or payload. */
export type OnEvent = (event: EventName, about: Readonly<Record<string, unknown>>) => void;

/** What `limits_hit` names: keys of the dialect's own section, others with their section, and the core's bounds. */
export const LIMIT_NAMES = [
  ...["connection_limit", "user_connection_limit", "channel_limit", "queue_max_size"],
  ...["commands_per_second_max", "body_size_limit", "batch_size_limit", "channel.max_length"],
  ...["token_calls_per_second", "invoke_calls_per_second", "task_invokes_per_second"],
  ...["task_connection_limit", "task_acceptances_per_minute", "failed_authentications_per_minute"],
  ...["connection_tokens_per_minute", "subscription_tokens_per_minute", "provisions_per_minute"],
  ...["publishes_per_second", "queue_jobs_max"],
] as const;

export type LimitName = (typeof LIMIT_NAMES)[number];

export function limitHit(metrics: Metrics, limit: LimitName): void {
  metrics.count("limits_hit", { limit });
}

/** What the server lends to the sessions of every dialect. */
export interface SessionServices {
  readonly runtime: Runtime;
  readonly schedule: Schedule;
  readonly metrics: Metrics;
  /** A bug, or an engine that is away: logged with the connection's id, never with a token or payload. */
  readonly onError: (
    error: unknown,
    about: { readonly connection: string; readonly doing: string },
  ) => void;
  readonly onEvent: OnEvent;
}

/** One dialect's part of the OpenAPI document. */
export interface OpenApiPart {
  readonly tag: string;
  /** Of the tag: one line. */
  readonly description: string;
  readonly paths: Readonly<Record<string, unknown>>;
}

export interface Dialect {
  readonly name: string;
  /** Mounted on the `clients` listener, under the dialect's prefix. Its own 404 and 405 are not used: unmatched paths fall through. */
  readonly clients?: Hono<ClientsEnv>;
  /** Mounted on the `api` listener, likewise. */
  readonly api?: Hono<ApiEnv>;
  readonly sockets: readonly SocketRoute[];
  readonly openapi?: OpenApiPart;
  /** The server stops, and waits for requests under way: those that wait for something are to be answered now. */
  stopping?(): void;
}
