/**
 * The master API's part of the OpenAPI 3.1 document. Its parameters are texts whose rules are in code (§5.8, §6), so unlike
 * streaming's there are no schemas that validate; openapi.test.ts holds real answers against these.
 */
import type { OpenApiPart } from "../dialect.ts";
import type { Operation as Described } from "../openapi-components.ts";
import { COUNT, object, TEXT, TEXTS, type Schema } from "../openapi-schema.ts";
import { DONE_JOBS_MAX, LEASE_SECONDS, TAKE_JOBS_MAX, WAIT_SECONDS_MAX } from "./jobs-http.ts";
import { BATCH_ITEMS_MAX } from "./master/push.ts";
import { RELOAD_CHANNELS_MAX } from "./master/users.ts";

interface Operation {
  readonly id: string;
  readonly summary: string;
  /** Of the form, or JSON body; those that must not be missing or empty. */
  readonly required?: Readonly<Record<string, Schema>>;
  readonly optional?: Readonly<Record<string, Schema>>;
  /** Of the answer 200; default content type: JSON. */
  readonly answer: Schema;
  readonly answerType?: string;
  /** Texts of the answer 400. */
  readonly errors?: readonly string[];
  readonly open?: boolean;
}

const ANY = {};
const DATA = { type: "string", description: "JSON, or else text, which arrives as a JSON string." };

function list(id: string, summary: string, example: readonly string[]): Operation {
  return { id, summary, answer: { ...TEXTS, examples: [example] }, errors: ["get redis error"] };
}

function count(id: string, summary: string): Operation {
  return { id, summary, answer: object({ count: COUNT }), errors: ["get redis error"] };
}

/** A field whose text is a JSON list. */
function jsonList(items: Schema, maxItems: number): Schema {
  const contentSchema = { type: "array", items, maxItems };
  return { type: "string", contentMediaType: "application/json", contentSchema };
}

function seconds(minimum: number, maximum: number): Schema {
  return { type: "integer", minimum, maximum, description: "Seconds." };
}

const JOB = { id: "7fd1d14e", lease: "1-3c59dc04" };
const EXAMPLES = {
  ...{ app_key: "dev", channel: "news", event: "message", user_id: "42", socket_id: "1b2c3d" },
  ...{ data: '{"text":"Hello"}', channel_pattern: "^news", remote: "chat", ...JOB },
  batch_data: '[{"channel":"news","event":"message","data":{"text":"Hello"}}]',
  ...{ jobs: JSON.stringify([JOB]), "gusher_reload_form.data": '["news","sport"]' },
  ...{ "gusher_add_form.data": "news", "gusher_decode_form.data": "eyJhbGciOi…" },
};

/** By method and path, as `MASTER_ROUTES` has them. */
const OPERATIONS: Readonly<Record<string, Operation>> = {
  "POST /push/:app_key/:channel/:event": {
    ...{ id: "push", summary: "Push to one channel", required: { data: DATA } },
    answer: object({ channel: TEXT, event: TEXT, data: ANY }),
    errors: ["empty data", "data error"],
  },
  "POST /push/:app_key": {
    ...{
      id: "push_pattern",
      summary: "Push to every channel with subscribers that a pattern finds",
    },
    required: {
      channel_pattern: {
        type: "string",
        description: "An RE2 expression, found anywhere in a name: a plain word finds its names.",
      },
      event: TEXT,
      data: DATA,
    },
    answer: object({ total: COUNT, pattern: TEXT }),
    errors: ["empty param", "channel_pattern cant regex", "empty data", "get channel error"],
  },
  "POST /push_batch/:app_key": {
    ...{ id: "push_batch", summary: "Push to many channels in order" },
    required: {
      batch_data: jsonList(
        { type: "object", properties: { channel: TEXT, event: TEXT, data: ANY } },
        BATCH_ITEMS_MAX,
      ),
    },
    answer: object({ total: COUNT, cap: COUNT }),
    errors: ["empty batch data", "data error"],
  },
  "POST /push/user/:app_key/:user_id": {
    ...{ id: "push_user", summary: "Push to every connection of a user", optional: { data: DATA } },
    answer: object({ user_id: TEXT, data: TEXT }),
    errors: ["data error"],
  },
  "POST /push/socket/:app_key/:socket_id": {
    ...{ id: "push_socket", summary: "Push to one connection", optional: { data: DATA } },
    answer: object({ socket_id: TEXT, data: TEXT }),
    errors: ["data error"],
  },
  "POST /reload/channel/user/:app_key/:user_id": {
    ...{ id: "reload", summary: "Replace the grants of a user's connections" },
    required: {
      data: jsonList({ type: ["string", "null"] }, RELOAD_CHANNELS_MAX),
    },
    answer: object({ user_id: TEXT, data: TEXT }),
    errors: ["data unmarshal error", "data error"],
  },
  "POST /add/channel/user/:app_key/:user_id": {
    ...{ id: "add", summary: "Add a grant to a user's connections", required: { data: TEXT } },
    answer: object({ user_id: TEXT, data: TEXT }),
    errors: ["data empty error", "data error"],
  },
  "POST /jobs/:app_key/:remote/take": {
    ...{ id: "take_jobs", summary: "Take remote jobs under a lease" },
    optional: {
      limit: { type: "integer", minimum: 1, maximum: TAKE_JOBS_MAX, default: 1 },
      lease: seconds(1, LEASE_SECONDS.max),
      wait: seconds(0, WAIT_SECONDS_MAX),
    },
    answer: object({
      jobs: {
        type: "array",
        items: object({
          ...{ id: TEXT, lease: TEXT, attempt: { type: "integer", minimum: 1 } },
          job: object({ user_id: TEXT, socket_id: TEXT, uid: TEXT, app_key: TEXT, data: ANY }),
        }),
      },
    }),
    errors: [
      ...["limit error", "lease error", "wait error", "get jobs error"],
      "jobs are in redis lists",
    ],
  },
  "POST /jobs/:app_key/:remote/done": {
    ...{ id: "finish_jobs", summary: "Say that taken jobs are done" },
    required: {
      jobs: jsonList(
        { type: "object", required: ["id", "lease"], properties: { id: TEXT, lease: TEXT } },
        DONE_JOBS_MAX,
      ),
    },
    answer: object({ done: COUNT, lost: COUNT }),
    errors: ["empty jobs", "jobs error", "get jobs error", "jobs are in redis lists"],
  },
  "POST /decode": {
    ...{ id: "decode", summary: "Verify a JWT and show its claims", required: { data: TEXT } },
    ...{ answer: TEXT, answerType: "text/plain", errors: ["data error"] },
  },
  "GET /ping": {
    ...{
      id: "ping",
      summary: "pong",
      answer: { ...TEXT, examples: ["pong"] },
      answerType: "text/plain",
      open: true,
    },
  },
  "GET /:app_key/channels": list("channels", "Channels with subscribers", ["news", "sport"]),
  "GET /:app_key/channels/count": count("channels_count", "Their number"),
  "GET /:app_key/online": list("online", "Users with a connection", ["42", "43"]),
  "GET /:app_key/online/count": count("online_count", "Their number"),
  "GET /:app_key/online/bychannel/:channel": list(
    "online_by_channel",
    "Users subscribed to a channel",
    ["42"],
  ),
  "GET /:app_key/online/bychannel/:channel/count": count("online_by_channel_count", "Their number"),
};

/** Of the routes below `prefix`. */
export function gusherOpenApi(prefix: string): OpenApiPart {
  const paths: Record<string, Record<string, Described>> = {};
  for (const [route, operation] of Object.entries(OPERATIONS)) {
    const [method = "", path = ""] = route.split(" ");
    const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name);
    const parameters = names.map((name) => ({ name, in: "path", required: true, schema: TEXT }));
    const templated = prefix + path.replaceAll(/:(\w+)/g, "{$1}");
    (paths[templated] ??= {})[method.toLowerCase()] = {
      operationId: `gusher_${operation.id}`,
      tags: ["gusher"],
      summary: operation.summary,
      security: operation.open === true ? [] : [{}, { apiKey: [] }, { bearer: [] }],
      ...(parameters.length === 0 ? {} : { parameters }),
      ...bodyOf(operation),
      responses: responsesOf(operation),
    };
  }
  const description = "gusher.cluster's master API, and remote jobs";
  return { tag: "gusher", description, paths, examples: EXAMPLES };
}

function bodyOf({ id, required, optional }: Operation): Pick<Described, "requestBody"> {
  if (required === undefined && optional === undefined) return {};
  const filled = Object.entries(required ?? {}).map(([name, field]) => [
    name,
    { ...field, minLength: 1 },
  ]);
  const schema = {
    title: `gusher_${id}_form`,
    type: "object",
    properties: { ...(Object.fromEntries(filled) as object), ...optional },
    required: Object.keys(required ?? {}),
  };
  // Fields may stand in the query as well, of which no more is said: with all of them there, a call needs no body.
  const content = Object.fromEntries(
    ["application/x-www-form-urlencoded", "multipart/form-data"].map((type) => [type, { schema }]),
  );
  return { requestBody: { required: required !== undefined, content } };
}

function responsesOf(operation: Operation): Described["responses"] {
  const { answer, answerType = "application/json", errors, open, required, optional } = operation;
  const text = (schema: Schema) => ({ "text/plain": { schema } });
  return {
    200: { description: "Done", content: { [answerType]: { schema: answer } } },
    ...(errors === undefined
      ? {}
      : { 400: { description: "Not done", content: text({ type: "string", enum: errors }) } }),
    ...(required === undefined && optional === undefined
      ? {}
      : { 413: { description: "Larger than a setting, which it names", content: text(TEXT) } }),
    ...(operation.id.startsWith("push")
      ? { 429: { description: "As many publishes under way as may be", content: text(TEXT) } }
      : {}),
    ...(open === true
      ? {}
      : {
          401: { description: "The API key is missing or does not count here" },
          403: { description: "A page of another site calls without a key" },
        }),
    405: { description: "Another method" },
  };
}
