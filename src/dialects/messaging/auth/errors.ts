/** Errors of the HTTP API, and their answers: RFC 6749 §5.2 and RFC 6750 §3 where they have a word for it. */
import { HubError, type HubErrorCode } from "../../../core/errors.ts";
import { explainedChallenge, explainedText, type Explaining } from "../../explaining.ts";

export const AUTH_ERRORS = {
  invalid_request: 400,
  unsupported_grant_type: 400,
  invalid_grant: 400,
  unauthorized: 401,
  invalid_token: 401,
  insufficient_scope: 403,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  limit_reached: 409,
  too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  internal_error: 500,
  unavailable: 503,
} as const;
export type AuthErrorCode = keyof typeof AUTH_ERRORS;

/** Seconds after which a call that came at a bad moment may be sent again. */
const RETRY_SECONDS = 1;

export interface AuthErrorOptions {
  /** Of the body: the member that is wrong. */
  readonly field?: string | undefined;
  readonly retryAfterMs?: number;
  readonly detail?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Its message is for the caller and the log, and repeats nothing of the request but names of members. */
export class AuthError extends Error {
  readonly code: AuthErrorCode;
  readonly options: AuthErrorOptions;
  /** For the log: more than the message where that leaves something open. */
  readonly detail: string;

  constructor(code: AuthErrorCode, message: string, options: AuthErrorOptions = {}) {
    super(message);
    this.detail = options.detail ?? message;
    this.code = code;
    this.options = options;
  }
}

const HUB_ERRORS = {
  already_subscribed: "conflict",
  limit_exceeded: "rate_limited",
  bad_request: "invalid_request",
  not_available: "not_found",
  token_expired: "invalid_token",
  invalid_token: "invalid_token",
  unrecoverable_position: "internal_error",
  unavailable: "unavailable",
} as const satisfies Readonly<Record<HubErrorCode, AuthErrorCode>>;

/** Undefined for a bug. */
export function authErrorOf(error: unknown): AuthError | undefined {
  if (error instanceof AuthError) return error;
  if (!(error instanceof HubError)) return undefined;
  const code = HUB_ERRORS[error.code];
  return new AuthError(
    code,
    code === "unavailable" ? "The server cannot do it now" : error.message,
    { detail: error.detail },
  );
}

/** Every answer of the API (§13): caches must not keep it. */
const HEADERS = {
  "Cache-Control": "no-store",
  "Content-Type": "application/json; charset=UTF-8",
};

export function jsonAnswer(
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(body), { status, headers: { ...HEADERS, ...headers } });
}

export const emptyAnswer = (headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(null, { status: 204, headers: { "Cache-Control": "no-store", ...headers } });

/** §4.2: an error in the challenge only for who showed a credential. */
export function errorAnswer(
  { code, message, detail, options }: AuthError,
  explaining: Explaining,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const status = AUTH_ERRORS[code];
  const { field, retryAfterMs } = options;
  const body = {
    error: code,
    ...(code === "unauthorized"
      ? {}
      : { error_description: explainedText(explaining, message, detail) }),
    ...(field === undefined ? {} : { field }),
  };
  return jsonAnswer(status, body, {
    ...headers,
    ...options.headers,
    ...challengeOf(code, status, (challenge) => explainedChallenge(explaining, challenge, detail)),
    ...(status === 429 || status === 503
      ? { "Retry-After": `${Math.max(RETRY_SECONDS, Math.ceil((retryAfterMs ?? 0) / 1000))}` }
      : {}),
  });
}

/** RFC 6750 §3: also of a request that is wrong, and of one that may not. */
function challengeOf(
  code: AuthErrorCode,
  status: number,
  explain: (challenge: string) => string,
): Readonly<Record<string, string>> {
  const named = code === "insufficient_scope" || code === "invalid_request";
  if (status !== 401 && !named) return {};
  const challenge = 'Bearer realm="messaging"';
  const told = code === "unauthorized" ? challenge : explain(`${challenge}, error="${code}"`);
  return { "WWW-Authenticate": told };
}
