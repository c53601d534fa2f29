/** How the admin API answers what it does not do: one code for each reason, and its status. */
import { ApiRefusal } from "../../auth/api-callers.ts";
import { HubError, type HubErrorCode } from "../../core/errors.ts";
import { AdminError, type AdminErrorCode } from "../../dialects/admin-operation.ts";
import type { ApiAnswer } from "../../transports/api-call.ts";
import { BODY_REFUSALS, type BodyRefusal } from "../../transports/request.ts";

export const ADMIN_ERRORS = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  not_available: 409,
  too_large: 413,
  unsupported_media_type: 415,
  limit_exceeded: 429,
  internal_error: 500,
  unavailable: 503,
} as const satisfies Record<AdminErrorCode, number> & Record<string, number>;

export type AdminAnswerCode = keyof typeof ADMIN_ERRORS;

/** Total: a new core code does not compile until it has an answer. */
const HUB_ERRORS = {
  already_subscribed: "conflict",
  limit_exceeded: "limit_exceeded",
  bad_request: "bad_request",
  not_available: "not_available",
  token_expired: "internal_error",
  invalid_token: "internal_error",
  unrecoverable_position: "conflict",
  unavailable: "unavailable",
} as const satisfies Record<HubErrorCode, AdminAnswerCode>;

const BODY_ERRORS = {
  too_large: "too_large",
  compressed: "unsupported_media_type",
  busy: "unavailable",
  cut: "bad_request",
} as const satisfies Record<BodyRefusal, AdminAnswerCode>;

export interface Failure {
  readonly code: AdminAnswerCode;
  /** For the caller and the log. */
  readonly message: string;
  /** Of `method_not_allowed`: what the path takes. */
  readonly allow?: string;
}

export function bodyFailure(refusal: BodyRefusal): Failure {
  return { code: BODY_ERRORS[refusal], message: BODY_REFUSALS[refusal].text };
}

export function failureOf({ status, detail }: ApiRefusal): Failure {
  return { code: status === 401 ? "unauthorized" : "forbidden", message: detail };
}

/** Undefined for what is a bug. */
export function expectedFailure(error: unknown): Failure | undefined {
  if (error instanceof AdminError) return { code: error.code, message: error.message };
  if (!(error instanceof HubError)) return undefined;
  return { code: HUB_ERRORS[error.code], message: error.message };
}

/** Seconds after which a call that came at a bad moment may be sent again. */
const RETRY_SECONDS = "1";

export function adminAnswer(status: number, json: string, allow?: string): ApiAnswer {
  return {
    status,
    headers: {
      "Content-Type": "application/json",
      // What it says is nobody else's, and is never a page.
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      ...(allow === undefined ? {} : { Allow: allow }),
      ...(status === 429 || status === 503 ? { "Retry-After": RETRY_SECONDS } : {}),
    },
    body: json,
  };
}

export function failureAnswer({ code, message, allow }: Failure): ApiAnswer {
  return adminAnswer(ADMIN_ERRORS[code], JSON.stringify({ error: { code, message } }), allow);
}
