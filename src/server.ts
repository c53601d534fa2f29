/** The composition root: config → engine → hub → dialects → transports → listen. The only file that knows everyone. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { Hono } from "hono";
import packageJson from "../package.json" with { type: "json" };
import { ApiRefusal, createApiCallers, reachOf } from "./auth/api-callers.ts";
import { createApiKeys } from "./auth/api-keys.ts";
import { RESERVED_SEGMENTS } from "./config/apps.ts";
import { DEVELOPMENT_API_KEY_HASH } from "./config/development-guard.ts";
import { createNamespaces } from "./config/namespaces.ts";
import { servesEvents, type Config } from "./config/schema.ts";
import { warmUpPatterns } from "./core/channel-pattern.ts";
import { createHub, type OwnedHub } from "./core/create-hub.ts";
import type { Engine } from "./core/engine.ts";
import type { Runtime } from "./core/runtime.ts";
import { createSchedule } from "./core/schedule.ts";
import type { ApiEnv } from "./dialects/dialect.ts";
import { createGusher } from "./dialects/gusher/index.ts";
import { createStreaming } from "./dialects/streaming/index.ts";
import { createTasks } from "./dialects/tasks/index.ts";
import { createEngine } from "./engines/choose.ts";
import { serveEvents } from "./dialects/events/serving.ts";
import { createGusherApps } from "./dialects/gusher/setup.ts";
import type { Logger } from "./operations/log.ts";
import { loadMasterKeys } from "./auth/load-master-keys.ts";
import { createTold } from "./operations/told.ts";
import { createMetrics, type ServerMetrics } from "./operations/metrics.ts";
import { openApiDocument } from "./dialects/openapi.ts";
import { createIndex, createOperations, createStarting } from "./operations/routes.ts";
import { createStreamingApps } from "./dialects/streaming/setup.ts";
import { systemRuntime } from "./system-runtime.ts";
import { createTasksApps } from "./dialects/tasks/setup.ts";
import {
  createApiListener,
  type ApiListener,
  type ApiListenerOptions,
} from "./transports/api-listener.ts";
import { createClientsListener, type ClientsListener } from "./transports/listener.ts";
import { createMounts } from "./transports/mounts.ts";

/** Clients told per second to reconnect elsewhere, by all workers together: a drain's pace, as far as its time allows. */
const DRAIN_CLIENTS_PER_SECOND = 1_000;
/** The part of the shutdown time that may be spent on telling clients. */
const DRAIN_SHARE = 0.8;
/** What clients that lag get to read the rest, and the close behind it, once every client was told. */
const LAGGING_CLIENTS_MS = 1_000;

export interface ServerOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly runtime?: Runtime;
  /** In place of the configured one, not yet started. */
  readonly engine?: Engine;
  readonly worker?: WorkerPart;
}

/** What a server is told as one of several processes on the same ports. */
export interface WorkerPart {
  readonly metrics: ServerMetrics;
  /** The text that answers a scrape. */
  readonly scrapeAll: () => Promise<string>;
  /** No other process answers on `api`, so that this one does before it can serve. */
  readonly alone: boolean;
}

export interface StopOptions {
  /** Other processes serve the ports: what is new goes to them from the first moment. Default: it is refused with 503. */
  readonly othersServe?: boolean;
}

export interface RunningServer {
  readonly clientsUrl: string;
  readonly apiUrl: string;
  /** By app id. */
  readonly hubs: ReadonlyMap<string, OwnedHub>;
  /** Open sockets of clients. */
  sockets(): number;
  /** Refuses what is new, tells clients to reconnect spread over the shutdown time, keeps what was queued, frees ports and files. */
  stop(options?: StopOptions): Promise<void>;
}

/**
 * Rejects with one clear sentence when a port, file or database cannot be had. Nothing is left open then. While the engine waits for its
 * servers, `api` already answers `/health` and `/ready`, unless other processes do.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, log, runtime = systemRuntime } = options;
  const { version } = packageJson;
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
  let answer: ApiListenerOptions["fetch"] = alone
    ? createStarting(engine).fetch
    : // Bun takes connections a moment before it says that it listens.
      (request, bindings) => serving.promise.then(() => answer(request, bindings));
  async function listenToApi(): Promise<ApiListener> {
    const listener = await createApiListener({
      ...addressOf(config.api),
      keepAliveTimeoutMs: config.api.keep_alive_timeout,
      // A key names its app, so a server may call by any other address.
      findMount: createMounts(addresses, { app: undefined, exclusive: false }),
      fetch: (request, bindings) => answer(request, bindings),
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
  // Not made for a server that seals nothing.
  const masterKeys =
    servesEvents(config) || config.tasks.enabled ? loadMasterKeys(config) : undefined;
  warmUpPatterns(runtime.clock);
  const schedule = createSchedule(runtime);
  const metrics = options.worker?.metrics ?? createMetrics();
  opened.defer(() => metrics.close());
  const namespaces = createNamespaces(config);
  const hubs = new Map<string, OwnedHub>();
  for (const { id } of config.apps) {
    const hub = createHub({ app: id, namespaces, engine: engine.app(id), runtime, onBug });
    metrics.watch(hub);
    hubs.set(id, hub);
  }
  const onErrorOf =
    (dialect: string) =>
    (error: unknown, about: { connection: string; doing: string }): void =>
      told.failed(error, { dialect, ...about }, "A command failed");
  const onEventOf = (dialect: string) => told.onEvent(dialect);
  const shared = { config, hubs, runtime, schedule, metrics };
  const apiKeys = createApiKeys(config.api_keys);
  const apiCallers = createApiCallers({
    ...{ keys: apiKeys, apps: config.apps, publicHash: DEVELOPMENT_API_KEY_HASH },
    onForeignPage: told.originRefused,
  });
  let clientsUrl = "";
  const events =
    masterKeys &&
    serveEvents({
      ...{ ...shared, engine, masterKeys, findApiKey: (key) => apiKeys.find(key) },
      clientsUrl: () => clientsUrl,
      onError: (error, about) =>
        told.failed(error, { dialect: "events", ...about }, "A call failed"),
      onEvent: onEventOf("events"),
    });
  if (events !== undefined) opened.defer(() => events.close());
  const streamingApps = createStreamingApps({
    ...{ ...shared, version, authorities: events?.authorities ?? new Map() },
    onError: onErrorOf("streaming"),
    onEvent: onEventOf("streaming"),
  });
  const gusherApps = createGusherApps({
    ...{ ...shared, engine },
    onError: onErrorOf("gusher"),
    onEvent: onEventOf("gusher"),
  });
  const streaming = createStreaming({
    apps: streamingApps,
    websocketPath: config.streaming.websocket_path,
    apiPath: config.streaming.api_path,
    authorize(request) {
      const key = apiCallers.admit(request, { scope: "streaming" });
      if (key instanceof ApiRefusal) {
        onEventOf("streaming")("API call refused", { status: key.status, detail: key.detail });
        return key;
      }
      const app = streamingApps.get(key.app);
      if (app === undefined) throw new Error(`No app "${key.app}"`);
      return { ...app, reach: reachOf("streaming", key) };
    },
  });
  const onLoopback = isLoopback(config.api.host);
  const openMaster = onLoopback || config.gusher.http_auth === "none";
  const gusher = createGusher({
    contexts: gusherApps,
    prefix: config.gusher.prefix,
    bodyBytesMax: config.gusher.body_size_limit,
    batchBytesMax: config.gusher.batch_size_limit,
    runtime,
    sharedPrefix: config.streaming.api_path,
    reserved: RESERVED_SEGMENTS,
    onEvent: onEventOf("gusher"),
    authorize(request, app) {
      const key = openMaster
        ? apiCallers.admitOpen(request, app)
        : apiCallers.admit(request, { scope: "gusher", app });
      return key instanceof ApiRefusal ? key : reachOf("gusher", key);
    },
  });
  const tasks =
    masterKeys &&
    createTasksApps({
      ...{ ...shared, engine, masterKeys },
      ...{ onError: onErrorOf("tasks"), onEvent: onEventOf("tasks") },
      callers: apiCallers,
    });
  // Gusher's routes below streaming's prefix are found before streaming takes them for methods, and tasks' calls on others' paths
  // before both.
  const dialects = [
    ...(tasks === undefined ? [] : [createTasks(tasks)]),
    ...(gusherApps.size > 0 ? [gusher] : []),
    ...(events === undefined ? [] : [events.dialect]),
    streaming,
  ];

  let accepting = true;
  const api = new Hono<ApiEnv>();
  api.onError((error, c) => {
    onBug(error, "an API call");
    return c.text("internal error\n", 500);
  });
  api.route(
    "/",
    createOperations({
      scrape: options.worker?.scrapeAll ?? (() => metrics.scrape()),
      ...{ engine, version, openapi: openApiDocument(dialects, version) },
      dialects: dialects.map(({ name }) => name).toSorted(),
      accepting: () => accepting,
      refuse(request) {
        const key = onLoopback ? apiCallers.admitOpen(request) : apiCallers.admit(request, {});
        if (!(key instanceof ApiRefusal)) return undefined;
        log.debug({ status: key.status, detail: key.detail, path: "/metrics" }, "API call refused");
        return key;
      },
    }),
  );
  for (const dialect of dialects) if (dialect.api !== undefined) api.route("/", dialect.api);
  await events?.start();
  const apiListener = early ?? (await listenToApi());

  const pages = createIndex({
    ...{ version, engine: engine.name, development: config.development },
    sockets: config.apps.flatMap(({ id: app, path_prefix = "" }) => [
      { app, dialect: "streaming", path: path_prefix + config.streaming.websocket_path },
      ...(gusherApps.has(app)
        ? [{ app, dialect: "gusher", path: `${path_prefix}${config.gusher.prefix}/ws/${app}` }]
        : []),
      ...(tasks?.websocketPaths ?? [])
        .slice(0, 1)
        .map((path) => ({ app, dialect: "tasks", path: path_prefix + path })),
    ]),
    apiUrl: apiListener.url,
    apiPath: config.streaming.api_path,
  });
  pages.onError((error, c) => {
    onBug(error, "a client's request");
    return c.text("internal error\n", 500);
  });
  for (const dialect of dialects) if (dialect.clients) pages.route("/", dialect.clients);
  const clients = createClientsListener({
    ...addressOf(config.clients),
    shared: config.workers > 1,
    trustedProxies: config.clients.trusted_proxies,
    findMount: createMounts(addresses, { app: undefined, exclusive: true }),
    routes: dialects.flatMap(({ sockets }) => sockets),
    fetch: (request, context) => pages.fetch(request, context),
    runtime,
    onBug,
  });
  clientsUrl = clients.url;
  answer = (request, bindings) => api.fetch(request, bindings);
  serving.resolve();
  opened.move();
  watchListener(clients);
  metrics.gauge(
    "deadlines",
    "Connections that wait for a ping, pong or expiry",
    () => schedule.size,
  );
  const where = { clients: clients.url, api: apiListener.url };
  log.info({ version, pid: process.pid, engine: engine.name, ...where }, "Ready");

  function watchListener(listener: ClientsListener): void {
    const stats = () => listener.stats();
    metrics.gauge("sockets", "Open sockets of clients", () => listener.sockets());
    metrics.gauge(
      "group_publications",
      "Frames given to native groups since the start",
      () => stats().published,
    );
    metrics.gauge("lagging_sockets", "Sockets served from their own queue", () => stats().lagging);
  }

  async function stop({ othersServe = false }: StopOptions): Promise<void> {
    accepting = false;
    if (othersServe) clients.stopListening();
    else clients.stopAccepting();
    const leaving = othersServe ? apiListener.close() : undefined;
    for (const dialect of dialects) dialect.stopping?.();
    const { timeout } = config.shutdown;
    const spreadMs = Math.min(
      timeout * DRAIN_SHARE,
      (clients.sockets() / (DRAIN_CLIENTS_PER_SECOND / config.workers)) * 1000,
    );
    log.info({ sockets: clients.sockets(), spreadMs: Math.round(spreadMs) }, "Draining");
    const deliveries = events?.close();
    const lagging = clients.unsentBytes() > 0;
    const cutAtMs = runtime.clock.monotonicMs() + timeout;
    await Promise.all([...hubs.values()].map((hub) => hub.drain(spreadMs)));
    // Those that were no connection of a hub yet when it began.
    clients.shutdown();
    if (lagging) {
      await new Promise<void>((resolve) => runtime.timers.after(LAGGING_CLIENTS_MS, resolve));
    }
    const leftMs = Math.max(0, cutAtMs - runtime.clock.monotonicMs());
    const cut = runtime.timers.after(leftMs, () => apiListener.cut());
    await (leaving ?? apiListener.close());
    cut.cancel();
    await clients.close();
    await deliveries;
    await Promise.all([...hubs.values()].map((hub) => hub.close()));
    schedule.close();
    metrics.close();
    await engine[Symbol.asyncDispose]();
    told.close();
    log.info("Stopped");
  }

  let stopped: Promise<void> | undefined;
  return {
    clientsUrl: clients.url,
    apiUrl: apiListener.url,
    hubs,
    sockets: () => clients.sockets(),
    stop: (how = {}) => (stopped ??= stop(how)),
  };
}

function addressOf({ host, port, tls }: Config["clients"] | Config["api"]) {
  const { cert, key } = tls;
  return {
    hostname: host,
    port,
    ...(cert === undefined || key === undefined
      ? {}
      : { tls: { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") } }),
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
