/** `get_envoy_status`, `close_envoy`, and an engine that is away (task-tokens.md §4.4, §4.7). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { HubError } from "../../../src/core/errors.ts";
import { createEmbeddedEngine } from "../../../src/engines/embedded/index.ts";
import { createTestRuntime } from "../../support/runtime.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import {
  callRpc,
  failureOf,
  issueToken,
  postRpc,
  resultOf,
  signed,
  waitForTask,
} from "../../support/tasks-rpc.ts";

const HELLO = "aGVsbG8=";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const invoke = (params: Readonly<Record<string, unknown>>, on = server) =>
  callRpc(on, "invoke_envoy", params);

describe("get_envoy_status", () => {
  const status = (task_id: string, on = server) => resultOf(on, "get_envoy_status", { task_id });

  test("of a task that nothing happened to", async () => {
    const { taskId } = await issueToken(server);
    expect(await status(taskId)).toEqual({
      ...{ connections: 0, completed: false, retained: false, last_message_at: null },
      expires_in: null,
    });
  });

  test("follows connections, messages and the task clock", async () => {
    await using own = await bootServer();
    const task = { timeout: 10, send_offline_message: true, persist_timeout: true };
    const { taskId: task_id, clientToken } = await issueToken(own, task);
    const client = await waitForTask(own, clientToken);
    expect(await status(task_id, own)).toMatchObject({ connections: 1, expires_in: 600 });
    await own.advance(1500);
    expect(await status(task_id, own)).toMatchObject({ expires_in: 599 });
    await invoke({ task_id, message: HELLO, new_timeout: 20 }, own);
    expect(await status(task_id, own)).toEqual({
      ...{ connections: 1, completed: false, retained: true, expires_in: 1200 },
      last_message_at: "2026-11-01T00:00:01.500Z",
    });
    await invoke({ task_id, message: HELLO }, own);
    expect(await client.closed).toBe(1000);
    expect(await status(task_id, own)).toMatchObject({
      ...{ connections: 0, completed: true, retained: true, expires_in: null },
    });
  });
});

test("close_envoy ends connections, forgets the message and refuses the tokens of before", async () => {
  const { taskId: task_id, clientToken } = await issueToken(server, { send_offline_message: true });
  await invoke({ task_id, message: HELLO, new_timeout: 20 });
  const client = await waitForTask(server, clientToken);
  expect(await resultOf(server, "close_envoy", { task_id })).toEqual({ status: "success" });
  expect(await client.closed).toBe(4504);
  const after = { connections: 0, completed: false, retained: false, expires_in: null };
  expect(await resultOf(server, "get_envoy_status", { task_id })).toMatchObject(after);
  const refused = new WebSocket(server.clientsUrl.replace("http", "ws"));
  refused.onopen = () => refused.send(JSON.stringify({ ClientToken: clientToken }));
  const code = await new Promise<number>((resolve) => {
    refused.onclose = ({ code: closed }) => resolve(closed);
  });
  expect(code).toBe(4504);
});

test("an engine that is away is -32603 and 500, with an id that the log has too", async () => {
  const runtime = createTestRuntime();
  const engine = createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime });
  await using own = await bootServer({ runtime, engine });
  const { taskId: task_id } = await issueToken(own);
  const { records } = engine.app("dev");
  records.get = () => Promise.reject(new HubError("unavailable", "It is away"));
  const answer = await invoke({ task_id, message: HELLO }, own);
  expect(answer.status).toBe(500);
  const [code, data] = failureOf(answer);
  const { request_id: id } = data as { request_id: string };
  expect([code, answer.body?.error?.message, Object.keys(data as object)]).toEqual([
    ...[-32603, "Internal error", ["request_id"]],
  ]);
  const lines = own.logged.filter(({ doing }) => String(doing).includes(id));
  expect(lines).toHaveLength(1);
  // A signature whose use cannot be looked up is not let in.
  records.put = () => Promise.reject(new HubError("unavailable", "It is away"));
  const body = JSON.stringify({ method: "get_envoy_status", params: { task_id } });
  const timestamp = runtime.clock.epochMs() / 1000;
  const stamped = await postRpc(own, body, { headers: signed(body, { timestamp }) });
  expect([stamped.status, failureOf(stamped)[0]]).toEqual([500, -32603]);
  expect(failureOf(stamped)[1]).toEqual({ request_id: expect.any(String) });
});
