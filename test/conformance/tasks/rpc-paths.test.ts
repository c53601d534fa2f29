/** Where the JSON-RPC API lies, and that the APIs on the same paths stay as they are (task-tokens.md §4.1, DESIGN.md §5). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { hashApiKey } from "../../../src/auth/api-keys.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { callRpc, failureOf, postRpc, signed, type RpcAnswer } from "../../support/tasks-rpc.ts";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

function expectFailure(answer: RpcAnswer, status: number, code: number): void {
  expect([answer.status, failureOf(answer)[0]]).toEqual([status, code]);
}

test.each(["/rpc", "/", "/api"])("POST %s is answered", async (path) => {
  const { body } = await callRpc(server, "get_envoy_token", { Task: {} }, { path, headers: {} });
  expect(body?.error).toBeNull();
});

test.each(["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])(
  "%s is 405 and says that POST is allowed",
  async (method) => {
    const answer = await postRpc(server, "{}", { method });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
    const shared = await postRpc(server, "{}", {
      ...{ method, path: "/api", headers: { "public-id": "dev" } },
    });
    expect([shared.status, shared.headers.get("allow")]).toEqual([405, "POST"]);
  },
);

test("on the streaming API's path, its former form stays what it is", async () => {
  const headers = { "X-API-Key": "dev-api-key" };
  const legacy = await postRpc(server, '{"method":"info","params":{}}', {
    path: "/api",
    headers,
  });
  expect(legacy.body?.result).toHaveProperty("nodes");
  // Though it speaks of tasks.
  const data = { method: "invoke_envoy" };
  const publish = { method: "publish", params: { channel: "public:a", data } };
  const published = await postRpc(server, JSON.stringify(publish), { path: "/api", headers });
  expect(published.body?.result).toHaveProperty("offset");
  const unknown = await postRpc(server, '{"method":"nothing"}', { path: "/api", headers });
  expect(unknown.status).toBe(400);
  const closed = await postRpc(server, '{"method":"info"}', { path: "/api", headers: {} });
  expect(closed.status).toBe(401);
  const broken = await postRpc(server, '{"method":"get_envoy_token"', { path: "/api", headers });
  expect([broken.status, broken.text]).toEqual([400, "The body is not JSON\n"]);
});

test("there, public-id or a method says that a call is for tasks, also in a batch", async () => {
  const path = "/api";
  expectFailure(await postRpc(server, "{}", { path }), 400, -32600);
  expectFailure(await postRpc(server, "{", { path }), 400, -32700);
  const wrong = { "public-id": "dev", sign: "0" };
  expectFailure(await postRpc(server, "{}", { path, headers: wrong }), 401, -32001);
  for (const body of [
    '{"METHOD":"get_envoy_status","params":{}}',
    '{"method":"close_envoy",}',
    '[{"method":"nothing"},{"method":"invoke_envoy"}]',
  ]) {
    const { text } = await postRpc(server, body, { path, headers: {} });
    expect(text).toContain("-32602");
  }
});

test("an API key is good for both on /api", async () => {
  await using own = await bootServer({
    config: {
      ...{ development: false, signing_keys: [], channel: {}, streaming: {} },
      ...{ apps: [{ id: "shop" }], tasks: { enabled: true } },
      api_keys: [{ id: "k", hash: hashApiKey("evk_k") }],
    },
  });
  const headers = { "x-api-key": "evk_k" };
  const options = { path: "/api", headers };
  const token = await callRpc(own, "get_envoy_token", { Task: {} }, options);
  expect(token.body?.result).toHaveProperty("client_token");
  const info = await postRpc(own, '{"method":"info","params":{}}', options);
  expect(info.body?.result).toHaveProperty("nodes");
});

test("on / nothing else is touched, and x-sora-target is another's", async () => {
  for (const [headers, refusal] of [
    [{}, { type: "MissingHeaderName" }],
    [{ "x-sora-target": "Sora_x", ...signed("{}") }, { error_type: "MissingService" }],
  ] as const) {
    const answer = await postRpc(server, "{}", { path: "/", headers });
    expect([answer.status, answer.body]).toEqual([400, refusal] as never);
  }
  // A page that says what runs.
  const got = await postRpc(server, "", { path: "/", method: "GET", headers: {} });
  expect([got.status, got.body]).toEqual([200, undefined]);
});

test("without [tasks] enabled there is none of it", async () => {
  await using off = await bootServer({
    config: { development: false, api_keys: [], signing_keys: [], channel: {}, streaming: {} },
  });
  const answer = await callRpc(off, "get_envoy_token", { Task: {} });
  expect(answer.status).toBe(404);
});
