/** One call of the master API: what its handlers are given, and the forms of their answers (§2). */
import { HubError } from "../../../core/errors.ts";
import type { Runtime } from "../../../core/runtime.ts";
import type { Reach } from "../../../core/types.ts";
import type { GusherContext } from "../context.ts";
import { readFields, type Fields } from "../fields.ts";

export interface MasterCall {
  readonly request: Request;
  /** Undefined: it is too large. */
  readonly body: Uint8Array | undefined;
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
export type MasterHandler = (call: MasterCall) => Response | Promise<Response>;

/** Answered with status 400 and exactly this text (K6). */
export class MasterError extends Error {}

/** The fields of a call; one that is absent is empty, which no route tells apart. */
export async function fieldsOf<Name extends string>(
  { request, body }: Pick<MasterCall, "request" | "body">,
  ...names: readonly Name[]
): Promise<Readonly<Record<Name, string>>> {
  const found: Fields = await readFields(request, { body, names });
  return Object.fromEntries(names.map((name) => [name, found.get(name) ?? ""])) as Record<
    Name,
    string
  >;
}

/** Compact JSON without a line feed, in the original's content type. */
export function json(text: string): Response {
  return new Response(text, { headers: { "Content-Type": "application/json;charset=UTF-8" } });
}

/** A master handler's error (§2): no line feed, no further header. */
export function plain(status: number, text: string): Response {
  return new Response(text, {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8" },
  });
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
