/** What an endpoint's handler is given, how its answer looks, and how parameters are read (event-streaming.md §5.2). */
import { HubError } from "../../core/errors.ts";
import { parseJson } from "../../core/json-text.ts";
import type { RequestHead } from "../../transports/api-call.ts";
import type { Caller } from "./access-token.ts";
import { EventsError } from "./errors.ts";

export interface EventsCall extends ParamsCall {
  readonly caller: Caller;
}

/** Answered with 200, unless it says otherwise. */
export type Answer = Readonly<Record<string, unknown>>;

/** Times in answers: ISO 8601, UTC, milliseconds. */
export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** Bytes of a body that only names things (§4.4). */
export const PARAMS_BODY_BYTES_MAX = 16_384;

/** A value as text; undefined when it is none that the parameter takes. */
export type Param = (value: unknown) => string | undefined;

export const textParam: Param = (value) => (typeof value === "string" ? value : undefined);

/** `1` or `0`, also as a boolean or number. */
export const flagParam: Param = (value) => FLAGS.find(([, spellings]) => spellings.has(value))?.[0];
const FLAGS: readonly (readonly [flag: string, spellings: ReadonlySet<unknown>])[] = [
  ["1", new Set(["1", 1, "true", true])],
  ["0", new Set(["0", 0, "false", false])],
];

/** Names separated by commas, or a list of them. */
export const listParam: Param = (value) => {
  if (typeof value === "string") return value;
  const texts = Array.isArray(value) && value.every((item) => typeof item === "string");
  return texts ? value.join(",") : undefined;
};

export interface ParamsCall {
  readonly request: RequestHead;
  readonly body: Uint8Array;
}

/**
 * Those that were given, of the named ones; others are ignored. Throws `invalid_request`, `unsupported_media_type`.
 */
export function readParams<Name extends string>(
  call: ParamsCall,
  params: Readonly<Record<Name, Param>>,
): Readonly<Partial<Record<Name, string>>> {
  const members = bodyMembers(call);
  const query = new URL(call.request.url, "http://localhost").searchParams;
  const found: Partial<Record<Name, string>> = {};
  for (const name of Object.keys(params) as Name[]) {
    // `null` in a body is absent.
    const given: unknown[] = [...query.getAll(name), members[name] ?? undefined];
    for (const value of given) {
      if (value === undefined) continue;
      const text = params[name](value);
      if (text === undefined) throw invalidRequest(`"${name}" has the wrong type.`);
      if (found[name] !== undefined && found[name] !== text) {
        throw invalidRequest(`"${name}" is given twice with different values.`);
      }
      found[name] = text;
    }
  }
  return found;
}

function bodyMembers({ request, body }: ParamsCall): Readonly<Record<string, unknown>> {
  const text = jsonBody({ request, body });
  const value = parsedBody(text === "" ? "{}" : text, parseJson);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw invalidRequest("The body must be a JSON object.");
}

/** Throws `invalid_request` where `parse` throws HubError, which names a character or member and never a value. */
export function parsedBody<Value>(text: string, parse: (text: string) => Value): Value {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    throw invalidRequest(`The body cannot be read. ${error.message}.`);
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** The body's text, `""` without one. Throws `unsupported_media_type`, `invalid_request` when it is not UTF-8. */
export function jsonBody({ request, body }: ParamsCall): string {
  if (body.length === 0) return "";
  const type = request.headers.get("content-type");
  if (type !== null && !/^application\/(?:json|[-\w.]+\+json) *(?:;|$)/i.test(type)) {
    throw new EventsError("unsupported_media_type", "The body must be application/json.");
  }
  try {
    return strictUtf8.decode(body);
  } catch {
    throw invalidRequest("The body is not UTF-8.");
  }
}

export function invalidRequest(message: string): EventsError {
  return new EventsError("invalid_request", message);
}
