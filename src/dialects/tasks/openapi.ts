/** The JSON-RPC API's part of the OpenAPI 3.1 document, from the schemas that validate its calls. */
import type { OpenApiPart } from "../dialect.ts";
import { jsonContent, object, schemaOf, TEXT, type Schema } from "../openapi-schema.ts";
import { RPC_ERRORS } from "./errors.ts";
import { BATCH_REQUESTS_MAX } from "./limits.ts";
import { METHODS, type MethodName } from "./schema.ts";

const ID = { type: ["string", "number", "null"] };
const VERSION = { const: "2.0" };

const EXAMPLES = { ...{ jsonrpc: "2.0", id: "1", task_context: { order: 1138 } }, timeout: 20 };

/** Member names of calls are taken in any case, so that nothing is said of others. */
export function tasksOpenApi(path: string): OpenApiPart {
  const calls = Object.entries(METHODS).map(([name, { summary, params }]) => ({
    type: "object",
    title: name,
    description: summary,
    required: ["method", "params"],
    properties: {
      jsonrpc: VERSION,
      id: ID,
      method: { const: name },
      params: schemaOf(params, "input"),
    },
  }));
  const results = Object.values(METHODS).map(({ result }) => schemaOf(result, "output"));
  return {
    tag: "tasks",
    description: "JSON-RPC for task tokens",
    examples: EXAMPLES,
    paths: {
      [path]: {
        post: {
          operationId: "tasks_rpc",
          tags: ["tasks"],
          summary: `JSON-RPC 2.0: ${(Object.keys(METHODS) as MethodName[]).join(", ")}`,
          parameters: [
            header("public-id", "The app."),
            header(
              "sign",
              "HMAC-SHA512 over the body, keyed with the app's secret, in hexadecimal.",
            ),
            header(
              "sign-timestamp",
              "Unix seconds; the signature is then over `<timestamp>.<body>`.",
            ),
          ],
          security: [{}, { apiKey: [] }, { bearer: [] }],
          requestBody: {
            required: true,
            content: jsonContent(oneOrBatch(calls)),
          },
          responses: {
            200: body(
              "The answer, in a batch also of calls that failed",
              oneOrBatch([success({ anyOf: results }), failure()]),
            ),
            204: { description: "All calls were notifications, of an app that is `strict`" },
            ...failures(),
            405: { description: "Another method than POST" },
          },
        },
      },
    },
  };
}

/** One of these, or a batch of them, of which no more is said: it would all be said twice. */
function oneOrBatch(schemas: readonly Schema[]): Schema {
  const items = { type: "object" };
  return {
    anyOf: [...schemas, { type: "array", items, minItems: 1, maxItems: BATCH_REQUESTS_MAX }],
  };
}

function success(result: Schema): Schema {
  return object({ id: ID, jsonrpc: VERSION, error: { type: "null" }, result });
}

function failure(
  codes: readonly number[] = Object.values(RPC_ERRORS).map(({ code }) => code),
): Schema {
  const error = object({ code: { enum: codes }, message: TEXT }, { data: { type: "object" } });
  return object({ id: ID, jsonrpc: VERSION, error });
}

/** By status, for requests that failed as a whole. */
function failures(): Schema {
  const byStatus = new Map<number, { message: string; code: number }[]>();
  for (const { status, ...error } of Object.values(RPC_ERRORS)) {
    if (status !== 200) byStatus.set(status, [...(byStatus.get(status) ?? []), error]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, errors]) => {
      const description = errors.map(({ code, message }) => `${message} (${code})`).join(", ");
      return [status, body(description, failure(errors.map(({ code }) => code)))];
    }),
  );
}

function body(description: string, schema: Schema): Schema {
  return { description, content: jsonContent(schema) };
}

function header(name: string, description: string): Schema {
  return { name, in: "header", required: false, description, schema: TEXT };
}
