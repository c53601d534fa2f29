/** The server API over HTTP (centrifugo-protocol.md §17): `POST <prefix>/<method>`, JSON in and out. */
import { Hono, type Context } from "hono";
import { HubError } from "../../core/errors.ts";
import { jsonView, type JsonView } from "../../core/json-text.ts";
import { ApiRefusal } from "../../auth/api-callers.ts";
import { apiErrorOf, isApiMethod, runApiMethod, type ApiContext } from "./api-methods.ts";
import { RAW_MEMBERS } from "./api-schema.ts";
import type { ApiEnv } from "../dialect.ts";

/** Commands of one batch: bounds what one request sets off. */
export const BATCH_COMMANDS_MAX = 10_000;

/** Status of each error in the `transport` error mode. */
const TRANSPORT_STATUS: Readonly<Record<number, 400 | 403 | 404 | 409 | 416 | 500>> = {
  100: 500,
  102: 404,
  103: 403,
  104: 404,
  107: 400,
  108: 400,
  112: 416,
  113: 409,
};

/** The app that a request's credential belongs to, and what it reaches there. */
export type Authorize = (request: Request) => ApiContext | ApiRefusal;

export function createApi(authorize: Authorize): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>();
  api.post("/:method", (c) => handle(c, authorize, c.req.param("method")));
  // The former single-endpoint form: {"method":"publish","params":{…}}.
  api.post("/", (c) => handle(c, authorize, undefined));
  api.all("/:method", (c) => c.text("Method not allowed\n", 405));
  api.all("/", (c) => c.text("Method not allowed\n", 405));
  return api;
}

async function handle(c: Context<ApiEnv>, authorize: Authorize, method: string | undefined) {
  const context = authorize(c.req.raw);
  if (context instanceof ApiRefusal) return c.text(`${context.detail}\n`, context.status);
  const known = method === undefined || method === "batch" || isApiMethod(method);
  if (!known) return c.text("404 page not found\n", 404);
  if (c.env.body === undefined) return c.text("The body is too large\n", 413);
  let body: JsonView;
  try {
    const text = bodyText(c.env.body);
    body = jsonView(text === "" ? "{}" : text);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    return c.text("The body is not JSON\n", 400);
  }
  const { metrics } = context;
  try {
    const result = await run(context, method, body);
    metrics.count("api_requests", { dialect: "streaming", method: method ?? "legacy", code: "0" });
    return answer(c, `{"result":${result}}`, 200);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const wire = apiErrorOf(error);
    metrics.count("api_requests", {
      dialect: "streaming",
      method: method ?? "legacy",
      code: `${wire.code}`,
    });
    context.onEvent("API call refused", {
      ...{ method: method ?? "legacy", code: wire.code, detail: error.message },
    });
    if (error.code === "unavailable") {
      context.onError(error, { connection: "", doing: method ?? "an API call" });
    }
    if (c.req.header("x-centrifugo-error-mode") === "transport") {
      return answer(c, JSON.stringify(wire), TRANSPORT_STATUS[wire.code] ?? 500);
    }
    return answer(c, `{"error":${JSON.stringify(wire)}}`, 200);
  }
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

function answer(c: Context<ApiEnv>, json: string, status: 200 | 400 | 403 | 404 | 409 | 416 | 500) {
  return c.body(json, status, { "Content-Type": "application/json" });
}

async function run(
  context: ApiContext,
  method: string | undefined,
  body: JsonView,
): Promise<string> {
  if (method === "batch") return runBatch(context, body);
  if (method !== undefined) return runOne(context, method, body);
  const named = body.member("method")?.value;
  return runOne(context, typeof named === "string" ? named : "", body.member("params"));
}

function runOne(context: ApiContext, method: string, view: JsonView | undefined): Promise<string> {
  if (!isApiMethod(method)) {
    return Promise.reject(new HubError("method_not_found", "No such method"));
  }
  if (view !== undefined && view.kind !== "object") {
    return Promise.reject(new HubError("bad_request", "The request is no object"));
  }
  return runApiMethod(context, method, membersOf(view));
}

/** Commands run at the same time; the replies come in their order. */
async function runBatch(context: ApiContext, body: JsonView): Promise<string> {
  const commands = body.member("commands")?.items(BATCH_COMMANDS_MAX) ?? [];
  if (commands.length > BATCH_COMMANDS_MAX) {
    throw new HubError("bad_request", "More commands than one batch may have");
  }
  const replies = commands.map(async (command) => {
    const [name = "", params] = [...command.members()][0] ?? [];
    try {
      return `{${JSON.stringify(name)}:${await runOne(context, name, params)}}`;
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      return `{"error":${JSON.stringify(apiErrorOf(error))}}`;
    }
  });
  return `{"replies":[${(await Promise.all(replies)).join(",")}]}`;
}

/** The members of a request: payloads as the text they came in, the rest parsed. `null` is absent. */
function membersOf(view: JsonView | undefined): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  for (const [name, member] of view?.members() ?? []) {
    if (RAW_MEMBERS.has(name)) members[name] = { json: member.raw };
    else if (member.kind !== "null") members[name] = member.value;
  }
  return members;
}
