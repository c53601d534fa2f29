/** The server API's three forms (centrifugo-protocol.md §17): one method, a batch, and the former rows of commands. Each answers JSON text. */
import { HubError } from "../../core/errors.ts";
import { jsonViews, type JsonView } from "../../core/json-text.ts";
import { Slices } from "../../core/slices.ts";
import type { Word } from "../every-word.ts";
import { apiErrorOf, isApiMethod, runApiMethod } from "./api-methods.ts";
import { publishData, type ApiContext } from "./api-publish.ts";
import { API_METHODS, RAW_MEMBERS, type ApiMethod } from "./api-schema.ts";
import { isRefusal, StreamingError, type Refusal } from "./errors.ts";
import type { WireError } from "./protocol.ts";

/** Commands of one batch, or of one row: bounds what one request sets off. */
export const BATCH_COMMANDS_MAX = 10_000;

/** Of any other list or object in a request; a broadcast names as many channels. */
const ITEMS_MAX = 10_000;

/** The result as JSON text, or the error. Rejects with what is not a Refusal. */
export type Outcome = { readonly result: string } | { readonly error: WireError };

interface Call {
  readonly method: ApiMethod;
  /** Absent: the call lost its request, and is refused like any other that is not an object. */
  readonly params: JsonView | undefined;
}

/** What most publications say, and no more. */
const PLAIN_PUBLICATION = ["channel", "data"];

/** Counted and, when refused, logged. */
export function runCall(context: ApiContext, call: Call): Promise<Outcome> {
  return outcomeOf(context, call.method, () => run(context, call));
}

function run(context: ApiContext, { method, params }: Call): Promise<string> {
  if (params?.kind !== "object") throw bad("The request must be a JSON object");
  if (method === "publish") {
    const [channel, data] = params.only(PLAIN_PUBLICATION) ?? [];
    if (data !== undefined && channel?.kind === "string") {
      return publishData(context, String(channel.value), data.json);
    }
  }
  return runApiMethod(context, method, valuesOf(params.members(ITEMS_MAX)));
}

/** `start` may throw as well as reject. */
async function outcomeOf(
  context: ApiContext,
  method: string,
  start: () => Promise<string>,
): Promise<Outcome> {
  try {
    const result = await start();
    count(context, method, "0");
    return { result };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const wire = apiErrorOf(error, context);
    const word = error.code;
    count(context, method, `${wire.code}`, word);
    context.onEvent("API call refused", { word, method, code: wire.code, detail: error.detail });
    if (word === "unavailable") context.onError(error, { connection: "", doing: method });
    return { error: wire };
  }
}

function count({ metrics }: ApiContext, method: string, code: string, word: Word | "" = ""): void {
  metrics.count("api_requests", { dialect: "streaming", method, code, word });
}

/** Not in a `result`: the official clients read `replies` bare, and a batch without commands as the empty object. */
export function runBatch(context: ApiContext, body: JsonView): Promise<Outcome> {
  return outcomeOf(context, "batch", () => replies(context, body));
}

async function replies(context: ApiContext, body: JsonView): Promise<string> {
  const commands = body.member("commands");
  const isList = commands === undefined || commands.kind === "null" || commands.kind === "array";
  if (body.kind !== "object" || !isList) throw bad('"commands" must be a list');
  const parallel = body.member("parallel")?.value ?? false;
  if (typeof parallel !== "boolean") throw bad('"parallel" must be a boolean');
  const items = commands?.items(BATCH_COMMANDS_MAX) ?? [];
  if (items.length === 0) return "{}";
  if (items.length > BATCH_COMMANDS_MAX) throw bad("The batch has more commands than allowed");
  const calls = items.map(commandOf);
  const outcomes = await runAll(context, calls, { parallel });
  const texts = outcomes.map((outcome, index) => {
    const call = calls[index];
    return "error" in outcome || call === undefined || isRefusal(call)
      ? textOf(outcome)
      : `{"${call.method}":${outcome.result}}`;
  });
  return `{"replies":[${texts.join(",")}]}`;
}

const PUBLISH = ["publish"];
const METHODS = Object.keys(API_METHODS).filter(isApiMethod);

/** The first of the methods that is a member; the rest is ignored. */
function commandOf(view: JsonView): Call | Refusal {
  if (view.kind !== "object") return bad("The command must be a JSON object");
  const [publication] = view.only(PUBLISH) ?? [];
  if (publication !== undefined && publication.kind !== "null") {
    return { method: "publish", params: publication };
  }
  const members = view.members(ITEMS_MAX);
  for (const method of METHODS) {
    const params = members.get(method);
    if (params !== undefined && params.kind !== "null") return { method, params };
  }
  return new StreamingError("method_not_found", "The method is not known");
}

/**
 * `{"method":"publish","params":{…}}`, one or more, answered line by line with their `id`s. Undefined when the text is no such
 * row, or names a method that there is not: nothing was done then. Throws `bad_request` when it is not JSON.
 */
export async function runRow(context: ApiContext, text: string): Promise<string | undefined> {
  const views = jsonViews(text, BATCH_COMMANDS_MAX);
  if (views.length === 0 || views.length > BATCH_COMMANDS_MAX) return undefined;
  const calls: (Call | Refusal)[] = [];
  for (const view of views) {
    const call = rowCallOf(view);
    if (call === undefined) return undefined;
    calls.push(call);
  }
  const outcomes = await runAll(context, calls, { parallel: false });
  return outcomes
    .map((outcome, index) => {
      const id = views[index]?.member("id");
      const text = textOf(outcome);
      return id?.kind === "number" ? `{"id":${id.raw},${text.slice(1)}` : text;
    })
    .join("\n");
}

function rowCallOf(view: JsonView): Call | Refusal | undefined {
  if (view.kind !== "object" && view.kind !== "null") return undefined;
  const named = view.member("method");
  if (named === undefined || named.kind === "null") return bad('"method" is missing');
  const method = String(named.value).toLowerCase();
  return isApiMethod(method) ? { method, params: view.member("params") } : undefined;
}

/**
 * One after the other, since a later command may ask for what an earlier one did; `parallel`: all at once. Publications that
 * follow one another are handed on together, because the engine keeps their order, and then one commit writes them all.
 */
async function runAll(
  context: ApiContext,
  calls: readonly (Call | Refusal)[],
  { parallel }: { readonly parallel: boolean },
): Promise<readonly Outcome[]> {
  const all: Promise<Outcome>[] = [];
  let pending: Promise<Outcome>[] = [];
  let publishing = false;
  const slices = new Slices(context.runtime);
  for (const call of calls) {
    if (slices.isOver) await slices.turn();
    const publishes = !isRefusal(call) && call.method === "publish";
    if (!parallel && !(publishing && publishes) && pending.length > 0) {
      await Promise.all(pending);
      pending = [];
    }
    publishing = publishes;
    const running = isRefusal(call)
      ? outcomeOf(context, "unknown", () => Promise.reject(call))
      : runCall(context, call);
    // One that fails before the last has begun is told of below.
    running.catch(() => {});
    all.push(running);
    pending.push(running);
  }
  return Promise.all(all);
}

/** As an answer on its own. */
export function textOf(outcome: Outcome): string {
  return "error" in outcome
    ? `{"error":${JSON.stringify(outcome.error)}}`
    : `{"result":${outcome.result}}`;
}

function bad(message: string): HubError {
  return new HubError("bad_request", message);
}

/** Payloads as the text they came in, the rest parsed. `null` is absent. Without a prototype, which a member might name. */
function valuesOf(given: ReadonlyMap<string, JsonView>): Record<string, unknown> {
  const values = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of given) {
    if (RAW_MEMBERS.has(name)) values[name] = { json: member.json };
    else if (member.kind !== "null") values[name] = valueOf(member);
  }
  return values;
}

/** What it holds is counted before it is parsed, which costs more. */
function valueOf(view: JsonView): unknown {
  view.members(ITEMS_MAX);
  if (view.items(ITEMS_MAX).length > ITEMS_MAX)
    throw bad(`A list may have ${ITEMS_MAX} items at most`);
  return view.value;
}
