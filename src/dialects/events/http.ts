/** The dialect's own endpoints, on whichever listener: which there are, who calls, and what comes of it (event-streaming.md §4). */
import type { JWK } from "jose";
import type { Runtime } from "../../core/runtime.ts";
import type { ApiAnswer, RequestHead } from "../../transports/api-call.ts";
import type { ReadBody } from "../../transports/request.ts";
import { limitHit, type DialectMetrics } from "../dialect.ts";
import type { Explaining } from "../explaining.ts";
import { TOO_MANY_PUBLISHES } from "../publish-limit.ts";
import { authenticate, type Authentication } from "./access-token.ts";
import { PARAMS_BODY_BYTES_MAX, type Answer, type EventsCall } from "./call.ts";
import { EventsError, rateLimited, type EventsErrorCode } from "./errors.ts";
import {
  allowOrigin,
  bodyOf,
  commonHeaders,
  errorAnswer,
  jsonAnswer,
  newRequestId,
  type AnswerForm,
} from "./http-answer.ts";
import type { EventsConfig } from "./config.ts";
import { deprovision, provision, status } from "./organisation-state.ts";
import { publish, publishBatch } from "./publish.ts";
import { revoke } from "./revoke.ts";
import { connectionToken, subscriptionToken } from "./tokens.ts";

export interface EventsHttpOptions extends Authentication, Explaining {
  readonly runtime: Runtime;
  readonly metrics: DialectMetrics;
  readonly onError: AnswerForm["onError"];
  readonly onEvent: AnswerForm["onEvent"];
}

export interface Endpoint {
  /** Names it to metrics. */
  readonly name: string;
  readonly methods: Readonly<
    Record<string, (call: EventsCall) => Promise<Answer | readonly Answer[]>>
  >;
  /** Default 200. */
  readonly status?: number;
  /** Browsers call it. */
  readonly browsers?: boolean;
  /** Counts as a call that publishes. */
  readonly publishes?: boolean;
  /** Of its body. Default `PARAMS_BODY_BYTES_MAX`. */
  readonly bodyBytesMax?: (settings: EventsConfig["events"]) => number;
}

const publishing = {
  publishes: true,
  status: 202,
  bodyBytesMax: ({ body_size_limit }: EventsConfig["events"]) => body_size_limit,
};

export const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  "/events/connection_token": {
    ...{ name: "connection_token", browsers: true },
    methods: { GET: connectionToken, POST: connectionToken },
  },
  "/events/subscription_token": {
    ...{ name: "subscription_token", browsers: true },
    methods: { GET: subscriptionToken, POST: subscriptionToken },
  },
  "/events/provision": {
    name: "provision",
    methods: { GET: provision, POST: provision, DELETE: deprovision },
  },
  "/events/deprovision": {
    name: "deprovision",
    methods: { GET: deprovision, POST: deprovision },
  },
  "/events/status": { name: "status", methods: { GET: status } },
  "/events/revoke": { name: "revoke", methods: { POST: revoke } },
  "/events/publish": { name: "publish", methods: { POST: publish }, ...publishing },
  "/events/publish/batch": {
    ...{ name: "publish_batch", methods: { POST: publishBatch } },
    ...publishing,
  },
};

/** What the `clients` listener serves of them. */
export const BROWSER_ENDPOINTS: Readonly<Record<string, Endpoint>> = Object.fromEntries(
  Object.entries(ENDPOINTS).filter(([, { browsers }]) => browsers === true),
);

/** What is called, wherever it lies. */
export interface EventsRequest {
  readonly head: RequestHead;
  /** May throw EventsError where this request must not have one. */
  readonly readBody: ReadBody;
}

/** Answers any request to the endpoint; undefined: there is none. Never rejects. */
export async function answerEvents(
  options: EventsHttpOptions,
  endpoint: Endpoint | undefined,
  request: EventsRequest,
): Promise<ApiAnswer> {
  const { metrics, contexts, runtime, onError, onEvent, explainsRefusals } = options;
  const { name = "unknown", browsers = false } = endpoint ?? {};
  const form = {
    ...{ requestId: newRequestId(runtime), method: name },
    ...{ onError, onEvent, explainsRefusals },
  };
  let code: EventsErrorCode | "0" = "0";
  let answer: ApiAnswer;
  try {
    answer = await run(options, endpoint, request, form);
  } catch (error) {
    ({ answer, code } = errorAnswer(error, form));
  }
  const word = code === "0" ? "" : code;
  metrics.count("api_requests", { dialect: "events", method: name, code, word });
  return browsers ? allowOrigin(answer, request.head, [...contexts.values()]) : answer;
}

async function run(
  options: EventsHttpOptions,
  endpoint: Endpoint | undefined,
  { head, readBody }: EventsRequest,
  form: AnswerForm,
): Promise<ApiAnswer> {
  if (endpoint === undefined) throw notFound();
  const { methods, browsers = false, status: answered = 200, bodyBytesMax } = endpoint;
  if (browsers && head.method === "OPTIONS") {
    return { status: 204, headers: commonHeaders(form.requestId), body: "" };
  }
  const handler = Object.hasOwn(methods, head.method) ? methods[head.method] : undefined;
  if (handler === undefined) throw methodNotAllowed(Object.keys(methods));
  const caller = await authenticate(head, options);
  const { settings, metrics, publishLimit } = caller.context;
  const answering = async (): Promise<ApiAnswer> => {
    const body =
      bodyBytesMax === undefined
        ? await bodyOf(readBody, PARAMS_BODY_BYTES_MAX)
        : await bodyOf(readBody, bodyBytesMax(settings), () =>
            limitHit(metrics, "body_size_limit"),
          );
    return jsonAnswer(await handler({ caller, request: head, body }), answered, form);
  };
  if (endpoint.publishes !== true) return answering();
  const limited = publishLimit.run(answering);
  if (limited === undefined)
    throw rateLimited(TOO_MANY_PUBLISHES.retryAfterMs, TOO_MANY_PUBLISHES.detail);
  return limited;
}

export function notFound(): EventsError {
  return new EventsError("not_found", "No such path.");
}

export function methodNotAllowed(allowed: readonly string[]): EventsError {
  return new EventsError("method_not_allowed", "The method is not allowed here.", {
    headers: { Allow: allowed.join(", ") },
  });
}

/** `/.well-known/jwks.json`: what verifies the tokens issued here, where they are signed with key pairs. */
export function answerKeys(
  { contexts, runtime, onError, onEvent, explainsRefusals }: EventsHttpOptions,
  { method }: RequestHead,
): ApiAnswer {
  const form = {
    ...{ requestId: newRequestId(runtime), method: "jwks" },
    ...{ onError, onEvent, explainsRefusals },
  };
  if (method !== "GET") return errorAnswer(methodNotAllowed(["GET"]), form).answer;
  const keys: JWK[] = [...contexts.values()].flatMap(({ signer }) => signer.publicKeys);
  return jsonAnswer({ keys }, 200, form);
}
