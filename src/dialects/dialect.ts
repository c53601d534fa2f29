/** What a dialect is to the server: what it is lent, and what it serves by it. */
import type { Hono } from "hono";
import type { ApiCallers } from "../auth/api-callers.ts";
import type { ApiKey } from "../auth/api-keys.ts";
import type { AppKeys } from "../auth/app-keys.ts";
import type { RegisteredAuthority } from "../auth/authorities.ts";
import type { MasterKeys } from "../auth/master-key.ts";
import type { ConfigPart } from "../config/part.ts";
import type { App, BaseConfig } from "../config/schema.ts";
import type { WebrtcSettings } from "../config/webrtc.ts";
import type { OwnedHub } from "../core/create-hub.ts";
import type { AppEngine } from "../core/engine.ts";
import type { CounterName } from "../core/metrics.ts";
import type { ServerMetrics } from "../operations/metrics.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Schedule } from "../core/schedule.ts";
import type { AnswerCall, ApiAnswer, ApiCall } from "../transports/api-call.ts";
import type { Peers } from "../transports/data-channels.ts";
import type { Mount, ReadBody } from "../transports/request.ts";
import type { ClientsRequest, SocketRoute } from "../transports/socket.ts";
import type { AdminPart } from "./admin-operation.ts";
import type { Paths } from "./openapi-components.ts";
import type { Examples } from "./openapi-examples.ts";
import type { Probe } from "./probe.ts";
import type { PublishLimit } from "./publish-limit.ts";
import type { TokenCommand } from "./token-command.ts";
import type { ErrorsPart } from "./shown.ts";
import type { Word } from "./every-word.ts";
import type { Explaining } from "./explaining.ts";

/** What handlers of the `clients` listener find in `c.env`. */
export interface ClientsEnv {
  readonly Bindings: ClientsRequest;
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

type About = Readonly<Record<string, unknown>>;

/**
 * What is told of an event. All but an opening have the `word` that docs/errors.md explains; what the wire shows for it is beside it
 * as `code` or `status`, and what it leaves open in `detail`.
 */
export type AboutEvent<Name extends EventName> = Name extends "Connection opened" | "Origin refused"
  ? About
  : About & { readonly word: Word };

/** Never told of a token or payload. */
export type OnEvent = <Name extends EventName>(event: Name, about: AboutEvent<Name>) => void;

/** What `limits_hit` names: keys of the dialect's own section, others with their section, and the core's bounds. */
export const LIMIT_NAMES = [
  ...["connection_limit", "user_connection_limit", "channel_limit", "queue_max_size"],
  ...["commands_per_second_max", "body_size_limit", "batch_size_limit", "channel.max_length"],
  ...["token_calls_per_second", "invoke_calls_per_second", "task_invokes_per_second"],
  ...["task_connection_limit", "task_acceptances_per_minute", "failed_authentications_per_minute"],
  ...["connection_tokens_per_minute", "subscription_tokens_per_minute", "provisions_per_minute"],
  ...["publishes_per_second", "api.publishes_in_flight_max", "queue_jobs_max"],
  ...["logins_per_minute", "failed_logins_per_minute", "password_hashes_at_once", "key_limit"],
  ...["messages_per_second_max", "watch_limit"],
] as const;

export type LimitName = (typeof LIMIT_NAMES)[number];

export function limitHit(metrics: DialectMetrics, limit: LimitName): void {
  metrics.count("limits_hit", { limit });
}

/** A call of the application's own address, which its operator named: one POST of JSON text, and the text that answers it. Throws HubError `unavailable`. */
export type PostJson = (call: {
  readonly url: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly responseBytesMax: number;
}) => Promise<string>;

/** As the server's, with words that are explained. */
export interface DialectMetrics {
  readonly count: (
    name: CounterName,
    labels: Readonly<Record<string, string>> & { readonly word?: Word | "" },
  ) => void;
}

/** What the server lends to the sessions of every dialect. */
export interface SessionServices extends Explaining {
  readonly runtime: Runtime;
  readonly schedule: Schedule;
  readonly metrics: DialectMetrics;
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
  readonly paths: Paths;
  readonly examples: Examples;
}

/** Undefined: the call is another's. */
export type AnswerOwnCall = (
  call: ApiCall,
) => ApiAnswer | Promise<ApiAnswer | undefined> | undefined;

/** Calls that are answered without a router, which would cost more than they do. */
export interface ApiCalls {
  /** By their path, percent-encoded. */
  readonly exact: Readonly<Record<string, AnswerOwnCall>>;
  /** Of any path that no dialect answered by `exact`; undefined: it is another's. */
  readonly find?: (path: string) => AnswerOwnCall | undefined;
}

/** A listener that a dialect has for its API alone, where its published paths hold literally. */
export interface OwnListener {
  readonly host: string;
  readonly port: number;
  readonly answer: AnswerCall;
}

/** What an enabled dialect serves. Unmatched paths fall through: its own 404 and 405 are for the paths that are its own. */
export interface Served {
  /** Mounted on the `clients` listener. */
  readonly clients?: Hono<ClientsEnv>;
  /** On the `api` listener, before any router. */
  readonly calls?: ApiCalls;
  /** Mounted on the `api` listener. */
  readonly api?: Hono<ApiEnv>;
  /** Beside `api`. One that cannot be had is a warning. */
  readonly listener?: OwnListener;
  readonly sockets: readonly SocketRoute[];
  /** Where an app's clients connect, without its prefix: the playground's row. */
  readonly socketPath?: (app: string) => string;
  /** Made for whom asks: put together at every start it would be half of what a start costs. */
  readonly openapi?: () => OpenApiPart;
  /** What it adds to the admin API. */
  readonly admin?: AdminPart;
  /** Commands for a terminal that show it at work in development mode. */
  readonly tryIt?: (apiUrl: string) => readonly string[];
  /** Before the listeners take anything. */
  start?(): Promise<void>;
  /** The server stops, and waits for requests under way: those that wait for something are to be answered now. */
  stopping?(): void;
  /** Ends work of its own, while connections drain; what is queued stays so. */
  close?(): Promise<void>;
  /** Every connection is gone: waits for what they left to be done. The engine is there until then. */
  settle?(): Promise<void>;
}

/** An app as a dialect is lent it. */
export interface LentApp {
  readonly config: App;
  readonly hub: OwnedHub;
  readonly engine: AppEngine;
  readonly keys: AppKeys;
  /** Who decides on tokens of this issuer and audience: registered by one dialect's setup, asked by the next ones. */
  readonly authorities: RegisteredAuthority[];
  /** For calls of `api` that publish. */
  readonly publishLimit: PublishLimit;
  /** Of what is known to be about this app, which it adds. */
  readonly onEvent: OnEvent;
}

/** What the server lends to a dialect. `Own`: the configuration as far as it looks at it. */
export interface Lent<Own extends BaseConfig = BaseConfig> extends SessionServices {
  readonly config: Own;
  readonly version: string;
  readonly engineName: string;
  readonly apps: readonly LentApp[];
  readonly metrics: DialectMetrics & Omit<ServerMetrics, "count">;
  /** Made when they are first asked for. */
  readonly masterKeys: () => MasterKeys;
  readonly callers: ApiCallers;
  readonly postJson: PostJson;
  /** For sessions that open DataChannels: the dialect's own, to be closed by it. */
  readonly createPeers: (options: {
    readonly settings: WebrtcSettings;
    readonly connectTimeoutMs: number;
  }) => Peers;
  readonly findApiKey: (key: string) => ApiKey | undefined;
  /** First segments of all dialects' and the server's own paths, in lower case. */
  readonly reservedSegments: ReadonlySet<string>;
  /** The `api` listener is on a loopback address and `clients` answers no calls: callers without a credential are this machine's. */
  readonly onLoopback: boolean;
  /** Known once the listeners listen. */
  readonly clientsUrl: () => string;
  readonly onError: (error: unknown, about: Readonly<Record<string, string>>) => void;
}

/** A dialect as one value: what it adds to the configuration, and how it is served. The list in `list.ts` is all that knows it. */
export interface Dialect<Own extends BaseConfig = BaseConfig> extends ConfigPart<Own> {
  /** Its calls on `api` may be GETs with a body, which costs every call there the server that hands them over. */
  readonly readsGetBodies?: boolean;
  /** What it refuses and how it ends connections, explained. */
  readonly errors?: () => Promise<ErrorsPart>;
  /** Sub-commands of `carillon token`, for dialects whose clients bring tokens. */
  readonly tokenCommands?: readonly TokenCommand<Own>[];
  /** Loads how its client is played against a running server. */
  loadProbe?(): Promise<Probe<Own>>;
  /** Loads what it needs. Undefined: no app has what it takes. */
  setUp(lent: Lent<Own>): Promise<Served | undefined>;
}

/** Keeps the types of its tables, of which the whole configuration's is made. */
export function defineDialect<Own extends BaseConfig>() {
  return <Value extends Dialect<Own>>(dialect: Value): Value => dialect;
}
