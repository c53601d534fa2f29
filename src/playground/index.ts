/**
 * The playground: what development mode has on `/` of the `clients` listener. Each protocol's own client runs there in a pane, and what
 * the page cannot do by the protocols alone it asks for here: tokens, calls of the API, a restart. Only that page itself may ask.
 */
import { Hono, type Context } from "hono";
import { z } from "zod";
import { isOwnPage } from "../auth/api-callers.ts";
import type { BaseConfig } from "../config/schema.ts";
import type { Runtime } from "../core/runtime.ts";
import type { ClientsEnv, Dialect } from "../dialects/dialect.ts";
import { createPage } from "../pages/page.ts";
import { responseOf, type AnswerCall } from "../transports/api-call.ts";
import type { FindMount } from "../transports/mounts.ts";
import { BODY_REFUSALS } from "../transports/request.ts";
import { createCallApi } from "./call-api.ts";
import { createMint } from "./tokens.ts";

/** Bytes of a request to the playground: a push with its payload. */
export const REQUEST_BYTES_MAX = 65_536;
/** What the answer to a restart has to leave. */
const RESTART_AFTER_MS = 100;

export interface PlaygroundOptions {
  readonly config: BaseConfig;
  readonly dialects: readonly Dialect[];
  readonly runtime: Pick<Runtime, "clock" | "timers">;
  readonly version: string;
  /** Where clients of what is served connect, with their app's prefix. */
  readonly sockets: readonly {
    readonly app: string;
    readonly dialect: string;
    readonly path: string;
  }[];
  /** Commands for a terminal. */
  readonly tryIt: readonly string[];
  readonly apiUrl: string;
  readonly answerCalls: AnswerCall;
  readonly findApiMount: FindMount;
  /** Absent: the server cannot. */
  readonly restart?: (() => void) | undefined;
  readonly onBug: (error: unknown, doing: string) => void;
}

const asking = {
  call: z.object({
    method: z.enum(["GET", "POST"]).optional(),
    path: z.string().startsWith("/"),
    headers: z.record(z.string(), z.string()),
    body: z.string(),
  }),
  token: z.object({
    kind: z.string(),
    options: z.record(z.string(), z.union([z.string(), z.array(z.string()), z.literal(true)])),
  }),
};

/** Only for development mode: it hands out tokens for everybody. */
export function createPlayground(options: PlaygroundOptions): Hono<ClientsEnv> {
  const { config, runtime, restart, onBug } = options;
  const page = createPage(async () => {
    const { bundlePage } = await import("../pages/bundle.ts");
    return bundlePage("playground");
  });
  const startedAt = runtime.clock.epochMs();
  const callApi = createCallApi(options.answerCalls, options.findApiMount);
  const mint = createMint({ ...options, clock: runtime.clock, callApi });
  const app = new Hono<ClientsEnv>();

  async function answerFile(c: Context<ClientsEnv>, file: string): Promise<Response> {
    try {
      const answer = await page.answer(c.req.raw, file);
      return answer === undefined ? c.notFound() : responseOf(answer);
    } catch (error) {
      onBug(error, "making the playground");
      return c.text("This page needs all packages of the checkout: run npm ci\n", 503);
    }
  }

  app.get("/", async (c) => {
    if (c.env.mount.app !== undefined) return answerFile(c, "");
    return c.text("Nothing is served here: see hosts and path_prefix of the apps\n", 404);
  });
  app.get("/playground/settings", (c) => {
    const id = c.env.mount.app;
    const { version, tryIt, apiUrl } = options;
    const sockets = options.sockets.filter((socket) => socket.app === id);
    const prefix = config.apps.find((known) => known.id === id)?.path_prefix ?? "";
    c.header("Cache-Control", "no-store");
    return c.json({
      ...{ version, app: id, sockets, tryIt, apiUrl: apiUrl + prefix },
      ...{ startedAt, canRestart: restart !== undefined },
    });
  });
  app.get("/playground/:file", (c) => answerFile(c, c.req.param("file")));

  app.post("/playground/*", async (c, next) => {
    if (!isOwnPage(c.req.raw)) return c.text("Only the playground's own page may ask\n", 403);
    return next();
  });
  app.post("/playground/call", async (c) => {
    const asked = await bodyOf(c, asking.call);
    if (asked instanceof Response) return asked;
    const answer = await callApi(c.req.header("host") ?? "", asked);
    return answer === undefined ? c.text("No such call can be made\n", 400) : c.json(answer);
  });
  app.post("/playground/token", async (c) => {
    const asked = await bodyOf(c, asking.token);
    if (asked instanceof Response) return asked;
    try {
      return c.json({ token: await mint(c.env.mount.app, asked) });
    } catch (error) {
      return c.text(`${error instanceof Error ? error.message : String(error)}\n`, 400);
    }
  });
  app.post("/playground/restart", (c) => {
    if (restart === undefined) return c.text("This server cannot restart itself\n", 409);
    runtime.timers.after(RESTART_AFTER_MS, restart);
    return c.json({}, 202);
  });
  return app;
}

/** A Response: why there is none. */
async function bodyOf<Schema extends z.ZodType>(
  c: Context<ClientsEnv>,
  schema: Schema,
): Promise<z.output<Schema> | Response> {
  const body = await c.env.readBody(REQUEST_BYTES_MAX);
  if (typeof body === "string") {
    const { status, text } = BODY_REFUSALS[body];
    return c.text(`${text}\n`, status);
  }
  try {
    const parsed = schema.safeParse(JSON.parse(new TextDecoder().decode(body)));
    if (parsed.success) return parsed.data;
    return c.text(`${z.prettifyError(parsed.error)}\n`, 400);
  } catch {
    return c.text("The body is not JSON\n", 400);
  }
}
