/** Who may wait for a task: task-tokens.md §5.1, §5.6, §5.9; checklist §6 items 25, 26, 34 and 35. */
import { describe, expect, test } from "bun:test";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { callRpc, issueToken, resultOf, signed } from "../../support/tasks-rpc.ts";
import {
  base64,
  connectTask,
  openTaskSocket,
  type OpenOptions,
  type TaskEnd,
} from "../../support/tasks-socket.ts";

const INVALID: TaskEnd = { code: 4502, error: "invalid token" };
const BAD_REQUEST: TaskEnd = { code: 4506, error: "bad request" };
const EXPIRED: TaskEnd = { code: 4503, error: "token expired" };
const REVOKED: TaskEnd = { code: 4504, error: "revoked" };
const TOO_MANY: TaskEnd = { code: 4403, error: "too many connections" };

/** What a first frame comes to, when it is refused. */
async function refusal(
  server: BootedServer,
  frame: unknown,
  options: OpenOptions = {},
): Promise<TaskEnd> {
  using client = await openTaskSocket(server, options);
  client.send(frame);
  const end = await client.ended;
  // One frame says so, with all four members; there was no deadline yet to count down to.
  expect(client.frames).toEqual([
    { Error: end.error ?? "", Ticks: "", Message: "", Completed: true },
  ]);
  return end;
}

describe("a first frame", () => {
  test("that does not come within 10 s ends the socket with 4505", async () => {
    await using server = await bootServer();
    using silent = await openTaskSocket(server);
    await server.advance(9900);
    await silent.sync();
    expect(silent.end).toBeUndefined();
    await server.advance(100);
    expect(await silent.ended).toEqual({ code: 4505, error: "authentication timeout" });
  });

  test("that came in time is not timed out behind it", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server);
    using client = await openTaskSocket(server);
    await server.advance(9900);
    client.send({ ClientToken: clientToken });
    await client.next();
    await server.advance(20_000);
    await client.sync();
    expect(client.end).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ["is no JSON", "hello"],
    ["is empty", ""],
    ["is a list", "[]"],
    ["is a text", '"token"'],
    ["is null", "null"],
    ["has no token", {}],
    ["has a token that is no text", { ClientToken: 1 }],
    ["has its token in two spellings", { ClientToken: "AQ==", client_token: "AQ==" }],
    ["asks for a tick period above a minute", { ClientToken: "AQ==", Ticks: 61 }],
    ["asks for a negative tick period", { ClientToken: "AQ==", Ticks: -1 }],
    ["asks for a fraction of a second", { ClientToken: "AQ==", Ticks: 0.5 }],
    ["asks for ticks by a text", { ClientToken: "AQ==", Ticks: "2" }],
    ["asks for the extended form by a number", { ClientToken: "AQ==", Extended: 1 }],
    ["is larger than 8 KiB", JSON.stringify({ ClientToken: "AQ==" }).padEnd(8193)],
    ["is larger than 8 KiB in bytes", JSON.stringify({ ClientToken: "€".repeat(2800) })],
    ["is as large as a message may be", "x".repeat(65_536)],
  ])("that %s is a bad request", async (_, frame) => {
    await using server = await bootServer();
    expect(await refusal(server, frame)).toEqual(BAD_REQUEST);
  });

  test("in binary is a bad request", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server);
    using client = await openTaskSocket(server);
    client.raw.send(Buffer.from(JSON.stringify({ ClientToken: clientToken })));
    expect(await client.ended).toEqual(BAD_REQUEST);
  });
});

describe("a token", () => {
  const twoApps = {
    apps: [{ id: "dev" }, { id: "other", path_prefix: "/other" }],
    api_keys: [],
    signing_keys: [
      { use: "tasks", app: "dev", hmac_secret: "d".repeat(32) },
      { use: "tasks", app: "other", hmac_secret: "o".repeat(32) },
    ],
  };

  test("of another tenant, changed, cut, random or empty is invalid, and all alike", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server);
    const bytes = Buffer.from(clientToken, "base64");
    const changed = Buffer.from(bytes);
    changed[40] = (changed[40] ?? 0) ^ 1;
    const random = Buffer.from(bytes.map((_, index) => (index * 73) % 256));
    for (const token of [
      changed.toString("base64"),
      bytes.subarray(0, -1).toString("base64"),
      random.toString("base64"),
      "",
      "no base64 at all!",
      `${clientToken}AAAA`,
    ]) {
      expect(await refusal(server, { ClientToken: token })).toEqual(INVALID);
    }
    // Nothing that failed spoilt the genuine one.
    using client = await connectTask(server, clientToken);
    expect((await client.next()).Error).toBe("");
  });

  test("is good at its own app's path only", async () => {
    await using server = await bootServer({ config: twoApps });
    const body = JSON.stringify({ method: "get_envoy_token", params: { Task: {} } });
    const headers = signed(body, { publicId: "other", secret: "o".repeat(32) });
    const answer = await fetch(`${server.apiUrl}/rpc`, { method: "POST", headers, body });
    const { result } = (await answer.json()) as { result: { client_token: string } };
    const frame = { ClientToken: result.client_token };
    expect(await refusal(server, frame)).toEqual(INVALID);
    using client = await openTaskSocket(server, { path: "/other/tasks" });
    client.send(frame);
    expect((await client.next()).Error).toBe("");
  });

  test("whose time is over is refused, sockets that are open are not", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server, {}, { reusable_minutes: 1 });
    using open = await connectTask(server, clientToken);
    await open.next();
    await server.advance(60_000);
    expect(await refusal(server, { ClientToken: clientToken })).toEqual(EXPIRED);
    await open.sync();
    expect(open.end).toBeUndefined();
  });

  test("for a single use opens one of several sockets that race", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server, {}, { reusable_minutes: 0 });
    const clients = await Promise.all(Array.from({ length: 8 }, () => openTaskSocket(server)));
    for (const client of clients) client.send({ ClientToken: clientToken });
    await Promise.all(clients.map((client) => client.next()));
    const firsts = clients
      .map(({ frames }) => frames[0]?.Error)
      .sort((a = "", b = "") => a.localeCompare(b));
    expect(firsts).toEqual(["", ...Array<string>(7).fill("token expired")]);
    for (const client of clients) client[Symbol.dispose]();
  });

  test("for a single use is not used up by an attempt that is refused", async () => {
    await using server = await bootServer({
      config: { apps: [{ id: "dev", allowed_origins: ["https://shop.example"] }] },
    });
    const { clientToken } = await issueToken(server, {}, { reusable_minutes: 0 });
    const elsewhere = { headers: { origin: "https://evil.example" } };
    expect(await refusal(server, { ClientToken: clientToken }, elsewhere)).toEqual(INVALID);
    using client = await connectTask(server, clientToken);
    expect((await client.next()).Error).toBe("");
  });
});

test("the log says at level debug why a socket was refused, and nothing of its token", async () => {
  await using server = await bootServer();
  const { clientToken } = await issueToken(server, {}, { reusable_minutes: 1 });
  await server.advance(60_000);
  await refusal(server, { ClientToken: clientToken });
  await refusal(server, { ClientToken: "AAAA" });
  await refusal(server, "{");
  const refused = server.logged.filter(({ msg }) => msg === "Connect refused");
  expect(refused.map(({ dialect, word }) => [dialect, word])).toEqual([
    ["tasks", "token_expired"],
    ["tasks", "invalid_token"],
    ["tasks", "bad_request"],
  ]);
  expect(JSON.stringify(server.logged)).not.toContain(clientToken.slice(0, 24));
});

describe("an origin", () => {
  const config = { apps: [{ id: "dev", allowed_origins: ["https://shop.example"] }] };

  test.each([
    ["https://shop.example", true],
    [undefined, true],
    ["https://evil.example", false],
    ["null", false],
  ])("%p: accepted %p", async (origin, accepted) => {
    await using server = await bootServer({ config });
    const { clientToken } = await issueToken(server);
    using client = await connectTask(server, clientToken, { headers: { origin } });
    expect((await client.next()).Error).toBe(accepted ? "" : "invalid token");
  });

  test("is any where the app has no list", async () => {
    await using server = await bootServer({ config: { apps: [{ id: "dev" }] } });
    const { clientToken } = await issueToken(server);
    const headers = { origin: "https://any.example" };
    using client = await connectTask(server, clientToken, { headers });
    expect((await client.next()).Error).toBe("");
  });
});

describe("a limit", () => {
  test("of sockets per task is met at one beyond, and other tasks are not concerned", async () => {
    await using server = await bootServer({ config: { tasks: { task_connection_limit: 3 } } });
    const { clientToken } = await issueToken(server);
    const clients = [];
    for (let index = 0; index < 3; index++) {
      const client = await connectTask(server, clientToken);
      expect((await client.next()).Error).toBe("");
      clients.push(client);
    }
    expect(await refusal(server, { ClientToken: clientToken })).toEqual(TOO_MANY);
    const other = await issueToken(server);
    using free = await connectTask(server, other.clientToken);
    expect((await free.next()).Error).toBe("");
    clients[0]?.raw.close(1000);
    await clients[0]?.ended;
    using again = await connectTask(server, clientToken);
    expect((await again.next()).Error).toBe("");
    for (const client of clients) client[Symbol.dispose]();
  });

  test("of sockets per app is met at one beyond", async () => {
    await using server = await bootServer({ config: { tasks: { connection_limit: 2 } } });
    const [one, two, three] = [
      await issueToken(server),
      await issueToken(server),
      await issueToken(server),
    ];
    using first = await connectTask(server, one.clientToken);
    await first.next();
    using second = await connectTask(server, two.clientToken);
    await second.next();
    expect(await refusal(server, { ClientToken: three.clientToken })).toEqual(TOO_MANY);
  });

  test("of acceptances is 30 per task in any minute", async () => {
    await using server = await bootServer();
    const { clientToken } = await issueToken(server);
    for (let index = 0; index < 30; index++) {
      using client = await connectTask(server, clientToken);
      expect((await client.next()).Error).toBe("");
      await server.advance(1000);
    }
    expect(await refusal(server, { ClientToken: clientToken })).toEqual(TOO_MANY);
    await server.advance(30_000);
    using again = await connectTask(server, clientToken);
    expect((await again.next()).Error).toBe("");
    expect(await refusal(server, { ClientToken: clientToken })).toEqual(TOO_MANY);
  });

  test("of failed authentications is 10 per address in any minute", async () => {
    await using server = await bootServer({
      config: { clients: { port: 0, trusted_proxies: ["127.0.0.1"] } },
    });
    const { clientToken } = await issueToken(server);
    const from = (address: string) => ({ headers: { "x-forwarded-for": address } });
    for (let index = 0; index < 10; index++) {
      expect(await refusal(server, { ClientToken: "AA==" }, from("192.0.2.1"))).toEqual(INVALID);
    }
    const good = { ClientToken: clientToken };
    expect(await refusal(server, good, from("192.0.2.1"))).toEqual(TOO_MANY);
    using elsewhere = await connectTask(server, clientToken, from("192.0.2.2"));
    expect((await elsewhere.next()).Error).toBe("");
    await server.advance(60_000);
    using later = await connectTask(server, clientToken, from("192.0.2.1"));
    expect((await later.next()).Error).toBe("");
  });
});

describe("close_envoy", () => {
  test("ends the sockets, forgets the message, and refuses the tokens up to then", async () => {
    await using server = await bootServer();
    const task = { task_context: "order", send_offline_message: true, persist_timeout: true };
    const { taskId, clientToken } = await issueToken(server, task);
    const plain = await issueToken(server, { task_context: "order" });
    await resultOf(server, "invoke_envoy", {
      task_id: taskId,
      message: base64("m1"),
      new_timeout: 20,
    });
    using client = await connectTask(server, clientToken);
    expect((await client.next()).Message).toBe(base64("m1"));
    await server.advance(60_000);
    await resultOf(server, "close_envoy", { task_id: taskId });
    expect(await client.ended).toEqual(REVOKED);
    expect(client.frames.at(-1)?.Ticks).toBe("19:00");
    for (const token of [clientToken, plain.clientToken]) {
      expect(await refusal(server, { ClientToken: token })).toEqual(REVOKED);
    }
    const status = await resultOf(server, "get_envoy_status", { task_id: taskId });
    expect(status).toMatchObject({ connections: 0, retained: false, expires_in: null });
    // The task goes on with a new token, without what was before, also in the same millisecond.
    const fresh = await issueToken(server, task);
    using next = await connectTask(server, fresh.clientToken);
    expect(await next.next()).toEqual({ Error: "", Ticks: "10:00", Message: "", Completed: false });
    await callRpc(server, "invoke_envoy", {
      task_id: taskId,
      message: base64("m2"),
      new_timeout: 5,
    });
    expect((await next.next()).Message).toBe(base64("m2"));
  });
});
