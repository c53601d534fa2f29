/**
 * The calls of the published document (`published/000-task-tokens.txt`), their parameters character by character as printed, against a
 * server without a configuration. What is printed is a fragment of a request: braces, method and id are added, and
 * shortened values substituted.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bootServer, type BootedServer } from "../support/server.ts";
import { signed, waitForTask } from "../support/tasks-rpc.ts";

const GET_ENVOY_TOKEN = `"Params":{
"reusable_minutes":60,
"Task":{
"task_context":"c549-4375-9b27-142e2ff2c031",
"send_offline_message":true,
"timeout":10,
"single_instance":true,
"persist_timeout": false,
}
}`;

const INVOKE_ENVOY = `"Params":{
"task_id":"67da434f80ecb38733148bc5...",
"message":"aGVsbG8=",
"new_timeout":20,
}`;

/** As printed; token and id are shortened there. */
const GET_ENVOY_TOKEN_RESPONSE = {
  id: "2",
  jsonrpc: "2.0",
  error: null,
  result: {
    client_token: "qSm36UluBDm7RuwR/K2XazDMeidT....",
    task_id: "67da434f80ecb38733148bc5fab530e9c134b4adab4....",
  },
};

const INVOKE_ENVOY_RESPONSE = {
  id: "2",
  jsonrpc: "2.0",
  error: null,
  result: { status: "success" },
};

/** For tests that move time: a client's pong takes real time to come. */
const QUIET = { config: { tasks: { ping_interval: "1h" } } };

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

/** Backends post to the host itself or to its `/api` (task-tokens.md §1.2). */
async function call(method: string, params: string, path: string) {
  const body = `{"Jsonrpc":"2.0","Method":"${method}","Id":"2",${params}}`;
  // As bytes, so that no Content-Type is sent.
  const response = await fetch(server.apiUrl + path, {
    ...{ method: "POST", headers: signed(body), body: Buffer.from(body) },
  });
  expect([response.status, response.headers.get("content-type")]).toEqual([
    ...[200, "application/json"],
  ]);
  return (await response.json()) as typeof GET_ENVOY_TOKEN_RESPONSE;
}

async function getEnvoyToken(path = "/") {
  const answer = await call("get_envoy_token", GET_ENVOY_TOKEN, path);
  const { client_token, task_id } = answer.result;
  // The printed members in their order, with real values.
  expect(JSON.stringify(answer)).toBe(
    JSON.stringify({ ...GET_ENVOY_TOKEN_RESPONSE, result: { client_token, task_id } }),
  );
  return { client_token, task_id };
}

async function invokeEnvoy(taskId: string, path = "/") {
  const params = INVOKE_ENVOY.replace("67da434f80ecb38733148bc5...", taskId);
  expect(JSON.stringify(await call("invoke_envoy", params, path))).toBe(
    JSON.stringify(INVOKE_ENVOY_RESPONSE),
  );
}

test.each(["/", "/api", "/rpc"])("get_envoy_token and invoke_envoy, posted to %s", async (path) => {
  const { task_id } = await getEnvoyToken(path);
  await invokeEnvoy(task_id, path);
});

test("the same data gives the same task_id, and in any case a unique client_token", async () => {
  const [one, other] = [await getEnvoyToken(), await getEnvoyToken()];
  expect(other.task_id).toBe(one.task_id);
  expect(other.client_token).not.toBe(one.client_token);
});

test("a message is sent to the client, which stays connected for new_timeout", async () => {
  const { client_token, task_id } = await getEnvoyToken();
  const client = await waitForTask(server, client_token);
  await invokeEnvoy(task_id);
  let message = await client.next();
  while (message?.Message === "") message = await client.next();
  expect(message).toEqual({ Error: "", Ticks: "20:00", Message: "aGVsbG8=", Completed: false });
  expect(atob(message?.Message ?? "")).toBe("hello");
  client.socket.close();
});

test("send_offline_message: the most recent message comes again to a page that reloads", async () => {
  const { client_token, task_id } = await getEnvoyToken();
  await invokeEnvoy(task_id);
  for (let load = 0; load < 2; load++) {
    const page = await waitForTask(server, client_token, { keepFirst: true });
    expect(await page.next()).toMatchObject({ Message: "aGVsbG8=", Completed: false });
    page.socket.close();
    await page.closed;
  }
});

test("single_instance: a new connection ends the previous one", async () => {
  const { client_token } = await getEnvoyToken();
  const first = await waitForTask(server, client_token);
  const second = await waitForTask(server, client_token);
  expect(await first.closed).toBe(4501);
  second.socket.close();
});

test("timeout: the connection is closed after that many minutes without a message", async () => {
  await using own = await bootServer(QUIET);
  const body = `{"Method":"get_envoy_token",${GET_ENVOY_TOKEN}}`;
  const response = await fetch(own.apiUrl, { method: "POST", headers: signed(body), body });
  const { result } = (await response.json()) as typeof GET_ENVOY_TOKEN_RESPONSE;
  const client = await waitForTask(own, result.client_token);
  await own.advance(599_000);
  expect(client.socket.readyState).toBe(WebSocket.OPEN);
  await own.advance(1_000);
  expect(await client.closed).toBe(4500);
});

test("reusable_minutes: the token is invalid for new connections from then on", async () => {
  await using own = await bootServer(QUIET);
  const body = `{"Method":"get_envoy_token",${GET_ENVOY_TOKEN.replace("60", "5")}}`;
  const response = await fetch(own.apiUrl, { method: "POST", headers: signed(body), body });
  const { result } = (await response.json()) as typeof GET_ENVOY_TOKEN_RESPONSE;
  const open = await waitForTask(own, result.client_token);
  await own.advance(300_000);
  await expect(waitForTask(own, result.client_token)).rejects.toThrow("token expired");
  expect(open.socket.readyState).toBe(WebSocket.OPEN);
  open.socket.close();
});
