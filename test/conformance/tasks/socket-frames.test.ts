/** The frames of task-tokens.md §5.1 and §5.5, and checklist §6 items 19 to 22, 24, 28 and 29. */
import { describe, expect, test } from "bun:test";
import { bootServer } from "../../support/server.ts";
import { issueToken, resultOf } from "../../support/tasks-rpc.ts";
import { base64, connectTask, moveTime, openTaskSocket } from "../../support/tasks-socket.ts";

const FIRST_TICK = '{"Error":"","Ticks":"10:00","Message":"","Completed":false}';

describe("the first frame", () => {
  test.each(["/", "/envoy", "/tasks"])(
    "of the server is a tick with four members, on %s",
    async (path) => {
      await using server = await bootServer();
      const { clientToken } = await issueToken(server);
      using client = await connectTask(server, clientToken, { path });
      await client.next();
      expect(client.texts).toEqual([FIRST_TICK]);
      expect(client.raw.response.headers.get("sec-websocket-protocol") ?? "").toBe("");
      expect(client.raw.response.headers.has("sec-websocket-extensions")).toBe(false);
    },
  );

  test.each(["ClientToken", "client_token", "clientToken", "CLIENT_TOKEN"])(
    "of the client names its token %s",
    async (name) => {
      await using server = await bootServer();
      const { clientToken } = await issueToken(server);
      using client = await openTaskSocket(server);
      client.send({ [name]: clientToken, unknown: [1] });
      await client.next();
      expect(client.texts).toEqual([FIRST_TICK]);
    },
  );

  test("of the client may be 8 KiB large", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server);
    using client = await openTaskSocket(server);
    const text = JSON.stringify({ ClientToken: clientToken });
    client.send(text.padEnd(8192));
    expect((await client.next()).Error).toBe("");
  });

  test("GET / without an upgrade shows the page that says what runs", async () => {
    await using server = await bootServer();
    const response = await fetch(server.clientsUrl);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toStartWith("text/html");
    const socketOnly = await fetch(`${server.clientsUrl}/envoy`);
    expect(socketOnly.status).toBe(426);
  });
});

describe("ticks", () => {
  test("come every two seconds, count down, and end with the timeout", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server, { timeout: 1 });
    using client = await connectTask(server, clientToken);
    await client.next();
    const seen: { second: number; ticks: string[] }[] = [];
    for (let second = 1; second <= 60; second++) {
      const before = client.frames.length;
      await moveTime(server, 1000, [client]);
      seen.push({ second, ticks: client.frames.slice(before).map(({ Ticks }) => Ticks) });
    }
    const last = seen.pop();
    expect(last?.ticks.at(-1)).toBe("00:00");
    expect(await client.ended).toEqual({ code: 4500, error: "timeout" });
    expect(client.texts.at(-1)).toBe(
      '{"Error":"timeout","Ticks":"00:00","Message":"","Completed":true}',
    );
    // One in each two seconds, whatever the phase, each with the seconds that were left then.
    expect(seen.every(({ ticks }) => ticks.length <= 1)).toBe(true);
    for (const [index, { ticks }] of seen.slice(2).entries()) {
      expect(ticks.length + (seen[index + 1]?.ticks.length ?? 0)).toBe(1);
    }
    for (const { second, ticks } of seen) {
      for (const text of ticks) {
        const left = Number(text.slice(3)) + 60 * Number(text.slice(0, 2));
        expect(left).toBeOneOf([60 - second, 60 - second + 1]);
      }
    }
  });

  test("minutes may have more than two digits", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server, { timeout: 2880 });
    using client = await connectTask(server, clientToken);
    expect((await client.next()).Ticks).toBe("2880:00");
  });

  test.each([
    [1, 10, 10],
    [10, 60, 6],
    [60, 120, 2],
  ])("every %p s when the client asks so", async (Ticks, seconds, count) => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server);
    using client = await connectTask(server, clientToken, { wish: { Ticks } });
    await client.next();
    await moveTime(server, seconds * 1000, [client]);
    expect(client.frames).toHaveLength(1 + count);
  });

  test("none but the first when the client asks for none, while pings keep the link alive", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server);
    using client = await connectTask(server, clientToken, { wish: { Ticks: 0 } });
    await client.next();
    await moveTime(server, 599_000, [client]);
    expect(client.texts).toEqual([FIRST_TICK]);
    await moveTime(server, 1000, [client]);
    expect(await client.ended).toEqual({ code: 4500, error: "timeout" });
  });

  test("a client that answers no ping is closed with 1001 and no frame", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server);
    using client = await connectTask(server, clientToken, { answersPings: false });
    await client.next();
    // The ping comes within 25 s of the connect, the end 10 s behind it.
    await server.advance(35_100);
    expect(await client.ended).toEqual({ code: 1001, error: "" });
    expect(client.frames.every(({ Completed }) => !Completed)).toBe(true);
  });
});

describe("messages", () => {
  test("reach every connection of the task and none of another", async () => {
    await using server = await bootServer();
    const mine = await issueToken(server, { task_context: "mine" });
    const again = await issueToken(server, { task_context: "mine" });
    const other = await issueToken(server, { task_context: "other" });
    using a = await connectTask(server, mine.clientToken);
    using b = await connectTask(server, again.clientToken, { path: "/" });
    using c = await connectTask(server, other.clientToken);
    await Promise.all([a, b, c].map((client) => client.next()));
    const params = {
      task_id: mine.taskId,
      message: base64("hello"),
      new_timeout: 20,
      report: true,
    };
    const answer = await resultOf(server, "invoke_envoy", params);
    expect(answer).toEqual({ status: "success", delivered: 2, retained: false });
    for (const client of [a, b]) {
      await client.next();
      expect(client.texts.at(-1)).toBe(
        '{"Error":"","Ticks":"20:00","Message":"aGVsbG8=","Completed":false}',
      );
    }
    await c.sync();
    expect(c.messages).toEqual([]);
  });

  test("the last one is completed, then comes the close 1000", async () => {
    await using server = await bootServer();
    const { taskId, clientToken } = await issueToken(server);
    using client = await connectTask(server, clientToken);
    await client.next();
    await resultOf(server, "invoke_envoy", { task_id: taskId, message: "AA==", new_timeout: 0 });
    expect(await client.ended).toEqual({ code: 1000, error: "" });
    expect(client.texts.at(-1)).toBe(
      '{"Error":"","Ticks":"00:00","Message":"AA==","Completed":true}',
    );
  });

  test("are what invoke_envoy was given, also where that is no base64", async () => {
    await using server = await bootServer({ config: { tasks: { message_format: "any" } } });
    const { taskId, clientToken } = await issueToken(server);
    using client = await connectTask(server, clientToken);
    await client.next();
    const message = 'plain "text"\u0000\u2028\u{1f514}';
    await resultOf(server, "invoke_envoy", { task_id: taskId, message, new_timeout: 1 });
    expect((await client.next()).Message).toBe(message);
  });

  test("of 64 KiB come whole", async () => {
    await using server = await bootServer();
    const { taskId, clientToken } = await issueToken(server);
    using client = await connectTask(server, clientToken);
    await client.next();
    const message = Buffer.alloc(65_536, 7).toString("base64");
    await resultOf(server, "invoke_envoy", { task_id: taskId, message, new_timeout: 1 });
    expect((await client.next()).Message).toBe(message);
  });

  test("in the extended form have a rising number, and say whether they are from before", async () => {
    await using server = await bootServer();
    const { taskId, clientToken } = await issueToken(server, { send_offline_message: true });
    const wish = { Extended: true };
    const invoke = (message: string, new_timeout: number) =>
      resultOf(server, "invoke_envoy", { task_id: taskId, message, new_timeout });
    using a = await connectTask(server, clientToken, { wish });
    await a.next();
    expect(a.texts).toEqual([FIRST_TICK]);
    await invoke("AQ==", 20);
    await invoke("Ag==", 20);
    await a.next();
    await a.next();
    expect(a.texts.slice(1)).toEqual([
      '{"Error":"","Ticks":"20:00","Message":"AQ==","Completed":false,"Seq":1,"Replay":false}',
      '{"Error":"","Ticks":"20:00","Message":"Ag==","Completed":false,"Seq":2,"Replay":false}',
    ]);
    using b = await connectTask(server, clientToken, { wish });
    await b.next();
    await invoke("Aw==", 0);
    await b.ended;
    expect(b.texts).toEqual([
      '{"Error":"","Ticks":"10:00","Message":"Ag==","Completed":false,"Seq":2,"Replay":true}',
      '{"Error":"","Ticks":"00:00","Message":"Aw==","Completed":true,"Seq":3,"Replay":false}',
    ]);
    using c = await connectTask(server, clientToken, { wish });
    await c.ended;
    expect(c.texts).toEqual([
      '{"Error":"","Ticks":"00:00","Message":"Aw==","Completed":true,"Seq":3,"Replay":true}',
    ]);
  });
});

describe("the last message", () => {
  const flagged = { task_context: "kept", send_offline_message: true };
  const invoke = async (server: Parameters<typeof resultOf>[0], taskId: string, new_timeout = 20) =>
    resultOf(server, "invoke_envoy", {
      task_id: taskId,
      message: "AQ==",
      new_timeout,
      report: true,
    });

  test.each([
    ["24 hours", 24 * 60, 60, 1, {}],
    // Below an hour's retention, since every moved hour takes its time.
    ["the new_timeout it came with", 180, 60, 180, { retention: "1h" }],
    ["the life of the tokens that ask for it", 240, 240, 1, { retention: "1h" }],
  ])(
    "is kept for %s, where that is the longest",
    async (_, minutes, reusable_minutes, newTimeout, tasks) => {
      await using server = await bootServer({ config: { tasks } });
      const { taskId } = await issueToken(server, flagged, { reusable_minutes });
      expect((await invoke(server, taskId, newTimeout))["retained"]).toBe(true);
      await server.advance(minutes * 60_000 - 1);
      const last = await issueToken(server, flagged);
      using inTime = await connectTask(server, last.clientToken);
      expect((await inTime.next()).Message).toBe("AQ==");
      await server.advance(1);
      using late = await connectTask(server, last.clientToken);
      expect((await late.next()).Message).toBe("");
    },
  );

  test("of a task that nothing is known of is kept for an hour", async () => {
    await using server = await bootServer();
    const { taskId } = await issueToken(server, flagged, { reusable_minutes: 1 });
    // The token, and with it the task's record, is gone.
    await server.advance(60_000);
    expect((await invoke(server, taskId))["retained"]).toBe(true);
    await server.advance(3_599_999);
    const { clientToken } = await issueToken(server, flagged);
    using inTime = await connectTask(server, clientToken);
    expect((await inTime.next()).Message).toBe("AQ==");
    await server.advance(1);
    using late = await connectTask(server, clientToken);
    expect((await late.next()).Message).toBe("");
  });

  test("is not kept when no token asks for it, and takes the place of one that was", async () => {
    await using server = await bootServer();
    const short = { reusable_minutes: 1 };
    const { taskId } = await issueToken(server, flagged, short);
    await invoke(server, taskId);
    await issueToken(server, { task_context: "kept" });
    await server.advance(60_000);
    expect((await invoke(server, taskId))["retained"]).toBe(false);
    const { clientToken } = await issueToken(server, flagged);
    using client = await connectTask(server, clientToken);
    expect((await client.next()).Message).toBe("");
  });

  test("is for connections whose own token asks for it", async () => {
    await using server = await bootServer();
    const { taskId, clientToken } = await issueToken(server, flagged);
    const plain = await issueToken(server, { task_context: "kept" });
    await invoke(server, taskId, 0);
    using asks = await connectTask(server, clientToken);
    expect(await asks.ended).toEqual({ code: 1000, error: "" });
    using waits = await connectTask(server, plain.clientToken);
    await waits.next();
    await waits.sync();
    expect(waits.texts).toEqual([FIRST_TICK]);
  });
});
