/** JSON-RPC requests and batches (task-tokens.md §4.3, §4.4): envelopes read, methods run, answers written. */
import { HubError } from "../../core/errors.ts";
import type { JsonView } from "../../core/json-text.ts";
import type { Word } from "../every-word.ts";
import { explained } from "../explaining.ts";
import type { Caller } from "./authentication.ts";
import type { TasksContext } from "./context.ts";
import { HUB_ERRORS, RPC_ERRORS, RpcError } from "./errors.ts";
import { BATCH_REQUESTS_MAX } from "./limits.ts";
import { RUN, type CallRates } from "./methods.ts";
import { foldedMembers, isMethodName, readJson } from "./schema.ts";

export interface RpcAnswer {
  readonly status: number;
  /** JSON. Absent: nothing is answered, since all that was asked were notifications. */
  readonly text?: string;
  /** Of a rate limit that refused the whole request. */
  readonly retryAfterMs?: number;
}

export interface RpcRequest {
  readonly caller: Caller;
  /** The app's. */
  readonly rates: CallRates;
  readonly body: Uint8Array;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** Never throws for what a caller sent. */
export async function answerRpc(request: RpcRequest): Promise<RpcAnswer> {
  const { settings } = request.caller.context;
  try {
    const view = readJson(request.body, settings);
    if (view.kind === "array") return await answerBatch(view.items(), request);
    const { text, failed } = await answerOne(view, request);
    return failed === undefined
      ? answer(200, text)
      : { ...failure(failed), ...answer(statusOf(failed), text) };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    refused(request, "unknown", error);
    return failure(error);
  }
}

/** What it was is in the code, and why in the data or the cause. */
function refused({ caller }: RpcRequest, method: string, error: RpcError) {
  const { rpc, data } = error;
  const detail = detailOf(error);
  caller.context.onEvent("API call refused", {
    ...{ word: wordOf(error), method },
    code: RPC_ERRORS[rpc].code,
    detail,
    ...data,
  });
}

/** Of a request that failed before its id was known. */
export function failure(error: RpcError): RpcAnswer {
  const retryAfterMs = error.data?.["retry_after_ms"];
  return {
    status: statusOf(error),
    text: errorText("null", error),
    ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
  };
}

function statusOf({ rpc }: RpcError): number {
  return RPC_ERRORS[rpc].status;
}

function answer(status: number, text: string | undefined): RpcAnswer {
  return text === undefined ? { status: 204 } : { status, text };
}

/** One after the other: two messages for one task arrive in the order of the batch. */
async function answerBatch(items: readonly JsonView[], request: RpcRequest): Promise<RpcAnswer> {
  if (items.length === 0 || items.length > BATCH_REQUESTS_MAX)
    throw new RpcError("invalid_request");
  const texts: string[] = [];
  for (const item of items) {
    const { text } = await answerOne(item, request);
    if (text !== undefined) texts.push(text);
  }
  return answer(200, texts.length === 0 ? undefined : `[${texts.join(",")}]`);
}

interface Answered {
  /** Absent: it was a notification. */
  readonly text?: string;
  readonly failed?: RpcError;
}

async function answerOne(view: JsonView, request: RpcRequest): Promise<Answered> {
  const { context } = request.caller;
  let id: string | undefined;
  let method = "unknown";
  let notification = false;
  try {
    const members = view.kind === "object" ? foldedMembers(view) : new Map<string, JsonView>();
    id = idOf(members.get("id"));
    const name = methodOf(members);
    notification = id === undefined && context.settings.strict;
    if (!isMethodName(name)) throw new RpcError("method_not_found");
    method = name;
    requireMay(request.caller, name);
    const { rates, randomBytes } = request;
    const result = await RUN[name]({ context, rates, randomBytes, params: members.get("params") });
    count(context, method, 0);
    if (notification) return {};
    // The members of the source's answers, in its order (§1.2).
    const resultText = JSON.stringify(result);
    return { text: `{"id":${id ?? "null"},"jsonrpc":"2.0","error":null,"result":${resultText}}` };
  } catch (error) {
    const failed = rpcErrorOf(error, context, method);
    const { code } = RPC_ERRORS[failed.rpc];
    count(context, method, code, wordOf(failed));
    refused(request, method, failed);
    return notification ? {} : { text: errorText(id ?? "null", failed), failed };
  }
}

/** Throws `forbidden`. */
function requireMay(caller: Caller, method: string): void {
  const { context } = caller;
  const detail = context.settings.suspended
    ? `The app "${context.publicId}" is suspended by its settings`
    : caller.refusalOf(method);
  if (detail === undefined) return;
  const beside = explained(context, { word: "forbidden", detail });
  throw new RpcError("forbidden", beside && { ...beside }, { detail });
}

export function detailOf({ message, detail, cause }: RpcError): string {
  return detail ?? (cause instanceof HubError ? cause.detail : message);
}

/** Its exact text; undefined when it is absent. A number that no double holds would come back as another one. */
function idOf(view: JsonView | undefined): string | undefined {
  if (view === undefined) return undefined;
  if (view.kind === "string" || view.kind === "null") return view.raw;
  if (view.kind === "number" && Number.isFinite(view.value)) return view.raw;
  throw new RpcError("invalid_request");
}

function methodOf(members: ReadonlyMap<string, JsonView>): string {
  const version = members.get("jsonrpc");
  const method = members.get("method");
  const versioned = version === undefined || (version.kind === "string" && version.value === "2.0");
  if (!versioned || method?.kind !== "string") throw new RpcError("invalid_request");
  return String(method.value);
}

function errorText(id: string, { rpc, message, data }: RpcError): string {
  const { code } = RPC_ERRORS[rpc];
  const error = JSON.stringify({ code, message, ...(data === undefined ? {} : { data }) });
  return `{"id":${id},"jsonrpc":"2.0","error":${error}}`;
}

/** An outage or a bug is told by an id alone, which the log has as well. */
function rpcErrorOf(error: unknown, context: TasksContext, method: string): RpcError {
  if (error instanceof RpcError) return error;
  const rpc = error instanceof HubError ? HUB_ERRORS[error.code] : "internal";
  if (rpc !== "internal") return new RpcError(rpc, undefined, { cause: error });
  const id = context.runtime.random.uuid();
  context.onError(error, { connection: "", doing: `${method}, request ${id}` });
  return new RpcError("internal", { request_id: id }, { cause: error });
}

/** The core's where it is what the core threw. */
function wordOf({ rpc, cause }: RpcError): Word {
  return cause instanceof HubError ? cause.code : RPC_ERRORS[rpc].word;
}

function count(
  { metrics }: TasksContext,
  method: string,
  code: number,
  word: Word | "" = "",
): void {
  metrics.count("api_requests", { dialect: "tasks", method, code: `${code}`, word });
}
