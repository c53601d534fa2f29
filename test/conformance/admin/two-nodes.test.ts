/** The admin API of two servers on one real Redis: each shows and reaches what is on both. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createRedisEngine } from "../../../src/engines/redis/index.ts";
import { systemRuntime } from "../../../src/system-runtime.ts";
import { adminClient, type AdminClient, type Row } from "../../support/admin.ts";
import { startRedis, until, type RedisServer } from "../../support/redis.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { connectClient, subscribed } from "../../support/streaming.ts";
import { issueToken } from "../../support/tasks-rpc.ts";
import { connectTask } from "../../support/tasks-socket.ts";

let redis: RedisServer;
let here: BootedServer;
let there: BootedServer;
let admin: AdminClient;

const nodeIds = () => [here.hub.nodeId, there.hub.nodeId].toSorted();

function bootNode(): Promise<BootedServer> {
  const engine = createRedisEngine({ url: redis.url, prefix: "admin", runtime: systemRuntime });
  return bootServer({ engine, runtime: systemRuntime, config: { master_key: "11".repeat(32) } });
}

beforeAll(async () => {
  redis = await startRedis();
  [here, there] = await Promise.all([bootNode(), bootNode()]);
  await until("both nodes know each other", async () => (await here.hub.nodes()).length === 2);
  admin = await adminClient(here);
});

afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await there[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

test("nodes are all there, each with what it uses and does", async () => {
  const { data } = await admin("nodes");
  expect(data.map(({ id }) => String(id))).toEqual(nodeIds());
  for (const { process: facts } of data) expect(facts).toMatchObject({ pid: process.pid });
});

test("channels, connections, presence, pushes and kicks are of both nodes", async () => {
  const clients = await Promise.all(
    [here, there, there].map(async (node, at) => {
      const client = await connectClient(node, { sub: `u${at}` });
      await subscribed(client, "public:both");
      await subscribed(client, `public:own-${at}`);
      return client;
    }),
  );
  const rows = await admin.all("channels", { prefix: "public:" }, 1);
  expect(rows.map(({ channel, connections }) => [channel, connections])).toEqual([
    ...[
      ["public:both", 3],
      ["public:own-0", 1],
      ["public:own-1", 1],
      ["public:own-2", 1],
    ],
  ]);
  const connections = await admin.all("connections", { channel: "public:both" }, 2);
  const ids = clients.map(({ id }) => id).toSorted();
  expect(connections.map(({ connection }) => String(connection))).toEqual(ids);
  expect([...new Set(connections.map(({ node }) => String(node)))].toSorted()).toEqual(nodeIds());
  const present = await admin.all("channels/presence", { channel: "public:both" }, 2);
  expect(present.map(({ connection }) => String(connection))).toEqual(ids);

  const pushed = await admin("push", { body: { channel: "public:both", data: 1 } });
  expect(pushed.body).toMatchObject({ matched: 3, by_dialect: { streaming: 3 } });
  for (const client of clients) expect(await client.next()).toHaveProperty("push.pub.data", 1);
  const direct = await admin("push", { body: { user: "u2", data: 2 } });
  expect(direct.body).toMatchObject({ matched: 1, nodes_answered: 2, nodes_asked: 2 });
  expect(await clients[2]?.next()).toHaveProperty("push.message.data", 2);

  const kicked = await admin("kick", { body: { channel: "public:both" } });
  expect(kicked.body).toEqual({ matched: 3, nodes_answered: 2, nodes_asked: 2 });
  for (const client of clients) expect((await client.closed()).code).toBe(3503);
  await until("nobody is left", async () => (await admin.all("connections")).length === 0);
});

test("sockets that wait on the other node are shown with their task", async () => {
  const { taskId, clientToken } = await issueToken(here);
  using socket = await connectTask(there, clientToken);
  await socket.next();
  expect(await admin.all("tasks")).toMatchObject([{ task: taskId, sockets: 1 }]);
});

test("refusals of both nodes are one list", async () => {
  const refused = async ({ apiUrl }: BootedServer, path: string): Promise<Row> => {
    await fetch(`${apiUrl}/admin/api/${path}`, { method: "DELETE" });
    return { about: expect.objectContaining({ method: path }) as object };
  };
  const expected: Row[] = [];
  for (const path of ["nodes", "kick", "push", "channels"]) {
    for (const node of [here, there]) expected.unshift(await refused(node, path));
  }
  const rows = await admin.all("refusals", { dialect: "admin" }, 3);
  // What came within a millisecond is in the order of the nodes' own.
  expect(rows).toHaveLength(expected.length);
  for (const row of expected) expect(rows).toContainEqual(expect.objectContaining(row));
  expect([...new Set(rows.map(({ node }) => String(node)))].toSorted()).toEqual(nodeIds());
  const times = rows.map(({ at }) => Date.parse(String(at)));
  expect(times).toEqual(times.toSorted((a, b) => b - a));
});
