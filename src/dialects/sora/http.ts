/**
 * The HTTP API's frame (§1.1 to §1.3): the target in a header, the checks in their order, and each error in its own form. What the
 * operations do is in operations.ts.
 */
import { ApiRefusal } from "../../auth/api-callers.ts";
import { HubError } from "../../core/errors.ts";
import { jsonView, type JsonView } from "../../core/json-text.ts";
import type { Reach } from "../../core/types.ts";
import type { AnswerCall, ApiAnswer, ApiCall } from "../../transports/api-call.ts";
import type { BodyRefusal } from "../../transports/request.ts";
import { limitHit, type OnEvent } from "../dialect.ts";
import type { Word } from "../every-word.ts";
import { TOO_MANY_PUBLISHES } from "../publish-limit.ts";
import type { SoraContext } from "./context.ts";
import { ERROR_TYPES, errorText, type ErrorType } from "./errors.ts";
import { OPERATIONS, OperationError, type Operation } from "./operations.ts";

/** Whom a call acts for. */
export interface SoraCaller {
  readonly app: string;
  readonly reach: Reach;
}

export interface SoraHttpOptions {
  /** By app id. */
  readonly contexts: ReadonlyMap<string, SoraContext>;
  readonly authorize: (call: ApiCall) => SoraCaller | ApiRefusal;
  readonly corsOrigin?: string;
  readonly bodyBytesMax: number;
  readonly onError: SoraContext["onError"];
  readonly onEvent: OnEvent;
}

/** The calls of a listener of its own, where every path is its own to answer. */
export function createOwnCalls(options: SoraHttpOptions): AnswerCall {
  return (call) => (call.path === "/" ? respond(call, options) : answer(options, 404));
}

/** §1.3, row 4. The dot stands for any character, as there. */
const TARGET = /^([a-zA-Z]+)_(\d{8}).([a-zA-Z]+)$/;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A call of the path `/`. */
export async function respond(call: ApiCall, options: SoraHttpOptions): Promise<ApiAnswer> {
  const { corsOrigin, onEvent } = options;
  if (call.method === "OPTIONS" && corsOrigin !== undefined) return answer(options, 200);
  const refuse = (type: ErrorType, text = errorText(type), more?: { word: Word }): ApiAnswer => {
    const { status, word } = ERROR_TYPES[type];
    onEvent("API call refused", { word, status, code: type, detail: shortened(text), ...more });
    return answer(options, status, text);
  };
  if (call.method !== "POST") return refuse("UnexpectedMethod");
  const caller = options.authorize(call);
  if (caller instanceof ApiRefusal) {
    const { word, status, detail } = caller;
    const type = status === 401 ? "Unauthorized" : "Forbidden";
    onEvent("API call refused", { word, status, code: type, detail });
    return answer(options, status, errorText(type, JSON.stringify({ detail })));
  }
  const header = call.headers.get("x-sora-target");
  if (header === null) return refuse("MissingHeaderName");
  const [, service, version = "", name = ""] = TARGET.exec(header) ?? [];
  if (service === undefined) return refuse("MissingService");
  if (service !== "Sora") return refuse("InvalidTarget");
  const context = options.contexts.get(caller.app);
  if (context === undefined) return answer(options, 404);
  const asked = { call, options, caller, context, version, name, refuse };
  if (!name.startsWith("Push")) return answerOperation(asked);
  const limited = context.publishLimit.run(() => answerOperation(asked));
  if (limited !== undefined) return limited;
  const { detail } = TOO_MANY_PUBLISHES;
  return refuse("TooManyRequests", errorText("TooManyRequests", JSON.stringify({ detail })));
}

interface Asked {
  readonly call: ApiCall;
  readonly options: SoraHttpOptions;
  readonly caller: SoraCaller;
  readonly context: SoraContext;
  readonly version: string;
  readonly name: string;
  readonly refuse: (type: ErrorType, text?: string, more?: { word: Word }) => ApiAnswer;
}

async function answerOperation(asked: Asked): Promise<ApiAnswer> {
  const { call, options, caller, context, version, name, refuse } = asked;
  const body = await call.readBody(options.bodyBytesMax);
  if (typeof body === "string") {
    if (body === "too_large") limitHit(context.metrics, "body_size_limit");
    return refuse(BODY_ERRORS[body]);
  }
  const target = `{"service":"Sora","version":"${version}","operation":"${name}"}`;
  const operation = OPERATIONS[`${version}.${name}`];
  const method = operation === undefined ? "unknown" : name;
  const count = (code: number, word: Word | "" = ""): void =>
    context.metrics.count("api_requests", { dialect: "sora", method, code: `${code}`, word });
  const fail = (type: ErrorType, text = errorText(type), word: Word = ERROR_TYPES[type].word) => {
    count(ERROR_TYPES[type].status, word);
    return refuse(type, text, { word });
  };
  try {
    const text = await run({ operation, target, body, context, reach: caller.reach });
    count(200);
    return answer(options, 200, text);
  } catch (error) {
    if (error instanceof OperationError) return fail(error.type, error.text);
    const unavailable = error instanceof HubError && error.code === "unavailable";
    if (!unavailable) options.onError(error, { connection: "", doing: `the call ${name}` });
    return fail("HandlerException", undefined, unavailable ? "unavailable" : undefined);
  }
}

interface OperationCall {
  readonly operation: Operation | undefined;
  /** As JSON. */
  readonly target: string;
  readonly body: Uint8Array;
  readonly context: SoraContext;
  readonly reach: Reach;
}

/** §1.3, rows 8 to 14. */
async function run({ operation, target, body, context, reach }: OperationCall): Promise<string> {
  if (body.length === 0) {
    if (operation === undefined) throw new OperationError("MissingTarget");
    if (operation.keys.length > 0) {
      throw new OperationError("MissingTargetFunction", target);
    }
    return operation.run({ context, reach, texts: {}, data: undefined });
  }
  const view = viewOf(body);
  if (operation === undefined) throw new OperationError("SchemaNotFound", target);
  return operation.run({ context, reach, ...operation.read(view) });
}

function viewOf(body: Uint8Array): JsonView {
  try {
    return jsonView(strictUtf8.decode(body));
  } catch (error) {
    if (!(error instanceof HubError || error instanceof TypeError)) throw error;
    throw new OperationError("InvalidJSON", '[{"invalid":"parse"}]');
  }
}

/** Row 7 also answers a body that was cut short, if its sender still reads. */
const BODY_ERRORS = {
  too_large: "PayloadTooLarge",
  compressed: "UnsupportedMediaType",
  busy: "ServiceUnavailable",
  cut: "RequestTimeout",
} as const satisfies Record<BodyRefusal, ErrorType>;

/** §1.1, §1.2: the type without a charset, and the CORS headers on every answer. */
function answer({ corsOrigin }: SoraHttpOptions, status: number, text?: string): ApiAnswer {
  const headers: Record<string, string> = {};
  if (text !== undefined) headers["content-type"] = "application/json";
  if (corsOrigin !== undefined) {
    headers["access-control-allow-origin"] = corsOrigin;
    headers["access-control-allow-methods"] = "POST, OPTIONS";
    headers["access-control-allow-headers"] =
      "Origin, X-Requested-With, Content-Type, Accept, x-sora-target";
    headers["access-control-max-age"] = "1000";
  }
  return { status, headers, body: text ?? "" };
}

/** The log repeats no payload: a wrong value stands behind the kind of error. */
function shortened(text: string): string {
  return /"(?:error_)?type":"(\w+|[A-Z-]+)"/.exec(text)?.[1] ?? "refused";
}
