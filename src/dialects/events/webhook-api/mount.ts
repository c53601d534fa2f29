/** Where the webhooks' management API is mounted: whose organisation a call is about, and the form of its answers (webhooks.md §5). */
import { Hono, type Context } from "hono";
import { responseOf } from "../../../transports/api-call.ts";
import { servedAt } from "../../../transports/request.ts";
import type { ApiEnv } from "../../dialect.ts";
import { authenticate, organisationOf, type Caller } from "../access-token.ts";
import { commonHeaders, errorAnswer, newRequestId } from "../http-answer.ts";
import { notFound, type EventsHttpOptions } from "../http.ts";
import { requireActive } from "../organisation-state.ts";
import type { Organisation } from "../organisations.ts";

/**
 * What a handler below `/webhooks` and `/organisations/{org}/webhooks` finds. Whatever it throws is answered in the dialect's form:
 * EventsError and WebhookError with their codes, HubError by the table, anything else as `internal_error`. `X-Request-Id` and
 * `Cache-Control` are set behind it.
 */
export interface EventsEnv extends ApiEnv {
  readonly Variables: {
    requestId: string;
    /** Its `context` is the app's. Scopes are the handler's to judge (`requireScope`). */
    caller: Caller;
    /** Active: anything else was answered 409 before. */
    organisation: Organisation;
  };
}

const FOR_USERS = "/webhooks";
const FOR_SERVERS = "/organisations/:organisation_id/webhooks";

/**
 * `webhooks` is mounted at both places, behind authentication, so its paths are relative: `/endpoints`, `/endpoints/:id`. A path
 * that it does not know is answered 404; it answers 405 itself.
 */
export function createWebhookRoutes(
  options: EventsHttpOptions,
  webhooks: Hono<EventsEnv>,
): Hono<EventsEnv> {
  const app = new Hono<EventsEnv>();
  app.use("*", async (c, next) => {
    const requestId = newRequestId(options.runtime);
    c.set("requestId", requestId);
    await next();
    for (const [name, value] of Object.entries(commonHeaders(requestId))) c.header(name, value);
  });
  for (const path of [FOR_USERS, FOR_SERVERS]) {
    app.use(`${path}/*`, async (c, next) => {
      const contexts = servedAt(options.contexts, c.env.mount);
      const caller = await authenticate(c.req.raw, { ...options, contexts });
      c.set("caller", caller);
      c.set("organisation", await organisationFor(c, caller));
      return next();
    });
    app.route(path, webhooks);
  }
  const refuse = (c: Context<EventsEnv>, error: unknown): Response => {
    const { requestId } = c.var;
    const { onError, onEvent, explainsRefusals } = options;
    const { answer, code } = errorAnswer(error, {
      requestId,
      method: "webhooks",
      onError,
      onEvent,
      explainsRefusals,
    });
    const labels = { dialect: "events", method: "webhooks", code, word: code };
    options.metrics.count("api_requests", labels);
    return responseOf(answer);
  };
  app.notFound((c) => refuse(c, notFound()));
  app.onError((error, c) => refuse(c, error));
  return app;
}

async function organisationFor(c: Context<EventsEnv>, caller: Caller): Promise<Organisation> {
  const inPath = c.req.param("organisation_id");
  const own = caller.organisationId;
  // Another's is not there, so that nobody learns which there are.
  if (inPath !== undefined && own !== undefined && inPath !== own) throw notFound();
  const named = inPath ?? c.req.query("organisation_id");
  return requireActive(caller.context, organisationOf(caller, named));
}
