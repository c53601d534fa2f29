/** Two whole servers on one real Redis: pushes, notices, counters, lists and messages of one reach what is connected to the other. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createRedisEngine } from "../../../src/engines/redis/index.ts";
import { systemRuntime } from "../../../src/system-runtime.ts";
import { startRedis, until, type RedisServer } from "../../support/redis.ts";
import {
  bootSora,
  connectSora,
  push,
  TARGETS,
  type Json,
  type SoraServer,
} from "../../support/sora.ts";

let redis: RedisServer;
let here: SoraServer;
let there: SoraServer;

beforeAll(async () => {
  redis = await startRedis();
  [here, there] = await Promise.all([bootNode(), bootNode()]);
  await until("both nodes know each other", async () => (await here.hub.nodes()).length === 2);
});

afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await there[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

function bootNode(): Promise<SoraServer> {
  const engine = createRedisEngine({ url: redis.url, prefix: "sora", runtime: systemRuntime });
  return bootSora({ engine, runtime: systemRuntime, config: { master_key: "11".repeat(32) } });
}

const DATA_CHANNELS = { data_channel_signaling: true, ignore_disconnect_websocket: true };

test("pushes reach a WebSocket and DataChannels of the other node, in order", async () => {
  const channel_id = "pushes";
  using one = await connectSora(there, { channel_id, client_id: "u1" });
  using other = await connectSora(there, { channel_id, client_id: "u1", ...DATA_CHANNELS });
  const keys = { channel_id, client_id: "u1", role: "recvonly" };
  const targets = [TARGETS.client, TARGETS.role];
  for (let n = 0; n < 20; n += 1) {
    await here.call(targets[n % 2] ?? "", { ...keys, data: { n } });
  }
  await here.call(TARGETS.connection, { channel_id, connection_id: other.id, data: { only: 1 } });
  for (let n = 0; n < 20; n += 1) {
    expect(await one.until("push")).toEqual(push({ n }));
    expect(await other.on("push")).toEqual(push({ n }));
  }
  expect(await other.on("push")).toEqual(push({ only: 1 }));
  for (let n = 0; n < 20; n += 1) await here.call(TARGETS.channel, { channel_id, data: { n } });
  for (let n = 0; n < 20; n += 1) {
    expect(await one.until("push")).toEqual(push({ n }));
    expect(await other.on("push")).toEqual(push({ n }));
  }
});

test("notices and their counters hold over both, and one session", async () => {
  const channel_id = "notices";
  using a = await connectSora(here, { channel_id });
  using b = await connectSora(there, { channel_id, role: "sendonly" });
  expect(b.offer["session_id"]).toBe(a.offer["session_id"] as string);
  expect(await a.until("notify")).toMatchObject({
    ...{ event_type: "connection.created", connection_id: b.id, channel_connections: 2 },
    ...{ channel_sendonly_connections: 1, channel_recvonly_connections: 1 },
  });
  // Many at once on both: each client's counters fit what it was told, and end alike.
  const crowd = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      connectSora(index % 2 === 0 ? here : there, { channel_id }),
    ),
  );
  for (const client of [a, b]) {
    const known = new Set<unknown>([a.id, b.id]);
    while (known.size < 12) {
      const notice = await client.until("notify");
      known.add(notice["connection_id"]);
      expect(notice["channel_connections"]).toBe(known.size);
    }
  }
  for (const client of crowd) client.send({ type: "disconnect" });
  for (const client of [a, b]) {
    for (let left = 11; left >= 2; left -= 1) {
      const notice = await client.until("notify");
      expect(notice).toMatchObject({
        event_type: "connection.destroyed",
        channel_connections: left,
      });
    }
  }
});

test("lists and disconnects know both nodes", async () => {
  const channel_id = "lists";
  using a = await connectSora(here, { channel_id });
  using b = await connectSora(there, { channel_id });
  for (const server of [here, there]) {
    const listed = await server.call("Sora_20201013.ListChannelConnections", { channel_id });
    const ids = (listed.json as unknown as Json[]).map(({ connection_id }) =>
      String(connection_id),
    );
    expect(ids.toSorted()).toEqual([a.id, b.id].toSorted());
  }
  await here.call("Sora_20151104.DisconnectConnection", { channel_id, connection_id: b.id });
  expect(await b.closed()).toEqual([1000, "DISCONNECTED-API"]);
  expect(await a.until("notify")).toMatchObject({ connection_id: b.id });
  await a.until("notify");
});

test("messages on a label cross nodes in their order", async () => {
  const data_channels = [{ label: "#spam", direction: "sendrecv" }];
  const connect = { channel_id: "messages", data_channel_signaling: true, data_channels };
  using sender = await connectSora(here, connect);
  using receiver = await connectSora(there, connect);
  for (let n = 0; n < 50; n += 1) sender.peer.channel("#spam").send(`${n}`);
  for (let n = 0; n < 50; n += 1) {
    expect(Buffer.from(await receiver.peer.channel("#spam").next()).toString()).toBe(`${n}`);
  }
  expect(sender.peer.channel("#spam").unread).toEqual([]);
});
