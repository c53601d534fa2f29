/** Routes of the calls about subscribers and keys on the `api` listener, their authorization and their answers (messaging.md §13). */
import { Hono, type Context } from "hono";
import { ApiRefusal, type ApiCallers } from "../../../auth/api-callers.ts";
import type { Passwords } from "../../../auth/passwords.ts";
import {
  BODY_REFUSALS,
  serves,
  type BodyRefusal,
  type ReadBody,
} from "../../../transports/request.ts";
import { limitHit, type ApiEnv, type DialectMetrics, type OnEvent } from "../../dialect.ts";
import type { Word } from "../../every-word.ts";
import type { Explaining } from "../../explaining.ts";
import type { MessagingContext } from "../context.ts";
import { CALLS, type Call } from "./calls.ts";
import {
  AuthError,
  authErrorOf,
  emptyAnswer,
  errorAnswer,
  jsonAnswer,
  type AuthErrorCode,
} from "../auth/errors.ts";

export interface SubscriberRoutesOptions extends Explaining {
  /** By app id, which is the domain. */
  readonly contexts: ReadonlyMap<string, MessagingContext>;
  readonly callers: Pick<ApiCallers, "admit">;
  readonly passwords: Passwords;
  readonly path: string;
  readonly tokenTtlMs: number;
  readonly bodyBytesMax: number;
  readonly metrics: DialectMetrics;
  readonly onEvent: OnEvent;
  readonly onError: (error: unknown, about: Readonly<Record<string, string>>) => void;
}

/** §2.1, §13.4: the domain of one's own tenant, said in either way. */
const DOMAIN_PATHS = ["/domains/:domain", "/tenants/self/domains/:domain"];

/** Stands for the domain that the caller's key belongs to. */
const OWN_DOMAIN = "self";

export function createSubscriberRoutes(options: SubscriberRoutesOptions): Hono<ApiEnv> {
  const api = new Hono<ApiEnv>();
  for (const domainPath of DOMAIN_PATHS) {
    for (const [path, methods] of Object.entries(CALLS)) {
      api.all(options.path + domainPath + path, (c) =>
        answered(options, path, () => answer(c, methods, options)),
      );
    }
  }
  // Callers without a key do not learn which paths exist.
  api.all(`${options.path}/*`, (c) =>
    answered(options, "unknown", async () => {
      admitted(c, options);
      throw new AuthError("not_found", "The path is not known");
    }),
  );
  return api;
}

async function answer(
  c: Context<ApiEnv>,
  methods: Readonly<Record<string, (call: Call) => Promise<{ status: number; body?: object }>>>,
  options: SubscriberRoutesOptions,
): Promise<Response> {
  const context = domainOf(c, admitted(c, options));
  // A HEAD is its GET; the sender of the answer leaves the body out.
  const method = c.req.method === "HEAD" ? "GET" : c.req.method;
  const handle = methods[method];
  if (handle === undefined) {
    const allowed = Object.keys(methods).join(", ");
    const headers = { Allow: allowed };
    throw new AuthError("method_not_allowed", `The path takes ${allowed}`, { headers });
  }
  const { passwords, tokenTtlMs } = options;
  const { status, body } = await handle({
    ...{ context, passwords, tokenTtlMs },
    // A base, for node:http hands over the path only.
    url: new URL(c.req.url, "http://localhost"),
    body: await callBody(c, options),
    param: (name) => c.req.param(name) ?? "",
  });
  return body === undefined ? emptyAnswer() : jsonAnswer(status, body);
}

async function callBody(
  { env }: Context<ApiEnv>,
  { bodyBytesMax, metrics }: SubscriberRoutesOptions,
): Promise<Uint8Array> {
  try {
    return await bodyOf(env.readBody, bodyBytesMax);
  } catch (error) {
    if (error instanceof AuthError && error.code === "too_large") {
      limitHit(metrics, "body_size_limit");
    }
    throw error;
  }
}

/** Throws AuthError. */
function admitted(c: Context<ApiEnv>, options: SubscriberRoutesOptions): MessagingContext {
  const key = options.callers.admit(c.req.raw, { scope: "messaging" });
  if (key instanceof ApiRefusal) throw refused(key);
  const context = options.contexts.get(key.app);
  if (context !== undefined && serves(c.env.mount, key.app)) return context;
  throw refused(new ApiRefusal(401, "The API key belongs to another app than this address"));
}

/** Another domain than the key's is not there. */
function domainOf(c: Context<ApiEnv>, context: MessagingContext): MessagingContext {
  const domain = c.req.param("domain");
  if (domain === OWN_DOMAIN || domain === context.domain) return context;
  throw new AuthError("not_found", "There is no such domain");
}

export function refused({ status, detail }: ApiRefusal): AuthError {
  return new AuthError(status === 401 ? "invalid_token" : "forbidden", detail);
}

const BODY_ERRORS = {
  too_large: "too_large",
  compressed: "unsupported_media_type",
  busy: "unavailable",
  cut: "invalid_request",
} as const satisfies Readonly<Record<BodyRefusal, AuthErrorCode>>;

/** Throws AuthError when the body cannot be read. */
export async function bodyOf(readBody: ReadBody, bytesMax: number): Promise<Uint8Array> {
  const body = await readBody(bytesMax);
  if (typeof body !== "string") return body;
  throw new AuthError(BODY_ERRORS[body], BODY_REFUSALS[body].text);
}

export type AnswerServices = Pick<
  SubscriberRoutesOptions,
  "metrics" | "onEvent" | "onError" | "explainsRefusals"
>;

/** Every answer of the API in one place: a thrown AuthError is logged, counted and answered in its form; a bug is thrown on. */
export async function answered(
  services: AnswerServices,
  method: string,
  answer: () => Promise<Response>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const { metrics, onEvent, onError } = services;
  const count = (code: string, word: Word | "" = "") =>
    metrics.count("api_requests", { dialect: "messaging", method, code, word });
  try {
    const response = await answer();
    count("ok");
    return response;
  } catch (thrown) {
    const error = authErrorOf(thrown) ?? new AuthError("internal_error", "The server failed");
    const { code, detail } = error;
    if (code === "internal_error" || code === "unavailable") onError(thrown, { method });
    const event = method === "token" ? "Login refused" : "API call refused";
    onEvent(event, { word: code, method, code, detail });
    count(code, code);
    return errorAnswer(error, services, headers);
  }
}
