/** The form of every answer (event-streaming.md §4.3, §4.4), and which browser pages may read it. */
import { ksuid } from "../../core/ksuid.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { ApiAnswer, RequestHead } from "../../transports/api-call.ts";
import { BODY_REFUSALS, type BodyRefusal, type ReadBody } from "../../transports/request.ts";
import type { OnEvent } from "../dialect.ts";
import { explainedChallenge, type Explaining } from "../explaining.ts";
import type { EventsContext } from "./context.ts";
import { EventsError, eventsErrorOf, loggedRefusal, type EventsErrorCode } from "./errors.ts";

export interface AnswerForm extends Explaining {
  /** `req_<ksuid>`. */
  readonly requestId: string;
  /** Names the endpoint to the log. */
  readonly method: string;
  readonly onEvent: OnEvent;
  /** Told of what is a bug, and of an engine that is away. */
  readonly onError: (error: unknown, about: { readonly request: string }) => void;
}

export function newRequestId(runtime: Pick<Runtime, "clock" | "random">): string {
  return `req_${ksuid(runtime)}`;
}

/** On every answer: what is said to one caller at one time is nobody else's. */
export function commonHeaders(requestId: string): Readonly<Record<string, string>> {
  return { "Cache-Control": "no-store", "X-Request-Id": requestId };
}

export function jsonAnswer(
  value: unknown,
  status: number,
  { requestId }: AnswerForm,
  more: Readonly<Record<string, string>> = {},
): ApiAnswer {
  const type = "application/json; charset=utf-8";
  const headers = { "Content-Type": type, ...commonHeaders(requestId), ...more };
  return { status, headers, body: JSON.stringify(value) };
}

/** Of anything that was thrown: a refusal is told to `onEvent`, and a bug is answered as one and told to `onError`. */
export function errorAnswer(
  error: unknown,
  form: AnswerForm,
): { readonly answer: ApiAnswer; readonly code: EventsErrorCode } {
  const expected = eventsErrorOf(error);
  if (expected === undefined || expected.code === "unavailable") {
    form.onError(error, { request: form.requestId });
  }
  const shown = expected ?? new EventsError("internal_error", "The server failed.");
  const { requestId: request, method, onEvent } = form;
  onEvent("API call refused", { method, ...loggedRefusal(shown), request });
  const { code, status, detail } = shown;
  const beside = form.explainsRefusals && detail !== shown.message ? { explanation: detail } : {};
  const body = { error: shown.bodyWith(beside), request_id: form.requestId };
  return { answer: jsonAnswer(body, status, form, headersOf(shown, form)), code };
}

function headersOf({ headers, detail }: EventsError, form: AnswerForm): AnswerHeaders {
  const { "WWW-Authenticate": challenge } = headers;
  // Without an error in it, it is for callers who showed no credential.
  if (challenge?.includes("error=") !== true) return headers;
  return { ...headers, "WWW-Authenticate": explainedChallenge(form, challenge, detail) };
}

type AnswerHeaders = Readonly<Record<string, string>>;

const BODY_ERRORS = {
  too_large: "payload_too_large",
  compressed: "unsupported_media_type",
  busy: "unavailable",
  cut: "invalid_request",
} as const satisfies Readonly<Record<BodyRefusal, EventsErrorCode>>;

/** Throws `payload_too_large` and the other words for a body that is not had. */
export async function bodyOf(
  readBody: ReadBody,
  bytesMax: number,
  onTooLarge?: () => void,
): Promise<Uint8Array> {
  const body = await readBody(bytesMax);
  if (typeof body !== "string") return body;
  if (body === "too_large") onTooLarge?.();
  const more = body === "too_large" ? `: it may have ${bytesMax} bytes` : "";
  throw new EventsError(BODY_ERRORS[body], `${BODY_REFUSALS[body].text}${more}.`);
}

/** §4.3: how long, in seconds, a browser remembers what it may ask. */
const PREFLIGHT_SECONDS = "600";

/** No cookie is ever read, so that credentials are never allowed. */
export function allowOrigin(
  answer: ApiAnswer,
  { method, headers: asked }: RequestHead,
  apps: readonly Pick<EventsContext, "allowsOrigin" | "hub" | "onEvent">[],
): ApiAnswer {
  const headers: Record<string, string> = { ...answer.headers, Vary: "Origin" };
  const origin = asked.get("origin");
  if (origin === null) return { ...answer, headers };
  if (!apps.some((app) => app.allowsOrigin(origin))) {
    // A page of this address itself may read what it asks for.
    const own = URL.parse(origin)?.host === asked.get("host");
    for (const { hub, onEvent } of own ? [] : apps) {
      onEvent("Origin refused", { app: hub.app, origin });
    }
    return { ...answer, headers };
  }
  headers["Access-Control-Allow-Origin"] = origin;
  headers["Access-Control-Expose-Headers"] = "Retry-After, WWW-Authenticate, X-Request-Id";
  if (method === "OPTIONS") {
    headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS";
    headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type";
    headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS;
  }
  return { ...answer, headers };
}
