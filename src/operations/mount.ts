/** The two listeners' HTTP routes: the operations' own and those of what is served. */
import { Hono } from "hono";
import { ApiRefusal } from "../auth/api-callers.ts";
import type { Engine } from "../core/engine.ts";
import type {
  AnswerOwnCall,
  ApiCalls,
  ApiEnv,
  ClientsEnv,
  OpenApiPart,
} from "../dialects/dialect.ts";
import type { LentToAll, ServedDialect } from "../dialects/lend.ts";
import { openApiDocument } from "../dialects/openapi.ts";
import { createAdmin } from "./admin/index.ts";
import {
  answerOf,
  BAD_TARGET,
  type AnswerCall,
  type ApiAnswer,
  type ApiCall,
} from "../transports/api-call.ts";
import type { Page } from "../pages/page.ts";
import { createIcon, createOperations } from "./routes.ts";
import type { Told } from "./told.ts";

export interface MountOptions {
  readonly lent: LentToAll;
  readonly served: readonly ServedDialect[];
  readonly engine: Engine;
  readonly told: Told;
  readonly onBug: (error: unknown, doing: string) => void;
}

export interface MountApiOptions extends MountOptions {
  readonly scrape: () => Promise<string>;
  /** False while the server drains. */
  readonly accepting: () => boolean;
  /** The console's. */
  readonly console: Page;
}

/** By a path's own calls first, then by those that look at it, then by the dialects' routers. */
export function mountApi(options: MountApiOptions): AnswerCall {
  const { lent, served, told, onBug } = options;
  const admin = createAdmin({
    ...{ lent, served, refusals: told.refusals, onEvent: told.onEvent("admin") },
    page: options.console,
    onError: (error, doing) => told.failed(error, { doing }, "An admin call failed"),
  });
  const all: readonly ApiCalls[] = [
    { exact: operationsOf(options, admin.openapi) },
    ...admin.calls,
    ...served.flatMap(({ calls }) => calls ?? []),
  ];
  const exact = new Map<string, AnswerOwnCall>();
  for (const { exact: own } of all) {
    for (const [path, answer] of Object.entries(own)) {
      const before = exact.get(path);
      exact.set(path, before === undefined ? answer : inTurn(before, answer));
    }
  }
  const finds = all.flatMap(({ find }) => find ?? []);
  const router = routerOf(served, onBug);

  function answerOthers(call: ApiCall): ApiAnswer | Promise<ApiAnswer> {
    for (const find of finds) {
      const answered = find(call.path)?.(call);
      if (answered instanceof Promise) return answered.then((value) => value ?? router(call));
      if (answered !== undefined) return answered;
    }
    return router(call);
  }

  return (call) => {
    const { path } = call;
    const own = exact.get(path) ?? (path.includes("%") ? exact.get(decoded(path)) : undefined);
    const answered = own?.(call);
    if (answered === undefined) return answerOthers(call);
    if (!(answered instanceof Promise)) return answered;
    return answered.then((value) => value ?? answerOthers(call));
  };
}

/** A path that is not text is not known either. */
function decoded(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/** The second where a call is not the first one's. */
function inTurn(first: AnswerOwnCall, second: AnswerOwnCall): AnswerOwnCall {
  return (call) => {
    const answered = first(call);
    if (!(answered instanceof Promise)) return answered ?? second(call);
    return answered.then((value) => value ?? second(call));
  };
}

function operationsOf(
  options: MountApiOptions,
  admin: () => readonly OpenApiPart[],
): ReturnType<typeof createOperations> {
  const { lent, served, engine, told, scrape, accepting } = options;
  const { version, callers, onLoopback } = lent;
  let document: object | undefined;
  return createOperations({
    ...{ engine, version, scrape, accepting },
    openapi: () => (document ??= openApiDocument([...partsOf(served), ...admin()], version)),
    dialects: served.map(({ name }) => name).toSorted(),
    refuse(head) {
      const key = onLoopback ? callers.admitOpen(head) : callers.admit(head, {});
      if (!(key instanceof ApiRefusal)) return undefined;
      const { word, status, detail } = key;
      told.onEvent()("API call refused", { word, status, detail, path: "/metrics" });
      return key;
    },
  });
}

function partsOf(served: readonly ServedDialect[]): readonly OpenApiPart[] {
  return served.flatMap(({ openapi }) => openapi?.() ?? []);
}

/** For what is not called often: each such call costs a `Request` and a `Response`. */
function routerOf(
  served: readonly ServedDialect[],
  onBug: MountOptions["onBug"],
): (call: ApiCall) => ApiAnswer | Promise<ApiAnswer> {
  const app = new Hono<ApiEnv>();
  app.onError((error, c) => {
    onBug(error, "an API call");
    return c.text("internal error\n", 500);
  });
  for (const { api } of served) if (api !== undefined) app.route("/", api);
  return async (call) => {
    let request: Request;
    try {
      request = call.toRequest();
    } catch (error) {
      if (error instanceof TypeError) return BAD_TARGET;
      throw error;
    }
    const env: ApiEnv["Bindings"] = {
      mount: call.mount,
      readBody: (bytesMax) => call.readBody(bytesMax),
      onLeave: (callback) => call.onLeave(callback),
    };
    return answerOf(await app.fetch(request, env));
  };
}

/** `front`: what is on `/`. */
export function mountClients(
  { served, onBug }: Pick<MountOptions, "served" | "onBug">,
  front: Hono<ClientsEnv>,
): Hono<ClientsEnv> {
  const app = createIcon();
  app.onError((error, c) => {
    onBug(error, "a client's request");
    return c.text("internal error\n", 500);
  });
  app.route("/", front);
  for (const { clients } of served) if (clients !== undefined) app.route("/", clients);
  return app;
}
