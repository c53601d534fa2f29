/** The REST side's errors (event-streaming.md §4.4, webhooks.md §5): one table of codes, and what each core code becomes. */
import { HubError, type HubErrorCode } from "../../core/errors.ts";
import { WebhookError, type WebhookErrorCode } from "../../webhooks/contract.ts";

/** HTTP status by code. */
export const EVENTS_ERRORS = {
  invalid_request: 400,
  invalid_channel: 400,
  invalid_url: 400,
  authentication_required: 401,
  invalid_token: 401,
  insufficient_scope: 403,
  channel_forbidden: 403,
  organisation_required: 403,
  not_found: 404,
  method_not_allowed: 405,
  organisation_not_provisioned: 409,
  idempotency_conflict: 409,
  endpoint_disabled: 409,
  task_running: 409,
  too_many_secrets: 409,
  limit_reached: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  internal_error: 500,
  unavailable: 503,
} as const satisfies Record<WebhookErrorCode, number> & Record<string, number>;

export type EventsErrorCode = keyof typeof EVENTS_ERRORS;

export interface EventsErrorOptions extends ErrorOptions {
  /** Shown to the caller as `error.details`: never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Why, for the log, and for the caller in development mode. Default: the message, or the cause's. */
  readonly detail?: string;
}

/** An expected failure, answered with its code's status. The message is shown to the caller. */
export class EventsError extends Error {
  readonly code: EventsErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly #detail: string | undefined;

  constructor(code: EventsErrorCode, message: string, options: EventsErrorOptions = {}) {
    super(message, options);
    this.name = "EventsError";
    this.code = code;
    this.details = options.details;
    this.headers = options.headers ?? {};
    this.#detail = options.detail;
  }

  get detail(): string {
    return this.#detail ?? (this.cause instanceof HubError ? this.cause.detail : this.message);
  }

  get status(): (typeof EVENTS_ERRORS)[EventsErrorCode] {
    return EVENTS_ERRORS[this.code];
  }

  /** As answers have it. `beside`: details more. */
  bodyWith(beside: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
    const { code, message } = this;
    const details = { ...this.details, ...beside };
    const empty = Object.keys(details).length === 0;
    return { code, message, ...(empty ? {} : { details }) };
  }
}

/** As the log has it. Details name channels, scopes and members, and hold nothing of a payload. */
export function loggedRefusal(error: EventsError) {
  const { code, status, detail, details } = error;
  return { ...details, word: code, status, code, detail };
}

/** Seconds after which a caller may try again when a store or key set is out of reach. */
const RETRY_SECONDS = "1";

/** Of what the core throws here. Total: a new core code does not compile until it has an answer. */
const HUB_ERRORS = {
  unavailable: "unavailable",
  already_subscribed: "internal_error",
  limit_exceeded: "unavailable",
  bad_request: "invalid_request",
  not_available: "internal_error",
  token_expired: "invalid_token",
  invalid_token: "invalid_token",
  unrecoverable_position: "internal_error",
} as const satisfies Record<HubErrorCode, EventsErrorCode>;

/** The answer to an expected failure, of whoever's; undefined: it is a bug. */
export function eventsErrorOf(error: unknown): EventsError | undefined {
  if (error instanceof EventsError) return error;
  if (error instanceof WebhookError) return ofWebhooks(error);
  if (!(error instanceof HubError)) return undefined;
  const code = HUB_ERRORS[error.code];
  return new EventsError(
    code,
    code === "unavailable" ? "The server cannot do this now: try again." : "Refused.",
    {
      ...{ cause: error, headers: code === "unavailable" ? { "Retry-After": RETRY_SECONDS } : {} },
    },
  );
}

function ofWebhooks(cause: WebhookError): EventsError {
  const { code, message, details, retryAfterMs } = cause;
  return new EventsError(code, message, {
    ...{ cause, details },
    headers: retryAfterMs === undefined ? {} : retryAfter(retryAfterMs),
  });
}

/** `retryAfterMs` is rounded up to whole seconds. */
export function rateLimited(retryAfterMs: number, message = "Too many requests."): EventsError {
  return new EventsError("rate_limited", message, {
    headers: retryAfter(retryAfterMs),
  });
}

function retryAfter(ms: number): Readonly<Record<string, string>> {
  return { "Retry-After": `${Math.max(1, Math.ceil(ms / 1000))}` };
}
