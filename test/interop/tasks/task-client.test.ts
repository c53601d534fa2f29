/** The published client of `clients/tasks` against the server: what it is given, and when it comes back. */
import { describe, expect, test } from "bun:test";
import {
  connectTask,
  TaskEnded,
  type Task,
  type TaskMessage,
} from "../../../clients/tasks/task-client.ts";
import { createLink } from "../../support/link.ts";
import { createTestRuntime, type TestRuntime } from "../../support/runtime.ts";
import { bootServer, temporaryDir, type BootedServer } from "../../support/server.ts";
import { issueToken, resultOf } from "../../support/tasks-rpc.ts";
import { base64 } from "../../support/tasks-socket.ts";

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => setImmediate(resolve));
}

interface Watched {
  readonly task: Task;
  readonly runtime: TestRuntime;
  readonly texts: string[];
  readonly messages: TaskMessage[];
  readonly ticks: string[];
  /** Sockets that it opened, and those of them that have ended. */
  opened: number;
  closed: number;
}

/** On a clock of its own, which only the test moves; chance is always a half. */
function watch(url: string, token: string): Watched {
  const runtime = createTestRuntime();
  const heard = { texts: [] as string[], messages: [] as TaskMessage[], ticks: [] as string[] };
  const watched = { runtime, ...heard, opened: 0, closed: 0 };
  const task = connectTask({
    url,
    token,
    onMessage(message) {
      watched.messages.push(message);
      watched.texts.push(message.text());
    },
    onTick: (left) => void watched.ticks.push(left),
    environment: {
      connect(target) {
        watched.opened += 1;
        const socket = new WebSocket(target);
        socket.addEventListener("close", () => (watched.closed += 1));
        return socket;
      },
      after(ms, callback) {
        const timer = runtime.timers.after(ms, callback);
        return () => timer.cancel();
      },
      random: () => 0.5,
    },
  });
  return Object.assign(watched, { task });
}

const socketUrl = ({ clientsUrl }: BootedServer) => `${clientsUrl.replace(/^http/, "ws")}/tasks`;

function invoke(server: BootedServer, task_id: string, text: string, new_timeout: number) {
  return resultOf(server, "invoke_envoy", { task_id, message: base64(text), new_timeout });
}

describe("connectTask()", () => {
  test("gives ticks and messages in order, and resolves with the last", async () => {
    await using server = await bootServer();
    const { taskId, clientToken } = await issueToken(server);
    const client = watch(socketUrl(server), clientToken);
    await until(() => client.ticks.length > 0);
    expect(client.ticks).toEqual(["10:00"]);
    await invoke(server, taskId, "one", 20);
    await invoke(server, taskId, "two ü", 5);
    await invoke(server, taskId, "three", 0);
    const last = await client.task.completed;
    expect(last.text()).toBe("three");
    expect(last).toMatchObject({
      seq: 3,
      replay: false,
      completed: true,
      message: base64("three"),
    });
    expect(client.texts).toEqual(["one", "two ü", "three"]);
    expect([client.opened, client.runtime.pendingTimers]).toEqual([1, 0]);
  });

  test("drops a link that is silent, comes back, and gives what it missed once", async () => {
    await using server = await bootServer();
    const { taskId, clientToken } = await issueToken(server, { send_offline_message: true });
    const client = watch(socketUrl(server), clientToken);
    await until(() => client.ticks.length === 1);
    await invoke(server, taskId, "one", 20);
    await until(() => client.texts.length === 1);
    // Nothing new: the message that the server repeats is one that it had.
    await client.runtime.advance(5000);
    await client.runtime.advance(375);
    await until(() => client.ticks.length === 3);
    expect([client.opened, client.texts]).toEqual([2, ["one"]]);
    await client.runtime.advance(5000);
    await invoke(server, taskId, "two", 20);
    await client.runtime.advance(375);
    await until(() => client.texts.length === 2);
    expect(client.messages.map(({ seq, replay }) => [seq, replay])).toEqual([
      [1, false],
      [2, true],
    ]);
    client.task.close();
    expect(client.task.completed).rejects.toThrow("closed");
    expect(client.runtime.pendingTimers).toBe(0);
  });

  test("comes back behind a restart, and gets the message of the time between", async () => {
    const dataDir = temporaryDir();
    let server = await bootServer({ dataDir });
    const { taskId, clientToken } = await issueToken(server, { send_offline_message: true });
    await using link = await createLink(socketUrl(server));
    const client = watch(link.url, clientToken);
    await until(() => client.ticks.length === 1);
    await server[Symbol.asyncDispose]();
    server = await bootServer({ dataDir });
    await using _ = server;
    link.restore(socketUrl(server));
    await invoke(server, taskId, "paid", 0);
    // 1012: within a second, here after half of it.
    while (client.opened === 1) await client.runtime.advance(500);
    expect((await client.task.completed).text()).toBe("paid");
    expect(client.opened).toBe(2);
  });

  test("rejects when the server ends it for good", async () => {
    await using server = await bootServer();
    const { taskId, clientToken } = await issueToken(server);
    const client = watch(socketUrl(server), clientToken);
    await until(() => client.ticks.length === 1);
    await resultOf(server, "close_envoy", { task_id: taskId });
    const ended = await client.task.completed.catch((error: unknown) => error);
    expect(ended).toBeInstanceOf(TaskEnded);
    expect(ended).toMatchObject({ code: 4504, message: "revoked" });
    expect(client.runtime.pendingTimers).toBe(0);
  });
});

/** A server that closes every socket with the next of these codes, and then with the last one. */
function closingServer(codes: readonly number[]) {
  let closed = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) =>
      self.upgrade(request) ? undefined : new Response("", { status: 400 }),
    websocket: {
      message(ws) {
        ws.close(codes[Math.min(closed, codes.length - 1)]);
        closed += 1;
      },
    },
  });
  return {
    url: `ws://127.0.0.1:${server.port}/`,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

describe("behind a close", () => {
  test.each([
    [1012, 500],
    [4403, 35_000],
    [4505, 375],
    [4402, 375],
    [1011, 375],
    [1001, 375],
    [4499, 375],
  ])("with %p it comes back after %p ms", async (code, waitMs) => {
    await using server = closingServer([code]);
    const client = watch(server.url, "token");
    await afterClose(client, waitMs);
    expect(client.opened).toBe(2);
    client.task.close();
  });

  test.each([1000, 4500, 4501, 4502, 4503, 4504, 4506, 4999])(
    "with %p it stays away",
    async (code) => {
      await using server = closingServer([code]);
      const client = watch(server.url, "token");
      expect(await client.task.completed.catch((error: unknown) => error)).toMatchObject({ code });
      expect([client.opened, client.runtime.pendingTimers]).toEqual([1, 0]);
    },
  );

  test("with 4505 it comes back once", async () => {
    await using server = closingServer([4505, 4505]);
    const client = watch(server.url, "token");
    await afterClose(client, 375);
    expect(await client.task.completed.catch((error: unknown) => error)).toMatchObject({
      code: 4505,
    });
    expect(client.opened).toBe(2);
  });

  test("it waits twice as long each time, up to 30 s", async () => {
    await using server = closingServer([1011]);
    const client = watch(server.url, "token");
    for (const [index, waitMs] of [375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500].entries()) {
      await afterClose(client, waitMs);
      expect(client.opened).toBe(index + 2);
    }
    client.task.close();
  });
});

/** Once the close has arrived it comes back after this time, neither sooner nor later. */
async function afterClose(client: Watched, waitMs: number): Promise<void> {
  const { opened } = client;
  await until(() => client.closed === opened);
  await client.runtime.advance(waitMs - 1);
  expect(client.opened).toBe(opened);
  await client.runtime.advance(1);
}
