/** Hostile clients of the task-token socket: each gets its documented end, nothing is left behind, and a neighbour notices nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { HubError } from "../../src/core/errors.ts";
import { tickFrame } from "../../src/dialects/tasks/frames.ts";
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { expectNoBugs, until } from "../support/hostile.ts";
import { createRandom, randomFrom, type Random } from "../support/random.ts";
import { createTestRuntime } from "../support/runtime.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import { createTaskNode, taskToken } from "../support/task-nodes.ts";
import { issueToken, resultOf } from "../support/tasks-rpc.ts";
import { base64, connectTask, openTaskSocket, type TaskClient } from "../support/tasks-socket.ts";

const CASES = process.env["CARILLON_SOAK"] === undefined ? 1000 : 100_000;
const AT_ONCE = 25;
const BAD_REQUEST = { code: 4506, error: "bad request" };
/** No moved time passes in which call rates would recover. */
const CALLS = { invoke_calls_burst: 1_000_000, task_invokes_per_second: 1_000_000 };

describe("after the acceptance", () => {
  async function accepted(server: BootedServer): Promise<TaskClient> {
    const { clientToken } = await issueToken(server);
    const client = await connectTask(server, clientToken);
    await client.next();
    return client;
  }

  test("60 frames a minute are ignored, whatever they are; one more ends it", async () => {
    await using server = await bootServer();
    using client = await accepted(server);
    for (let minute = 0; minute < 2; minute++) {
      for (let index = 0; index < 20; index++) {
        client.send("{");
        client.raw.send(new Uint8Array([1, 2, 3]));
        client.send({ ClientToken: "x", Ticks: 99 });
      }
      await client.sync();
      expect(client.end).toBeUndefined();
      if (minute === 0) {
        for (let step = 0; step < 12; step++) {
          await server.advance(5000);
          await client.sync();
        }
      }
    }
    client.send("one more");
    expect(await client.ended).toEqual(BAD_REQUEST);
    expect(client.frames.at(-1)).toMatchObject({ Ticks: "09:00", Completed: true });
  });

  test.each(["text", "binary", "text of few characters"])(
    "4 KiB of %s are ignored, one byte more ends it",
    async (kind) => {
      await using server = await bootServer();
      using client = await accepted(server);
      const send = (bytes: number) => {
        if (kind === "binary") client.raw.send(new Uint8Array(bytes));
        else if (kind === "text") client.raw.send("x".repeat(bytes));
        else client.raw.send("€".repeat(bytes / 3) + "x".repeat(bytes % 3));
      };
      send(4096);
      await client.sync();
      expect(client.end).toBeUndefined();
      send(4097);
      expect(await client.ended).toEqual(BAD_REQUEST);
    },
  );

  test("frames that come while the acceptance is under way are counted behind it", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server);
    using client = await openTaskSocket(server);
    client.send({ ClientToken: clientToken });
    for (let index = 0; index < 61; index++) client.send("at once");
    expect(await client.ended).toEqual(BAD_REQUEST);
    expect(client.frames.map(({ Error: error }) => error)).toEqual(["", "bad request"]);
  });
});

describe("a client that does not read", () => {
  const message = Buffer.alloc(65_536, 1).toString("base64");

  test("is ended with 4402, and finds the latest message when it comes back", async () => {
    await using server = await bootServer({ config: { tasks: CALLS } });
    const { taskId: task_id, clientToken } = await issueToken(server, {
      ...{ send_offline_message: true, task_context: "slow" },
    });
    const fast = await issueToken(server, { task_context: "slow" });
    using neighbour = await connectTask(server, fast.clientToken);
    await neighbour.next();
    using slow = await connectTask(server, clientToken);
    await slow.next();
    slow.raw.pause();
    let sent = 0;
    // The kernel takes some megabytes before the server's own bound is reached.
    while (server.hub.stats().connections === 2) {
      await resultOf(server, "invoke_envoy", { task_id, message, new_timeout: 60 });
      sent += 1;
      if (sent > 1000) throw new Error("It was never ended");
    }
    slow.raw.resume();
    expect(await slow.ended).toEqual({ code: 4402, error: "slow consumer" });
    const received = slow.frames.filter(({ Message }) => Message !== "").length;
    expect(received).toBeWithin(10, sent);
    const last = { task_id, message: base64("last"), new_timeout: 60 };
    await resultOf(server, "invoke_envoy", last);
    await until(() => neighbour.messages.length === sent + 1);
    using again = await connectTask(server, clientToken);
    expect((await again.next()).Message).toBe(base64("last"));
    expectNoBugs(server);
  });

  test("is sent no ticks beyond 1 MiB, and is told again when it has read", async () => {
    const { node, runtime, socket } = await oneConnection();
    await runtime.advance(2000);
    expect(socket.frames).toHaveLength(2);
    const { queue_max_size: bufferedBytesMax } = node.context.settings;
    socket.bufferedBytes = bufferedBytesMax - tickFrame("09:56").length;
    await runtime.advance(2000);
    expect(socket.frames).toHaveLength(3);
    socket.bufferedBytes += 1;
    await runtime.advance(20_000);
    expect(socket.frames).toHaveLength(3);
    socket.bufferedBytes = 0;
    await runtime.advance(2000);
    expect(socket.frames.at(-1)?.Ticks).toBeOneOf(["09:34", "09:35", "09:36"]);
    expect(socket.isOpen).toBe(true);
  });
});

async function oneConnection() {
  const runtime = createTestRuntime();
  const engine = createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime });
  await engine.start();
  const bugs: unknown[] = [];
  const node = createTaskNode({ engine: engine.app("app"), runtime, bugs });
  const socket = node.connect(taskToken(runtime));
  await runtime.settle();
  await socket.handled;
  return { node, runtime, socket, bugs, engine };
}

describe("a store that is away", () => {
  test("ends a connection that is being accepted with 1011 and no frame", async () => {
    const { node, runtime, bugs, engine } = await oneConnection();
    await engine[Symbol.asyncDispose]();
    const socket = node.connect(taskToken(runtime));
    await socket.handled;
    expect([socket.closeCode, socket.frames]).toEqual([1011, []]);
    expect(bugs).toHaveLength(1);
    expect(bugs[0]).toBeInstanceOf(HubError);
    expect(node.context.sockets.size).toBe(1);
  });

  test("leaves the connections that wait alone, and their deadlines in force", async () => {
    const { node, runtime, socket, engine } = await oneConnection();
    await engine[Symbol.asyncDispose]();
    await runtime.advance(599_000);
    expect(socket.isOpen).toBe(true);
    await runtime.advance(1000);
    expect(socket.closeCode).toBe(4500);
    expect(node.context.sockets.size).toBe(0);
  });
});

describe("a stop", () => {
  test("ends every socket with 1012 and no Completed, those that sent nothing included", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server);
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => connectTask(server, clientToken)),
    );
    await Promise.all(clients.map((client) => client.next()));
    clients.push(await openTaskSocket(server));
    await server[Symbol.asyncDispose]();
    for (const client of clients) {
      expect((await client.ended).code).toBe(1012);
      expect(client.frames.some(({ Completed }) => Completed)).toBe(false);
      client[Symbol.dispose]();
    }
  });
});

test("waves of clients leave nothing behind", async () => {
  await using server = await bootServer({ config: { tasks: { token_calls_burst: 10_000 } } });
  for (let wave = 0; wave < 5; wave++) {
    const clients = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const { clientToken } = await issueToken(server, { single_instance: true });
        const client = await connectTask(server, clientToken);
        await client.next();
        return client;
      }),
    );
    expect(server.hub.stats()).toMatchObject({ connections: 100, channels: 100 });
    for (const [index, client] of clients.entries()) {
      if (index % 2 === 0) client.raw.destroy();
      else client.raw.close(1000);
    }
    await until(() => server.sockets() === 0);
    expect(server.hub.stats()).toEqual({
      ...{ connections: 0, users: 0, channels: 0, subscriptions: 0 },
    });
  }
  const metrics = await (await fetch(`${server.apiUrl}/metrics`)).text();
  expect(metrics).toContain("carillon_deadlines 0\n");
  expectNoBugs(server);
});

describe("random first frames", () => {
  const { seed } = createRandom("tasks-socket");
  let server: BootedServer;
  let neighbour: TaskClient;
  let taskId = "";
  let genuine = "";

  beforeAll(async () => {
    const tasks = { ...CALLS, failed_authentications_per_minute: 1_000_000 };
    server = await bootServer({ config: { tasks } });
    const issued = await issueToken(server, { task_context: "neighbour" });
    genuine = issued.clientToken;
    taskId = issued.taskId;
    neighbour = await connectTask(server, genuine);
    await neighbour.next();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  function mutated(random: Random): string {
    const bytes = Buffer.from(genuine, "base64");
    const at = random.integer(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 + random.integer(255));
    return bytes.toString("base64");
  }

  function firstFrame(random: Random): string | Uint8Array {
    const kind = random.integer(6);
    if (kind === 0) return random.bytes(random.integer(300));
    if (kind === 1) return random.string(300);
    if (kind === 2) return JSON.stringify(random.json(4)) ?? "";
    if (kind === 3) return JSON.stringify({ ClientToken: random.json(2) });
    if (kind === 4) return JSON.stringify({ ClientToken: mutated(random) });
    return JSON.stringify({ ClientToken: mutated(random), Ticks: random.json(1) });
  }

  test("each come to an end of the table, and the neighbour is served", async () => {
    const codes = new Map<number | undefined, number>();
    for (let from = 0; from < CASES; from += AT_ONCE) {
      const numbers = Array.from({ length: AT_ONCE }, (_, index) => from + index);
      await Promise.all(
        numbers.map(async (number) => {
          const random = randomFrom(seed + number);
          using client = await openTaskSocket(server, {
            path: random.pick(["/", "/envoy", "/tasks"]),
          });
          client.raw.send(firstFrame(random));
          const { code, error } = await client.ended;
          if (code !== 4502 && code !== 4506) {
            throw new Error(`Case randomFrom(${seed + number}) ended with ${code}`);
          }
          expect(error).toBe(code === 4502 ? "invalid token" : "bad request");
          codes.set(code, (codes.get(code) ?? 0) + 1);
        }),
      );
      const message = base64(`${from}`);
      await resultOf(server, "invoke_envoy", { task_id: taskId, message, new_timeout: 60 });
      expect((await neighbour.next()).Message).toBe(message);
    }
    expect(new Set(codes.keys())).toEqual(new Set([4502, 4506]));
    await until(() => server.sockets() === 1);
    expectNoBugs(server);
    // Neither tokens nor messages are in the log, at its most talkative.
    const log = JSON.stringify(server.logged);
    expect(log).not.toContain(genuine);
    expect(log).not.toContain(base64(`${AT_ONCE}`));
  }, 1_800_000);
});
