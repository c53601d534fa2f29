/** One call of the master API: what its handlers are given, and the forms of their answers (§2). */
import { HubError } from "../../../core/errors.ts";
import type { Runtime } from "../../../core/runtime.ts";
import { Slices } from "../../../core/slices.ts";
import type { Reach } from "../../../core/types.ts";
import { TOO_MANY_PUBLISHES } from "../../publish-limit.ts";
import type { SharedWord } from "../../words.ts";
import type { GusherContext } from "../context.ts";
import type { ApiAnswer, RequestHead } from "../../../transports/api-call.ts";
import { BODY_REFUSALS, type BodyRefusal } from "../../../transports/request.ts";
import { readFields, type Fields } from "../fields.ts";

export interface MasterCall {
  readonly request: RequestHead;
  readonly body: Uint8Array;
  /** Of what is judged in one go. */
  readonly bodyBytesMax: number;
  /** Of the path, percent-decoded; none is empty. */
  readonly params: Readonly<Record<string, string>>;
  /** Undefined: no app has this key. Its calls are answered as for one where nobody is (K5, §6.8). */
  readonly context: GusherContext | undefined;
  /** The channels and connections that it may push to and see. */
  readonly reach: Reach;
  readonly runtime: Runtime;
  /** Aborted when nobody waits for the answer any more, or everybody has waited long enough: the server stops. */
  readonly ending: () => AbortSignal;
}

/** Throws MasterError for what the caller did wrong, HubError for what could not be done. */
export type MasterHandler = (call: MasterCall) => ApiAnswer | Promise<ApiAnswer>;

/** Answered with exactly this text, and status 400 unless it says another (K6). */
export class MasterError extends Error {
  readonly status: number = 400;
  /** By which it is told. */
  readonly word: SharedWord = this.cause instanceof HubError ? this.cause.code : "bad_request";
}

/** In HTTP's words. */
export class BodyError extends MasterError {
  override readonly status: number;
  override readonly word: SharedWord;

  constructor(refusal: BodyRefusal) {
    const { word, status, text } = BODY_REFUSALS[refusal];
    super(text);
    this.word = word;
    this.status = status;
  }
}

/** More than a limit of the section `gusher` allows. It is answered and logged by the setting's name, and counted. */
export class LimitError extends MasterError {
  override readonly status = 413;
  override readonly word = "too_large";
  readonly limit: "body_size_limit" | "batch_size_limit";

  constructor(what: string, limit: LimitError["limit"]) {
    super(`${what} larger than gusher.${limit}`);
    this.limit = limit;
  }
}

/** The app has as many calls that publish under way as it may. */
export class BusyError extends MasterError {
  override readonly status = TOO_MANY_PUBLISHES.status;
  override readonly word = TOO_MANY_PUBLISHES.word;

  constructor() {
    super(TOO_MANY_PUBLISHES.detail);
  }
}

/** The fields of a call; one that is absent is empty, which no route tells apart. */
export async function fieldsOf<Name extends string>(
  { request, body, runtime }: Pick<MasterCall, "request" | "body" | "runtime">,
  ...names: readonly Name[]
): Promise<Readonly<Record<Name, string>>> {
  const slices = new Slices(runtime);
  const found: Fields = await readFields(request, { body, names, slices });
  return Object.fromEntries(names.map((name) => [name, found.get(name) ?? ""])) as Record<
    Name,
    string
  >;
}

const JSON_HEADERS = Object.freeze({ "Content-Type": "application/json;charset=UTF-8" });
const PLAIN_HEADERS = Object.freeze({ "Content-Type": "text/plain; charset=utf-8" });

/** Compact JSON without a line feed, in the original's content type. */
export function json(body: string): ApiAnswer {
  return { status: 200, headers: JSON_HEADERS, body };
}

/** A master handler's error (§2): no line feed, no further header. */
export function plain(status: number, body: string): ApiAnswer {
  return { status, headers: PLAIN_HEADERS, body };
}

/** Runs what needs the engine; where that cannot be done now, it is told to `onError` and answered with `text` (O8). */
export async function orFail<Result>(
  call: MasterCall,
  text: string,
  run: (context: GusherContext) => Promise<Result>,
  nobody: Result,
): Promise<Result> {
  const { context } = call;
  if (context === undefined) return nobody;
  try {
    return await run(context);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    context.onError(error, { connection: "", doing: "a call of the master API" });
    throw new MasterError(text, { cause: error });
  }
}
