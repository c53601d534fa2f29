/** Nodes of the Sora dialect that die: their connections are told of as gone, with counters that fit; until then pushes cross to real peers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createRedisEngine } from "../../src/engines/redis/index.ts";
import { HEARTBEAT_MS, LEASE_MS } from "../../src/engines/redis/nodes.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { spawnServer } from "../support/child-server.ts";
import { startRedis, until, type RedisServer } from "../support/redis.ts";
import { createTestRuntime, type TestRuntime } from "../support/runtime.ts";
import { bootSora, connectSora, push, TARGETS, type SoraServer } from "../support/sora.ts";
import { moved } from "../support/sora-peer.ts";

const SOAK = process.env["CARILLON_SOAK"] === "1";
const MASTER_KEY = "11".repeat(32);
/** What a channel's members are looked at in (src/dialects/sora/session-ids.ts, `RENEW_MS`). */
const LOOK_MS = 30_000;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

const know = (server: SoraServer, count: number) =>
  until(`${count} nodes know each other`, async () => (await server.hub.nodes()).length === count);

/** Whose leases go by `time`; with a `runtime` of its own that stands still it is as good as dead. */
function bootNode(prefix: string, runtime: TestRuntime, time: TestRuntime): Promise<SoraServer> {
  const engine = createRedisEngine({
    ...{ url: redis.url, prefix, runtime, connections: systemRuntime },
    nowMs: () => time.clock.epochMs(),
  });
  return bootSora({ engine, runtime, config: { master_key: MASTER_KEY } });
}

test("what a dead node had is destroyed for the others, one by one, within its lease and a look", async () => {
  const [alive, dead] = [createTestRuntime(1), createTestRuntime(2)];
  await using here = await bootNode("dead", alive, alive);
  await using there = await bootNode("dead", dead, alive);
  await know(here, 2);
  using witness = await connectSora(here);
  const gone = [
    await connectSora(there, { role: "sendonly" }),
    await connectSora(there, { role: "sendrecv", data_channel_signaling: true }),
  ];
  for (let seen = 0; seen < 2; seen += 1) await witness.until("notify");
  for (let ms = 0; ms < LEASE_MS + LOOK_MS; ms += HEARTBEAT_MS / 2) {
    await here.advance(HEARTBEAT_MS / 2);
    await redis.command("PING");
  }
  const told = [await witness.until("notify"), await witness.until("notify")];
  expect(new Set(told.map((notice) => notice["connection_id"]))).toEqual(
    new Set(gone.map(({ id }) => id)),
  );
  const counters = told.map((notice) => [notice["event_type"], notice["channel_connections"]]);
  expect(counters).toEqual([
    ["connection.destroyed", 2],
    ["connection.destroyed", 1],
  ]);
  expect(told[1]).toMatchObject({
    ...{ channel_sendonly_connections: 0, channel_sendrecv_connections: 0 },
    channel_recvonly_connections: 1,
  });
  for (const client of gone) client.socket.destroy();
}, 20_000);

test("a push reaches DataChannels of a node in another process; killed, it takes its connections with it", async () => {
  // Both with the product's own prefix, and the server's time.
  const engine = createRedisEngine({ url: redis.url, runtime: systemRuntime });
  await using here = await bootSora({
    ...{ engine, runtime: systemRuntime, config: { master_key: MASTER_KEY } },
  });
  await using there = await spawnServer({
    config: {
      ...{ engine: "redis", redis: { url: redis.url }, master_key: MASTER_KEY, sora: { port: 0 } },
    },
  });
  await know(here, 2);
  using witness = await connectSora(here);
  await using client = await moved(there, { client_id: "u1", ignore_disconnect_websocket: true });
  expect(await witness.until("notify")).toMatchObject({ channel_connections: 2 });
  const keys = { channel_id: "sora", client_id: "u1", role: "recvonly" };
  const targets = [...Object.values(TARGETS)];
  for (const [n, target] of targets.entries()) {
    await here.call(target, { ...keys, connection_id: client.id, data: { n } });
    expect(await client.on("push")).toEqual(push({ n }));
  }
  there.kill("SIGKILL");
  await there.exited;
  if (!SOAK) return;
  expect(await witness.until("notify")).toMatchObject({
    ...{ event_type: "connection.destroyed", connection_id: client.id, channel_connections: 1 },
  });
  const { json } = await here.call("Sora_20201013.ListConnections");
  expect(json).toHaveLength(1);
}, 60_000);
