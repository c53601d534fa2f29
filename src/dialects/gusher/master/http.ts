/** The master API (§6): which route a request belongs to, whether its caller may, and the answers that all routes share. */
import { ApiRefusal } from "../../../auth/api-callers.ts";
import { HubError } from "../../../core/errors.ts";
import type { Runtime } from "../../../core/runtime.ts";
import type { Reach } from "../../../core/types.ts";
import type { ApiAnswer, ApiCall, RequestHead } from "../../../transports/api-call.ts";
import { servedAt } from "../../../transports/request.ts";
import { limitHit, type AnswerOwnCall, type ApiCalls, type OnEvent } from "../../dialect.ts";
import type { Word } from "../../every-word.ts";
import type { GusherContext } from "../context.ts";
import { finishJobs, takeJobs } from "../jobs-http.ts";
import { isForm } from "../fields.ts";
import {
  BodyError,
  BusyError,
  fieldsOf,
  LimitError,
  MasterError,
  plain,
  type MasterCall,
  type MasterHandler,
} from "./call.ts";
import { claimedAppKey, decodeToken } from "./decode.ts";
import { LISTS } from "./lists.ts";
import { Paths, type Match, type Route } from "./paths.ts";
import { pushBatch, pushToChannel, pushToPattern } from "./push.ts";
import { addChannel, pushToSocket, pushToUser, reloadChannels } from "./users.ts";
import { methodNotAllowed, notFound, pong } from "../plain.ts";

export interface MasterOptions {
  readonly contexts: ReadonlyMap<string, GusherContext>;
  /** What the caller reaches in the app; undefined: in any. A refusal: nothing. */
  readonly authorize: (head: RequestHead, appKey: string | undefined) => Reach | ApiRefusal;
  /** Where every path is this API's: `{M}` of §2, without a trailing slash. */
  readonly prefix: string;
  /** Where its routes lie as well, among another API's paths of one segment (DESIGN.md §5). */
  readonly sharedPrefix: string;
  /** First segments of paths that are no app's: lists also lie at `/{app_key}/…`, as printed. */
  readonly reserved: ReadonlySet<string>;
  readonly bodyBytesMax: number;
  /** Of a form with a batch, which is read and judged in slices. */
  readonly batchBytesMax: number;
  /** Aborted when long polls are to end. */
  readonly stopping: AbortSignal;
  readonly runtime: Runtime;
  readonly onEvent: OnEvent;
}

/** Found behind the paths of the API that shares its prefix. What is not this API's goes on to whoever is next. */
export function createMasterCalls(options: MasterOptions): ApiCalls {
  const { prefix, sharedPrefix, stopping, runtime, bodyBytesMax } = options;
  const paths = new Paths(MASTER_ROUTES);
  const barePaths = new Paths(listRoutes());
  const reserved = new Set([...options.reserved, ...[prefix, sharedPrefix].map(firstSegment)]);

  /** The routes that a path belongs to; `none`: it is this API's to say that there is no such path. */
  function find(path: string): ReadonlyMap<string, Match<Endpoint>> | "none" | undefined {
    if (path.startsWith(`${sharedPrefix}/`)) {
      const rest = path.slice(sharedPrefix.length);
      return paths.find(rest) ?? (rest.includes("/", 1) ? "none" : undefined);
    }
    if (path === prefix || path.startsWith(`${prefix}/`)) {
      return paths.find(path.slice(prefix.length)) ?? "none";
    }
    return reserved.has(firstSegment(path)) ? undefined : barePaths.find(path);
  }

  function endingOf(call: ApiCall): AbortSignal {
    const left = new AbortController();
    call.onLeave(() => left.abort());
    return AbortSignal.any([left.signal, stopping]);
  }

  function answerFor(match: ReadonlyMap<string, Match<Endpoint>>): AnswerOwnCall {
    return (call) => {
      const found = match.get(call.method);
      if (found === undefined) return methodNotAllowed([...match.keys()]);
      const { params, handler } = found;
      const ending = () => endingOf(call);
      const asked = { request: call, params, runtime, ending, bodyBytesMax };
      return handler(asked, { ...options, contexts: servedAt(options.contexts, call.mount), call });
    };
  }

  return {
    exact: {},
    find(path) {
      const found = find(path);
      return found === "none" ? notFound : found && answerFor(found);
    },
  };
}

interface Setting extends Omit<MasterOptions, "stopping"> {
  readonly call: Pick<ApiCall, "readBody">;
}
type UnadmittedCall = Omit<MasterCall, "context" | "reach" | "body">;
type Endpoint = (call: UnadmittedCall, setting: Setting) => ApiAnswer | Promise<ApiAnswer>;

/** §6.1, `user` and `socket` before apps of these names. */
export const MASTER_ROUTES: readonly Route<Endpoint>[] = [
  post("/push/user/:app_key/:user_id", "push_user", pushToUser),
  post("/push/socket/:app_key/:socket_id", "push_socket", pushToSocket),
  post("/push/:app_key/:channel/:event", "push", pushToChannel),
  post("/push/:app_key", "push_pattern", pushToPattern),
  post("/push_batch/:app_key", "push_batch", pushBatch),
  post("/reload/channel/user/:app_key/:user_id", "reload", reloadChannels),
  post("/add/channel/user/:app_key/:user_id", "add", addChannel),
  post("/jobs/:app_key/:remote/take", "take_jobs", takeJobs),
  post("/jobs/:app_key/:remote/done", "finish_jobs", finishJobs),
  { method: "POST", path: "/decode", handler: decode },
  { method: "GET", path: "/ping", handler: pong },
  ...listRoutes(),
];

function post(path: string, name: string, handler: MasterHandler): Route<Endpoint> {
  return { method: "POST", path, handler: forApp(name, handler) };
}

function listRoutes(): readonly Route<Endpoint>[] {
  return Object.entries(LISTS).map(([path, handler]) => ({
    method: "GET",
    path: `/:app_key${path}`,
    handler: forApp("list", handler),
  }));
}

/** Checks the credential, then runs the handler and turns its errors into their answers. */
function forApp(method: string, handler: MasterHandler): Endpoint {
  return (call, setting) => {
    const { contexts, authorize, onEvent } = setting;
    const appKey = call.params["app_key"];
    const reach = authorize(call.request, appKey);
    if (reach instanceof ApiRefusal) return refused(reach, method, onEvent);
    const context = contexts.get(appKey ?? "");
    return answer({ method, context, onEvent }, () => {
      const answering = async () =>
        handler({ ...call, body: await bodyOf(call, method, setting), context, reach });
      if (context === undefined || !method.startsWith("push")) return answering();
      const limited = context.publishLimit.run(answering);
      if (limited === undefined) throw new BusyError();
      return limited;
    });
  };
}

/** §6.9: the app is in the JWT. */
async function decode(call: UnadmittedCall, setting: Setting): Promise<ApiAnswer> {
  const { contexts, authorize, onEvent } = setting;
  const method = "decode";
  const called = authorize(call.request, undefined);
  if (called instanceof ApiRefusal) return refused(called, method, onEvent);
  const answering = { method, context: undefined, onEvent };
  return answer(answering, async () => {
    const body = await bodyOf(call, method, setting);
    const { data: jwt } = await fieldsOf({ ...call, body }, "data");
    const appKey = claimedAppKey(jwt);
    const admitted = authorize(call.request, appKey === "" ? undefined : appKey);
    if (admitted instanceof ApiRefusal) return refused(admitted, method, onEvent);
    const context = contexts.get(appKey);
    const signers = context === undefined ? [] : [context];
    return answer({ ...answering, context }, () =>
      decodeToken(jwt, appKey === "" ? [...contexts.values()] : signers),
    );
  });
}

/** Once the caller may. Throws MasterError for one that is not had. */
async function bodyOf(
  { request }: UnadmittedCall,
  method: string,
  { call, bodyBytesMax, batchBytesMax }: Setting,
): Promise<Uint8Array> {
  // What is not a form is read in one go, and so is bounded as elsewhere.
  const batch = method === "push_batch" && isForm(request);
  const body = await call.readBody(batch ? batchBytesMax : bodyBytesMax);
  if (typeof body !== "string") return body;
  if (body !== "too_large") throw new BodyError(body);
  throw new LimitError("body", batch ? "batch_size_limit" : "body_size_limit");
}

interface Answering {
  readonly method: string;
  readonly context: GusherContext | undefined;
  readonly onEvent: OnEvent;
}

async function answer(
  { method, context, onEvent }: Answering,
  run: () => ApiAnswer | Promise<ApiAnswer>,
): Promise<ApiAnswer> {
  const count = (code: string, word: Word | "" = "") =>
    context?.metrics.count("api_requests", { dialect: "gusher", method, code, word });
  try {
    const response = await run();
    count("200");
    return response;
  } catch (error) {
    if (!(error instanceof MasterError)) throw error;
    const { message, cause, status, word } = error;
    count(`${status}`, word);
    if (error instanceof LimitError && context !== undefined)
      limitHit(context.metrics, error.limit);
    const detail = cause instanceof HubError ? `${message}: ${cause.message}` : message;
    (context?.onEvent ?? onEvent)("API call refused", { word, method, status, detail });
    return plain(status, message);
  }
}

function refused(
  { word, status, detail }: ApiRefusal,
  method: string,
  onEvent: OnEvent,
): ApiAnswer {
  onEvent("API call refused", { word, method, status, detail });
  return plain(status, `${detail}\n`);
}

function firstSegment(path: string): string {
  return path.split("/", 2)[1] ?? "";
}
