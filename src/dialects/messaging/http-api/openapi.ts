/** The HTTP API's part of the OpenAPI 3.1 document, from the schemas that read its calls and shape its answers. */
import { z } from "zod";
import type { OpenApiPart } from "../../dialect.ts";
import type { Operation } from "../../openapi-components.ts";
import { jsonContent, object, schemaOf, TEXT, type Schema } from "../../openapi-schema.ts";
import { CALLS } from "./calls.ts";
import { SUBSCRIBER_ID } from "../auth/contract.ts";
import { AUTH_ERRORS, type AuthErrorCode } from "../auth/errors.ts";
import {
  introspectionAnswer,
  keyAnswer,
  keyChange,
  keysAnswer,
  keysQuery,
  mintedAnswer,
  newKey,
  newSubscriber,
  newSubscribers,
  subscriberAnswer,
  subscriberChange,
  subscribersAnswer,
  subscribersQuery,
  tokenAnswer,
} from "./schema.ts";
import { KEY_ID } from "../auth/token.ts";

interface Described {
  readonly id: string;
  readonly summary: string;
  readonly body?: z.ZodType;
  readonly query?: z.ZodObject;
  /** Absent: 204. */
  readonly answer?: readonly [status: number, schema: z.ZodType];
  /** Beside those of every call. */
  readonly errors?: readonly AuthErrorCode[];
}

type Described1 = {
  readonly [Path in keyof typeof CALLS]: Readonly<Record<keyof (typeof CALLS)[Path], Described>>;
};

const OPERATIONS: Described1 = {
  "/subscribers": {
    GET: {
      id: "list_subscribers",
      summary: "List the domain's subscribers",
      query: subscribersQuery,
      answer: [200, subscribersAnswer],
    },
    POST: {
      id: "create_subscribers",
      summary: "Make a subscriber, or all of a list or none",
      body: z.union([newSubscriber, newSubscribers]),
      answer: [201, z.union([subscriberAnswer, z.array(subscriberAnswer)])],
      errors: ["conflict"],
    },
  },
  "/subscribers/:msisdn": {
    GET: {
      id: "get_subscriber",
      summary: "Show a subscriber",
      answer: [200, subscriberAnswer],
    },
    PATCH: {
      id: "change_subscriber",
      summary: "Change a subscriber, or end all of its tokens by deactivating it",
      body: subscriberChange,
      answer: [200, subscriberAnswer],
    },
    DELETE: {
      id: "delete_subscriber",
      summary: "Delete a subscriber, which ends all of its tokens",
    },
  },
  "/subscribers/:msisdn/keys": {
    GET: {
      id: "list_keys",
      summary: "List a subscriber's keys, without their tokens",
      query: keysQuery,
      answer: [200, keysAnswer],
    },
    POST: {
      id: "create_key",
      summary: "Make a key for a subscriber: its token is shown this once",
      body: newKey,
      answer: [201, mintedAnswer],
      errors: ["conflict", "limit_reached"],
    },
    DELETE: { id: "delete_keys", summary: "End all tokens of a subscriber" },
  },
  "/subscribers/:msisdn/keys/:key_id": {
    GET: { id: "get_key", summary: "Show a key, without its token", answer: [200, keyAnswer] },
    PATCH: {
      id: "change_key",
      summary: "Rename a key, or end its token and let it be used again",
      body: keyChange,
      answer: [200, keyAnswer],
    },
    DELETE: { id: "delete_key", summary: "Delete a key, which ends its token" },
  },
};

const EXAMPLES = {
  ...{ msisdn: "12025550101", domain: "dev", key_id: "KY4fJ0aPq9TtZkWm2Yx8Lc6R", name: "phone" },
  ...{ "key-id": "KY4fJ0aPq9TtZkWm2Yx8Lc6R", profile: { "first-name": "Ada" }, active: true },
  ...{ "sip-password": "correct horse battery", "expires-in": 3600, expires_in: 3600 },
  ...{
    access_token: "XIb7Qm2c0R5tYv8Lw1Zk4Nf6Hs9Jd3Gp0a",
    token: "XIb7Qm2c0R5tYv8Lw1Zk4Nf6Hs9Jd3Gp0a",
  },
  ...{ username: "12025550101@dev", password: "correct horse battery", grant_type: "password" },
  ...{ sub: "12025550101", exp: 1_767_610_800, "has-password": true },
};

const PARAMETERS: Readonly<Record<string, Schema>> = {
  domain: { ...TEXT, description: "The app's id, or `self`." },
  msisdn: { ...TEXT, pattern: SUBSCRIBER_ID.source },
  key_id: { ...TEXT, pattern: KEY_ID.source },
};

const KEY_SECURITY = [{ apiKey: [] }, { bearer: [] }];

/** `path`: where the API lies. The alias below `/tenants/self` takes the same calls. */
export function messagingOpenApi(path: string): OpenApiPart {
  const domainPath = `${path}/domains/{domain}`;
  const paths: Record<string, Record<string, Operation>> = {};
  for (const [at, methods] of Object.entries(OPERATIONS)) {
    const shown = at.replaceAll(/:(\w+)/g, "{$1}");
    paths[domainPath + shown] = Object.fromEntries(
      Object.entries(methods).map(([method, described]) => [
        method.toLowerCase(),
        operation(described, ["domain", ...at.matchAll(/:(\w+)/g).map(([, name = ""]) => name)]),
      ]),
    );
  }
  return {
    tag: "messaging",
    description: "Logins, subscribers and their keys",
    examples: EXAMPLES,
    paths: { ...paths, ...forms(path) },
  };
}

const EVERY_CALL = ["invalid_request", "invalid_token", "too_large", "unavailable"] as const;

function operation(described: Described, inPath: readonly string[]): Operation {
  const { id, summary, body, query, answer, errors = [] } = described;
  const rates = body === undefined ? [] : (["unsupported_media_type", "rate_limited"] as const);
  return {
    operationId: `messaging_${id}`,
    tags: ["messaging"],
    summary,
    security: KEY_SECURITY,
    parameters: [
      ...inPath.map((name) => ({ name, in: "path", required: true, schema: PARAMETERS[name] })),
      ...Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
        name,
        in: "query",
        schema: schemaOf(schema as z.ZodType, "input"),
      })),
    ],
    ...(body && {
      requestBody: { required: true, content: jsonContent(schemaOf(body, "input")) },
    }),
    responses: {
      ...(answer === undefined
        ? { 204: { description: "Done" } }
        : {
            [answer[0]]: {
              description: "Done",
              content: jsonContent(schemaOf(answer[1], "output")),
            },
          }),
      ...failures([...EVERY_CALL, "forbidden", "not_found", ...rates, ...errors]),
    },
  };
}

interface Form {
  readonly id: string;
  readonly summary: string;
  readonly form: Schema;
  readonly answer: Schema;
  readonly security: readonly object[];
  readonly errors: readonly AuthErrorCode[];
}

function forms(path: string): Record<string, Record<string, Operation>> {
  const token = object({ token: TEXT }, { token_type_hint: TEXT });
  const all: Readonly<Record<string, Form>> = {
    token: {
      id: "login",
      summary: "Log in by password; username and password may be sent as HTTP Basic instead",
      form: object({ grant_type: { const: "password" } }, { username: TEXT, password: TEXT }),
      answer: schemaOf(tokenAnswer, "output"),
      security: [],
      errors: ["unsupported_grant_type", "invalid_grant", "rate_limited", "limit_reached"],
    },
    revoke: {
      id: "revoke",
      summary: "End a token, which is all that is needed for it (RFC 7009)",
      form: token,
      answer: object({}),
      security: [{}, ...KEY_SECURITY],
      errors: [],
    },
    introspect: {
      id: "introspect",
      summary: "Tell whose a token is (RFC 7662)",
      form: token,
      answer: schemaOf(introspectionAnswer, "output"),
      security: KEY_SECURITY,
      errors: ["invalid_token", "forbidden"],
    },
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, { id, summary, form, answer, security, errors }]) => [
      `${path}/auth/${name}`,
      {
        post: {
          operationId: `messaging_${id}`,
          tags: ["messaging"],
          summary,
          security,
          requestBody: {
            required: true,
            content: { "application/x-www-form-urlencoded": { schema: form } },
          },
          responses: {
            200: { description: "Done", content: jsonContent(answer) },
            ...failures([
              ...(["invalid_request", "method_not_allowed", "too_large"] as const),
              ...(["unsupported_media_type", "unavailable"] as const),
              ...errors,
            ]),
          },
        },
      },
    ]),
  );
}

/** By status. */
function failures(codes: readonly AuthErrorCode[]): Record<string, Schema> {
  const byStatus = Map.groupBy(new Set(codes), (code) => AUTH_ERRORS[code]);
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => {
      const members = { error_description: TEXT, field: TEXT };
      const schema = object({ error: { enum: of } }, members);
      return [status, { description: of.join(", "), content: jsonContent(schema) }];
    }),
  );
}
