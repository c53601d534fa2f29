/** `get_envoy_token` (task-tokens.md §3.1, §3.2, §4.5; checklist 11 to 16). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bootServer, temporaryDir, type BootedServer } from "../../support/server.ts";
import {
  callRpc,
  failureOf,
  issueToken,
  postRpc,
  resultOf,
  signed,
} from "../../support/tasks-rpc.ts";

/** Of §3.1's vectors. */
const MASTER_KEY = Array.from({ length: 32 }, (_, index) =>
  index.toString(16).padStart(2, "0"),
).join("");

let server: BootedServer;
beforeAll(async () => {
  // Enough for every case of this file, whose time stands still.
  server = await bootServer({ config: { tasks: { token_calls_burst: 10_000 } } });
});
afterAll(() => server[Symbol.asyncDispose]());

const idOf = async (task: Readonly<Record<string, unknown>>, params = {}) =>
  (await issueToken(server, task, params)).taskId;

/** As the context's JSON is written. */
async function idOfText(
  on: BootedServer,
  context: string,
  publicId = "dev",
  secret = "dev-api-key",
) {
  const body = `{"method":"get_envoy_token","params":{"Task":{"task_context":${context}}}}`;
  const { body: answer, text } = await postRpc(on, body, {
    headers: signed(body, { publicId, secret }),
  });
  if (answer?.result === undefined) throw new Error(text);
  return String(answer.result["task_id"]);
}

describe("task_id", () => {
  test("one context gives one id, and each call another token", async () => {
    const [one, other] = [
      await issueToken(server, { task_context: "a" }),
      await issueToken(server, { task_context: "a" }),
    ];
    expect(other.taskId).toBe(one.taskId);
    expect(other.clientToken).not.toBe(one.clientToken);
    expect(one.taskId).toMatch(/^[0-9a-f]{80}$/);
    expect(one.clientToken).toMatch(
      /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
    );
    expect(await idOf({ task_context: "b" })).not.toBe(one.taskId);
  });

  test("the specification's vectors come out of its master key and app", async () => {
    await using vectors = await bootServer({
      config: {
        ...{ master_key: MASTER_KEY, apps: [{ id: "demo" }], api_keys: [] },
        signing_keys: [{ use: "tasks", hmac_secret: "s3cret" }],
      },
    });
    expect(await idOfText(vectors, '"c549-4375-9b27-142e2ff2c031"', "demo", "s3cret")).toBe(
      "0ac4305f1099e2e546cfe73d63917ba099d5130015ae6dbb60a3301d3eb79ea36b3e7dd39f7079ef",
    );
    expect(await idOfText(vectors, '{"b":[true,null],"a":1}', "demo", "s3cret")).toBe(
      "238c219ef94b29b83816fc76db5d5178e93e7bcbaa090e596328a9233e6feecb32c2b751fe03aeeb",
    );
  });

  test("an object's member order and white space do not matter, a value's type does", async () => {
    const id = await idOfText(server, '{"a":1,"b":{"c":[1,2],"d":"é"}}');
    expect(await idOfText(server, '{ "b" : {"d":"\\u00e9","c":[1.0, 2e0]} , "a":1 }')).toBe(id);
    expect(await idOfText(server, '{"a":1,"b":{"c":[2,1],"d":"é"}}')).not.toBe(id);
    expect(await idOfText(server, '"1"')).not.toBe(await idOfText(server, "1"));
    expect(await idOfText(server, "[1]")).not.toBe(await idOfText(server, '"[1]"'));
    // No Unicode normalisation.
    expect(await idOfText(server, '"\\u00e9"')).not.toBe(await idOfText(server, '"e\\u0301"'));
  });

  test("contexts that a double takes for one another are refused, and say what to do", async () => {
    const [inexact, kept] = ["1285704473650888702", "1285704473650888703"];
    for (const context of [
      inexact,
      kept,
      `{"order":[${inexact}]}`,
      "-0",
      '{"a":1,"a":1}',
      "1e400",
    ]) {
      const body = `{"id":7,"method":"get_envoy_token","params":{"Task":{"task_context":${context}}}}`;
      const { status, body: answer } = await postRpc(server, body, { headers: signed(body) });
      expect([status, answer?.error?.code]).toEqual([200, -32602]);
      expect(answer?.error?.data).toEqual({
        ...{ param: "Task.task_context", reason: "type" },
        detail: expect.stringContaining("send such values as strings"),
      });
    }
    expect(await idOfText(server, `"${inexact}"`)).not.toBe(await idOfText(server, `"${kept}"`));
    expect(await idOfText(server, "1.10")).toBe(await idOfText(server, "1.1"));
  });

  test("another app has another id for the same context", async () => {
    await using two = await bootServer({
      config: {
        apps: [{ id: "dev" }, { id: "other", path_prefix: "/other" }],
        api_keys: [],
        signing_keys: ["dev", "other"].map((app) => ({ use: "tasks", app, hmac_secret: "same" })),
      },
    });
    const [one, other] = [
      await idOfText(two, '"x"', "dev", "same"),
      await idOfText(two, '"x"', "other", "same"),
    ];
    expect(other).not.toBe(one);
  });

  test("another API secret, a restart, and a new master key beside the old change no id", async () => {
    const dataDir = temporaryDir();
    const boot = (config: object = {}) =>
      bootServer({ dataDir, config: { api_keys: [], ...config } });
    const secretOf = (hmac_secret: string) => ({ signing_keys: [{ use: "tasks", hmac_secret }] });
    const first = await boot(secretOf("one"));
    const id = await idOfText(first, '"order-1"', "dev", "one");
    await first[Symbol.asyncDispose]();
    const second = await boot(secretOf("two"));
    expect(await idOfText(second, '"order-1"', "dev", "two")).toBe(id);
    await second[Symbol.asyncDispose]();
    const former = (await Bun.file(`${dataDir}/master.key`).text()).trim();
    await using third = await boot({
      ...secretOf("two"),
      ...{ master_key: MASTER_KEY, previous_master_keys: [former] },
    });
    expect(await idOfText(third, '"order-1"', "dev", "two")).toBe(id);
    const params = { task_id: id };
    const body = JSON.stringify({ method: "get_envoy_status", params });
    const status = await postRpc(third, body, { headers: signed(body, { secret: "two" }) });
    expect(status.body?.result).toHaveProperty("connections");
  });

  test("options and reusable_minutes do not enter", async () => {
    const task_context = "options";
    const id = await idOf({ task_context });
    for (const options of [
      { timeout: 1 },
      { timeout: 10_080, send_offline_message: true },
      { single_instance: true, persist_timeout: true },
    ]) {
      expect(await idOf({ task_context, ...options })).toBe(id);
    }
    expect(await idOf({ task_context }, { reusable_minutes: 0 })).toBe(id);
    await server.advance(60_000);
    expect(await idOf({ task_context })).toBe(id);
  });

  test("the empty context is refused, none and null are a task of their own each", async () => {
    const answer = await callRpc(server, "get_envoy_token", { Task: { task_context: "" } });
    expect(failureOf(answer)).toEqual([-32602, { param: "Task.task_context", reason: "empty" }]);
    const ids = [
      await idOf({}),
      await idOf({}),
      await idOf({ task_context: null }),
      await idOf({ task_context: null }),
    ];
    expect(new Set(ids).size).toBe(4);
    for (const context of ["{}", "[]", "0", "false"]) {
      expect(await idOfText(server, context)).toBe(await idOfText(server, context));
    }
  });

  test("a context has up to 4096 bytes, and must have UTF-8", async () => {
    expect(await idOf({ task_context: "é".repeat(2048) })).toMatch(/^[0-9a-f]{80}$/);
    const refusedFor = async (task_context: unknown) =>
      failureOf(await callRpc(server, "get_envoy_token", { Task: { task_context } }));
    const param = "Task.task_context";
    expect(await refusedFor(`${"é".repeat(2048)}x`)).toEqual([
      -32602,
      { param, reason: "too_long" },
    ]);
    expect(await refusedFor(["x".repeat(4093)])).toEqual([-32602, { param, reason: "too_long" }]);
    expect(await refusedFor("\ud83d")).toEqual([-32602, { param, reason: "type" }]);
  });
});

describe("parameters", () => {
  const outOfRange = (min: number) => ({ reason: "out_of_range", min, max: 10_080 });
  const type = { reason: "type" };

  test.each([
    [{ timeout: 0 }, "timeout", outOfRange(1)],
    [{ timeout: -1 }, "timeout", outOfRange(1)],
    [{ timeout: 10_081 }, "timeout", outOfRange(1)],
    [{ timeout: 1e300 }, "timeout", outOfRange(1)],
    [{ timeout: "10" }, "timeout", type],
    [{ timeout: 1.5 }, "timeout", type],
    [{ timeout: null }, "timeout", type],
    [{ timeout: [10] }, "timeout", type],
    [{ single_instance: "true" }, "single_instance", type],
    [{ single_instance: 1 }, "single_instance", type],
    [{ send_offline_message: null }, "send_offline_message", type],
    [{ persist_timeout: "" }, "persist_timeout", type],
  ])("Task %j is refused", async (task, param, why) => {
    const answer = await callRpc(server, "get_envoy_token", { Task: task });
    expect(answer.status).toBe(200);
    expect(failureOf(answer)).toEqual([-32602, { param: `Task.${param}`, ...why }]);
  });

  test("names in errors are the table's, however the call spells them", async () => {
    const answer = await callRpc(server, "get_envoy_token", { ENVOY_TASK: { TimeOut: 0 } });
    expect(failureOf(answer)[1]).toMatchObject({ param: "Task.timeout" });
  });

  test.each([
    [{}, { param: "Task", reason: "missing" }],
    [{ Task: null }, { param: "Task", reason: "type" }],
    [{ Task: [] }, { param: "Task", reason: "type" }],
    [{ Task: "x" }, { param: "Task", reason: "type" }],
    [
      { Task: {}, reusable_minutes: -1 },
      { param: "reusable_minutes", ...outOfRange(0) },
    ],
    [
      { Task: {}, reusable_minutes: 10_081 },
      { param: "reusable_minutes", ...outOfRange(0) },
    ],
    [
      { Task: {}, reusable_minutes: "60" },
      { param: "reusable_minutes", ...type },
    ],
  ])("%j is refused", async (params, data) => {
    expect(failureOf(await callRpc(server, "get_envoy_token", params))).toEqual([-32602, data]);
  });

  test.each(["1", "10080", "1.0", "6e1", "1.5e1"])(
    "timeout %s is a number of minutes",
    async (timeout) => {
      const body = `{"method":"get_envoy_token","params":{"Task":{"timeout":${timeout}}}}`;
      expect((await postRpc(server, body)).body?.error).toBeNull();
    },
  );

  test.each([0, 10_080])("reusable_minutes %d is taken", async (reusable_minutes) => {
    const result = await resultOf(server, "get_envoy_token", { reusable_minutes, Task: {} });
    expect(result).toHaveProperty("client_token");
  });
});

test("beyond the rate of calls the answer is -32003, with when to come again", async () => {
  await using limited = await bootServer();
  const call = () => callRpc(limited, "get_envoy_token", { Task: {} });
  const answers = await Promise.all(Array.from({ length: 201 }, call));
  const refused = answers.filter(({ status }) => status !== 200);
  expect(refused).toHaveLength(1);
  expect(refused[0]?.status).toBe(429);
  expect(failureOf(refused[0] ?? (await call()))).toEqual([-32003, { retry_after_ms: 20 }]);
  expect(refused[0]?.headers.get("retry-after")).toBe("1");
  await limited.advance(20);
  expect((await call()).status).toBe(200);
  expect((await call()).status).toBe(429);
  // In a batch it is that element's alone.
  const batch = await postRpc(
    limited,
    JSON.stringify([{ method: "get_envoy_token", params: { Task: {} } }]),
  );
  expect([batch.status, batch.headers.get("retry-after")]).toEqual([200, null]);
  expect(batch.text).toContain("-32003");
  // Another method, and another second, have their own.
  expect(failureOf(await callRpc(limited, "invoke_envoy", {}))[0]).toBe(-32602);
  await limited.advance(1000);
  const second = await Promise.all(Array.from({ length: 60 }, call));
  expect(second.filter(({ status }) => status === 200)).toHaveLength(50);
});
