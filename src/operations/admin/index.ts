/**
 * The admin API, `/admin/api/*` on `api`: what operators look at and do, in all dialects. It reads and acts by the hub's questions to
 * all nodes, and by operations that dialects add (`Served.admin`); it knows no dialect by name.
 */
import type { AdminOperation } from "../../dialects/admin-operation.ts";
import type { AnswerOwnCall, ApiCalls, OpenApiPart } from "../../dialects/dialect.ts";
import type { LentToAll, ServedDialect } from "../../dialects/lend.ts";
import type { Page } from "../../pages/page.ts";
import type { Refusals } from "../refusals.ts";
import { channelOperations } from "./channels.ts";
import { connectionOperations } from "./connections.ts";
import { createConsole } from "./console.ts";
import type { AdminContext } from "./context.ts";
import { answerCalls, type AdminHttpOptions } from "./http.ts";
import { nodeOperations } from "./nodes.ts";
import { adminOpenApi } from "./openapi.ts";
import { pushOperations } from "./push.ts";
import { refusalOperations } from "./refused.ts";

const PATH = "/admin/api";

export interface AdminOptions {
  readonly lent: LentToAll;
  readonly served: readonly ServedDialect[];
  readonly refusals: Refusals;
  /** The console's. */
  readonly page: Page;
  readonly onEvent: AdminHttpOptions["onEvent"];
  readonly onError: AdminHttpOptions["onError"];
}

export interface Admin {
  /** The API's, and then the console's. */
  readonly calls: readonly ApiCalls[];
  /** Of one tag: the API's own, and those of dialects, each with examples of its own. */
  readonly openapi: () => readonly OpenApiPart[];
}

/** Throws when two operations are at one path by one method. */
export function createAdmin(options: AdminOptions): Admin {
  const { lent, served, onEvent, onError } = options;
  const parts = served.flatMap(({ admin }) => admin ?? []);
  const context = contextOf(
    options,
    parts.flatMap(({ hearsIn }) => hearsIn ?? []),
  );
  const own = [
    ...nodeOperations(context),
    ...channelOperations(context),
    ...connectionOperations(context),
    ...pushOperations(context),
    ...refusalOperations(context),
  ];
  const all = [...own, ...parts.flatMap(({ operations }) => operations)];
  const { callers, onLoopback, metrics } = lent;
  const http: AdminHttpOptions = {
    ...{ callers, onLoopback, metrics, onEvent, onError },
    publishLimits: new Map(lent.apps.map(({ config: { id }, publishLimit }) => [id, publishLimit])),
    apps: [...context.apps.keys()],
  };
  const exact: Record<string, AnswerOwnCall> = {};
  for (const [path, there] of Map.groupBy(all, (operation) => operation.path)) {
    exact[`${PATH}/${path}`] = answerCalls(path, byMethod(path, there), http);
  }
  const unknown = answerCalls("unknown", new Map(), http);
  return {
    calls: [
      { exact, find: (path) => (path.startsWith(`${PATH}/`) ? unknown : undefined) },
      createConsole({ page: options.page, callers, onError }),
    ],
    openapi: () =>
      [{ operations: own }, ...parts].map((part) =>
        adminOpenApi({ ...part, path: PATH, open: onLoopback }),
      ),
  };
}

function contextOf(
  { lent, served, refusals }: AdminOptions,
  hearsIn: readonly string[],
): AdminContext {
  const { config, version, engineName, runtime, metrics } = lent;
  const apps = lent.apps.map(({ config: { id }, hub, engine }) => ({ id, hub, engine }));
  return {
    ...{ version, engineName, runtime, metrics, refusals, hearsIn },
    apps: new Map(apps.map((app) => [app.id, app])),
    dialects: served.map(({ name }) => name).toSorted(),
    development: config.development,
  };
}

function byMethod(
  path: string,
  operations: readonly AdminOperation[],
): ReadonlyMap<string, AdminOperation> {
  const methods = new Map(operations.map((operation) => [operation.method, operation]));
  if (methods.size < operations.length) throw new Error(`Two admin operations are at "${path}"`);
  return methods;
}
