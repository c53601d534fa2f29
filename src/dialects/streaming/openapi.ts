/** The server API's part of the OpenAPI 3.1 document, from the schemas that validate its requests. */
import type { OpenApiPart } from "../dialect.ts";
import type { Operation } from "../openapi-components.ts";
import { jsonContent, schemaOf, withNulls, type Schema } from "../openapi-schema.ts";
import { BATCH_COMMANDS_MAX } from "./api-calls.ts";
import { API_METHODS, type ApiMethod } from "./api-schema.ts";

const SUMMARIES: Readonly<Record<ApiMethod, string>> = {
  publish: "Publish to one channel",
  broadcast: "Publish the same to many channels",
  subscribe: "Subscribe a user's connections to a channel",
  unsubscribe: "Unsubscribe a user's connections from one channel or all",
  disconnect: "Disconnect a user's connections",
  refresh: "Change or end the lifetime of a user's connections",
  presence: "Who is in a channel",
  presence_stats: "How many are in a channel",
  history: "A channel's recent publications and position",
  history_remove: "Drop a channel's recent publications",
  channels: "Channels with subscribers",
  info: "Nodes and their load",
  rpc: "Call a server RPC method",
};

const ERROR = {
  title: "StreamingError",
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["code", "message"],
      properties: { code: { type: "integer" }, message: { type: "string" } },
    },
  },
} as const;

const EXAMPLES = {
  ...{ user: "42", channel: "news" },
  ...{ channels: ["news", "sport"], data: { text: "Hello" }, limit: 10, pattern: "news*" },
  ...{
    method: "sum",
    params: { a: 1, b: 2 },
    commands: [{ publish: { channel: "news", data: 1 } }],
  },
};

export function streamingOpenApi(apiPath: string): OpenApiPart {
  const paths: Record<string, { readonly post: Operation }> = {};
  for (const [method, { request, result }] of Object.entries(API_METHODS)) {
    paths[`${apiPath}/${method}`] = operation({
      id: `streaming_${method}`,
      summary: SUMMARIES[method as ApiMethod],
      request: withNulls(schemaOf(request, "input")),
      success: {
        type: "object",
        required: ["result"],
        properties: { result: schemaOf(result, "output") },
      },
    });
  }
  const replies = { type: "array", items: { type: "object" } };
  paths[`${apiPath}/batch`] = operation({
    id: "streaming_batch",
    summary: "Run several commands one after the other; the replies come in their order",
    request: withNulls({
      type: "object",
      properties: {
        commands: {
          type: "array",
          maxItems: BATCH_COMMANDS_MAX,
          items: {
            type: "object",
            description: 'One member, named like its method: {"publish":{…}}.',
          },
        },
        parallel: { type: "boolean", description: "Run them all at once." },
      },
    }),
    // Bare, and without commands the empty object.
    success: { type: "object", properties: { replies }, additionalProperties: false },
  });
  return { tag: "streaming", description: "Centrifugo's server API", paths, examples: EXAMPLES };
}

function operation({
  id,
  summary,
  request,
  success,
}: {
  readonly id: string;
  readonly summary: string;
  readonly request: Schema;
  readonly success: Schema;
}) {
  return {
    post: {
      operationId: id,
      tags: ["streaming"],
      summary,
      security: [{ apiKey: [] }, { bearer: [] }],
      requestBody: { required: true, content: jsonContent(request) },
      responses: {
        200: {
          description: "The result, or an error with its code",
          content: jsonContent({ oneOf: [success, ERROR] }),
        },
        400: { description: "The body is empty or not JSON" },
        401: { description: "The API key is missing or does not count here" },
        403: { description: "A page of another site sends the development key" },
        413: { description: "The body is too large" },
        429: {
          description: "A publish: as many are under way as `api.publishes_in_flight_max`",
        },
      },
    },
  };
}
