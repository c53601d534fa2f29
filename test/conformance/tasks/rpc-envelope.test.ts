/** Requests and their answers (task-tokens.md §4.1, §4.3, §4.4; checklist 5 to 9). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { callRpc, failureOf, postRpc, signed, type RpcAnswer } from "../../support/tasks-rpc.ts";

let server: BootedServer;
let strict: BootedServer;
beforeAll(async () => {
  server = await bootServer();
  strict = await bootServer({ config: { tasks: { strict: true } } });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await strict[Symbol.asyncDispose]();
});

const post = (body: string) => postRpc(server, body);

/** A call that succeeds. */
const GOOD = { method: "get_envoy_token", params: { Task: {} } };

function expectFailure(answer: RpcAnswer, status: number, code: number, id: unknown = null): void {
  expect([answer.status, failureOf(answer)[0], answer.body?.id]).toEqual([status, code, id]);
}

describe("member names", () => {
  const task = { task_context: "names" };
  test.each([
    ["lower case", { jsonrpc: "2.0", id: "2", method: "get_envoy_token", params: { task } }],
    ["capitals", { Jsonrpc: "2.0", Id: "2", Method: "get_envoy_token", Params: { Task: task } }],
    ["envoy_task", { Id: "2", Method: "get_envoy_token", Params: { envoy_task: task } }],
    [
      "any case at any depth",
      { ID: "2", METHOD: "get_envoy_token", PARAMS: { TASK: { Task_Context: "names" } } },
    ],
  ])("%s", async (_, call) => {
    const { status, body } = await post(JSON.stringify(call));
    const { body: same } = await callRpc(server, "get_envoy_token", { Task: task });
    expect([status, body?.id]).toEqual([200, "2"]);
    expect(body?.result?.["task_id"]).toBe(String(same?.result?.["task_id"]));
  });

  test.each([
    '{"method":"get_envoy_token","Method":"get_envoy_token","params":{"Task":{}}}',
    '{"method":"get_envoy_token","params":{"Task":{}},"Params":{}}',
    '{"id":1,"Id":1,"method":"get_envoy_token","params":{"Task":{}}}',
    '{"method":"get_envoy_token","params":{"Task":{},"task":{}}}',
    '{"method":"get_envoy_token","params":{"Task":{},"envoy_task":{}}}',
    '{"method":"get_envoy_token","params":{"Task":{"timeout":1,"Timeout":1}}}',
    '{"method":"get_envoy_token","params":{"Task":{"Other":1,"other":1}}}',
  ])("two that differ in case only, or say the same twice, are -32600: %s", async (body) => {
    expectFailure(await post(body), 400, -32600);
  });

  test("a context's own members may differ in case", async () => {
    const { body } = await post(
      '{"method":"get_envoy_token","params":{"Task":{"task_context":{"a":1,"A":1}}}}',
    );
    expect(body?.error).toBeNull();
  });

  test("members that nobody knows are ignored", async () => {
    const params = { Task: { other: [1] }, more: null };
    const { body } = await post(JSON.stringify({ ...GOOD, params, extra: {} }));
    expect(body?.error).toBeNull();
  });

  test("envoy_task is answered with the token under both of its names", async () => {
    const result = async (name: string) =>
      (await callRpc(server, "get_envoy_token", { [name]: {} })).body?.result ?? {};
    const other = await result("Envoy_Task");
    expect(other["envoy_token"]).toBe(String(other["client_token"]));
    expect(await result("Task")).not.toHaveProperty("envoy_token");
  });
});

describe("the published request, braces added", () => {
  const REQUEST = `{"Method":"get_envoy_token","Id":"2",
"Params":{
"reusable_minutes":60,
"Task":{
"task_context":"c549-4375-9b27-142e2ff2c031",
"send_offline_message":true,
"timeout":10,
"single_instance":true,
"persist_timeout": false,
}
}}`;

  test("is accepted with its trailing commas", async () => {
    const { status, body } = await post(REQUEST);
    expect([status, body?.error, body?.id]).toEqual([200, null, "2"]);
  });

  test("is -32700 where the app is strict", async () => {
    expectFailure(await postRpc(strict, REQUEST), 400, -32700);
    const { body } = await postRpc(strict, REQUEST.replace("false,", "false"));
    expect(body?.error).toBeNull();
  });

  test("one app may be strict by itself", async () => {
    await using one = await bootServer({
      config: { tasks: { apps: [{ id: "dev", strict: true }] } },
    });
    expectFailure(await postRpc(one, REQUEST), 400, -32700);
  });
});

describe("id", () => {
  test.each([
    ...['"2"', "2", "null", '""', "-1.50", "1e2", "9007199254740993", '"\\u0041\\n"', '"é"'],
    ...["123456789012345678901234567890", "0.1000000000000000055511151231257827"],
  ])("%s is echoed with its exact text", async (id) => {
    const { text } = await post(`{"id": ${id} ,"method":"get_envoy_token","params":{"Task":{}}}`);
    expect(text.startsWith(`{"id":${id},"jsonrpc":"2.0","error":null,"result":{`)).toBe(true);
    const failed = await post(`{"id":${id},"method":"nothing"}`);
    expect(failed.text).toBe(
      `{"id":${id},"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"}}`,
    );
  });

  test("a missing one is answered with null", async () => {
    const { body } = await post(JSON.stringify(GOOD));
    expect([body?.id, body?.error]).toEqual([null, null]);
  });

  test.each(["{}", "[]", "true", "[1]"])("%s is none: -32600", async (id) => {
    expectFailure(await post(`{"id":${id},"method":"get_envoy_token"}`), 400, -32600);
  });

  test("where the app is strict, a call without one is a notification: 204 and no body", async () => {
    const { status, text, headers } = await postRpc(strict, JSON.stringify(GOOD));
    expect([status, text, headers.get("content-type")]).toEqual([204, "", null]);
    const wrong = await postRpc(strict, '{"method":"nothing"}');
    expect([wrong.status, wrong.text]).toEqual([204, ""]);
    // What is no request at all is answered: that it wanted no answer cannot be told.
    expectFailure(await postRpc(strict, '{"method":1}'), 400, -32600);
    const named = await postRpc(strict, JSON.stringify({ ...GOOD, id: null }));
    expect([named.status, named.body?.error]).toEqual([200, null]);
  });
});

describe("answers", () => {
  test("a success has exactly the members of the source, error null", async () => {
    const { status, headers, text, body } = await post(JSON.stringify({ ...GOOD, id: "2" }));
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(text).toBe(
      JSON.stringify({ id: "2", jsonrpc: "2.0", error: null, result: body?.result }),
    );
    expect(Object.keys(body?.result ?? {})).toEqual(["client_token", "task_id"]);
  });

  test("a failure has an error and no result", async () => {
    const { text, headers } = await callRpc(server, "get_envoy_token", { Task: { timeout: 0 } });
    expect(text).toBe(
      '{"id":"2","jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params",' +
        '"data":{"param":"Task.timeout","reason":"out_of_range","min":1,"max":10080}}}',
    );
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("no page of another origin is told that it may read them", async () => {
    const body = JSON.stringify(GOOD);
    const headers = { ...signed(body), origin: "https://shop.example" };
    const answer = await postRpc(server, body, { headers });
    const names = [...answer.headers.keys()];
    expect(names.filter((name) => name.startsWith("access-control"))).toEqual([]);
  });
});

describe("each error for its case, with its HTTP status", () => {
  test.each(["", "{", "nothing", '{"method":"get_envoy_token"', "{'method':1}", '"\\x"'])(
    "no JSON is -32700 and 400: %s",
    async (body) => {
      const answer = await post(body);
      expectFailure(answer, 400, -32700);
      expect(answer.body?.error?.message).toBe("Parse error");
    },
  );

  test("what is not UTF-8 is -32700", async () => {
    const body = Buffer.from('{"method":"\u00ff"}', "latin1");
    expectFailure(await postRpc(server, body), 400, -32700);
  });

  test.each([
    ["no object", "1", null],
    ["no object", '"get_envoy_token"', null],
    ["no object", "null", null],
    ["no method", '{"id":1,"params":{}}', 1],
    ["a method that is no string", '{"id":1,"method":null}', 1],
    ["another version", '{"id":1,"jsonrpc":"1.0","method":"get_envoy_token"}', 1],
    ["another version", '{"id":1,"jsonrpc":2.0,"method":"get_envoy_token"}', 1],
    ["another version", '{"id":1,"jsonrpc":null,"method":"get_envoy_token"}', 1],
  ])("%s is -32600 and 400: %s", async (_, body, id) => {
    const answer = await post(body);
    expectFailure(answer, 400, -32600, id);
    expect(answer.body?.error?.message).toBe("Invalid Request");
  });

  test.each([
    "nothing",
    "subscribe",
    "GET_ENVOY_TOKEN",
    "get_envoy_token ",
    "",
    "constructor",
    "__proto__",
  ])("method %p is -32601 and 200", async (method) => {
    const answer = await callRpc(server, method, {});
    expectFailure(answer, 200, -32601, "2");
    expect(answer.body?.error?.message).toBe("Method not found");
  });

  test.each(["[]", "[{}]", '"x"', "1", "null", "true"])(
    "params %s are -32602 and 200",
    async (params) => {
      const answer = await post(`{"id":1,"method":"get_envoy_token","params":${params}}`);
      expectFailure(answer, 200, -32602, 1);
      expect(failureOf(answer)[1]).toEqual({ param: "params", reason: "type" });
    },
  );

  test("absent params are those that are missing", async () => {
    const answer = await post('{"id":1,"method":"get_envoy_token"}');
    expect(failureOf(answer)).toEqual([-32602, { param: "Task", reason: "missing" }]);
  });

  test("a body up to 256 KiB is read, one beyond is -32005 and 413", async () => {
    const padded = (bytes: number) => {
      const body = JSON.stringify({ ...GOOD, padding: "" });
      return body.replace('"padding":""', `"padding":"${"x".repeat(bytes - body.length)}"`);
    };
    const largest = await post(padded(262_144));
    expect([largest.status, largest.body?.error]).toEqual([200, null]);
    const answer = await post(padded(262_145));
    expectFailure(answer, 413, -32005);
    expect(answer.body?.error?.message).toBe("Payload too large");
    // Beyond what the listener reads at all.
    expectFailure(await post(padded(10_485_761)), 413, -32005);
  });
});
