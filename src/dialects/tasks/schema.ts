/**
 * A request's JSON (task-tokens.md §4.3): UTF-8, one trailing comma tolerated, member names in any case. Parameters and results of the JSON-RPC methods (task-tokens.md §4.5 to §4.7): what validates calls, and what the OpenAPI document
 * is made of. What depends on an app's settings, and the message's format, is looked at in `methods.ts`.
 */
import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { isSpace } from "../../core/json-check.ts";
import { jsonView, type JsonView } from "../../core/json-text.ts";
import { RpcError, invalidParam, type ParamReason } from "./errors.ts";
import {
  CONTEXT_BYTES_MAX,
  IDEMPOTENCY_KEY_CHARACTERS_MAX,
  MESSAGE_BYTES_MAX,
  MINUTES_MAX,
} from "./limits.ts";

interface Refusal {
  readonly reason: ParamReason;
  readonly min?: number;
  readonly max?: number;
}

/** A JSON number with an integral value, `1.0` included. */
function minutes(options: { readonly min: number; readonly absent: number }) {
  const bounds = { min: options.min, max: MINUTES_MAX };
  return z
    .number()
    .superRefine((value, context) => {
      const refuse = (params: Refusal) =>
        context.addIssue({ code: "custom", params: { ...params } });
      if (!Number.isInteger(value)) refuse({ reason: "type" });
      else if (value < bounds.min || value > bounds.max)
        refuse({ reason: "out_of_range", ...bounds });
    })
    .default(options.absent)
    .meta({ type: "integer", minimum: bounds.min, maximum: bounds.max });
}

const flag = () => z.boolean().default(false);

/** A context is read from its text, never from its value, which may have lost digits. */
const anyJson = z
  .custom<JsonView>()
  .optional()
  .meta({
    description: `Any JSON of up to ${CONTEXT_BYTES_MAX} bytes, no empty string; the same gives the same task. Absent or null: a task of its own.`,
  });

const task = z.object({
  task_context: anyJson,
  timeout: minutes({ min: 1, absent: 10 }),
  send_offline_message: flag(),
  single_instance: flag(),
  persist_timeout: flag(),
});

const taskId = z.string().meta({ pattern: "^[0-9a-fA-F]{80}$" });
const success = z.literal("success");

export const METHODS = {
  get_envoy_token: {
    summary: "A token with which browsers wait for the results of a task",
    params: z.object({ reusable_minutes: minutes({ min: 0, absent: 60 }), Task: task }),
    result: z.strictObject({
      client_token: z.string(),
      task_id: taskId,
      envoy_token: z.string().optional().meta({
        description: "The client token again, when the call spelled `Task` as `envoy_task`.",
      }),
    }),
  },
  invoke_envoy: {
    summary: "Send a message to everyone who waits for a task",
    params: z.object({
      task_id: taskId,
      message: z
        .string()
        .meta({ description: `Base64 of 1 to ${MESSAGE_BYTES_MAX} bytes.`, minLength: 1 }),
      new_timeout: minutes({ min: 0, absent: 0 }),
      idempotency_key: z.string().max(IDEMPOTENCY_KEY_CHARACTERS_MAX).optional(),
      report: flag(),
    }),
    result: z.strictObject({
      status: success,
      delivered: z.int().min(0).optional(),
      retained: z.boolean().optional(),
    }),
  },
  close_envoy: {
    summary: "End a task: its connections, its last message and every token issued so far",
    params: z.object({ task_id: taskId }),
    result: z.strictObject({ status: success }),
  },
  get_envoy_status: {
    summary: "How a task stands",
    params: z.object({ task_id: taskId }),
    result: z.strictObject({
      connections: z.int().min(0),
      completed: z.boolean(),
      retained: z.boolean(),
      last_message_at: z.iso.datetime().nullable(),
      expires_in: z
        .int()
        .min(0)
        .nullable()
        .meta({ description: "Seconds left on the task clock." }),
    }),
  },
} as const;

export type MethodName = keyof typeof METHODS;
export type Params<Name extends MethodName> = z.output<(typeof METHODS)[Name]["params"]>;
export type Result<Name extends MethodName> = z.output<(typeof METHODS)[Name]["result"]>;

export function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(METHODS, name);
}

/** Throws `invalid_params` for the first that is wrong, `invalid_request` when names are ambiguous. */
export function readParams<Name extends MethodName>(
  name: Name,
  view: JsonView | undefined,
): Params<Name> {
  if (view !== undefined && view.kind !== "object") throw invalidParam("params", "type");
  const given = plain(view, METHODS[name].params.shape);
  const parsed = METHODS[name].params.safeParse(given);
  if (parsed.success) return parsed.data as Params<Name>;
  throw refusal(parsed.error.issues[0], given);
}

/** The spelling of the known C# clients (§4.5). */
const OTHER_TASK_NAME = "envoy_task";

export function usesOtherTaskName(params: JsonView | undefined): boolean {
  return params !== undefined && foldedMembers(params).has(OTHER_TASK_NAME);
}

/** The members that `shape` names, in its spelling. */
function plain(
  view: JsonView | undefined,
  shape: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const members = view === undefined ? new Map<string, JsonView>() : foldedMembers(view);
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(shape)) {
    let member = members.get(name.toLowerCase());
    if (name === "Task") {
      const other = members.get(OTHER_TASK_NAME);
      if (member !== undefined && other !== undefined) throw new RpcError("invalid_request");
      member ??= other;
    }
    if (member === undefined) continue;
    if (name === "task_context") given[name] = member.kind === "null" ? undefined : member;
    else if (name === "Task" && member.kind === "object") given[name] = plain(member, task.shape);
    else given[name] = member.value;
  }
  return given;
}

function refusal(issue: z.core.$ZodIssue | undefined, given: unknown): RpcError {
  const path = issue?.path ?? [];
  const param = path.join(".");
  if (issue?.code === "custom") {
    const { reason, ...bounds } = issue.params as unknown as Refusal;
    return invalidParam(param, reason, bounds);
  }
  if (issue?.code === "too_big") {
    return invalidParam(param, "too_long", { max: Number(issue.maximum) });
  }
  let value: unknown = given;
  for (const step of path) value = (value as Record<PropertyKey, unknown>)[step];
  return invalidParam(param, value === undefined ? "missing" : "type");
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** Contexts say which numbers they take by an answer of their own (§3.1). */
const viewOf = (text: string): JsonView => jsonView(text, { anyNumbers: true });

/** Throws `parse_error` for what is not JSON in UTF-8. `strict`: also for trailing commas. */
export function readJson(bytes: Uint8Array, { strict }: { readonly strict: boolean }): JsonView {
  try {
    const text = strictUtf8.decode(bytes);
    return strict ? viewOf(text) : (tryView(text) ?? viewOf(withoutTrailingCommas(text)));
  } catch (error) {
    if (!(error instanceof HubError) && !(error instanceof TypeError)) throw error;
    throw new RpcError("parse_error", undefined, { cause: error });
  }
}

function tryView(text: string): JsonView | undefined {
  try {
    return viewOf(text);
  } catch (error) {
    if (error instanceof HubError) return undefined;
    throw error;
  }
}

/**
 * Each comma that follows a value and ends a list, replaced by a space. The published samples have such commas, and the JSON
 * library of the known C# clients takes them. What else is wrong with the text stays so.
 */
function withoutTrailingCommas(text: string): string {
  let clean = "";
  let cleanTo = 0;
  /** What comes before the place, without white space: a value's last character, a bracket, a comma or a colon. */
  let before = "";
  let trailing = -1;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (isSpace(text.charCodeAt(at))) continue;
    if (char === '"') {
      while (++at < text.length && text[at] !== '"') if (text[at] === "\\") at++;
    } else if (char === ",") {
      trailing = before === "" || ",:[{".includes(before) ? -1 : at;
    } else if ((char === "}" || char === "]") && before === "," && trailing >= 0) {
      clean += `${text.slice(cleanTo, trailing)} `;
      cleanTo = trailing + 1;
    }
    before = char;
  }
  return clean + text.slice(cleanTo);
}

/**
 * An object's members by their names in lower case. Throws `invalid_request` when two differ in case only: readers would
 * disagree on which one counts.
 */
export function foldedMembers(object: JsonView): ReadonlyMap<string, JsonView> {
  const members = object.members();
  const folded = new Map([...members].map(([name, member]) => [name.toLowerCase(), member]));
  if (folded.size < members.size) throw new RpcError("invalid_request");
  return folded;
}
