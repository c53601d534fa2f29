/** The HTTP API's part of the OpenAPI 3.1 document: one path, whose operations a header tells apart (§1.1). */
import type { OpenApiPart } from "../dialect.ts";
import { jsonContent, object, TEXT, type Schema } from "../openapi-schema.ts";
import { ROLES } from "./ids.ts";
import { KEY_SCHEMAS, OPERATIONS } from "./operations.ts";

const BOOLEAN = { type: "boolean" };
const OBJECT = { type: "object" };
const MEDIA = { type: ["boolean", "object"] };

const CONNECTION = {
  title: "sora_connection",
  ...object(
    {
      ...{ audio: MEDIA, video: MEDIA, channel_id: TEXT, session_id: TEXT, client_id: TEXT },
      ...{ bundle_id: TEXT, connection_id: TEXT, role: { enum: ROLES } },
      created_time: { type: "integer", description: "Microseconds since the Unix epoch." },
      ...{ multistream: BOOLEAN, simulcast: BOOLEAN, spotlight: BOOLEAN },
    },
    { event_metadata: {} },
  ),
};

const CHANNEL = object({ channel_id: TEXT, multistream: BOOLEAN, spotlight: BOOLEAN });

const EXAMPLES = {
  ...{ channel_id: "sora", client_id: "u1", connection_id: "C0YTCRZM715BKATBXWFPKTYGRM" },
  ...{ role: "recvonly", data: { spam: "egg" }, type: "push" },
  "x-sora-target": "Sora_20160711.PushChannel",
};

export function soraOpenApi(): OpenApiPart {
  return {
    tag: "sora",
    description: "Sora's push API",
    examples: EXAMPLES,
    paths: {
      "/": {
        post: {
          operationId: "sora",
          tags: ["sora"],
          summary: "Push to, disconnect and list Sora's connections, as the header says",
          parameters: [
            {
              ...{ name: "x-sora-target", in: "header", required: true },
              schema: { type: "string", enum: Object.keys(OPERATIONS).map((key) => `Sora_${key}`) },
            },
          ],
          security: [{}, { apiKey: [] }, { bearer: [] }],
          requestBody: { required: false, content: jsonContent({ anyOf: requests() }) },
          responses: {
            200: {
              description: "Done: the message, the keys of whom it concerned, or a list",
              content: jsonContent({ anyOf: answers() }),
            },
            400: { description: "Refused", content: jsonContent(failure()) },
            401: { description: "The API key is missing or does not count here" },
            403: { description: "A page of another site calls without a key" },
            413: {
              description: "Larger than `sora.body_size_limit`",
              content: jsonContent(failure()),
            },
            429: {
              description: "A push: as many publishes under way as `api.publishes_in_flight_max`",
              content: jsonContent(failure()),
            },
          },
        },
      },
    },
  };
}

/** Each once: several operations take the same. */
function requests(): readonly Schema[] {
  const byKeys = new Map<string, Schema>();
  for (const [name, { keys }] of Object.entries(OPERATIONS)) {
    if (keys.length === 0) continue;
    const properties = Object.fromEntries(keys.map((key) => [key, KEY_SCHEMAS[key]]));
    const title = `sora_${name.slice(name.indexOf(".") + 1)}`;
    byKeys.set(keys.join(), { title, type: "object", required: keys, properties });
  }
  return [...byKeys.values()];
}

function answers(): readonly Schema[] {
  const ids = { channel_id: TEXT };
  const others = { client_id: TEXT, connection_id: TEXT, role: { enum: ROLES } };
  return [
    object({ data: OBJECT, type: { const: "push" } }),
    object(ids, others),
    { type: "array", items: { anyOf: [CONNECTION, CHANNEL] } },
  ];
}

function failure(): Schema {
  return object({}, { type: TEXT, error_type: TEXT, error_reason: {} });
}
