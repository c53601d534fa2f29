/** The composition root: config → engine → hubs → the listed dialects → listeners. It knows no dialect's details. */
import { readFileSync } from "node:fs";
import packageJson from "../package.json" with { type: "json" };
import { isServed } from "./config/part.ts";
import type { BaseConfig } from "./config/schema.ts";
import type { OwnedHub } from "./core/create-hub.ts";
import type { Engine } from "./core/engine.ts";
import type { Runtime } from "./core/runtime.ts";
import { createSchedule } from "./core/schedule.ts";
import type { Dialect, Lent } from "./dialects/dialect.ts";
import { lend, setUpEach, type LentToAll, type ServedDialect } from "./dialects/lend.ts";
import { DIALECTS } from "./dialects/list.ts";
import { createEngine } from "./engines/choose.ts";
import { drain, type StopOptions } from "./operations/drain.ts";
import { endpointsOf, type Endpoint } from "./operations/endpoints.ts";
import type { Logger } from "./operations/log.ts";
import { createMetrics, type ServerMetrics } from "./operations/metrics.ts";
import { mountApi, mountClients } from "./operations/mount.ts";
import { createFront, createStarting } from "./operations/routes.ts";
import { createTold } from "./operations/told.ts";
import { createPage } from "./pages/page.ts";
import { systemRuntime } from "./system-runtime.ts";
import type { AnswerCall } from "./transports/api-call.ts";
import type { ApiListener } from "./transports/api-listener.ts";
import { createBunApiHandler } from "./transports/bun-api-handler.ts";
import { createApiListener } from "./transports/create-api-listener.ts";
import { createClientsListener } from "./transports/listener.ts";
import { createMounts, type FindMount } from "./transports/mounts.ts";
import type { Peers } from "./transports/peers.ts";
import { createPeers } from "./transports/webrtc/index.ts";
import { withOwnListeners } from "./own-listeners.ts";

export interface ServerOptions {
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly runtime?: Runtime;
  /** Default: those of this build. */
  readonly dialects?: readonly Dialect[];
  /** In place of the configured one, not yet started. */
  readonly engine?: Engine;
  readonly worker?: WorkerPart;
  /** In place of WebRTC's own: for tests without a network between the peers. */
  readonly createPeers?: Lent["createPeers"];
  /** Whether clients are told why they are refused, as far as their protocols have room. Default: in development mode alone. */
  readonly explainsRefusals?: boolean;
  /** Stops this server and starts another in its place: for development mode's page. Absent: that page cannot. */
  readonly restart?: () => void;
}

/** What a server is told as one of several processes on the same ports. */
export interface WorkerPart {
  readonly metrics: ServerMetrics;
  /** The text that answers a scrape. */
  readonly scrapeAll: () => Promise<string>;
  /** No other process answers on `api`, so that this one does before it can serve. */
  readonly alone: boolean;
  readonly peers: Peers;
}

export interface RunningServer {
  readonly clientsUrl: string;
  readonly apiUrl: string;
  readonly endpoints: () => readonly Endpoint[];
  /** By app id. */
  readonly hubs: ReadonlyMap<string, OwnedHub>;
  /** Open sockets of clients. */
  sockets(): number;
  /** Refuses what is new, tells clients to reconnect spread over the shutdown time, keeps what was queued, frees ports and files. */
  stop(options?: StopOptions): Promise<void>;
}

const { version } = packageJson;

/**
 * Rejects with one clear sentence when a port, file or database cannot be had. Nothing is left open then. While the engine waits for its
 * servers, `api` already answers `/health` and `/ready`, unless other processes do.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, log, runtime = systemRuntime } = options;
  const dialects: readonly Dialect[] = options.dialects ?? DIALECTS;
  let health: Engine["health"] | undefined;
  const ready = async () => (await health?.())?.ready === true;
  const told = createTold({ log, runtime, ready });
  const onBug = (error: unknown, doing = "the server's own work"): void =>
    told.failed(error, { doing }, "Unexpected error");
  const engine = options.engine ?? (await createEngine({ config, log, runtime, onBug }));
  health = () => engine.health();
  // What a start that fails has opened.
  await using opened = new AsyncDisposableStack();
  opened.defer(() => told.close());
  const addresses = config.apps.map(({ id: app, hosts, path_prefix: pathPrefix = "" }) => {
    return { app, hosts, pathPrefix };
  });
  const alone = options.worker?.alone ?? true;
  const serving = Promise.withResolvers<void>();
  let answer: AnswerCall = alone
    ? createStarting(engine)
    : // Bun takes connections a moment before it says that it listens.
      (call) => serving.promise.then(() => answer(call));
  // A key names its app, so a server may call by any other address.
  const findApiMount = createMounts(addresses, { app: undefined, exclusive: false });
  async function listenToApi(): Promise<ApiListener> {
    const listener = await createApiListener({
      ...addressOf(config.api),
      shared: config.workers > 1,
      readsGetBodies: dialects.some(
        (dialect) => dialect.readsGetBodies === true && isServed(dialect, config),
      ),
      keepAliveTimeoutMs: config.api.keep_alive_timeout,
      findMount: findApiMount,
      answer: (call) => answer(call),
      timers: runtime.timers,
      onBug,
    });
    opened.defer(() => {
      listener.cut();
      return listener.close();
    });
    return listener;
  }
  // Beside others it would take calls from those that can answer them.
  const early = alone ? await listenToApi() : undefined;
  opened.use(engine);
  await engine.start();
  const metrics = options.worker?.metrics ?? createMetrics();
  opened.defer(() => metrics.close());
  const schedule = createSchedule(runtime);
  let clientsUrl = "";
  const lent = lend({
    ...{ config, dialects, version, told, engine, runtime, schedule, metrics, onBug },
    clientsUrl: () => clientsUrl,
    explainsRefusals: options.explainsRefusals ?? config.development,
    createPeers: options.createPeers ?? ((own) => createPeers({ ...own, runtime, onBug })),
  });
  const served = await setUpEach(dialects, lent, told);
  opened.defer(async () => {
    await Promise.all(served.map(async (dialect) => dialect.close?.()));
  });
  let accepting = true;
  const mount = { lent, served, engine, told, onBug };
  const answerCalls = mountApi({
    ...mount,
    scrape: options.worker?.scrapeAll ?? (() => metrics.scrape()),
    accepting: () => accepting,
    console: createPage(async () => (await import("./pages/bundle.ts")).bundlePage("admin")),
  });
  for (const dialect of served) await dialect.start?.();
  const api = early ?? (await listenToApi());
  const apis = await withOwnListeners(api, {
    ...{ served, log, onBug, findMount: findApiMount, timers: runtime.timers },
    ...{ shared: config.workers > 1, keepAliveTimeoutMs: config.api.keep_alive_timeout },
  });
  opened.defer(() => {
    apis.cut();
    return apis.close();
  });
  const onClients = config.api.on_clients
    ? createBunApiHandler({
        ...{ findMount: findApiMount, timers: runtime.timers, onBug },
        keepAliveTimeoutMs: config.api.keep_alive_timeout,
        answer: (call) => answer(call),
      })
    : undefined;
  opened.defer(() => onClients?.close());
  const front = config.development
    ? await playgroundOf(options, { lent, served, api, answerCalls, findApiMount, onBug })
    : createFront();
  const pages = mountClients(mount, front);
  const clients = createClientsListener({
    ...addressOf(config.clients),
    shared: config.workers > 1,
    ...(options.worker === undefined ? undefined : { peers: options.worker.peers }),
    trustedProxies: config.clients.trusted_proxies,
    findMount: createMounts(addresses, { app: undefined, exclusive: true }),
    routes: served.flatMap(({ sockets }) => sockets),
    fetch: (request, context) => pages.fetch(request, context),
    ...(onClients === undefined ? undefined : { api: onClients }),
    runtime,
    onBug,
  });
  clientsUrl = clients.url;
  answer = answerCalls;
  serving.resolve();
  opened.move();
  metrics.watchListener(clients);
  const deadlines = () => schedule.size;
  metrics.gauge("deadlines", "Connections that wait for a ping, pong or expiry", deadlines);
  const where = { clients: clients.url, api: api.url };
  log.info({ version, pid: process.pid, engine: engine.name, ...where }, "Ready");

  const hubs = new Map(lent.apps.map(({ config: { id }, hub }) => [id, hub]));
  async function stop({ othersServe = false }: StopOptions): Promise<void> {
    accepting = false;
    onClients?.endConnections();
    const drained = { config, log, runtime, clients, api: apis, served, hubs: [...hubs.values()] };
    await drain({ ...drained, othersServe });
    onClients?.close();
    await Promise.all(drained.hubs.map((hub) => hub.close()));
    schedule.close();
    metrics.close();
    await engine[Symbol.asyncDispose]();
    told.close();
    log.info("Stopped");
  }

  let stopped: Promise<void> | undefined;
  return {
    clientsUrl: clients.url,
    apiUrl: api.url,
    endpoints: () => endpointsOf(served),
    hubs,
    sockets: () => clients.sockets(),
    stop: (how = {}) => (stopped ??= stop(how)),
  };
}

interface PlaygroundParts {
  readonly lent: LentToAll;
  readonly served: readonly ServedDialect[];
  readonly api: ApiListener;
  readonly answerCalls: AnswerCall;
  readonly findApiMount: FindMount;
  readonly onBug: (error: unknown, doing: string) => void;
}

/** Loaded in development mode alone. */
async function playgroundOf(
  { dialects = DIALECTS, restart }: ServerOptions,
  parts: PlaygroundParts,
) {
  const { createPlayground } = await import("./playground/index.ts");
  const { lent, served, api, answerCalls, findApiMount, onBug } = parts;
  const { config, runtime } = lent;
  return createPlayground({
    ...{ config, dialects, runtime, version, restart, answerCalls, findApiMount, onBug },
    sockets: config.apps.flatMap(({ id: app, path_prefix: prefix = "" }) =>
      served.flatMap(({ name: dialect, socketPath }) =>
        socketPath === undefined ? [] : [{ app, dialect, path: prefix + socketPath(app) }],
      ),
    ),
    tryIt: served.flatMap(({ tryIt }) => tryIt?.(api.url) ?? []),
    apiUrl: api.url,
  });
}

function addressOf({ host, port, tls }: BaseConfig["clients"] | BaseConfig["api"]) {
  const { cert, key } = tls;
  return {
    hostname: host,
    port,
    ...(cert === undefined || key === undefined
      ? {}
      : { tls: { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") } }),
  };
}
