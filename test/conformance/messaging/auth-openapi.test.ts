/** What the OpenAPI document says of logins, subscribers and keys is what is really taken and answered. */
import { expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { manage, send, type Answer, type Json } from "../../support/messaging-auth.ts";
import { bootServer } from "../../support/server.ts";
import { readOpenApi } from "../../support/openapi.ts";

interface Media {
  readonly content?: Readonly<Record<string, { readonly schema: object; readonly example?: Json }>>;
}
interface Operation {
  readonly operationId: string;
  readonly requestBody?: Media;
  readonly responses: Readonly<Record<string, Media>>;
}

const PREFIX = "/messaging/domains/{domain}";

test("every operation takes its example, and answers as its schema says, errors as well", async () => {
  await using server = await bootServer();
  const { paths } = await readOpenApi<{
    paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  }>(server.apiUrl);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const called = new Set<string>();
  let keyId = "";

  function check({ operationId, responses }: Operation, { status, body }: Answer): void {
    const response = responses[status];
    expect([operationId, status, response !== undefined]).toEqual([operationId, status, true]);
    const schema = response?.content?.["application/json"]?.schema;
    if (schema === undefined) return expect(body).toBeUndefined();
    expect([operationId, ajv.validate(schema, body), ajv.errors]).toEqual([
      operationId,
      true,
      null,
    ]);
    called.add(operationId);
  }

  const run = async (method: string, path: string, wrong = false): Promise<Answer> => {
    const operation = paths[PREFIX + path]?.[method.toLowerCase()];
    if (operation === undefined) throw new Error(`${method} ${path} is not documented`);
    const { schema = {}, example } = operation.requestBody?.content?.["application/json"] ?? {};
    if (operation.requestBody !== undefined) expect(ajv.validate(schema, example)).toBe(true);
    const real = path.replace("{msisdn}", "12025550101").replace("{key_id}", keyId);
    const body = wrong ? { no: "member" } : example;
    const answer = await manage(server, method, real, method === "GET" ? undefined : body);
    check(operation, answer);
    called.add(operation.operationId);
    return answer;
  };

  expect((await run("POST", "/subscribers")).status).toBe(201);
  expect((await run("POST", "/subscribers")).status).toBe(409);
  expect((await run("POST", "/subscribers", true)).status).toBe(400);
  await run("GET", "/subscribers");
  await run("GET", "/subscribers/{msisdn}");
  const minted = await run("POST", "/subscribers/{msisdn}/keys");
  keyId = String(minted.body?.["key-id"]);
  await run("GET", "/subscribers/{msisdn}/keys");
  await run("GET", "/subscribers/{msisdn}/keys/{key_id}");
  await run("PATCH", "/subscribers/{msisdn}/keys/{key_id}");
  await run("PATCH", "/subscribers/{msisdn}");
  const form = async (call: "token" | "revoke" | "introspect", headers = {}) => {
    const operation = paths[`/messaging/auth/${call}`]?.["post"];
    const example = operation?.requestBody?.content?.["application/x-www-form-urlencoded"]?.example;
    if (operation === undefined) throw new Error(`${call} is not documented`);
    for (const fields of [example ?? {}, {}]) {
      check(operation, await send(server, call, fields as Record<string, string>, { headers }));
    }
  };
  await form("token");
  await form("introspect");
  await form("introspect", { Authorization: "Bearer dev-api-key" });
  await form("revoke");
  await run("DELETE", "/subscribers/{msisdn}/keys/{key_id}");
  await run("DELETE", "/subscribers/{msisdn}/keys");
  await run("DELETE", "/subscribers/{msisdn}");
  expect((await run("DELETE", "/subscribers/{msisdn}")).status).toBe(404);
  const documented = Object.values(paths)
    .flatMap((methods) => Object.values(methods))
    .flatMap(({ operationId }) => (operationId.startsWith("messaging_") ? [operationId] : []));
  expect([...called].toSorted()).toEqual(documented.toSorted());
});
