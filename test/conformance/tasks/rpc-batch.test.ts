/** Batches (task-tokens.md §4.3; checklist 10). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { failureOf, postRpc, type RpcAnswer } from "../../support/tasks-rpc.ts";

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

function expectFailure(answer: RpcAnswer, status: number, code: number): void {
  expect([answer.status, failureOf(answer)[0], answer.body?.id]).toEqual([status, code, null]);
}

describe("batches", () => {
  const element = (id: number, method: string, params: unknown) => ({ id, method, params });

  test("are answered in order, and one bad element stops no other", async () => {
    const { status, text } = await post(
      JSON.stringify([
        element(1, "get_envoy_token", { Task: {} }),
        element(2, "nothing", {}),
        element(3, "get_envoy_token", { Task: {} }),
      ]),
    );
    const answers = JSON.parse(text) as { id: number; error: { code: number } | null }[];
    expect(status).toBe(200);
    expect(answers.map(({ id, error }) => [id, error?.code ?? null])).toEqual([
      ...[
        [1, null],
        [2, -32601],
        [3, null],
      ],
    ]);
  });

  test("elements that are no requests fail by themselves", async () => {
    const { status, text } = await post('[1,[],{"id":3,"method":1},{"id":4,"ID":4},[[]],]');
    expect(status).toBe(200);
    const failed = (id: string) =>
      `{"id":${id},"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"}}`;
    expect(text).toBe(`[${["null", "null", "3", "null", "null"].map(failed).join(",")}]`);
  });

  test("an empty one, and one of 51, are -32600; one of 50 is not", async () => {
    expectFailure(await post("[]"), 400, -32600);
    const many = (count: number) => JSON.stringify(Array(count).fill(element(1, "nothing", {})));
    expectFailure(await post(many(51)), 400, -32600);
    const { status, text } = await post(many(50));
    expect([status, (JSON.parse(text) as unknown[]).length]).toEqual([200, 50]);
  });

  test("one element's status is not the batch's", async () => {
    const big = { task_id: "0".repeat(80), message: "A".repeat(87_384) };
    const { status, text } = await post(JSON.stringify([element(1, "invoke_envoy", big)]));
    expect([status, text]).toEqual([
      ...[200, '[{"id":1,"jsonrpc":"2.0","error":{"code":-32005,"message":"Payload too large"}}]'],
    ]);
  });

  test("where the app is strict, notifications are left out, and one of them alone is 204", async () => {
    const notification = { method: "get_envoy_token", params: { Task: {} } };
    const mixed = await postRpc(strict, JSON.stringify([notification, element(7, "nothing", {})]));
    expect(JSON.parse(mixed.text)).toEqual([
      { id: 7, jsonrpc: "2.0", error: { code: -32601, message: "Method not found" } },
    ]);
    const only = await postRpc(strict, JSON.stringify([notification, notification]));
    expect([only.status, only.text]).toEqual([204, ""]);
  });
});
