/** `invoke_envoy` as the backend sees it (task-tokens.md §4.6; checklist 17, 18). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
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
  server = await bootServer({ config: { tasks: { task_invokes_per_second: 1000 } } });
});
afterAll(() => server[Symbol.asyncDispose]());

const invoke = (params: Readonly<Record<string, unknown>>, on = server) =>
  callRpc(on, "invoke_envoy", params);

describe("task_id", () => {
  test("a forged one, and another app's, are -32004 and 200", async () => {
    await using two = await bootServer({
      config: {
        apps: [{ id: "dev" }, { id: "other", path_prefix: "/other" }],
        api_keys: [],
        signing_keys: ["dev", "other"].map((app) => ({ use: "tasks", app, hmac_secret: "s" })),
      },
    });
    const call = (publicId: string, method: string, params: object) => {
      const body = JSON.stringify({ id: "2", method, params });
      return postRpc(two, body, { headers: signed(body, { publicId, secret: "s" }) });
    };
    const { body } = await call("other", "get_envoy_token", { Task: { task_context: "x" } });
    const others = String(body?.result?.["task_id"]);
    const changed = (others.startsWith("0") ? "1" : "0") + others.slice(1);
    for (const method of ["invoke_envoy", "close_envoy", "get_envoy_status"]) {
      const message = method === "invoke_envoy" ? { message: HELLO } : {};
      for (const task_id of ["ab".repeat(40), changed, others]) {
        const answer = await call("dev", method, { task_id, ...message });
        expect([answer.status, answer.text]).toEqual([
          ...[200, '{"id":"2","jsonrpc":"2.0","error":{"code":-32004,"message":"Task not found"}}'],
        ]);
      }
      expect((await call("other", method, { task_id: others, ...message })).body?.error).toBeNull();
    }
  });

  test("is taken in either case", async () => {
    const { taskId } = await issueToken(server);
    const result = await resultOf(server, "invoke_envoy", {
      task_id: taskId.toUpperCase(),
      message: HELLO,
    });
    expect(result).toEqual({ status: "success" });
  });

  test.each([
    [undefined, "missing"],
    ["", "empty"],
    ["ab".repeat(39), "type"],
    ["ab".repeat(41), "too_long"],
    ["g".repeat(80), "type"],
    [`${"ab".repeat(40)}\n`, "too_long"],
    [1, "type"],
    [null, "type"],
  ])("%p is -32602", async (task_id, reason) => {
    for (const method of ["invoke_envoy", "close_envoy", "get_envoy_status"]) {
      const answer = await callRpc(server, method, { task_id, message: HELLO });
      expect([answer.status, ...failureOf(answer)]).toEqual([
        200,
        -32602,
        { param: "task_id", reason },
      ]);
    }
  });
});

describe("message", () => {
  test.each([
    [undefined, "missing"],
    ["", "empty"],
    ["hello", "not_base64"],
    ["aGVsbG8", "not_base64"],
    ["aGVsbG8==", "not_base64"],
    ["aGVs bG8=", "not_base64"],
    ["_-8=", "not_base64"],
    ["=", "not_base64"],
    ["aGVsbG8=\n", "not_base64"],
    [7, "type"],
    [null, "type"],
    [{ text: "x" }, "type"],
  ])("%j is -32602", async (message, reason) => {
    const { taskId } = await issueToken(server);
    const answer = await invoke({ task_id: taskId, message });
    expect([answer.status, ...failureOf(answer)]).toEqual([
      200,
      -32602,
      { param: "message", reason },
    ]);
  });

  test.each(["/+8=", "AA==", "aGVs"])("%s is base64", async (message) => {
    const { taskId } = await issueToken(server);
    expect((await invoke({ task_id: taskId, message })).body?.error).toBeNull();
  });

  test("has up to 65,536 bytes decoded, one beyond is -32005 and 413", async () => {
    const { taskId: task_id } = await issueToken(server);
    const ofBytes = (bytes: number) => Buffer.alloc(bytes, 7).toString("base64");
    expect((await invoke({ task_id, message: ofBytes(65_536) })).body?.error).toBeNull();
    const answer = await invoke({ task_id, message: ofBytes(65_537) });
    expect([answer.status, failureOf(answer)[0]]).toEqual([413, -32005]);
  });

  test("may be any text with message_format any, still of 1 to 65,536 bytes", async () => {
    await using any = await bootServer({ config: { tasks: { message_format: "any" } } });
    const { taskId: task_id, clientToken } = await issueToken(any);
    const client = await waitForTask(any, clientToken);
    const message = 'plain "text" \u0000 é';
    expect((await invoke({ task_id, message, new_timeout: 1 }, any)).body?.error).toBeNull();
    expect(await client.next()).toMatchObject({ Message: message });
    const messages = ["", "é".repeat(32_768), `${"é".repeat(32_768)}x`];
    const codes: number[] = [];
    for (const text of messages) {
      const { body } = await invoke({ task_id, message: text }, any);
      codes.push(body?.error?.code ?? 0);
    }
    expect(codes).toEqual([-32602, 0, -32005]);
    client.socket.close();
  });
});

test.each([
  [{ new_timeout: -1 }, { param: "new_timeout", reason: "out_of_range", min: 0, max: 10_080 }],
  [{ new_timeout: 10_081 }, { param: "new_timeout", reason: "out_of_range", min: 0, max: 10_080 }],
  [{ new_timeout: 0.5 }, { param: "new_timeout", reason: "type" }],
  [{ new_timeout: "20" }, { param: "new_timeout", reason: "type" }],
  [{ report: "yes" }, { param: "report", reason: "type" }],
  [{ idempotency_key: 1 }, { param: "idempotency_key", reason: "type" }],
  [
    { idempotency_key: "k".repeat(129) },
    { param: "idempotency_key", reason: "too_long", max: 128 },
  ],
])("%j is -32602", async (params, data) => {
  const { taskId } = await issueToken(server);
  const answer = await invoke({ task_id: taskId, message: HELLO, ...params });
  expect(failureOf(answer)).toEqual([-32602, data]);
});

test("succeeds whether or not somebody waits, and before anybody ever did", async () => {
  const { taskId: task_id } = await issueToken(server);
  const { status, text } = await invoke({ task_id, message: HELLO, new_timeout: 20 });
  expect([status, text]).toEqual([
    ...[200, '{"id":"2","jsonrpc":"2.0","error":null,"result":{"status":"success"}}'],
  ]);
});

test("report tells how many sockets it reached, and whether it is kept", async () => {
  const { taskId: task_id, clientToken } = await issueToken(server, { send_offline_message: true });
  const report = (task: string) =>
    resultOf(server, "invoke_envoy", {
      task_id: task,
      message: HELLO,
      new_timeout: 5,
      report: true,
    });
  expect(await report(task_id)).toEqual({ status: "success", delivered: 0, retained: true });
  const first = await waitForTask(server, clientToken);
  const second = await waitForTask(server, clientToken);
  expect(await report(task_id)).toEqual({ status: "success", delivered: 2, retained: true });
  first.socket.close();
  second.socket.close();
  const { taskId: other } = await issueToken(server);
  expect(await report(other)).toEqual({ status: "success", delivered: 0, retained: false });
});

test("the same idempotency key sends once in five minutes, per task", async () => {
  const { taskId: task_id, clientToken } = await issueToken(server, { timeout: 60 });
  const client = await waitForTask(server, clientToken);
  const send = (message: string, idempotency_key: string) =>
    resultOf(server, "invoke_envoy", { task_id, message, new_timeout: 60, idempotency_key });
  const longest = "é".repeat(128);
  for (const key of ["k", longest, "k", longest]) {
    expect(await send(key === "k" ? "AAAA" : "BBBB", key)).toEqual({ status: "success" });
  }
  const { taskId: other } = await issueToken(server);
  await resultOf(server, "invoke_envoy", { task_id: other, message: "CCCC", idempotency_key: "k" });
  await send("DDDD", "");
  await send("EEEE", "");
  const messages: string[] = [];
  while (messages.at(-1) !== "EEEE") {
    const { Message: message = "" } = (await client.next()) ?? {};
    if (message !== "") messages.push(message);
  }
  expect(messages).toEqual(["AAAA", "BBBB", "DDDD", "EEEE"]);
  client.socket.close();
});

test("a batch's messages arrive in its order", async () => {
  const { taskId: task_id, clientToken } = await issueToken(server, { timeout: 60 });
  const client = await waitForTask(server, clientToken);
  const messages = Array.from({ length: 50 }, (_, number) =>
    Buffer.from(`${number}`).toString("base64"),
  );
  const calls = messages.map((message, id) => {
    return { id, method: "invoke_envoy", params: { task_id, message, new_timeout: 60 } };
  });
  await postRpc(server, JSON.stringify(calls));
  const got: string[] = [];
  while (got.length < messages.length) {
    const { Message: message = "" } = (await client.next()) ?? {};
    if (message !== "") got.push(message);
  }
  expect(got).toEqual(messages);
  client.socket.close();
});

test("each task takes 20 messages a second", async () => {
  await using limited = await bootServer();
  const [one, other] = [await issueToken(limited), await issueToken(limited)];
  const send = (taskId: string) =>
    invoke({ task_id: taskId, message: HELLO, new_timeout: 1 }, limited);
  const answers = await Promise.all(Array.from({ length: 21 }, () => send(one.taskId)));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.map(failureOf)).toEqual([[-32003, { retry_after_ms: 50 }]]);
  expect((await send(other.taskId)).status).toBe(200);
  await limited.advance(50);
  expect((await send(one.taskId)).status).toBe(200);
});

test("an app has 200 calls a second, with 1,000 at once, whatever they ask", async () => {
  await using limited = await bootServer();
  const batch = JSON.stringify(Array(50).fill({ method: "close_envoy", params: {} }));
  for (let posted = 0; posted < 20; posted++) {
    expect((await postRpc(limited, batch)).text).not.toContain("-32003");
  }
  for (const method of ["invoke_envoy", "close_envoy", "get_envoy_status"]) {
    expect(failureOf(await callRpc(limited, method, {}))).toEqual([-32003, { retry_after_ms: 5 }]);
  }
});
