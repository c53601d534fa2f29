/** Deadlines of waiting connections (task-tokens.md §5.2) when the server's clock is set back: nobody waits longer for it. */
import { describe, expect, test } from "bun:test";
import { createTestRuntime } from "../../support/runtime.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { issueToken, resultOf } from "../../support/tasks-rpc.ts";
import { base64, connectTask, moveTime } from "../../support/tasks-socket.ts";

const MINUTE_MS = 60_000;
const TWO_HOURS_MS = 120 * MINUTE_MS;

async function start(settings: Readonly<Record<string, unknown>> = {}) {
  const runtime = createTestRuntime();
  const server = await bootServer({ runtime, config: { tasks: { ...settings } } });
  return {
    server,
    setBack: () => runtime.setClock(-TWO_HOURS_MS),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test("a connection's timeout comes after as many minutes, and its ticks go on", async () => {
  await using started = await start();
  const { server } = started;
  const { clientToken } = await issueToken(server, { timeout: 2 });
  using client = await connectTask(server, clientToken);
  expect((await client.next()).Ticks).toBe("02:00");
  await moveTime(server, MINUTE_MS, [client]);
  started.setBack();
  await moveTime(server, MINUTE_MS - 1, [client]);
  expect(client.end).toBeUndefined();
  expect(client.frames.every(({ Ticks }) => Ticks <= "02:00")).toBe(true);
  await moveTime(server, 1, [client]);
  expect(client.end).toMatchObject({ code: 4500, error: "timeout" });
});

describe("a message's new timeout", () => {
  async function sent(server: BootedServer) {
    const task = { timeout: 9, persist_timeout: true, send_offline_message: true };
    const { taskId, clientToken } = await issueToken(server, task);
    const client = await connectTask(server, clientToken);
    await client.next();
    const message = { task_id: taskId, message: base64("m"), new_timeout: 2 };
    await resultOf(server, "invoke_envoy", message);
    await moveTime(server, MINUTE_MS, [client]);
    return { client, clientToken };
  }

  test("holds likewise", async () => {
    await using started = await start();
    const { server } = started;
    const { client } = await sent(server);
    started.setBack();
    await moveTime(server, MINUTE_MS - 1, [client]);
    expect(client.end).toBeUndefined();
    await moveTime(server, 1, [client]);
    expect(client.end).toMatchObject({ code: 4500, error: "timeout" });
  });

  test("is no longer than it lasts for those who come behind the step", async () => {
    await using started = await start();
    const { server } = started;
    const { client: former, clientToken } = await sent(server);
    former.raw.destroy();
    started.setBack();
    using client = await connectTask(server, clientToken);
    expect((await client.next()).Ticks).toBe("02:00");
    await moveTime(server, 2 * MINUTE_MS - 1, [client]);
    expect(client.end).toBeUndefined();
    await moveTime(server, 1, [client]);
    expect(client.end).toMatchObject({ code: 4500, error: "timeout" });
  });
});

test("acceptances of before do not count in the minute behind the step", async () => {
  await using started = await start({ task_acceptances_per_minute: 1 });
  const { server } = started;
  const { clientToken } = await issueToken(server);
  using first = await connectTask(server, clientToken);
  await first.next();
  using refused = await connectTask(server, clientToken);
  expect((await refused.ended).error).toBe("too many connections");
  started.setBack();
  using accepted = await connectTask(server, clientToken);
  expect((await accepted.next()).Error).toBe("");
});
