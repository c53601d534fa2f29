/** Calls the webhooks' REST API by what the OpenAPI document says of it, and holds each answer against that. */
import { expect } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { API_KEY, ask, codeOf, ORG, type EventsAnswer, type Json } from "./events.ts";
import type { StreamingServer } from "./streaming.ts";
import { readOpenApi } from "./openapi.ts";

interface Content {
  readonly content?: { readonly "application/json": { readonly schema: object } };
}
interface Operation {
  readonly operationId: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: object;
  }[];
  readonly requestBody?: Content & { readonly required: boolean };
  readonly responses: Readonly<Record<string, Content & { readonly description: string }>>;
}
export interface Documented extends Operation {
  readonly method: string;
  readonly path: string;
}

/** Where it is mounted, and as whom it is called there. */
export const MOUNTS = [
  { prefix: "webhooks", under: "/webhooks", headers: undefined },
  {
    ...{ prefix: "organisation_webhooks", headers: API_KEY },
    under: "/organisations/{organisation_id}/webhooks",
  },
] as const;
export type Mount = (typeof MOUNTS)[number];

export const ajv = new Ajv2020({ strict: false, validateFormats: false });
/** Queries are text, which becomes what its schema says. */
const coercing = new Ajv2020({ strict: false, validateFormats: false, coerceTypes: true });

export function schemaOf(content: Content | undefined): object | undefined {
  return content?.content?.["application/json"].schema;
}

export interface Call {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | object;
  readonly token?: string;
}

export interface DocumentedWebhooks {
  /** Throws when there is none. */
  operation(mount: Mount, id: string): Documented;
  idsAt(mount: Mount): readonly string[];
  /** Those that `done` called. */
  doneAt(mount: Mount): ReadonlySet<string>;
  /** One operation as the document has it; its answer is held against what it says of that status. */
  send(mount: Mount, id: string, call?: Call): Promise<EventsAnswer>;
  /** Likewise of a call that succeeds, whose query and body must be as documented too. */
  done(mount: Mount, id: string, call?: Call): Promise<Json>;
}

export async function readDocument(server: StreamingServer): Promise<DocumentedWebhooks> {
  const document = await readOpenApi<{
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  }>(server.apiUrl);
  const operations = new Map<string, Documented>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, found] of Object.entries(methods)) {
      operations.set(found.operationId, { ...found, method: method.toUpperCase(), path });
    }
  }
  const called = new Set<string>();
  const nameAt = ({ prefix }: Mount, id: string) => `${prefix}_${id}`;
  const at = ({ prefix }: Mount, names: Iterable<string>) =>
    [...names]
      .filter((name) => name.startsWith(`${prefix}_`))
      .map((name) => name.slice(prefix.length + 1));

  function operation(mount: Mount, id: string): Documented {
    const found = operations.get(nameAt(mount, id));
    if (found === undefined) throw new Error(`"${id}" is not documented`);
    return found;
  }

  async function send(mount: Mount, id: string, call: Call = {}): Promise<EventsAnswer> {
    const { method, path: template, responses } = operation(mount, id);
    const { path = {}, query = {}, headers = {}, body, token } = call;
    const values: Readonly<Record<string, string>> = { organisation_id: ORG, ...path };
    const filled = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
    const text = new URLSearchParams(query).toString();
    const answer = await ask(server, text === "" ? filled : `${filled}?${text}`, {
      method,
      headers: { ...(token === undefined ? mount.headers : {}), ...headers },
      ...(body === undefined ? {} : { body }),
      ...(token === undefined ? {} : { token }),
    });
    const said = responses[`${answer.status}`];
    const schema = schemaOf(said);
    const isValid = schema === undefined ? answer.text === "" : ajv.validate(schema, answer.body);
    expect([
      id,
      answer.status,
      answer.text,
      said !== undefined,
      isValid,
      ajv.errors ?? null,
    ]).toEqual([id, answer.status, answer.text, true, true, null]);
    if (answer.status >= 400) expect(said?.description).toContain(`\`${codeOf(answer)}\``);
    await server.advance(1_000);
    return answer;
  }

  async function done(mount: Mount, id: string, call: Call = {}): Promise<Json> {
    const { parameters, requestBody, responses } = operation(mount, id);
    const { query = {}, body } = call;
    const named = Object.fromEntries(
      parameters.filter((one) => one.in === "query").map(({ name, schema }) => [name, schema]),
    );
    const schema = { type: "object", properties: named, additionalProperties: false };
    expect([id, coercing.validate(schema, { ...query }), coercing.errors]).toEqual([
      id,
      true,
      null,
    ]);
    if (body !== undefined) {
      const request = schemaOf(requestBody) ?? false;
      expect([id, body, ajv.validate(request, body), ajv.errors]).toEqual([id, body, true, null]);
    }
    const answer = await send(mount, id, call);
    const [good] = Object.keys(responses).filter((code) => code.startsWith("2"));
    expect([id, `${answer.status}`]).toEqual([id, good ?? ""]);
    called.add(nameAt(mount, id));
    return answer.body;
  }

  return {
    ...{ operation, send, done },
    idsAt: (mount) => at(mount, operations.keys()),
    doneAt: (mount) => new Set(at(mount, called)),
  };
}
