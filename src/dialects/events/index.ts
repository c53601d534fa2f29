/** The events dialect: organisations, scoped tokens, publishing and webhooks over REST (event-streaming.md). Its sockets are streaming's. */
import { Hono } from "hono";
import type { ApiEnv, Dialect } from "../dialect.ts";
import { EventsError } from "./errors.ts";
import { createWebhookRoutes, type EventsEnv } from "./http-webhooks.ts";
import {
  answerEvents,
  answerKeys,
  BROWSER_ENDPOINTS,
  ENDPOINTS,
  type EventsHttpOptions,
} from "./http.ts";
import { eventsOpenApi } from "./openapi.ts";

export interface EventsOptions extends EventsHttpOptions {
  /** The webhooks' management API; see `createWebhookRoutes`. */
  readonly webhooks: Hono<EventsEnv>;
}

const KEYS_PATH = "/.well-known/jwks.json";

export function createEvents(options: EventsOptions): Dialect {
  const webhooks = createWebhookRoutes(options, options.webhooks);
  const api = new Hono<ApiEnv>();
  api.all("/events/*", ({ req: { raw }, env }) =>
    answerEvents(options, ENDPOINTS, raw, async () => env.body),
  );
  // Apps of their own, so that errors and unknown paths are answered in this dialect's form.
  for (const path of ["/webhooks/*", "/organisations/*"]) {
    api.all(path, ({ req: { raw }, env }) => webhooks.fetch(raw, env));
  }
  api.all(KEYS_PATH, ({ req: { raw } }) => answerKeys(options, raw));

  const clients = new Hono();
  clients.all("/events/*", ({ req: { raw } }) =>
    answerEvents(options, BROWSER_ENDPOINTS, raw, () => clientsBody(raw)),
  );
  clients.all(KEYS_PATH, ({ req: { raw } }) => answerKeys(options, raw));
  return { name: "events", clients, api, sockets: [], openapi: eventsOpenApi() };
}

/** This listener drops the body of a GET, so that one is refused rather than overlooked (DESIGN.md §5). */
async function clientsBody(request: Request): Promise<Uint8Array> {
  const { method, headers } = request;
  const announced = Number(headers.get("content-length") ?? 0) > 0;
  if (method === "GET" && (announced || headers.has("transfer-encoding"))) {
    throw new EventsError(
      "invalid_request",
      "A GET has no body here: use the query (?channel=, with %23 for #), or POST the body.",
    );
  }
  return request.bytes();
}
