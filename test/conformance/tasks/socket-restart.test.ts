/** What a restart keeps: task-tokens.md §5.8; checklist §6 item 33. */
import { afterAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { spawnServer } from "../../support/child-server.ts";
import { createTestRuntime } from "../../support/runtime.ts";
import { bootServer, temporaryDir } from "../../support/server.ts";
import { issueToken, resultOf } from "../../support/tasks-rpc.ts";
import { base64, connectTask } from "../../support/tasks-socket.ts";

const TASK = {
  task_context: "order",
  timeout: 10,
  send_offline_message: true,
  persist_timeout: true,
};

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

function keptDir(): string {
  const directory = temporaryDir();
  directories.push(directory);
  return directory;
}

test("a clean restart keeps the message, its number, the clock and what was used", async () => {
  const dataDir = keptDir();
  const runtime = createTestRuntime();
  let tokens;
  let endsMs;
  {
    await using server = await bootServer({ dataDir, runtime });
    const order = await issueToken(server, TASK);
    const used = await issueToken(server, {}, { reusable_minutes: 0 });
    const closed = await issueToken(server);
    tokens = { order, used, closed };
    for (const text of ["m1", "m2"]) {
      const message = base64(text);
      await resultOf(server, "invoke_envoy", { task_id: order.taskId, message, new_timeout: 20 });
    }
    endsMs = runtime.clock.epochMs() + 20 * 60_000;
    using client = await connectTask(server, used.clientToken);
    await client.next();
    await resultOf(server, "close_envoy", { task_id: closed.taskId });
  }
  await runtime.advance(120_000);
  await using server = await bootServer({ dataDir, runtime });
  const wish = { Extended: true };
  using client = await connectTask(server, tokens.order.clientToken, { wish });
  // A stop takes some of the moved time itself.
  const leftSeconds = Math.ceil((endsMs - runtime.clock.epochMs()) / 1000);
  const parts = [Math.floor(leftSeconds / 60), leftSeconds % 60];
  const Ticks = parts.map((part) => String(part).padStart(2, "0")).join(":");
  const replayed = { Message: base64("m2"), Seq: 2, Replay: true, Ticks };
  expect(await client.next()).toMatchObject(replayed);
  const message = base64("m3");
  await resultOf(server, "invoke_envoy", { task_id: tokens.order.taskId, message, new_timeout: 1 });
  expect(await client.next()).toMatchObject({ Message: message, Seq: 3, Replay: false });
  for (const [clientToken, code] of [
    [tokens.used.clientToken, 4503],
    [tokens.closed.clientToken, 4504],
  ] as const) {
    using refused = await connectTask(server, clientToken);
    expect((await refused.ended).code).toBe(code);
  }
});

/** A token that a client has used, of a server whose store is gone; five minutes later. */
async function issuedBefore() {
  const config = { master_key: randomBytes(32).toString("hex") };
  const runtime = createTestRuntime();
  let order;
  {
    await using server = await bootServer({ runtime, config });
    order = await issueToken(server, TASK);
    using client = await connectTask(server, order.clientToken);
    await client.next();
  }
  await runtime.advance(300_000);
  return { runtime, config, order };
}

test("with an empty store the old token still connects and the old id still invokes", async () => {
  const { runtime, config, order } = await issuedBefore();
  await using server = await bootServer({ runtime, config });
  const message = base64("before anyone is back");
  const params = { task_id: order.taskId, message, new_timeout: 20 };
  expect(await resultOf(server, "invoke_envoy", params)).toEqual({ status: "success" });
  using client = await connectTask(server, order.clientToken);
  expect(await client.next()).toMatchObject({ Error: "", Message: message, Ticks: "20:00" });
  // Nothing was known of the task but what its token tells, which is remembered again.
  const next = { ...params, message: base64("m2"), report: true };
  expect(await resultOf(server, "invoke_envoy", next)).toMatchObject({
    retained: true,
    delivered: 1,
  });
  expect((await client.next()).Message).toBe(base64("m2"));
});

test("with an empty store a persistent clock starts again at the next connection", async () => {
  const { runtime, config, order } = await issuedBefore();
  await using server = await bootServer({ runtime, config });
  using client = await connectTask(server, order.clientToken);
  expect((await client.next()).Ticks).toBe("10:00");
});

describe("a kill", () => {
  test("loses no acknowledged message and no token", async () => {
    const dataDir = keptDir();
    const limits = { invoke_calls_burst: 100_000, task_invokes_per_second: 100_000 };
    const config = { tasks: { ...limits, token_calls_burst: 1000 } };
    const tasks: { taskId: string; clientToken: string; acknowledged: number }[] = [];
    {
      await using server = await spawnServer({ dataDir, config });
      for (let index = 0; index < 8; index++) {
        const task = { task_context: index, send_offline_message: true };
        tasks.push({ ...(await issueToken(server, task)), acknowledged: 0 });
      }
      let acknowledged = 0;
      const invoking = tasks.map(async (task) => {
        for (let number = 1; ; number++) {
          const message = base64(`${number}`);
          try {
            const params = { task_id: task.taskId, message, new_timeout: 60 };
            await resultOf(server, "invoke_envoy", params);
          } catch {
            return;
          }
          task.acknowledged = number;
          // In the middle of everything that the other seven have under way.
          if ((acknowledged += 1) === 400) server.kill("SIGKILL");
        }
      });
      await Promise.all(invoking);
      expect(await server.exited).toBe(137);
    }
    await using server = await spawnServer({ dataDir, config });
    for (const { clientToken, acknowledged } of tasks) {
      using client = await connectTask(server, clientToken, { wish: { Extended: true } });
      const { Message, Seq, Replay } = await client.next();
      const number = Number(Buffer.from(Message, "base64").toString());
      // The one behind it may have been stored, and its answer lost.
      expect(number).toBeOneOf([acknowledged, acknowledged + 1]);
      expect([Seq, Replay]).toEqual([number, true]);
    }
  }, 30_000);
});
