/** What operators and orchestrators ask of a running server: health, readiness, metrics, and a page that says what runs. */
import { Hono } from "hono";
import type { ApiRefusal } from "../auth/api-callers.ts";
import type { Engine } from "../core/engine.ts";
import type { AnswerOwnCall, ClientsEnv } from "../dialects/dialect.ts";
import {
  jsonAnswer,
  textAnswer,
  type AnswerCall,
  type ApiAnswer,
  type ApiCall,
  type RequestHead,
} from "../transports/api-call.ts";
import { PAGE_HEADERS } from "../pages/page.ts";
import { METRICS_CONTENT_TYPE } from "./metrics.ts";

export interface OperationsOptions {
  readonly engine: Engine;
  /** In Prometheus's text format. */
  readonly scrape: () => Promise<string>;
  /** False while the server drains. */
  readonly accepting: () => boolean;
  /** Undefined: the request may see metrics. */
  readonly refuse: (head: RequestHead) => ApiRefusal | undefined;
  /** The OpenAPI document of all dialects. */
  readonly openapi: () => object;
  readonly version: string;
  /** Names of what is served. */
  readonly dialects: readonly string[];
}

/** A bell, where browsers look for one by themselves. */
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#b8860b" d="M8 1a1 1 0 0 0-1 1v.6A4.5 4.5 0 0 0 3.5 7v3L2 12v1h12v-1l-1.5-2V7A4.5 4.5 0 0 0 9 2.6V2a1 1 0 0 0-1-1zM6.5 14a1.5 1.5 0 0 0 3 0z"/></svg>`;

const ICON_HEADERS = { "Content-Type": "image/svg+xml", "Cache-Control": "max-age=86400" };

/** On the `api` listener, by path. */
export function createOperations(
  options: OperationsOptions,
): Readonly<Record<string, AnswerOwnCall>> {
  const { engine, scrape, accepting, refuse, openapi, version, dialects } = options;
  const index = `Carillon ${version} on the ${engine.name} engine: ${dialects.join(", ")}
Its API is described at /openapi.json; /health and /ready say how it is, /metrics what it does. /admin is its console.
`;
  return {
    "/favicon.ico": page(() => ({ status: 200, headers: ICON_HEADERS, body: ICON })),
    "/": page(() => textAnswer(200, index)),
    "/health": readOnly(() => json({})),
    "/ready": readOnly(async () => {
      if (!accepting()) return json({ ready: false, reason: "The server is shutting down" }, 503);
      const health = await engine.health();
      return json(health, health.ready ? 200 : 503);
    }),
    "/metrics": readOnly(async (call) => {
      const refused = refuse(call);
      if (refused !== undefined) return textAnswer(refused.status, `${refused.detail}\n`);
      const headers = { "Content-Type": METRICS_CONTENT_TYPE };
      return { status: 200, headers, body: await scrape() };
    }),
    "/openapi.json": readOnly(() => json(openapi())),
  };
}

/** In place of everything until the engine has started: alive, not ready, and nothing else. */
export function createStarting(engine: Engine): AnswerCall {
  const health = readOnly(() => json({}));
  const ready = readOnly(async () => {
    const { reason = "The server is starting" } = await engine.health();
    return json({ ready: false, reason }, 503);
  });
  return (call) => {
    if (call.path === "/health") return health(call);
    return call.path === "/ready" ? ready(call) : textAnswer(503, "The server is starting\n");
  };
}

/** For GET and HEAD; what else is called there is another's. */
function page(answer: AnswerCall): AnswerOwnCall {
  return (call) => (isRead(call) ? answer(call) : undefined);
}

/** For GET and HEAD; any other method is told so. */
function readOnly(answer: AnswerCall): AnswerCall {
  const refused = textAnswer(405, "Method not allowed\n", { Allow: "GET, HEAD" });
  return (call) => (isRead(call) ? answer(call) : refused);
}

function isRead({ method }: ApiCall): boolean {
  return method === "GET" || method === "HEAD";
}

function json(value: object, status = 200): ApiAnswer {
  return jsonAnswer(status, JSON.stringify(value));
}

/** `/` on the `clients` listener, where everybody may look: outside of development mode nothing about the server. */
const FRONT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Carillon</title>
<h1>Carillon</h1>
<p>A realtime push server is here.</p>
</html>
`;

export function createFront(): Hono<ClientsEnv> {
  const app = new Hono<ClientsEnv>();
  app.get("/", (c) => c.html(FRONT, 200, PAGE_HEADERS));
  return app;
}

/** `/favicon.ico` on the `clients` listener. */
export function createIcon(): Hono<ClientsEnv> {
  const app = new Hono<ClientsEnv>();
  app.get("/favicon.ico", (c) => c.body(ICON, 200, ICON_HEADERS));
  return app;
}
