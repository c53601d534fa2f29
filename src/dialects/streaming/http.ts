/** The server API over HTTP (centrifugo-protocol.md §17): `POST <prefix>/<method>`, JSON in and out. */
import { HubError } from "../../core/errors.ts";
import { jsonView } from "../../core/json-text.ts";
import { ApiRefusal } from "../../auth/api-callers.ts";
import { runBatch, runCall, runRow, textOf, type Outcome } from "./api-calls.ts";
import { isApiMethod } from "./api-methods.ts";
import type { ApiContext } from "./api-publish.ts";
import { API_METHODS, type ApiMethod } from "./api-schema.ts";
import {
  jsonAnswer,
  textAnswer,
  type AnswerCall,
  type ApiAnswer,
  type ApiCall,
} from "../../transports/api-call.ts";
import { BODY_REFUSALS, decodeSegment, serves } from "../../transports/request.ts";
import { limitHit, type ApiCalls } from "../dialect.ts";
import { TOO_MANY_PUBLISHES } from "../publish-limit.ts";
import type { SharedWord } from "../words.ts";

/** Status of each error in the `transport` error mode. */
const TRANSPORT_STATUS: Readonly<Record<number, number>> = {
  100: 500,
  102: 404,
  103: 403,
  104: 404,
  107: 400,
  108: 400,
  112: 416,
};

const METHOD_NOT_ALLOWED = textAnswer(405, "Method not allowed\n", { Allow: "POST" });

/** The app that a call's credential belongs to, or is made to where none is asked for, and what it reaches there. */
export type Authorize = (
  call: Pick<ApiCall, "url" | "headers" | "mount">,
) => ApiContext | ApiRefusal;

/** `undefined` for a method is the former form, with the methods in the body. */
export function createApi(path: string, authorize: Authorize): ApiCalls {
  const answerAs =
    (method: string | undefined): AnswerCall =>
    (call) =>
      call.method === "POST" ? handle(call, authorize, method) : METHOD_NOT_ALLOWED;
  const names = [...Object.keys(API_METHODS), "batch"];
  return {
    exact: {
      ...Object.fromEntries(names.map((name) => [`${path}/${name}`, answerAs(name)])),
      [path]: answerAs(undefined),
    },
    find(asked) {
      const name = asked.startsWith(`${path}/`) ? asked.slice(path.length + 1) : "";
      // What is no name is a method that there is not.
      return name === "" || name.includes("/") ? undefined : answerAs(decodeSegment(name) ?? name);
    },
  };
}

function handle(
  call: ApiCall,
  authorize: Authorize,
  method: string | undefined,
): ApiAnswer | Promise<ApiAnswer> {
  const context = authorize(call);
  if (context instanceof ApiRefusal) return textAnswer(context.status, `${context.detail}\n`);
  if (!serves(call.mount, context.hub.app)) {
    return refuse(context, method, "unauthorized", 401, "The API key belongs to another app");
  }
  const known = method === undefined || method === "batch" || isApiMethod(method);
  if (!known) return refuse(context, method, "method_not_found", 404, "404 page not found");
  const answering = () => run(call, context, method);
  if (method !== undefined && !PUBLISHING.has(method)) return answering();
  const { word, status, detail, retryAfterMs } = TOO_MANY_PUBLISHES;
  const headers = { "Retry-After": `${retryAfterMs / 1000}` };
  return (
    context.publishLimit.run(answering) ?? refuse(context, method, word, status, detail, headers)
  );
}

/** The former form says its methods in the body, and so counts as well. */
const PUBLISHING: ReadonlySet<string> = new Set(["publish", "broadcast", "batch"]);

function refuse(
  { onEvent }: ApiContext,
  method: string | undefined,
  word: SharedWord,
  status: number,
  detail: string,
  headers?: ApiAnswer["headers"],
): ApiAnswer {
  onEvent("API call refused", { word, method, status, detail });
  return textAnswer(status, `${detail}\n`, headers);
}

async function run(
  call: ApiCall,
  context: ApiContext,
  method: ApiMethod | "batch" | undefined,
): Promise<ApiAnswer> {
  const body = await call.readBody(context.settings.body_size_limit);
  if (typeof body === "string") {
    const { word, status, text } = BODY_REFUSALS[body];
    if (body === "too_large") limitHit(context.metrics, "body_size_limit");
    return refuse(context, method, word, status, text);
  }
  if (body.length === 0) {
    return refuse(context, method, "bad_request", 400, "The body is empty: send a JSON object");
  }
  try {
    const text = bodyText(body);
    if (method === undefined) {
      const row = await runRow(context, text);
      return row === undefined
        ? refuse(
            context,
            method,
            "bad_request",
            400,
            "The body must be objects with a known method, one behind the other",
          )
        : answer(row);
    }
    return method === "batch"
      ? answerBatch(call, await runBatch(context, jsonView(text)))
      : answerOne(call, await runCall(context, { method, params: jsonView(text) }));
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    return refuse(context, method, "bad_request", 400, "The body is not JSON");
  }
}

function answerOne({ headers }: ApiCall, outcome: Outcome): ApiAnswer {
  if (!("error" in outcome) || headers.get("x-centrifugo-error-mode") !== "transport") {
    return answer(textOf(outcome));
  }
  return answer(JSON.stringify(outcome.error), TRANSPORT_STATUS[outcome.error.code] ?? 500);
}

/** The replies stand bare, unlike other results. */
function answerBatch(call: ApiCall, outcome: Outcome): ApiAnswer {
  return "error" in outcome ? answerOne(call, outcome) : answer(outcome.result);
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

function answer(json: string, status = 200): ApiAnswer {
  return jsonAnswer(status, json);
}
