/** The webhook API's part of the OpenAPI 3.1 document, at both places where it is mounted, from the schemas that check its calls. */
import type { z } from "zod";
import { ORGANISATION_ID } from "../access-token.ts";
import type { EventsErrorCode } from "../errors.ts";
import type { Operation, Paths } from "../../openapi-components.ts";
import { jsonContent, schemaOf, TEXT, type Schema } from "../../openapi-schema.ts";
import { refusals } from "../openapi-errors.ts";
import { scopesOf } from "./http.ts";
import { IDEMPOTENCY_KEY_CHARACTERS_MAX } from "./idempotency.ts";
import { WEBHOOK_OPERATIONS, type WebhookOperation } from "./openapi-calls.ts";
import { WEBHOOK_ROUTES, type Handler } from "./routes.ts";

interface Mount {
  readonly path: string;
  /** Before every operation's id. */
  readonly prefix: string;
  /** Names the organisation. */
  readonly parameter: Schema;
}

const ORGANISATION = { ...TEXT, pattern: ORGANISATION_ID.source };
const MOUNTS: readonly Mount[] = [
  {
    ...{ path: "/webhooks", prefix: "webhooks" },
    parameter: {
      ...{ name: "organisation_id", in: "query", schema: ORGANISATION },
      description: "Needed with an API key for every organisation.",
    },
  },
  {
    ...{ path: "/organisations/{organisation_id}/webhooks", prefix: "organisation_webhooks" },
    parameter: { name: "organisation_id", in: "path", required: true, schema: ORGANISATION },
  },
];

const EVERY_CALL = [
  ...([
    "invalid_request",
    "authentication_required",
    "invalid_token",
    "insufficient_scope",
  ] as const),
  ...(["organisation_required", "not_found", "organisation_not_provisioned"] as const),
  ...(["rate_limited", "unavailable"] as const),
];
const WITH_BODY = ["payload_too_large", "unsupported_media_type"] as const;

export function webhookPaths(): Paths {
  const paths: Record<string, Paths[string]> = {};
  for (const mount of MOUNTS) {
    for (const [route, operations] of Object.entries(WEBHOOK_OPERATIONS)) {
      const path = mount.path + route.replaceAll(/:(\w+)/g, "{$1}");
      const handlers: Readonly<Record<string, Handler>> =
        WEBHOOK_ROUTES[route as keyof typeof WEBHOOK_ROUTES];
      paths[path] = Object.fromEntries(
        Object.entries<WebhookOperation>(operations).map(([method, operation]) => {
          const [scope] = scopesOf(method, handlers[method]);
          const named = { mount, route, method, scope };
          return [method.toLowerCase(), describe(operation, named)];
        }),
      );
    }
  }
  return paths;
}

interface Described {
  readonly mount: Mount;
  readonly route: string;
  readonly method: string;
  readonly scope: string;
}

function describe(
  operation: WebhookOperation,
  { mount, route, method, scope }: Described,
): Operation {
  const { id, summary, query, body, answer, status = 200, errors = [] } = operation;
  const codes: EventsErrorCode[] = [...EVERY_CALL, ...errors];
  if (method === "POST") codes.push("idempotency_conflict");
  if (body !== undefined) codes.push(...WITH_BODY);
  return {
    operationId: `${mount.prefix}_${id}`,
    tags: ["events"],
    summary,
    security: [{ bearer: [scope] }, { apiKey: [scope] }],
    parameters: [
      mount.parameter,
      ...[...route.matchAll(/:(\w+)/g)].map(([, name]) => ({
        ...{ name, in: "path", required: true, schema: TEXT },
      })),
      ...(query === undefined ? [] : queryParameters(query)),
      ...(method === "POST" ? [IDEMPOTENCY_KEY] : []),
    ],
    ...(body === undefined ? {} : { requestBody: requestBody(body) }),
    responses: {
      ...(answer === undefined
        ? { 204: { description: "Done" } }
        : {
            [status]: { description: "Done", content: jsonContent(schemaOf(answer, "output")) },
          }),
      ...refusals(codes),
    },
  };
}

const IDEMPOTENCY_KEY = {
  ...{ name: "Idempotency-Key", in: "header" },
  description: "The call is made once, however often it is sent within 24 hours.",
  schema: { ...TEXT, maxLength: IDEMPOTENCY_KEY_CHARACTERS_MAX },
};

function requestBody(body: z.ZodType): Schema {
  const required = !body.safeParse(undefined).success;
  return { required, content: jsonContent(schemaOf(body, "input")) };
}

function queryParameters(query: z.ZodObject): Schema[] {
  const { properties } = schemaOf(query, "input") as { properties: Record<string, Schema> };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", schema }));
}
