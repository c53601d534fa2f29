/** What ids, tokens and messages survive (task-tokens.md §3, §5.8; checklist 33). */
import { expect, test } from "bun:test";
import { spawnServer } from "../../support/child-server.ts";
import { createTestRuntime } from "../../support/runtime.ts";
import { bootServer, temporaryDir } from "../../support/server.ts";
import { issueToken, resultOf, waitForTask } from "../../support/tasks-rpc.ts";

const KEY = "ab".repeat(32);
const NEXT_KEY = "cd".repeat(32);
const HELLO = "aGVsbG8=";

test("with an empty store an old token still connects, and an old id is still invoked", async () => {
  const config = { master_key: KEY };
  const first = await bootServer({ config });
  const { taskId: task_id, clientToken } = await issueToken(first, { task_context: "order" });
  await first[Symbol.asyncDispose]();
  await using second = await bootServer({ config });
  const before = await resultOf(second, "invoke_envoy", {
    task_id,
    message: HELLO,
    new_timeout: 1,
  });
  expect(before).toEqual({ status: "success" });
  const client = await waitForTask(second, clientToken);
  await resultOf(second, "invoke_envoy", { task_id, message: HELLO });
  expect(await client.closed).toBe(1000);
  expect((await issueToken(second, { task_context: "order" })).taskId).toBe(task_id);
});

test("a new master key opens what the former one sealed, as long as that is listed", async () => {
  const boot = (config: Readonly<Record<string, unknown>>) => bootServer({ config });
  const first = await boot({ master_key: KEY });
  const { taskId, clientToken } = await issueToken(first, { task_context: "order" });
  await first[Symbol.asyncDispose]();

  const second = await boot({ master_key: NEXT_KEY, previous_master_keys: [KEY] });
  const client = await waitForTask(second, clientToken);
  client.socket.close();
  const renewed = await issueToken(second, { task_context: "order" });
  expect(renewed.taskId).toBe(taskId);
  await second[Symbol.asyncDispose]();

  await using third = await boot({ master_key: NEXT_KEY });
  await expect(waitForTask(third, clientToken)).rejects.toThrow("invalid token");
  const last = await waitForTask(third, renewed.clientToken);
  last.socket.close();
});

test("a stop and a start on the same data directory keep message, time and revocation", async () => {
  const dataDir = temporaryDir();
  const runtime = createTestRuntime();
  const first = await bootServer({ dataDir, runtime });
  const options = { send_offline_message: true, persist_timeout: true, timeout: 10 };
  const { taskId: task_id, clientToken } = await issueToken(first, options);
  const closed = await issueToken(first, {});
  await resultOf(first, "invoke_envoy", { task_id, message: HELLO, new_timeout: 20 });
  await resultOf(first, "close_envoy", { task_id: closed.taskId });
  await first[Symbol.asyncDispose]();

  await using second = await bootServer({ dataDir, runtime });
  const client = await waitForTask(second, clientToken, { keepFirst: true });
  const frame = await client.next();
  expect(frame).toMatchObject({ Message: HELLO, Completed: false });
  // Twenty minutes, less what the stop took.
  expect(frame?.Ticks).toMatch(/^(?:20:00|19:5\d)$/);
  await expect(waitForTask(second, closed.clientToken)).rejects.toThrow("revoked");
  client.socket.close();
});

test("a message that was acknowledged survives a kill", async () => {
  const dataDir = temporaryDir();
  const first = await spawnServer({ dataDir });
  const { taskId: task_id, clientToken } = await issueToken(first, { send_offline_message: true });
  const report = { task_id, new_timeout: 20, report: true };
  for (let sent = 0; sent < 5; sent++) {
    const message = Buffer.from(`${sent}`).toString("base64");
    const result = await resultOf(first, "invoke_envoy", { ...report, message });
    expect(result).toMatchObject({ retained: true });
  }
  first.kill("SIGKILL");
  await first.exited;

  await using second = await spawnServer({ dataDir });
  const client = await waitForTask(second, clientToken, { keepFirst: true });
  expect(await client.next()).toMatchObject({ Message: Buffer.from("4").toString("base64") });
  client.socket.close();
});
