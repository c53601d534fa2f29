/** The admin API's part of the OpenAPI document, from the schemas that read its calls and shape its answers. */
import type { z } from "zod";
import type { AdminOperation, AdminPart } from "../../dialects/admin-operation.ts";
import type { OpenApiPart } from "../../dialects/dialect.ts";
import type { Operation } from "../../dialects/openapi-components.ts";
import type { Examples } from "../../dialects/openapi-examples.ts";
import { jsonContent, object, schemaOf, TEXT, type Schema } from "../../dialects/openapi-schema.ts";
import { ADMIN_ERRORS, type AdminAnswerCode } from "./errors.ts";
import { APP_PARAMETER } from "./http.ts";

const TAG = "admin";

const EXAMPLES: Examples = {
  ...{
    channel: "public:news",
    prefix: "public:",
    pattern: "^public:",
    user: "42",
    space: "channels",
  },
  ...{ connection: "0b6f5b5e-6f1c-4f0e-9d9a-0a3e1c2d4b5f", dialect: "streaming", app: "dev" },
  ...{ node: "7f0c", id: "7f0c", version: "0.2.0", host: "push-1", engine: "embedded", pid: 4711 },
  ...{ apps: ["dev"], dialects: ["streaming", "gusher"], by_dialect: { streaming: 2, gusher: 1 } },
  ...{ connections: 3, matched: 3, data: { text: "Hello" }, epoch: "x1", offset: 7, times: 1 },
  ...{ per_second: { publications: 12.5, api_requests: 3 }, detail: "An API key is missing" },
  ...{ event: "API call refused", about: { status: 401 } },
};

export interface AdminDocument extends Pick<AdminPart, "operations"> {
  /** Where the API lies. */
  readonly path: string;
  /** Over those for all. */
  readonly examples?: Examples;
  /** On a loopback address, where no key is asked for. */
  readonly open: boolean;
}

export function adminOpenApi({ path, operations, examples, open }: AdminDocument): OpenApiPart {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const operation of operations) {
    const at = `${path}/${operation.path}`;
    paths[at] = { ...paths[at], [operation.method.toLowerCase()]: described(operation, open) };
  }
  return {
    tag: TAG,
    description: "What operators look at and do, in all dialects",
    paths,
    examples: { ...EXAMPLES, ...examples },
  };
}

const APP: Schema = {
  name: APP_PARAMETER,
  in: "query",
  description: "The app; default: the key's, or the first one.",
  schema: TEXT,
};

const EVERY_CALL = [
  ...(["bad_request", "unauthorized", "forbidden", "not_found"] as const),
  ...(["conflict", "not_available", "limit_exceeded", "unavailable"] as const),
];
const EVERY_BODY = ["too_large", "unsupported_media_type"] as const;

function described(operation: AdminOperation, open: boolean): Operation {
  const { method, path, summary, request, answer } = operation;
  const isRead = method === "GET";
  return {
    operationId: `admin_${path.replaceAll(/[/-]/g, "_")}`,
    tags: [TAG],
    summary,
    security: [...(open ? [{}] : []), { apiKey: [] }, { bearer: [] }],
    parameters: [APP, ...(isRead ? parametersOf(request) : [])],
    ...(isRead
      ? {}
      : {
          requestBody: { required: true, content: jsonContent(schemaOf(request, "input")) },
        }),
    responses: {
      200: { description: "Done", content: jsonContent(schemaOf(answer, "output")) },
      ...failures(isRead ? EVERY_CALL : [...EVERY_CALL, ...EVERY_BODY]),
    },
  };
}

function parametersOf(request: z.ZodObject): readonly Schema[] {
  const { properties = {}, required = [] } = schemaOf(request, "input") as {
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    ...{ name, in: "query", schema },
    ...(description === undefined ? {} : { description }),
    ...(required.includes(name) ? { required: true } : {}),
  }));
}

/** By status. */
function failures(codes: readonly AdminAnswerCode[]): Record<string, Schema> {
  const byStatus = Map.groupBy(codes, (code) => ADMIN_ERRORS[code]);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => {
      const error = object({ code: { enum: of }, message: TEXT });
      return [status, { description: of.join(", "), content: jsonContent(object({ error })) }];
    }),
  );
}
