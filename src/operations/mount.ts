/** The two listeners' HTTP routes: the operations' own and those of what is served. */
import { Hono } from "hono";
import { ApiRefusal } from "../auth/api-callers.ts";
import type { Engine } from "../core/engine.ts";
import type { ApiEnv, ClientsEnv } from "../dialects/dialect.ts";
import type { LentToAll, ServedDialect } from "../dialects/lend.ts";
import { openApiDocument } from "../dialects/openapi.ts";
import type { Logger } from "./log.ts";
import { createIndex, createOperations } from "./routes.ts";

export interface MountOptions {
  readonly lent: LentToAll;
  readonly served: readonly ServedDialect[];
  readonly engine: Engine;
  readonly log: Logger;
  readonly onBug: (error: unknown, doing: string) => void;
}

export interface MountApiOptions extends MountOptions {
  readonly scrape: () => Promise<string>;
  /** False while the server drains. */
  readonly accepting: () => boolean;
}

export function mountApi(options: MountApiOptions): Hono<ApiEnv> {
  const { lent, served, engine, log, onBug, scrape, accepting } = options;
  const { version, callers, onLoopback } = lent;
  const app = new Hono<ApiEnv>();
  app.onError((error, c) => {
    onBug(error, "an API call");
    return c.text("internal error\n", 500);
  });
  const operations = createOperations({
    ...{ engine, version, scrape, accepting },
    openapi: openApiDocument(
      served.flatMap(({ openapi }) => openapi ?? []),
      version,
    ),
    dialects: served.map(({ name }) => name).toSorted(),
    refuse(request) {
      const key = onLoopback ? callers.admitOpen(request) : callers.admit(request, {});
      if (!(key instanceof ApiRefusal)) return undefined;
      log.debug({ status: key.status, detail: key.detail, path: "/metrics" }, "API call refused");
      return key;
    },
  });
  app.route("/", operations);
  for (const { api } of served) if (api !== undefined) app.route("/", api);
  return app;
}

/** `apiUrl`: where the other listener is, shown in development mode alone. */
export function mountClients(options: MountOptions, apiUrl: string): Hono<ClientsEnv> {
  const { lent, served, engine, onBug } = options;
  const { config, version } = lent;
  const app = createIndex({
    ...{ version, engine: engine.name, development: config.development },
    sockets: config.apps.flatMap(({ id, path_prefix: prefix = "" }) =>
      served.flatMap(({ name: dialect, socketPath }) =>
        socketPath === undefined ? [] : [{ app: id, dialect, path: prefix + socketPath(id) }],
      ),
    ),
    tryIt: served.flatMap(({ tryIt }) => tryIt?.(apiUrl) ?? []),
  });
  app.onError((error, c) => {
    onBug(error, "a client's request");
    return c.text("internal error\n", 500);
  });
  for (const { clients } of served) if (clients !== undefined) app.route("/", clients);
  return app;
}
