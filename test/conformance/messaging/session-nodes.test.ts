/** Subscribers on two nodes of one Redis: one order, one presence, one membership (messaging.md §11). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createRedisEngine } from "../../../src/engines/redis/index.ts";
import { systemRuntime } from "../../../src/system-runtime.ts";
import { connect, type Message, type MessagingClient } from "../../support/messaging.ts";
import { startRedis, until, type RedisServer } from "../../support/redis.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

let redis: RedisServer;
let here: BootedServer;
let there: BootedServer;

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

function bootNode(): Promise<BootedServer> {
  const engine = createRedisEngine({ url: redis.url, prefix: "two", runtime: systemRuntime });
  const config = { master_key: "11".repeat(32) };
  return bootServer({ engine, runtime: systemRuntime, config });
}

const sequences = async (client: MessagingClient, type: string, count: number) => {
  const seen: number[] = [];
  while (seen.length < count) seen.push(Number((await client.nextOf(type))["sequence"]));
  return seen;
};
const ascending = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

test("a channel has one sequence on both nodes, whoever sends where", async () => {
  const clients: MessagingClient[] = [];
  const owner = await connect(here, "1-0");
  const { "channel-id": id, "invite-token": token } = await owner.ask({ type: "create-channel" });
  for (let at = 1; at < 6; at++) {
    const member = await connect(at % 2 === 0 ? here : there, `1-${at}`);
    await member.ask({ type: "join-channel", "invite-token": token });
    clients.push(member);
  }
  for (let at = 0; at < 20; at++) {
    for (const each of clients) {
      each.send({ type: "channel-message", "channel-id": id, content: `${at}` });
    }
  }
  const all = await sequences(owner, "channel-message", 100);
  expect(all).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
  for (const each of clients) {
    const seen = await sequences(each, "channel-message", 80);
    expect(seen).toEqual(ascending(seen));
    expect(new Set(seen).size).toBe(80);
  }
  for (const each of [owner, ...clients]) await each.close();
});

test("a direct conversation comes ascending to connections on both nodes, and is received", async () => {
  const one = await Promise.all([connect(here, "2-1"), connect(there, "2-1")]);
  const two = await Promise.all([connect(here, "2-2"), connect(there, "2-2")]);
  await Promise.all([...one, ...two].map((each) => each.ask({ type: "ping" })));
  for (let at = 0; at < 25; at++) {
    for (const each of one) each.send({ type: "direct-message", to: "2-2", content: `${at}` });
    for (const each of two) each.send({ type: "direct-message", to: "2-1", content: `${at}` });
  }
  for (const each of [...one, ...two]) {
    const seen = await sequences(each, "direct-message", 75);
    expect(seen).toEqual(ascending(seen));
    expect(new Set(seen).size).toBe(75);
  }
  for (const each of [...one, ...two]) {
    const received = new Set<unknown>();
    while (received.size < 50) {
      const report = await each.nextOf("delivery", ({ status }) => status === "received");
      received.add(report["message-id"]);
    }
    await each.close();
  }
});

test("a member that is removed on the other node is sent nothing behind the remover's ack", async () => {
  using owner = await connect(here, "3-0");
  using writer = await connect(here, "3-1");
  using removed = await connect(there, "3-2");
  const { "channel-id": id, "invite-token": token } = await owner.ask({ type: "create-channel" });
  const join = { type: "join-channel", "invite-token": token };
  const say = { type: "channel-message", "channel-id": id };
  await writer.ask(join);
  for (let round = 0; round < 10; round++) {
    await removed.ask(join);
    removed.drain();
    for (let at = 0; at < 10; at++) writer.send({ ...say, content: "before" });
    await owner.ask({ type: "remove-subscriber", "channel-id": id, subscriber: "3-2" });
    await owner.ask({ ...say, content: "behind" });
    for (;;) {
      const message = await removed.next();
      expect(message["content"]).not.toBe("behind");
      if (message["change"] === "removed") break;
    }
    expect(await removed.soFar()).toEqual([]);
    expect(await removed.refused({ ...say, content: "mine" })).toBe("not-found");
  }
});

test("joining, membership and messages have one order for a member on the other node", async () => {
  using owner = await connect(here, "4-0");
  using member = await connect(there, "4-1");
  const { "channel-id": id, "invite-token": token } = await owner.ask({ type: "create-channel" });
  await member.ask({ type: "join-channel", "invite-token": token });
  for (let at = 0; at < 20; at++) {
    owner.send({ type: "channel-message", "channel-id": id, content: `${at}` });
    owner.send({ type: "update-channel", "channel-id": id, name: `${at}` });
  }
  for (let at = 0; at < 20; at++) {
    expect(await member.next()).toMatchObject({ type: "channel-message", content: `${at}` });
    expect(await member.next()).toMatchObject({
      type: "membership",
      channel: { name: `${at}`, "last-sequence": at + 1 },
    });
  }
});

test("connections on both nodes join together, and are shown as one", async () => {
  using owner = await connect(here, "5-0");
  const one = await connect(here, "5-1");
  using two = await connect(there, "5-1");
  await two.ask({ type: "ping" });
  const { "channel-id": id, "invite-token": token } = await owner.ask({ type: "create-channel" });
  await one.ask({ type: "join-channel", "invite-token": token });
  expect(await two.next()).toMatchObject({ type: "membership", change: "joined" });
  await owner.ask({ type: "channel-message", "channel-id": id, content: "x" });
  for (const each of [one, two]) expect(await each.next()).toMatchObject({ content: "x" });
  const shown = async () => {
    const { subscribers } = await owner.nextOf("availability");
    return (subscribers as Message[])[0]?.["availability"];
  };
  await one.ask({ type: "announce", availability: "busy" });
  expect(await shown()).toBe("busy");
  await two.ask({ type: "announce", availability: "dnd" });
  expect(await shown()).toBe("dnd");
  await two.ask({ type: "unannounce" });
  expect(await shown()).toBe("busy");
  await one.close();
  expect(await shown()).toBe("invisible");
});

test("a subscriber has at most 20 connections, on whichever nodes; the new one is refused", async () => {
  const open = await Promise.all(
    Array.from({ length: 20 }, (_, at) => connect(at % 2 === 0 ? here : there, "6")),
  );
  await Promise.all(open.map((each) => each.ask({ type: "ping" })));
  const refused = await connect(there, "6");
  expect(await refused.closed).toEqual({ code: 4409, reason: "Too many connections" });
  await open[0]?.close();
  await until("its place is free", async () => {
    using next = await connect(here, "6");
    const answered = next.ask({ type: "ping" }).then(() => true);
    return await answered.catch(() => false);
  });
  await Promise.all(open.map((each) => each.close()));
});
