/** What the admin API shows of channels and connections in all dialects, and how it pushes to them and ends them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  HISTORY_CHARACTERS_MAX,
  HISTORY_ROWS_MAX,
} from "../../../src/operations/admin/channels.ts";
import { adminClient, type AdminClient, type Row } from "../../support/admin.ts";
import { gusherClient } from "../../support/gusher.ts";
import { connect as connectSubscriber } from "../../support/messaging.ts";
import { connectRaw } from "../../support/raw-websocket.ts";
import { bootSora, connectSora, type SoraServer } from "../../support/sora.ts";
import { connectClient, subscribed } from "../../support/streaming.ts";
import { issueToken } from "../../support/tasks-rpc.ts";
import { connectTask } from "../../support/tasks-socket.ts";
import { hs256 } from "../../support/tokens.ts";

let server: SoraServer;
let admin: AdminClient;

beforeAll(async () => {
  server = await bootSora();
  admin = await adminClient(server);
});
afterAll(() => server[Symbol.asyncDispose]());

/** A socket of gusher's in these channels. */
async function gusherIn(user: string, channels: readonly string[]) {
  const claims = { channels: ["*"], user_id: user, app_key: "dev", remotes: {} };
  const body = new URLSearchParams({ jwt: hs256({ gusher: claims }) });
  const login = await fetch(`${server.clientsUrl}/gusher/auth`, { method: "POST", body });
  const { token } = (await login.json()) as { token: string };
  const url = `${server.clientsUrl.replace("http", "ws")}/gusher/ws/dev?token=${token}`;
  const client = gusherClient(await connectRaw(url));
  for (const channel of channels) await client.ask("gusher.subscribe", { channel });
  return client;
}

async function streamingIn(user: string, channels: readonly string[]) {
  const client = await connectClient(server, { sub: user });
  for (const channel of channels) await subscribed(client, channel);
  return client;
}

/** Waits for what a client's end leaves to be done. */
async function gone(query: Record<string, string>): Promise<void> {
  while ((await admin.all("connections", query)).length > 0);
}

const EMOJI = "\u{1f600}".repeat(63);
const NAMES = [
  `<img src=x onerror=alert(1)>`,
  EMOJI,
  "__proto__",
  `"'&;\`$(id)`,
  "\u202eltr\u0000\u001b[31m",
  "a/b?c=d&e%23+ .",
];

describe("hostile names", () => {
  test.each(NAMES)(
    "a channel and a user called %j are shown and found as they are",
    async (name) => {
      // Streaming's channels are ASCII by default; gusher's are any text.
      using client = await gusherIn(name, [name]);
      const connection = await client.socketId();
      const [channel] = await admin.all("channels", { prefix: name });
      expect(channel).toEqual({ channel: name, connections: 1, by_dialect: { gusher: 1 } });
      const expected = {
        ...{ connection, node: server.hub.nodeId, dialect: "gusher", user: name },
        ...{ connected_at: expect.stringMatching(/Z$/), subscriptions: 1 },
        unsent_bytes: 0,
        channels: [{ channel: name }],
      };
      for (const query of [{ user: name }, { channel: name }, { user_prefix: name }]) {
        expect(await admin.all("connections", query)).toEqual([expected as Row]);
      }
      const data = { [name]: name };
      await admin("push", { body: { channel: name, data } });
      const history = await admin("channels/history", { query: { channel: name } });
      expect(history.data).toMatchObject([{ offset: 1, data }]);
      const presence = await admin("channels/presence", { query: { channel: name } });
      expect(presence.body).toMatchObject({ clients: 1, users: 1 });
      expect(presence.data).toEqual([{ connection, user: name }]);
      const kicked = await admin("kick", { body: { user: name } });
      expect(kicked.body).toEqual({ matched: 1, nodes_answered: 1, nodes_asked: 1 });
      expect((await client.ended()).texts).toHaveLength(1);
      await gone({ user: name });
    },
  );
});

describe("one channel with clients of many dialects", () => {
  test("is shown, pushed to and counted by dialect", async () => {
    using streaming = await streamingIn("both", ["mixed", "mixed-2"]);
    using gusher = await gusherIn("both", ["mixed"]);
    using sora = await connectSora(server, { channel_id: "mixed", client_id: "c1" });
    const by_dialect = { gusher: 1, sora: 1, streaming: 1 };
    const [shown] = await admin.all("channels", { prefix: "mixed" });
    expect(shown).toEqual({ channel: "mixed", connections: 3, by_dialect });
    const pushed = await admin("push", {
      body: '{"channel":"mixed","data":{"n":9007199254740993},"event":"news"}',
    });
    expect(pushed.body).toEqual({
      ...{ matched: 3, by_dialect },
      position: { epoch: expect.any(String), offset: 1 },
    });
    expect(await streaming.raw.next()).toMatchObject({
      text: expect.stringContaining('{"n":9007199254740993},"offset":1,"tags":{"event":"news"}'),
    });
    expect(await gusher.next()).toMatchObject({ channel: "mixed", event: "news" });
    expect(await sora.until("push")).toMatchObject({ type: "push" });
    const { text } = await admin("channels/history", { query: { channel: "mixed" } });
    expect(text).toContain('"data":{"n":9007199254740993},"tags":{"event":"news"}');

    const pattern = await admin("push", { body: { pattern: "^mixed", data: 1 } });
    expect(pattern.body).toEqual({
      ...{ matched: 4, channels: 2 },
      by_dialect: { ...by_dialect, streaming: 2 },
    });
    const none = await admin("push", { body: { pattern: "^nothing$", data: 1 } });
    expect(none.body).toEqual({ matched: 0, channels: 0, by_dialect: {} });

    const nodes = { nodes_answered: 1, nodes_asked: 1 };
    const user = await admin("push", { body: { user: "both", data: 1 } });
    expect(user.body).toEqual({ matched: 2, by_dialect: { gusher: 1, streaming: 1 }, ...nodes });
    const role = await admin("push", { body: { label: "role:recvonly", data: 1 } });
    expect(role.body).toEqual({ matched: 1, by_dialect: { sora: 1 }, ...nodes });
    const one = await admin("push", { body: { connection: streaming.id, data: 1 } });
    expect(one.body).toEqual({ matched: 1, by_dialect: { streaming: 1 }, ...nodes });
    const nobody = await admin("push", { body: { user: "nobody", data: 1 } });
    expect(nobody.body).toEqual({ matched: 0, by_dialect: {}, ...nodes });

    const kicked = await admin("kick", { body: { channel: "mixed", dialect: "gusher" } });
    expect(kicked.body).toMatchObject({ matched: 1 });
    await gusher.ended();
    const sent = await admin("kick", { body: { connection: streaming.id, reconnect: true } });
    expect(sent.body).toMatchObject({ matched: 1 });
    const close = (await streaming.raw.rest()).find(({ opcode }) => opcode === 8);
    // Codes below 3500 bring a client back.
    expect(close?.code).toBe(3011);
    const wrong = await admin("kick", { body: { connection: sora.id, user: "another" } });
    expect(wrong.body).toMatchObject({ matched: 0 });
    expect((await admin("kick", { body: { channel: "mixed" } })).body).toMatchObject({
      matched: 1,
    });
    await sora.closed();
    await gone({ channel: "mixed" });
  });

  test("of messaging counts who hears its messages", async () => {
    using owner = await connectSubscriber(server, "12025550101");
    const { "channel-id": channel } = await owner.ask({
      ...{ type: "create-channel", name: "c", access: "open" },
    });
    const pushed = await admin("push", { body: { channel, data: "hi" } });
    expect(pushed.body).toMatchObject({ matched: 1, by_dialect: { messaging: 1 } });
    expect(await owner.nextOf("channel-message")).toMatchObject({ content: "hi" });
    const pattern = { pattern: `^${String(channel)}$` };
    const alone = await admin("push", { body: { ...pattern, data: "alone" } });
    expect(alone.body).toEqual({ matched: 1, channels: 1, by_dialect: { messaging: 1 } });
    expect(await owner.nextOf("channel-message")).toMatchObject({ content: "alone" });
    using gusher = await gusherIn("beside", [String(channel)]);
    const both = await admin("push", { body: { ...pattern, data: "both" } });
    expect(both.body).toEqual({
      ...{ matched: 2, channels: 1 },
      by_dialect: { gusher: 1, messaging: 1 },
    });
    expect(await owner.nextOf("channel-message")).toMatchObject({ content: "both", sequence: 3 });
    expect(await gusher.next()).toMatchObject({ channel, data: { content: "both" } });
    const space = { space: "messaging" };
    expect(await admin.all("channels", space)).toMatchObject([{ channel, connections: 1 }]);
    const [found] = await admin.all("connections", { channel: String(channel), ...space });
    expect(found).toMatchObject({ user: "12025550101", dialect: "messaging" });
  });
});

describe("pages", () => {
  test("of channels and connections lead through all of them, whatever their size", async () => {
    const names = Array.from({ length: 23 }, (_, at) => `page-${String(at).padStart(2, "0")}`);
    const clients = await Promise.all([1, 2, 3].map(() => streamingIn("pages", names)));
    const channels = await Promise.all(
      [1, 5, 23, 250].map((limit) => admin.all("channels", { prefix: "page-" }, limit)),
    );
    for (const rows of channels) {
      expect(rows.map(({ channel }) => channel)).toEqual(names);
      expect(rows[0]).toMatchObject({ connections: 3, by_dialect: { streaming: 3 } });
    }
    const ids = clients.map(({ id }) => id).toSorted();
    for (const limit of [1, 2, 3]) {
      const rows = await admin.all("connections", { user: "pages" }, limit);
      expect(rows.map(({ connection }) => connection)).toEqual(ids);
      expect(rows[0]).toMatchObject({ subscriptions: 23 });
      expect(rows[0]?.["channels"]).toBeArrayOfSize(10);
      const present = await admin.all("channels/presence", { channel: "page-00" }, limit);
      expect(present.map(({ connection }) => connection)).toEqual(ids);
    }
    for (const client of clients) client[Symbol.dispose]();
    await gone({ user: "pages" });
  });

  test("of a history lead from the newest to the oldest", async () => {
    const count = HISTORY_ROWS_MAX + 3;
    for (let n = 1; n <= count; n++) {
      await admin("push", { body: { channel: "public:long", data: n } });
    }
    const first = await admin("channels/history", { query: { channel: "public:long" } });
    expect(first.data).toHaveLength(HISTORY_ROWS_MAX);
    expect(first.body).toMatchObject({ offset: count });
    const rows = await admin.all("channels/history", { channel: "public:long" }, 7);
    expect(rows.map(({ offset, data }) => [offset, data])).toEqual(
      Array.from({ length: count }, (_, at) => [count - at, count - at]),
    );
    await server.hub.removeHistory({ space: "channels", name: "public:long" });
    const cleared = await admin("channels/history", { query: { channel: "public:long" } });
    expect(cleared.body).toMatchObject({ data: [], offset: count });
    const cursor = Buffer.from("5/anotherEpoch").toString("base64url");
    const stale = await admin("channels/history", { query: { channel: "public:long", cursor } });
    expect([stale.status, stale.code]).toEqual([409, "conflict"]);
  });

  test("of large publications end before they are all too large together", async () => {
    const data = "x".repeat(200_000);
    const count = Math.ceil(HISTORY_CHARACTERS_MAX / data.length) + 1;
    for (let n = 1; n <= count; n++) {
      await admin("push", { body: { channel: "public:large", data } });
    }
    const first = await admin("channels/history", { query: { channel: "public:large" } });
    expect(first.data.length).toBeLessThan(count);
    expect(first.text.length).toBeLessThan(HISTORY_CHARACTERS_MAX + 1000);
    expect(await admin.all("channels/history", { channel: "public:large" })).toHaveLength(count);
  });
});

test("channels that keep nothing say so", async () => {
  await using own = await bootSora({
    config: { channel: { without_namespace: {}, namespaces: [{ name: "bare" }] } },
  });
  const call = await adminClient(own);
  for (const path of ["channels/presence", "channels/history"]) {
    const { status, code, text } = await call(path, { query: { channel: "bare:a" } });
    expect([status, code]).toEqual([409, "not_available"]);
    expect(text).toMatch(/keeps no (presence|history)/);
  }
});

test("bytes that are no JSON are shown as base64, and publishers with their channel's info", async () => {
  const b64data = Buffer.from([0xff, 0]).toString("base64");
  expect(await server.api("publish", { channel: "public:bytes", b64data })).toHaveProperty(
    "result",
  );
  using client = await connectClient(server, { sub: "p", info: { name: "<b>" } });
  await subscribed(client, "public:bytes");
  client.send({ id: 100, publish: { channel: "public:bytes", data: 1 } });
  while ((await client.next())["id"] !== 100);
  const { data } = await admin("channels/history", { query: { channel: "public:bytes" } });
  expect(data).toMatchObject([
    { data: 1, publisher: { connection: client.id, user: "p", info: { name: "<b>" } } },
    { data: b64data },
  ]);
});

test("nodes say what they use and do", async () => {
  await admin("nodes");
  await server.advance(2000);
  for (let n = 0; n < 4; n++) await admin("push", { body: { user: "nobody", data: 1 } });
  const {
    data: [node],
  } = await admin("nodes");
  expect(node).toMatchObject({ id: server.hub.nodeId, connections: expect.any(Number) });
  const facts = node?.["process"] as Row;
  expect(facts).toMatchObject({ over_ms: 2000, pid: process.pid });
  expect(facts["per_second"]).toMatchObject({ publications: 2 });
  expect(facts["memory_bytes"]).toBeGreaterThan(1_000_000);
  // One who looks at the same time takes nothing away.
  const again = (await admin("nodes")).data[0]?.["process"] as Row;
  expect(again["per_second"]).toEqual(facts["per_second"] as object);
});

test("sockets that wait for a task are shown with it", async () => {
  const { taskId, clientToken } = await issueToken(server);
  const status = (await admin("tasks/task", { query: { task: taskId } })).body;
  expect(status).toMatchObject({ task: taskId, sockets: 0, completed: false });
  using socket = await connectTask(server, clientToken);
  await socket.next();
  const waiting = { task: taskId, sockets: 1, completed: false, retained: false };
  expect(await admin.all("tasks")).toMatchObject([waiting]);
  expect((await admin("tasks/task", { query: { task: taskId } })).body).toMatchObject(waiting);
  const sockets = await admin.all("connections", { channel: taskId, space: "tasks" });
  expect(sockets).toMatchObject([
    { dialect: "tasks", channels: [{ channel: taskId, space: "tasks" }] },
  ]);
  const kicked = await admin("kick", { body: { channel: taskId, space: "tasks" } });
  expect(kicked.body).toMatchObject({ matched: 1 });
  await socket.ended;
  const unknown = await admin("tasks/task", { query: { task: "none" } });
  expect([unknown.status, unknown.code]).toEqual([404, "not_found"]);
});
