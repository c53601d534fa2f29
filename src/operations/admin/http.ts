/** One call of the admin API: who calls and for which app, what is asked, and how it is answered. */
import type { z } from "zod";
import { ApiRefusal, type ApiCallers } from "../../auth/api-callers.ts";
import { HubError } from "../../core/errors.ts";
import { jsonView, parseJson } from "../../core/json-text.ts";
import {
  AdminError,
  JsonText,
  type AdminCall,
  type AdminOperation,
} from "../../dialects/admin-operation.ts";
import type { AnswerOwnCall, DialectMetrics, OnEvent } from "../../dialects/dialect.ts";
import { TOO_MANY_PUBLISHES, type PublishLimit } from "../../dialects/publish-limit.ts";
import type { ApiAnswer, ApiCall } from "../../transports/api-call.ts";
import {
  adminAnswer,
  bodyFailure,
  expectedFailure,
  failureAnswer,
  failureOf,
  type AdminAnswerCode,
  type Failure,
} from "./errors.ts";

/** Bytes of a call's body. */
export const ADMIN_BODY_BYTES_MAX = 262_144;
/** Members of a body's object, and parameters of a query: more than any call takes. */
const ADMIN_MEMBERS_MAX = 64;
/** The query's parameter that says for which app the call is. */
export const APP_PARAMETER = "app";
export const ADMIN_SCOPE = "admin";

export interface AdminHttpOptions {
  /** Ids; the first one is meant where nothing says which. */
  readonly apps: readonly string[];
  readonly callers: ApiCallers;
  /** By app. */
  readonly publishLimits: ReadonlyMap<string, PublishLimit>;
  /** `api` is on a loopback address: no key is needed there. */
  readonly onLoopback: boolean;
  readonly metrics: DialectMetrics;
  readonly onEvent: OnEvent;
  /** A bug, or an engine that is away. */
  readonly onError: (error: unknown, doing: string) => void;
}

type Caller = Pick<AdminCall, "app" | "seesServer">;

interface Answered {
  readonly answer: ApiAnswer;
  /** Why it was refused. */
  readonly code?: AdminAnswerCode;
}

/** Of one path; `operations` by their methods. */
export function answerCalls(
  path: string,
  operations: ReadonlyMap<string, AdminOperation>,
  options: AdminHttpOptions,
): AnswerOwnCall {
  const { metrics, onEvent, onError } = options;
  const allow = [...operations.keys()].join(", ").replace("GET", "GET, HEAD");

  function refused(failure: Failure): Answered {
    const { code, message: detail } = failure;
    onEvent("API call refused", { word: code, method: path, code, detail });
    return { answer: failureAnswer(failure), code };
  }

  async function answer(call: ApiCall): Promise<Answered> {
    const caller = callerOf(call, options);
    // Whoever may not call does not learn which paths there are.
    if ("code" in caller) return refused(caller);
    if (operations.size === 0) return refused(UNKNOWN);
    const operation = operations.get(call.method === "HEAD" ? "GET" : call.method);
    if (operation === undefined) {
      return refused({ code: "method_not_allowed", message: `The path takes ${allow}`, allow });
    }
    const answering = () => run(call, caller, operation);
    if (operation.publishes !== true) return answering();
    return options.publishLimits.get(caller.app)?.run(answering) ?? refused(BUSY);
  }

  async function run(call: ApiCall, caller: Caller, operation: AdminOperation): Promise<Answered> {
    try {
      const request = await requestOf(call, operation);
      if ("code" in request) return refused(request);
      const given = await operation.run({ ...caller, request: request.given });
      const json = given instanceof JsonText ? given.json : JSON.stringify(given);
      return { answer: adminAnswer(200, json) };
    } catch (error) {
      const failure = expectedFailure(error);
      if (failure === undefined || failure.code === "unavailable") {
        onError(error, `the admin API's ${path}`);
      }
      return refused(failure ?? { code: "internal_error", message: "The server failed" });
    }
  }

  return async (call) => {
    const { answer: answered, code } = await answer(call);
    const [said, word] = code === undefined ? (["0", ""] as const) : ([code, code] as const);
    metrics.count("api_requests", { dialect: "admin", method: path, code: said, word });
    return answered;
  };
}

const BUSY: Failure = { code: "limit_exceeded", message: TOO_MANY_PUBLISHES.detail };

const UNKNOWN: Failure = {
  code: "not_found",
  message: "There is no such call: /openapi.json lists them under the tag admin",
};

/** By the request's head alone. */
function callerOf(
  call: ApiCall,
  { apps, callers, onLoopback }: AdminHttpOptions,
): Caller | Failure {
  const { app: mounted, exclusive } = call.mount;
  const asked = queryOf(call).get(APP_PARAMETER) ?? undefined;
  const named = exclusive ? mounted : asked;
  const key = onLoopback
    ? callers.admitOpen(call, named)
    : callers.admit(call, { scope: ADMIN_SCOPE, app: named });
  if (key instanceof ApiRefusal) return failureOf(key);
  const app = named ?? key?.app ?? mounted ?? apps[0] ?? "";
  const isAnother = asked !== undefined && asked !== app;
  if (isAnother || !apps.includes(app)) {
    return { code: "not_found", message: `"${APP_PARAMETER}" names no app that is served here` };
  }
  return { app, seesServer: onLoopback || apps.length === 1 };
}

async function requestOf(
  call: ApiCall,
  operation: AdminOperation,
): Promise<Failure | { readonly given: unknown }> {
  const { method, request } = operation;
  if (method === "GET") return { given: check(request, membersOfQuery(call)) };
  const body = await call.readBody(ADMIN_BODY_BYTES_MAX);
  if (typeof body === "string") return bodyFailure(body);
  return { given: check(request, membersOfBody(body, operation)) };
}

function queryOf({ url }: ApiCall): URLSearchParams {
  return URL.parse(url, "http://localhost")?.searchParams ?? new URLSearchParams();
}

/** Without those that say who calls. */
function membersOfQuery(call: ApiCall): Record<string, unknown> {
  const given = new Map<string, string>();
  for (const [name, value] of queryOf(call)) {
    if (name === APP_PARAMETER || name === "api_key") continue;
    if (given.has(name)) throw new AdminError("bad_request", "A parameter is given twice");
    if (given.size === ADMIN_MEMBERS_MAX) throw tooMany();
    given.set(name, value);
  }
  return Object.fromEntries(given);
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

function membersOfBody(body: Uint8Array, { raw = [] }: AdminOperation): Record<string, unknown> {
  if (body.length === 0) return {};
  let text: string;
  try {
    text = strictUtf8.decode(body);
  } catch {
    throw new AdminError("bad_request", "The body is not UTF-8");
  }
  const view = viewOf(text);
  if (view.kind !== "object") throw new AdminError("bad_request", "The body is no JSON object");
  const members = [...view.members(ADMIN_MEMBERS_MAX)];
  return Object.fromEntries(
    members.map(([name, { json }]) => [name, raw.includes(name) ? { json } : parseJson(json)]),
  );
}

function viewOf(text: string): ReturnType<typeof jsonView> {
  try {
    return jsonView(text);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    throw new AdminError("bad_request", "The body is not JSON", { cause: error });
  }
}

function tooMany(): AdminError {
  return new AdminError("bad_request", `More than ${ADMIN_MEMBERS_MAX} parameters`);
}

/** Throws AdminError that names the first member that is wrong. */
function check(schema: z.ZodObject, members: Record<string, unknown>): unknown {
  const parsed = schema.safeParse(members);
  if (parsed.success) return parsed.data;
  const takes = Object.keys(schema.shape).join(", ") || "no parameters";
  throw new AdminError("bad_request", problemOf(parsed.error.issues[0], takes));
}

/** Repeats nothing of what was sent. */
function problemOf(issue: z.core.$ZodIssue | undefined, takes: string): string {
  const { path = [], message = "", code } = issue ?? {};
  if (code === "unrecognized_keys") return `A member is not known: the call takes ${takes}`;
  if (path.length === 0) return `${message}: the call takes ${takes}`;
  const name = `"${path.join(".")}"`;
  if (message.endsWith("received undefined")) return `${name} is missing`;
  const why = message.replace(/^Invalid input(?:: )?/, "");
  return why === "" ? `${name} is not valid` : `${name} is not valid: ${why}`;
}
