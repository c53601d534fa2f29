/** The dialect's part of the OpenAPI 3.1 document; what an event may be comes from the schema that checks it. */
import { z } from "zod";
import type { OpenApiPart } from "../dialect.ts";
import type { EventsErrorCode } from "./errors.ts";
import { ENDPOINTS } from "./http.ts";
import {
  ERROR_MEMBERS,
  jsonContent,
  object,
  refusals,
  TEXT,
  type Schema,
} from "./openapi-errors.ts";
import { BATCH_EVENTS_MAX } from "./publish.ts";
import { eventMembers } from "./publish-event.ts";
import { webhookPaths } from "./webhook-api/openapi.ts";

interface Operation {
  readonly summary: string;
  /** May stand in the query and, save for a status, in a JSON body. */
  readonly params?: readonly (keyof typeof PARAMS)[];
  readonly body?: Schema;
  readonly answer: Schema;
  readonly errors: readonly EventsErrorCode[];
}

const COUNT = { type: "integer", minimum: 0 };
const TIME = { type: "string", format: "date-time" };
const TEXTS = { type: "array", items: TEXT };

const PARAMS = {
  organisation_id: { ...TEXT, description: "Needed with an API key for every organisation." },
  user_id: { ...TEXT, description: "With an API key: the user." },
  namespaces: { ...TEXT, description: "Narrows the automatic channels: names, by commas." },
  verbose: { type: "string", enum: ["0", "1"], description: "1: answers more than the token." },
  channel: TEXT,
  client: { ...TEXT, description: "The one connection that the token is for." },
  jti: { ...TEXT, description: "One token." },
  issued_before: { ...TIME, description: "Default: now." },
} as const satisfies Record<string, Schema>;

const EVENT = eventSchema();
const PUBLISHED = object(
  { id: TEXT, accepted: { type: "boolean" } },
  {
    reason: TEXT,
    streaming: object({ channels: TEXTS }),
    webhooks: object({ message_id: TEXT, endpoints: COUNT }),
  },
);
const DEPROVISION: Operation = {
  summary: "Switch an organisation off: its connections, webhook endpoints and history end",
  params: ["organisation_id"],
  answer: object(
    {
      organisation_id: TEXT,
      status: TEXT,
      webhook_endpoints_deleted: COUNT,
      connections_closed: COUNT,
      deliveries_cancelled: COUNT,
    },
    { deprovisioned_at: TIME },
  ),
  errors: ["invalid_request", "insufficient_scope", "rate_limited"],
};

/** By the endpoint's name in `ENDPOINTS`. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  connection_token: {
    summary: "A token to connect with, which opens the channels that the caller's scopes allow",
    params: ["organisation_id", "user_id", "namespaces", "verbose"],
    answer: object({ token: TEXT }, { expires_at: TIME, endpoint: TEXT, channels: TEXTS }),
    errors: ["invalid_request", "organisation_not_provisioned", "rate_limited"],
  },
  subscription_token: {
    summary: "A token that opens one channel",
    params: ["organisation_id", "user_id", "channel", "client"],
    answer: object({ token: TEXT }),
    errors: [
      ...(["invalid_request", "invalid_channel", "channel_forbidden"] as const),
      ...(["insufficient_scope", "organisation_not_provisioned", "rate_limited"] as const),
    ],
  },
  provision: {
    summary: "Switch an organisation on",
    params: ["organisation_id"],
    answer: object({
      organisation_id: TEXT,
      status: TEXT,
      generation: COUNT,
      provisioned_at: TIME,
      streaming: object({ endpoint: TEXT, namespaces: TEXTS }),
      webhooks: object({ application_id: TEXT }),
    }),
    errors: ["invalid_request", "insufficient_scope", "rate_limited"],
  },
  deprovision: DEPROVISION,
  status: {
    summary: "Whether an organisation is switched on",
    params: ["organisation_id"],
    answer: object({ organisation_id: TEXT, status: TEXT, generation: COUNT }),
    errors: ["invalid_request"],
  },
  revoke: {
    summary: "Void a user's tokens, one token, or all of an organisation's",
    params: ["organisation_id", "user_id", "jti", "issued_before"],
    answer: object({ revoked: { type: "boolean" }, connections_closed: COUNT }),
    errors: ["invalid_request", "insufficient_scope"],
  },
  publish: {
    summary: "Publish one event to streams and webhooks",
    body: EVENT,
    answer: PUBLISHED,
    errors: ["invalid_request", "insufficient_scope", "idempotency_conflict", "rate_limited"],
  },
  publish_batch: {
    summary: "Publish several events in order, each judged alone",
    body: { type: "array", items: EVENT, maxItems: BATCH_EVENTS_MAX },
    answer: {
      type: "array",
      items: { oneOf: [PUBLISHED, object({ error: ERROR_MEMBERS })] },
    },
    errors: ["invalid_request", "insufficient_scope", "rate_limited"],
  },
};

export function eventsOpenApi(): OpenApiPart {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [path, { name, methods, status = 200 }] of Object.entries(ENDPOINTS)) {
    for (const method of Object.keys(methods)) {
      const operation =
        name === "provision" && method === "DELETE" ? DEPROVISION : OPERATIONS[name];
      if (operation === undefined) throw new Error(`"${name}" is not described`);
      (paths[path] ??= {})[method.toLowerCase()] = {
        operationId: `events_${name}_${method.toLowerCase()}`,
        tags: ["events"],
        summary: operation.summary,
        security: [{ bearer: [] }, { apiKey: [] }],
        ...requestOf(operation, method),
        responses: responsesOf(operation, status),
      };
    }
  }
  return { tag: "events", paths: { ...paths, ...webhookPaths() } };
}

function requestOf({ params = [], body }: Operation, method: string): object {
  const inBody = {
    type: "object",
    properties: Object.fromEntries(params.map((p) => [p, PARAMS[p]])),
  };
  const schema = body ?? inBody;
  const content = jsonContent(schema);
  return {
    ...(params.length === 0
      ? {}
      : { parameters: params.map((name) => ({ name, in: "query", schema: PARAMS[name] })) }),
    ...(method === "POST" ? { requestBody: { required: body !== undefined, content } } : {}),
  };
}

function responsesOf({ answer, errors }: Operation, status: number): object {
  const common = ["authentication_required", "invalid_token", "organisation_required"] as const;
  const limits = ["payload_too_large", "unsupported_media_type", "unavailable"] as const;
  return {
    [status]: { description: "Done", content: jsonContent(answer) },
    ...refusals([...common, ...errors, ...limits]),
  };
}

function eventSchema(): Schema {
  const { $schema: _, ...schema } = z.toJSONSchema(eventMembers, { io: "input" });
  const { properties, required = [] } = schema;
  const data = { type: "object", description: "Passed on as it was written." };
  return { ...schema, properties: { ...properties, data }, required: [...required, "data"] };
}
