/** Where the JSON-RPC API lies on the `api` listener (DESIGN.md §5), and what HTTP says about its answers (task-tokens.md §4.1, §4.4). */
import { ApiRefusal } from "../../auth/api-callers.ts";
import { HubError } from "../../core/errors.ts";
import type { JsonView } from "../../core/json-text.ts";
import type { Random } from "../../core/runtime.ts";
import { textAnswer, type ApiAnswer, type ApiCall } from "../../transports/api-call.ts";
import { BODY_REFUSALS, serves, type BodyRefusal } from "../../transports/request.ts";
import type { AnswerOwnCall, ApiCalls } from "../dialect.ts";
import { explained, type Explaining } from "../explaining.ts";
import type { Authenticate } from "./authentication.ts";
import { createCallRates, type CallRates } from "./methods.ts";
import type { TasksContext } from "./context.ts";
import { RPC_ERRORS, RpcError } from "./errors.ts";
import { RPC_BODY_BYTES_MAX } from "./limits.ts";
import { answerRpc, failure, type RpcAnswer } from "./rpc.ts";
import { isMethodName, readJson } from "./schema.ts";

export interface RpcRoutesOptions extends Explaining {
  readonly contexts: ReadonlyMap<string, TasksContext>;
  readonly authenticate: Authenticate;
  /** Where every call is this API's. */
  readonly path: string;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly random: Random;
  /** Told of what fails before it is known for which app. */
  readonly onError: TasksContext["onError"];
  readonly onEvent: TasksContext["onEvent"];
}

const BODY_ERRORS = {
  too_large: "payload_too_large",
  compressed: "parse_error",
  busy: "internal",
  cut: "parse_error",
} as const satisfies Readonly<Record<BodyRefusal, keyof typeof RPC_ERRORS>>;

const OTHER_MOUNT = new ApiRefusal(401, "The caller belongs to another app than this address");

/** Where known backends post to, among other APIs' paths (§4.1). */
const SHARED_PATHS = ["/", "/api"];

/** To be asked before the APIs that share its paths: what is not this API's goes on to whoever is next. */
export function createRpcCalls(options: RpcRoutesOptions): ApiCalls {
  const rates = new Map<string, CallRates>();
  for (const [publicId, { settings }] of options.contexts) {
    rates.set(publicId, createCallRates(settings));
  }
  const own: AnswerOwnCall = (call) => respond(call, options, rates);
  const shared: AnswerOwnCall = (call) => {
    const forTasks = isForTasks(call);
    if (typeof forTasks === "boolean") return forTasks ? own(call) : undefined;
    return forTasks.then((found) => (found ? own(call) : undefined));
  };
  return {
    exact: {
      ...Object.fromEntries(SHARED_PATHS.map((path) => [path, shared])),
      [options.path]: own,
    },
  };
}

const METHOD_NOT_ALLOWED = textAnswer(405, "Method not allowed\n", {
  Allow: "POST",
  "Cache-Control": "no-store",
});

async function respond(
  call: ApiCall,
  options: RpcRoutesOptions,
  rates: ReadonlyMap<string, CallRates>,
): Promise<ApiAnswer> {
  if (call.method !== "POST") return METHOD_NOT_ALLOWED;
  // Before the credential, which signs the body.
  const body = await call.readBody(RPC_BODY_BYTES_MAX);
  if (typeof body === "string") {
    const { word, status, text } = BODY_REFUSALS[body];
    options.onEvent("API call refused", { word, status, detail: text });
    return written({ ...failure(new RpcError(BODY_ERRORS[body])), status });
  }
  const caller = await tryAuthenticate(call, body, options);
  if (caller instanceof RpcError) return written(failure(caller));
  const callRates = rates.get(caller.context.publicId);
  if (callRates === undefined) throw new Error(`No rates for app "${caller.context.publicId}"`);
  const { randomBytes } = options;
  return written(await answerRpc({ caller, rates: callRates, body, randomBytes }));
}

async function tryAuthenticate(
  call: ApiCall,
  body: Uint8Array,
  { authenticate, random, onError, onEvent, explainsRefusals }: RpcRoutesOptions,
) {
  try {
    const caller = await authenticate(call, body);
    const here = caller instanceof ApiRefusal || serves(call.mount, caller.context.publicId);
    const refusal = here ? caller : OTHER_MOUNT;
    if (!(refusal instanceof ApiRefusal)) return refusal;
    const { word, status, detail } = refusal;
    const beside = explained({ explainsRefusals }, { word, detail });
    const rpc = status === 403 ? "forbidden" : "unauthorized";
    const error = new RpcError(rpc, beside && { ...beside });
    onEvent("API call refused", { word, code: RPC_ERRORS[error.rpc].code, detail });
    return error;
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const id = random.uuid();
    onError(error, { connection: "", doing: `looking for a repeated signature, request ${id}` });
    return new RpcError("internal", { request_id: id });
  }
}

const UNCACHED = Object.freeze({ "Cache-Control": "no-store" });
const UNCACHED_JSON = Object.freeze({ ...UNCACHED, "Content-Type": "application/json" });

function written({ status, text = "", retryAfterMs }: RpcAnswer): ApiAnswer {
  const usual = text === "" ? UNCACHED : UNCACHED_JSON;
  if (retryAfterMs === undefined) return { status, headers: usual, body: text };
  const headers = { ...usual, "Retry-After": `${Math.ceil(retryAfterMs / 1000)}` };
  return { status, headers, body: text };
}

/** On a path that other APIs have too: a call says by its header or its method that it is for tasks. */
function isForTasks(call: ApiCall): boolean | Promise<boolean> {
  if (call.headers.has("x-sora-target")) return false;
  if (call.headers.has("public-id")) return true;
  return call.method === "POST" && hasTaskMethod(call);
}

async function hasTaskMethod(call: ApiCall): Promise<boolean> {
  const body = await call.readBody(RPC_BODY_BYTES_MAX);
  return typeof body !== "string" && namesTaskMethod(body);
}

/** What every method's name ends with or holds: a body without it is not read twice. */
const METHOD_MARK = "_envoy";

function namesTaskMethod(body: Uint8Array): boolean {
  if (!Buffer.from(body.buffer, body.byteOffset, body.length).includes(METHOD_MARK)) return false;
  try {
    const view = readJson(body, { strict: false });
    const calls = view.kind === "array" ? view.items() : [view];
    return calls.flatMap((call) => [...call.members()]).some(isTaskMethod);
  } catch (error) {
    if (error instanceof RpcError) return false;
    throw error;
  }
}

function isTaskMethod([name, member]: readonly [string, JsonView]): boolean {
  return (
    name.toLowerCase() === "method" &&
    member.kind === "string" &&
    isMethodName(String(member.value))
  );
}
