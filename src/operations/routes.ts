/** What operators and orchestrators ask of a running server: health, readiness, metrics, and a page that says what runs. */
import { Hono } from "hono";
import { html } from "hono/html";
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
  readonly openapi: object;
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
Its API is described at /openapi.json; /health and /ready say how it is, /metrics what it does.
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
    "/openapi.json": readOnly(() => json(openapi)),
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

export interface IndexPage {
  readonly version: string;
  readonly engine: string;
  readonly development: boolean;
  readonly sockets: readonly {
    readonly app: string;
    readonly dialect: string;
    readonly path: string;
  }[];
  /** Commands for a terminal, shown in development mode. */
  readonly tryIt: readonly string[];
}

/** `/` on the `clients` listener. */
export function createIndex(page: IndexPage): Hono<ClientsEnv> {
  const app = new Hono<ClientsEnv>();
  app.get("/favicon.ico", (c) => c.body(ICON, 200, ICON_HEADERS));
  app.get("/", (c) => {
    const origin = new URL(c.req.url).origin.replace(/^http/, "ws");
    const rows = page.sockets.map(
      ({ app: id, dialect, path }) =>
        html`<tr>
          <td>${id}</td>
          <td>${dialect}</td>
          <td><code>${origin}${path}</code></td>
        </tr>`,
    );
    // Where the API listens is nobody's business outside of development.
    const tryIt = page.development
      ? html`<h2>Try it</h2>
          ${page.tryIt.map((command) => html`<pre>${command}</pre>`)}`
      : "";
    return c.html(
      html`<!doctype html>
        <html lang="en">
          <head>
            <meta charset="utf-8" />
            <meta name="viewport" content="width=device-width" />
            <title>Carillon</title>
            <style>
              body {
                font:
                  16px/1.5 system-ui,
                  sans-serif;
                max-width: 44rem;
                margin: 3rem auto;
                padding: 0 1rem;
              }
              table {
                border-collapse: collapse;
                width: 100%;
              }
              td,
              th {
                text-align: left;
                padding: 0.3rem 1rem 0.3rem 0;
                border-bottom: 1px solid #ddd;
              }
              pre {
                background: #f4f4f4;
                padding: 0.8rem;
                overflow-x: auto;
              }
            </style>
          </head>
          <body>
            <h1>Carillon</h1>
            <p>
              Version ${page.version} runs here on the ${page.engine}
              engine${page.development ? ", in development mode" : ""}.
            </p>
            <table>
              <tr>
                <th>App</th>
                <th>Dialect</th>
                <th>Clients connect to</th>
              </tr>
              ${rows}
            </table>
            ${tryIt}
          </body>
        </html>`,
    );
  });
  return app;
}
