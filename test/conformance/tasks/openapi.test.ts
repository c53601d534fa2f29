/** What the OpenAPI document says of the JSON-RPC API is what it really answers. */
import { expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { METHODS } from "../../../src/dialects/tasks/schema.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { issueToken, postRpc, type RpcAnswer, type RpcOptions } from "../../support/tasks-rpc.ts";
import { readOpenApi } from "../../support/openapi.ts";

interface Media {
  readonly content?: { readonly "application/json": { readonly schema: object } };
}
interface Operation {
  readonly requestBody: Required<Media>;
  readonly responses: Readonly<Record<string, Media>>;
}

async function operation(server: BootedServer): Promise<Operation> {
  const { paths } = await readOpenApi<{ paths: Record<string, { post: Operation }> }>(
    server.apiUrl,
  );
  const found = paths["/rpc"]?.post;
  if (found === undefined) throw new Error("It is not documented");
  return found;
}

const ajv = new Ajv2020({ strict: false, validateFormats: false });

function expectValid(schema: object | undefined, value: unknown): void {
  expect([value, ajv.validate(schema ?? false, value), ajv.errors]).toEqual([value, true, null]);
}

test("every method's calls and answers are as its schemas say", async () => {
  await using server = await bootServer();
  const { requestBody, responses } = await operation(server);
  const { taskId: task_id } = await issueToken(server);
  const persistent = await issueToken(server, { persist_timeout: true });
  const calls: Readonly<Record<keyof typeof METHODS, readonly object[]>> = {
    get_envoy_token: [
      { Task: {} },
      {
        reusable_minutes: 0,
        Task: { task_context: { a: [1] }, timeout: 10_080, single_instance: true },
      },
    ],
    invoke_envoy: [
      { task_id, message: "AA==" },
      { task_id, message: "AA==", new_timeout: 20, report: true, idempotency_key: "k" },
    ],
    get_envoy_status: [{ task_id }, { task_id: persistent.taskId }],
    close_envoy: [{ task_id }],
  };
  expect(Object.keys(calls).sort()).toEqual(Object.keys(METHODS).sort());
  for (const [method, all] of Object.entries(calls)) {
    for (const params of all) {
      const call = { jsonrpc: "2.0", id: "2", method, params };
      expectValid(requestBody.content["application/json"].schema, call);
      expectValid(requestBody.content["application/json"].schema, [call, call]);
      for (const body of [call, [call, call]]) {
        const answer = await postRpc(server, JSON.stringify(body));
        expect([answer.status, answer.body?.error ?? null]).toEqual([200, null]);
        expectValid(responses["200"]?.content?.["application/json"].schema, answer.body);
      }
    }
  }
  const other = '{"method":"get_envoy_token","params":{"envoy_task":{}}}';
  const { body } = await postRpc(server, other);
  expectValid(responses["200"]?.content?.["application/json"].schema, body);
});

test("every failure has a status and a form that are documented", async () => {
  await using server = await bootServer();
  await using strict = await bootServer({ config: { tasks: { strict: true } } });
  const { responses } = await operation(server);
  const limited = Array(1001)
    .fill('{"method":"close_envoy"}')
    .map((body) => postRpc(strict, body));
  await Promise.all(limited);
  const seen = new Set<string>();
  const failures: readonly (readonly [BootedServer, string, RpcOptions?])[] = [
    [server, "{"],
    [server, "1"],
    [server, '{"method":"nothing"}'],
    [server, '{"method":"get_envoy_token","params":{"Task":{"timeout":0}}}'],
    [server, "{}", { headers: { "public-id": "dev", sign: "0" } }],
    [server, `{"method":"invoke_envoy","padding":"${"x".repeat(262_144)}"}`],
    [server, `{"method":"close_envoy","params":{"task_id":"${"ab".repeat(40)}"}}`],
    [strict, '{"id":1,"method":"close_envoy","params":{}}'],
    [strict, '{"method":"close_envoy","params":{}}'],
    [server, "{}", { method: "GET" }],
  ];
  for (const [on, body, options] of failures) {
    const answer: RpcAnswer = await postRpc(on, body, options);
    const documented = responses[`${answer.status}`];
    expect([body.slice(0, 80), answer.status, documented !== undefined]).toEqual([
      ...[body.slice(0, 80), answer.status, true],
    ]);
    seen.add(`${answer.status}`);
    if (answer.body === undefined) expect(documented?.content).toBeUndefined();
    else expectValid(documented?.content?.["application/json"].schema, answer.body);
  }
  expect([...seen].sort()).toEqual(["200", "204", "400", "401", "405", "413", "429"]);
  // The two that these servers do not answer have the same form.
  expect(Object.keys(responses).sort()).toEqual([...[...seen, "403", "500"].sort()]);
});

test("the schemas refuse a wrong answer", async () => {
  await using server = await bootServer();
  const { responses } = await operation(server);
  const schema = responses["200"]?.content?.["application/json"].schema ?? true;
  const envelope = { id: null, jsonrpc: "2.0", error: null };
  for (const answer of [
    { ...envelope },
    { ...envelope, result: {} },
    { ...envelope, result: { status: "failure" } },
    { ...envelope, jsonrpc: "1.0", result: { status: "success" } },
    { id: null, jsonrpc: "2.0", result: { status: "success" } },
    { id: {}, jsonrpc: "2.0", error: null, result: { status: "success" } },
    { id: null, jsonrpc: "2.0", error: { code: -1, message: "" } },
    { ...envelope, error: { code: -32602, message: "" }, result: { status: "success" } },
  ]) {
    expect([answer, ajv.validate(schema, answer)]).toEqual([answer, false]);
  }
});
