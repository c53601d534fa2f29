/** The error table of task-tokens.md §4.4, and what the core's words come to in it. */
import type { HubErrorCode } from "../../core/errors.ts";
import type { Word } from "../every-word.ts";

interface WireError {
  readonly code: number;
  readonly message: string;
  /** Of a request that is not a batch, and of a batch that failed as a whole. */
  readonly status: 200 | 400 | 401 | 403 | 413 | 429 | 500;
  /** By which the log and the metrics tell of it. */
  readonly word: Word;
}

export const RPC_ERRORS = {
  parse_error: { code: -32700, message: "Parse error", status: 400, word: "parse_error" },
  invalid_request: {
    code: -32600,
    message: "Invalid Request",
    status: 400,
    word: "invalid_request",
  },
  method_not_found: {
    code: -32601,
    message: "Method not found",
    status: 200,
    word: "method_not_found",
  },
  invalid_params: { code: -32602, message: "Invalid params", status: 200, word: "invalid_params" },
  internal: { code: -32603, message: "Internal error", status: 500, word: "internal_error" },
  unauthorized: { code: -32001, message: "Unauthorized", status: 401, word: "unauthorized" },
  forbidden: { code: -32002, message: "Forbidden", status: 403, word: "forbidden" },
  too_many_requests: {
    code: -32003,
    message: "Too many requests",
    status: 429,
    word: "too_many_requests",
  },
  task_not_found: { code: -32004, message: "Task not found", status: 200, word: "task_not_found" },
  payload_too_large: {
    code: -32005,
    message: "Payload too large",
    status: 413,
    word: "payload_too_large",
  },
  limit_exceeded: { code: -32006, message: "Limit exceeded", status: 200, word: "limit_exceeded" },
} as const satisfies Record<string, WireError>;

export type RpcErrorName = keyof typeof RPC_ERRORS;

/** Total: a new core code does not compile until it has an answer here. */
export const HUB_ERRORS = {
  unavailable: "internal",
  already_subscribed: "internal",
  limit_exceeded: "limit_exceeded",
  bad_request: "invalid_params",
  not_available: "internal",
  token_expired: "unauthorized",
  invalid_token: "unauthorized",
  unrecoverable_position: "internal",
} as const satisfies Record<HubErrorCode, RpcErrorName>;

/** §4.4: why a parameter is refused. */
export type ParamReason = "missing" | "type" | "out_of_range" | "not_base64" | "empty" | "too_long";

/** An expected failure of one call, or of the whole request. */
export class RpcError extends Error {
  readonly rpc: RpcErrorName;
  /** The error object's `data`. */
  readonly data: Readonly<Record<string, unknown>> | undefined;

  /** What the message leaves open. */
  readonly detail: string | undefined;

  constructor(
    rpc: RpcErrorName,
    data?: Readonly<Record<string, unknown>>,
    options: ErrorOptions & { readonly detail?: string | undefined } = {},
  ) {
    super(RPC_ERRORS[rpc].message, options);
    this.detail = options.detail;
    this.name = "RpcError";
    this.rpc = rpc;
    this.data = data;
  }
}

/** `param` as the table of §4.5 and §4.6 names it, whatever its spelling in the call: `Task.timeout`. */
export function invalidParam(
  param: string,
  reason: ParamReason,
  more: { readonly min?: number; readonly max?: number; readonly detail?: string } = {},
): RpcError {
  return new RpcError("invalid_params", { param, reason, ...more });
}
