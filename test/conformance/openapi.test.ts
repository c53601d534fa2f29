/** The OpenAPI document is what the server really answers: each operation is called and its answer held against its schema. */
import { expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { bootServer, type BootedServer } from "../support/server.ts";
import { readOpenApi } from "../support/openapi.ts";

interface Operation {
  readonly operationId: string;
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Partial<Content>>>;
}
interface Content {
  readonly content: { readonly "application/json": { readonly schema: object } };
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** A request of each operation that succeeds, and what must be in its result. */
const CALLS: Readonly<Record<string, readonly [request: object, result: object]>> = {
  publish: [{ channel: "public:a", data: { n: 1 }, tags: { event: "x" } }, { offset: 1 }],
  broadcast: [
    { channels: ["public:b", "nowhere:b"], data: 1 },
    { responses: [{ result: { offset: 1 } }, { error: { code: 102 } }] },
  ],
  subscribe: [{ user: "u", channel: "public:a", recover_since: { offset: 0, epoch: "" } }, {}],
  presence: [{ channel: "public:a" }, {}],
  presence_stats: [{ channel: "public:a" }, { num_clients: 1, num_users: 1 }],
  history: [{ channel: "public:a", limit: -1 }, { offset: 1 }],
  channels: [{ pattern: "public:*" }, { channels: { "public:a": { num_clients: 1 } } }],
  info: [{}, { nodes: [{ num_clients: 1 }] }],
  batch: [
    { commands: [{ presence_stats: { channel: "public:a" } }, { nothing: {} }] },
    { replies: [{}, {}] },
  ],
  refresh: [{ user: "u" }, {}],
  unsubscribe: [{ user: "u", channel: "public:a" }, {}],
  history_remove: [{ channel: "public:a" }, {}],
  disconnect: [{ user: "u" }, {}],
};

async function document(server: BootedServer): Promise<Document> {
  return readOpenApi<Document>(server.apiUrl);
}

/** A connection of user `u`, held open until the test ends. */
async function connectUser(server: BootedServer): Promise<void> {
  const socket = new WebSocket(server.websocketUrl, { headers: { "X-User": "u" } });
  await new Promise((resolve) => {
    socket.onmessage = resolve;
    socket.onopen = () => socket.send('{"id":1,"connect":{}}');
  });
}

test("every operation of the streaming API answers as its schema says", async () => {
  await using server = await bootServer({
    config: { streaming: { user_id_http_header: "x-user" } },
  });
  await connectUser(server);
  const { openapi, paths } = await document(server);
  expect(openapi).toBe("3.1.0");
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const called = new Set<string>();
  for (const [method, [request, result]] of Object.entries(CALLS)) {
    const operation = paths[`/api/${method}`]?.["post"];
    const requestSchema = operation?.requestBody?.content["application/json"].schema ?? false;
    const responseSchema =
      operation?.responses["200"]?.content?.["application/json"].schema ?? false;
    expect([method, ajv.validate(requestSchema, request), ajv.errors]).toEqual([
      method,
      true,
      null,
    ]);
    const answer = await server.api(method, request);
    expect([method, ajv.validate(responseSchema, answer), ajv.errors]).toEqual([
      method,
      true,
      null,
    ]);
    // Alone among the methods, a batch is answered bare.
    expect<unknown>(answer).toMatchObject(method === "batch" ? result : { result });
    called.add(`/api/${method}`);
  }
  // Nothing is registered that `rpc` could call: its one answer is an error.
  expect(await server.api("rpc", { method: "x" })).toEqual({
    error: { code: 104, message: "not found" },
  });
  called.add("/api/rpc");
  const documented = Object.keys(paths).filter((path) => path.startsWith("/api/"));
  expect([...called].sort()).toEqual(documented.sort());
});

test("what a schema says of null and of the empty string is what its method does", async () => {
  await using server = await bootServer();
  const { paths } = await document(server);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const nested: readonly [method: string, change: object][] = [
    ["history", { since: { offset: null, epoch: null } }],
    ["subscribe", { recover_since: { offset: null } }],
    ["disconnect", { disconnect: { code: 3000, reason: null } }],
    ["publish", { b64data: "YWJj\r\nZGVm\n" }],
    ["publish", { b64data: "YWJ" }],
    ["batch", { parallel: {} }],
    ["batch", { parallel: true }],
  ];
  let looked = 0;
  for (const [method, [request]] of Object.entries(CALLS)) {
    const { schema = false } =
      paths[`/api/${method}`]?.["post"]?.requestBody?.content["application/json"] ?? {};
    const { properties = {} } = schema as { readonly properties?: object };
    const changes = [
      ...Object.keys(properties).flatMap((name) => [{ [name]: null }, { [name]: "" }]),
      ...nested.flatMap(([of, change]) => (of === method ? change : [])),
    ];
    for (const change of changes) {
      const body = { ...request, ...change };
      const answer = (await server.api(method, body)) as { error?: { code: number } };
      const refused = answer.error?.code === 107;
      expect([method, body, ajv.validate(schema, body)]).toEqual([method, body, !refused]);
      looked += 1;
    }
  }
  expect(looked).toBeGreaterThan(100);
});

test("the document is whole: each operation says who may call it and what else it answers", async () => {
  await using server = await bootServer();
  const whole = await readOpenApi<
    {
      readonly servers: unknown;
      readonly tags: readonly { readonly description?: string }[];
    } & Document
  >(server.apiUrl);
  expect(whole.servers).toBeArrayOfSize(1);
  for (const tag of whole.tags) expect(tag.description).toBeString();
  for (const [path, methods] of Object.entries(whole.paths)) {
    for (const operation of Object.values(methods)) {
      expect([path, operation]).toEqual([
        path,
        expect.objectContaining({ security: expect.any(Array) }),
      ]);
      const statuses = Object.keys(operation.responses);
      expect([path, statuses.some((status) => status.startsWith("4"))]).toEqual([path, true]);
    }
  }
});

test("the schemas refuse a wrong answer", async () => {
  await using server = await bootServer();
  const { paths } = await document(server);
  const schema =
    paths["/api/publish"]?.["post"]?.responses["200"]?.content?.["application/json"].schema ?? true;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  expect(ajv.validate(schema, { result: { offset: "1" } })).toBe(false);
  expect(ajv.validate(schema, { result: {}, error: { code: 1, message: "" } })).toBe(false);
});

test("operations answer as documented", async () => {
  await using server = await bootServer();
  const { paths } = await document(server);
  for (const path of ["/health", "/ready", "/metrics"]) {
    const response = await fetch(server.apiUrl + path);
    expect(Object.keys(paths[path]?.["get"]?.responses ?? {})).toContain(`${response.status}`);
    expect(response.status).toBe(200);
  }
});
