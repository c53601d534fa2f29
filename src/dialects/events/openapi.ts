/** The dialect's part of the OpenAPI 3.1 document; what an event may be comes from the schema that checks it. */
import type { OpenApiPart } from "../dialect.ts";
import type { Operation as Described } from "../openapi-components.ts";
import {
  COUNT,
  jsonContent,
  object,
  schemaOf,
  TEXT,
  TEXTS,
  withNulls,
  type Schema,
} from "../openapi-schema.ts";
import { ORGANISATION_ID, USER_ID } from "./access-token.ts";
import type { EventsErrorCode } from "./errors.ts";
import { ENDPOINTS } from "./http.ts";
import { ERROR_MEMBERS, refusals } from "./openapi-errors.ts";
import { BATCH_EVENTS_MAX } from "./publish.ts";
import { JTI } from "./revoke.ts";
import { CLIENT_BYTES_MAX } from "./tokens.ts";
import { eventMembers } from "./publish-event.ts";
import { webhookPaths } from "./webhook-api/openapi.ts";

interface Operation {
  readonly summary: string;
  /** May stand in the query and, save for a status, in a JSON body. */
  readonly params?: readonly (keyof typeof PARAMS)[];
  readonly body?: Schema;
  /** Default: where there is one of its own. */
  readonly needsBody?: boolean;
  readonly answer: Schema;
  readonly errors: readonly EventsErrorCode[];
}

const TIME = { type: "string", format: "date-time" };

const PARAMS = {
  organisation_id: {
    ...{ type: "string", pattern: ORGANISATION_ID.source },
    description: "Needed with an API key for every organisation.",
  },
  user_id: {
    ...{ type: "string", pattern: USER_ID.source },
    description: "With an API key: the user.",
  },
  namespaces: { ...TEXT, description: "Narrows the automatic channels: names, by commas." },
  verbose: {
    ...{ type: "string", enum: ["0", "1", "false", "true"] },
    description: "1: answers more than the token.",
  },
  channel: TEXT,
  client: {
    ...{ type: "string", minLength: 1, maxLength: CLIENT_BYTES_MAX },
    description: "The one connection that the token is for.",
  },
  jti: { ...{ type: "string", pattern: JTI.source }, description: "One token." },
  issued_before: { ...TIME, description: "Default: now." },
} as const satisfies Record<string, Schema>;
/** Where a JSON body may say it in another way than the query. */
const BODY_PARAMS: Readonly<Record<string, Schema>> = {
  ...PARAMS,
  namespaces: { anyOf: [{ type: ["string", "null"] }, TEXTS] },
  verbose: { enum: [...PARAMS.verbose.enum, 0, 1, false, true, null] },
};

const EVENT = eventSchema();
const PUBLISHED = {
  title: "PublishedEvent",
  ...object(
    { id: TEXT, accepted: { type: "boolean" } },
    {
      reason: TEXT,
      streaming: object({ channels: TEXTS }),
      webhooks: object({ message_id: TEXT, endpoints: COUNT }),
    },
  ),
};
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
    needsBody: true,
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
    // Each is judged alone: what is not an event is answered with its error.
    body: { type: "array", items: { anyOf: [EVENT, {}] }, maxItems: BATCH_EVENTS_MAX },
    answer: {
      type: "array",
      items: { oneOf: [PUBLISHED, object({ error: ERROR_MEMBERS })] },
    },
    errors: ["invalid_request", "insufficient_scope", "rate_limited"],
  },
};

const KSUID = "2iFmwXASMpS3l4IZsauPs8I1eOx";
const EXAMPLES = {
  organisation_id: "org_26ZZVNs2QURl4yY6owPARekUbMa",
  user_id: "usr_2iBgUOHPuWh0Hvjc81euqKXTW5N",
  application_id: `app_${KSUID}`,
  message_id: `msg_${KSUID}`,
  endpoint_id: `ep_${KSUID}`,
  ids: [`dl_${KSUID}${KSUID}`],
  id: `ep_${KSUID}`,
  "WebhookMessage.id": `msg_${KSUID}`,
  "WebhookMessageSummary.id": `msg_${KSUID}`,
  "WebhookAttempt.id": `atmpt_${KSUID}`,
  "WebhookTask.id": `task_${KSUID}`,
  "WebhookDeadLetter.id": `dl_${KSUID}${KSUID}`,
  "Event.id": "shipment-1138-sent",
  "PublishedEvent.id": "shipment-1138-sent",
  ...{ status: "active", generation: 1, expires_at: "2026-01-05T11:00:00.000Z" },
  ...{ token: "eyJhbGciOi…", endpoint: "wss://example.com/events", channel: "orders:42" },
  ...{ type: "shipment.updated", resource: "shipments", data: { id: 1138, state: "sent" } },
  ...{ channels: ["shipments"], namespaces: ["shipments"], event_types: ["shipment.*"] },
  ...{ url: "https://example.com/hooks", description: "What the warehouse hears" },
  ...{ event_type: "shipment.updated", name: "shipment.updated" },
  secret: `whsec_${"A".repeat(32)}`,
};

export function eventsOpenApi(): OpenApiPart {
  const paths: Record<string, Record<string, Described>> = {};
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
  const description = "Event streaming and webhooks of organisations";
  return { tag: "events", description, paths: { ...paths, ...webhookPaths() }, examples: EXAMPLES };
}

function requestOf(
  { params = [], body, needsBody = body !== undefined }: Operation,
  method: string,
): Pick<Described, "parameters" | "requestBody"> {
  const inBody = withNulls({
    type: "object",
    properties: Object.fromEntries(params.map((name) => [name, BODY_PARAMS[name]])),
  });
  const schema = body ?? inBody;
  if (method === "POST") {
    const inQuery = body === undefined && {
      description: "Members may stand in the query instead.",
    };
    return { requestBody: { ...inQuery, required: needsBody, content: jsonContent(schema) } };
  }
  if (params.length === 0) return {};
  return { parameters: params.map((name) => ({ name, in: "query", schema: PARAMS[name] })) };
}

function responsesOf({ answer, errors }: Operation, status: number): Described["responses"] {
  const common = ["authentication_required", "invalid_token", "organisation_required"] as const;
  const limits = ["payload_too_large", "unsupported_media_type", "unavailable"] as const;
  return {
    [status]: { description: "Done", content: jsonContent(answer) },
    ...refusals([...common, ...errors, ...limits]),
  };
}

function eventSchema(): Schema {
  const { properties, required, ...rest } = withNulls(schemaOf(eventMembers, "input")) as {
    readonly properties: Schema;
    readonly required: readonly string[];
  };
  const data = { type: "object", description: "Passed on as it was written." };
  return {
    title: "Event",
    ...rest,
    properties: { ...properties, data },
    required: [...required, "data"],
  };
}
