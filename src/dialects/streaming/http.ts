/** The server API over HTTP (centrifugo-protocol.md §17): `POST <prefix>/<method>`, JSON in and out. */
import { Hono, type Context } from "hono";
import { HubError } from "../../core/errors.ts";
import { jsonView } from "../../core/json-text.ts";
import { ApiRefusal } from "../../auth/api-callers.ts";
import { runBatch, runCall, runRow, textOf, type Outcome } from "./api-calls.ts";
import { isApiMethod, type ApiContext } from "./api-methods.ts";
import { BODY_REFUSALS, serves } from "../../transports/request.ts";
import { limitHit, type ApiEnv } from "../dialect.ts";

/** Status of each error in the `transport` error mode. */
const TRANSPORT_STATUS: Readonly<Record<number, 400 | 403 | 404 | 416 | 500>> = {
  100: 500,
  102: 404,
  103: 403,
  104: 404,
  107: 400,
  108: 400,
  112: 416,
};

/** The app that a request's credential belongs to, and what it reaches there. */
export type Authorize = (request: Request) => ApiContext | ApiRefusal;

export function createApi(authorize: Authorize): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>();
  api.post("/:method", (c) => handle(c, authorize, c.req.param("method")));
  // The former form, with the methods in the body.
  api.post("/", (c) => handle(c, authorize, undefined));
  for (const path of ["/:method", "/"]) {
    api.all(path, (c) => c.text("Method not allowed\n", 405, { Allow: "POST" }));
  }
  return api;
}

async function handle(c: Context<ApiEnv>, authorize: Authorize, method: string | undefined) {
  const context = authorize(c.req.raw);
  if (context instanceof ApiRefusal) return c.text(`${context.detail}\n`, context.status);
  const refuse = (status: 400 | 401 | 404 | 413 | 415 | 503, detail: string) => {
    context.onEvent("API call refused", { method, status, detail });
    return c.text(`${detail}\n`, status);
  };
  if (!serves(c.env.mount, context.hub.app))
    return refuse(401, "The API key belongs to another app");
  const known = method === undefined || method === "batch" || isApiMethod(method);
  if (!known) return refuse(404, "404 page not found");
  const body = await c.env.readBody(context.settings.bodyBytesMax);
  if (typeof body === "string") {
    const { status, text } = BODY_REFUSALS[body];
    if (body === "too_large") limitHit(context.metrics, "body_size_limit");
    return refuse(status, text);
  }
  if (body.length === 0) return refuse(400, "The body is empty: send a JSON object");
  try {
    const text = bodyText(body);
    if (method === undefined) {
      const row = await runRow(context, text);
      return row === undefined
        ? refuse(400, "The body must be objects with a known method, one behind the other")
        : answer(c, row, 200);
    }
    return method === "batch"
      ? answerBatch(c, await runBatch(context, jsonView(text)))
      : answerOne(c, await runCall(context, { method, params: jsonView(text) }));
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    return refuse(400, "The body is not JSON");
  }
}

function answerOne(c: Context<ApiEnv>, outcome: Outcome) {
  const transport = c.req.header("x-centrifugo-error-mode") === "transport";
  if (!transport || !("error" in outcome)) return answer(c, textOf(outcome), 200);
  return answer(c, JSON.stringify(outcome.error), TRANSPORT_STATUS[outcome.error.code] ?? 500);
}

/** The replies stand bare, unlike other results. */
function answerBatch(c: Context<ApiEnv>, outcome: Outcome) {
  return "error" in outcome ? answerOne(c, outcome) : answer(c, outcome.result, 200);
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** Anything but UTF-8 is refused: read leniently, a payload would reach its subscribers with other characters in it. */
function bodyText(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch (error) {
    throw new HubError("bad_request", "The body is not UTF-8", { cause: error });
  }
}

function answer(c: Context<ApiEnv>, json: string, status: 200 | 400 | 403 | 404 | 416 | 500) {
  return c.body(json, status, { "Content-Type": "application/json" });
}
