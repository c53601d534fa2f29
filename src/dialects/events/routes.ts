/** Where the events dialect is served: REST on both listeners (event-streaming.md §2). */
import { Hono } from "hono";
import { responseOf, type AnswerCall } from "../../transports/api-call.ts";
import { servedAt, type Mount, type ReadBody } from "../../transports/request.ts";
import type { ApiCalls, ApiEnv, ClientsEnv, Served } from "../dialect.ts";
import { EventsError } from "./errors.ts";
import { createWebhookRoutes, type EventsEnv } from "./webhook-api/mount.ts";
import {
  answerEvents,
  answerKeys,
  BROWSER_ENDPOINTS,
  ENDPOINTS,
  type Endpoint,
  type EventsHttpOptions,
} from "./http.ts";
import { eventsOpenApi } from "./openapi.ts";

export interface EventsOptions extends EventsHttpOptions {
  /** The webhooks' management API; see `createWebhookRoutes`. */
  readonly webhooks: Hono<EventsEnv>;
}

const KEYS_PATH = "/.well-known/jwks.json";

export function createRoutes(options: EventsOptions): Served {
  const webhooks = createWebhookRoutes(options, options.webhooks);
  const at = (mount: Mount) => ({ ...options, contexts: servedAt(options.contexts, mount) });
  const answerAs =
    (endpoint: Endpoint | undefined): AnswerCall =>
    (call) =>
      answerEvents(at(call.mount), endpoint, {
        head: call,
        readBody: (bytesMax) => call.readBody(bytesMax),
      });
  const unknown = answerAs(undefined);
  const calls: ApiCalls = {
    exact: {
      ...Object.fromEntries(
        Object.entries(ENDPOINTS).map(([path, endpoint]) => [path, answerAs(endpoint)]),
      ),
      [KEYS_PATH]: (call) => answerKeys(at(call.mount), call),
    },
    find: (path) => (path === "/events" || path.startsWith("/events/") ? unknown : undefined),
  };
  const api = new Hono<ApiEnv>();
  // An app of its own, so that errors and unknown paths are answered in this dialect's form.
  for (const path of ["/webhooks/*", "/organisations/*"]) {
    api.all(path, ({ req: { raw }, env }) => webhooks.fetch(raw, env));
  }

  const clients = new Hono<ClientsEnv>();
  clients.all("/events/*", async ({ req: { raw }, env }) => {
    const { pathname } = new URL(raw.url);
    const endpoint = Object.hasOwn(BROWSER_ENDPOINTS, pathname)
      ? BROWSER_ENDPOINTS[pathname]
      : undefined;
    const request = { head: raw, readBody: clientsBody(raw, env.readBody) };
    return responseOf(await answerEvents(at(env.mount), endpoint, request));
  });
  clients.all(KEYS_PATH, ({ req: { raw }, env }) => responseOf(answerKeys(at(env.mount), raw)));
  return { clients, calls, api, sockets: [], openapi: () => eventsOpenApi() };
}

/** This listener drops the body of a GET, so that one is refused rather than overlooked (DESIGN.md §5). */
function clientsBody({ method, headers }: Request, readBody: ReadBody): ReadBody {
  const announced = Number(headers.get("content-length") ?? 0) > 0;
  if (method !== "GET" || !(announced || headers.has("transfer-encoding"))) return readBody;
  return () => {
    throw new EventsError(
      "invalid_request",
      "A GET takes no body here: use the query (?channel=, with %23 for #), or POST the body.",
    );
  };
}
