/** The webhook API (webhooks.md §5): the same paths for an organisation's access tokens and for API keys. */
import { Hono, type Context } from "hono";
import type { WebhookOwner } from "../../../webhooks/contract.ts";
import { requireScope, type Caller } from "../access-token.ts";
import { EventsError } from "../errors.ts";
import type { EventsEnv } from "./mount.ts";
import { PLATFORM_ADMIN } from "../organisation-state.ts";
import { bodyOf } from "../http-answer.ts";
import type { EventType } from "./event-types.ts";
import { once, type Vault } from "./idempotency.ts";
import { WEBHOOK_CALL_BYTES_MAX } from "./schema.ts";
import { WEBHOOK_ROUTES, type Handler, type WebhookCall } from "./routes.ts";

export interface WebhookHttpOptions {
  readonly vault: Vault;
  /** Where deliveries come from, for receivers' firewalls: as configured. */
  readonly sourceAddresses: readonly string[];
  /** Those of publishers, as configured: shown behind the server's own. */
  readonly eventTypes: readonly EventType[];
}

const READ = ["webhooks:read", "webhooks:admin", PLATFORM_ADMIN] as const;
const ADMIN = ["webhooks:admin", PLATFORM_ADMIN] as const;
/** Of one caller, §10. */
const CALLS_PER_MINUTE = 120;
const MINUTE_MS = 60_000;

type Call = Context<EventsEnv>;

/** Any one of them permits the call; the first is the one to ask for. */
export function scopesOf(method: string, route: Handler | undefined): typeof READ | typeof ADMIN {
  return method === "GET" && route?.secret !== true ? READ : ADMIN;
}

/** Behind authentication, and mounted twice: see `EventsRoutesOptions`. */
export function createWebhookHandlers(options: WebhookHttpOptions): Hono<EventsEnv> {
  const routes = new Hono<EventsEnv>();
  for (const [path, methods] of Object.entries(WEBHOOK_ROUTES)) {
    routes.all(path, (c) => {
      // A HEAD is its GET; whoever sends the answer leaves the body out.
      const method = c.req.method === "HEAD" ? "GET" : c.req.method;
      const route = (methods as Readonly<Record<string, Handler>>)[method];
      if (route === undefined) {
        const allowed = Object.keys(methods).flatMap((name) =>
          name === "GET" ? ["GET", "HEAD"] : [name],
        );
        throw new EventsError("method_not_allowed", `The path takes ${allowed.join(", ")}.`, {
          headers: { Allow: allowed.join(", ") },
        });
      }
      return answer(c, method, route, options);
    });
  }
  return routes;
}

async function answer(c: Call, method: string, route: Handler, options: WebhookHttpOptions) {
  const caller = c.get("caller");
  requireScope(caller, scopesOf(method, route));
  const { context } = caller;
  const rate = { count: CALLS_PER_MINUTE, perMs: MINUTE_MS };
  context.rateLimits.take(`webhooks/${caller.id}`, rate);
  const { id: organisationId, applicationId } = c.get("organisation");
  const body = await bodyOf(c.env.readBody, WEBHOOK_CALL_BYTES_MAX);
  const call: WebhookCall = {
    ...{ webhooks: context.webhooks, owner: { organisationId, applicationId } },
    ...{ request: c.req.raw, body, param: (name) => c.req.param(name) ?? "" },
    ...{ sourceAddresses: options.sourceAddresses, eventTypes: options.eventTypes },
  };
  const key = method === "POST" ? c.req.header("idempotency-key") : undefined;
  const run = () => route.handle(call);
  const reply =
    key === undefined
      ? await run()
      : await once(
          idempotent(c, { caller, owner: call.owner, key, body, vault: options.vault }),
          run,
        );
  return new Response(reply.body === "" ? null : reply.body, {
    status: reply.status,
    headers: reply.body === "" ? {} : { "Content-Type": "application/json" },
  });
}

function idempotent(
  c: Call,
  {
    caller,
    owner,
    key,
    body,
    vault,
  }: {
    readonly caller: Caller;
    readonly owner: WebhookOwner;
    readonly key: string;
    readonly body: Uint8Array;
    readonly vault: Vault;
  },
) {
  const { records } = caller.context;
  return {
    ...{ records, vault, key, owner: `${owner.applicationId}/${caller.id}` },
    request: [c.req.path, body],
  };
}
