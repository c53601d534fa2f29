/** Checklist item 32, and how connections end otherwise: pings, the idle rule, shutdown (gusher.md §5.9, §16), and presence behind them (item 46). */
import { describe, expect, test } from "bun:test";
import {
  bootGusher,
  openGusher,
  type GusherClient,
  type GusherServer,
} from "../../support/gusher.ts";
import { until } from "../../support/hostile.ts";

const PING = 9;
const PONG = 10;

async function answerPing({ raw }: GusherClient): Promise<void> {
  expect((await raw.next()).opcode).toBe(PING);
  raw.sendFrame(PONG, new Uint8Array());
  // Its answer shows that the pong before it arrived.
  raw.sendFrame(PING, Buffer.from("seen"));
  expect(await raw.next()).toMatchObject({ opcode: PONG, text: "seen" });
}

async function subscribed(server: GusherServer): Promise<GusherClient> {
  const client = await openGusher(server);
  await client.ask("gusher.subscribe", { channel: "AA" });
  return client;
}

describe("32: the heartbeat", () => {
  test("without a subscription a socket ends at 54 s, right behind the ping; commands do not count", async () => {
    await using server = await bootGusher();
    const client = await openGusher(server);
    await server.advance(50_000);
    expect(await client.arrived()).toEqual([]);
    await server.advance(3_900);
    expect(server.sockets()).toBe(1);
    await server.advance(200);
    expect((await client.raw.next()).opcode).toBe(PING);
    expect(await client.ended()).toEqual({ texts: [], code: 1001 });
  });

  test("subscribed and answering pings it lives on", async () => {
    await using server = await bootGusher();
    using client = await subscribed(server);
    for (let at = 0; at < 5; at++) {
      await server.advance(54_000);
      await answerPing(client);
    }
    expect(await client.arrived()).toEqual([]);
  });

  test("a subscription that ended leaves it idle at the next ping", async () => {
    await using server = await bootGusher();
    const client = await subscribed(server);
    await server.advance(54_000);
    await answerPing(client);
    await client.ask("gusher.unsubscribe", { channel: "AA" });
    await server.advance(54_000);
    expect((await client.raw.next()).opcode).toBe(PING);
    expect((await client.ended()).code).toBe(1001);
  });

  test("without an answer it ends 60 s after the last one", async () => {
    await using server = await bootGusher();
    const client = await subscribed(server);
    await server.advance(59_900);
    expect((await client.raw.next()).opcode).toBe(PING);
    expect(server.sockets()).toBe(1);
    await server.advance(200);
    expect(await client.ended()).toEqual({ texts: [], code: 1001 });
  });

  test("being pushed to keeps nobody alive", async () => {
    await using server = await bootGusher();
    const client = await subscribed(server);
    for (let at = 0; at < 61; at++) {
      await server.publish("AA", at);
      await server.advance(1_000);
    }
    expect((await client.ended()).code).toBe(1001);
  });

  test("D8: with drop_idle = false only the pongs decide", async () => {
    await using server = await bootGusher({ gusher: { drop_idle: false } });
    using client = await openGusher(server);
    await server.advance(54_000);
    await answerPing(client);
    await server.advance(54_000);
    await answerPing(client);
  });

  test("the times are configurable", async () => {
    await using server = await bootGusher({ gusher: { ping_interval: "5s", pong_timeout: "7s" } });
    const client = await subscribed(server);
    await server.advance(5_000);
    await answerPing(client);
    await server.advance(6_900);
    expect((await client.raw.next()).opcode).toBe(PING);
    await server.advance(200);
    expect((await client.ended()).code).toBe(1001);
  });
});

test("D9: a stop says so", async () => {
  const server = await bootGusher();
  const client = await subscribed(server);
  await server[Symbol.asyncDispose]();
  expect(await client.ended()).toEqual({ texts: [], code: 1001 });
});

test("46: of a socket that left, the hub keeps nothing", async () => {
  await using server = await bootGusher();
  const [first, second] = [await subscribed(server), await subscribed(server)];
  expect(server.hub.stats()).toMatchObject({ connections: 2, users: 1, channels: 1 });
  const present = () => server.hub.presence({ space: "channels", name: "AA" });
  expect(await present()).toHaveLength(2);
  first.raw.destroy();
  second.raw.close(1000);
  await until(() => server.hub.stats().connections === 0);
  expect(server.hub.stats()).toMatchObject({ users: 0, channels: 0, subscriptions: 0 });
  expect(await server.hub.channels()).toEqual(new Map());
  await until(async () => (await present()).length === 0);
  second.raw.destroy();
});
