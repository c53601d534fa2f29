/** Bounds, close codes and liveness (messaging.md §4.4, §4.5, §12; §15, items 31, 32), on raw WebSockets. */
import { describe, expect, test } from "bun:test";
import { connect, messagingUrl, tokenOf } from "../../support/messaging.ts";
import { connectRaw } from "../../support/raw-websocket.ts";
import { bootServer } from "../../support/server.ts";
import { hs256 } from "../../support/tokens.ts";

describe("the rate of a connection", () => {
  test("refuses what is beyond it, says when to come again, and ends what does not stop", async () => {
    await using server = await bootServer();
    using client = await connect(server, "1");
    const ping = (count: number) => {
      for (let at = 0; at < count; at++) client.send({ type: "ping", id: `${at}` });
    };
    ping(2000);
    for (let at = 0; at < 2000; at++) {
      await client.nextOf("pong");
      expect(await client.nextOf("ack")).toMatchObject({ status: true });
    }
    const { ack } = await client.request({ type: "ping" });
    expect(ack).toMatchObject({ status: false, error: "rate-limited", "retry-after": 0.002 });
    await server.advance(2);
    await client.ask({ type: "ping" });
    for (let second = 0; second < 10; second++) {
      ping(501);
      for (let at = 0; at < 501; at++) await client.nextOf("ack");
      client.drain();
      await server.advance(1000);
    }
    ping(502);
    expect(await client.closed).toEqual({ code: 4429, reason: "Rate limit exceeded" });
  });
});

describe("sizes", () => {
  test("of a message are refused beyond 64 KiB, of a frame closed beyond 1 MiB", async () => {
    await using server = await bootServer();
    using client = await connect(server, "1");
    const padded = (bytes: number) =>
      JSON.stringify({ type: "ping", pad: "" }).replace('""', `"${"x".repeat(bytes - 24)}"`);
    expect(padded(65_536)).toHaveLength(65_536);
    client.send(padded(65_536));
    expect(await client.next()).toMatchObject({ type: "pong" });
    expect(await client.next()).toEqual({ type: "ack", status: true });
    client.send(padded(65_537));
    expect(await client.next()).toMatchObject({ status: false, error: "too-large" });
    client.send(padded(1_048_576));
    expect(await client.next()).toMatchObject({ status: false, error: "too-large" });
    client.send(padded(1_048_577));
    expect((await client.closed).code).toBe(1009);
  });
});

describe("connections", () => {
  test("are 20 per subscriber; the next one is refused, and others are not", async () => {
    await using server = await bootServer();
    const open = await Promise.all(Array.from({ length: 20 }, () => connect(server, "1")));
    await Promise.all(open.map((each) => each.ask({ type: "ping" })));
    const over = await connect(server, "1");
    expect(await over.closed).toEqual({ code: 4409, reason: "Too many connections" });
    using other = await connect(server, "2");
    await other.ask({ type: "ping" });
    for (const each of open) await each.ask({ type: "ping" });
    for (const each of open) await each.close();
  });

  test("are told when the server stops", async () => {
    const server = await bootServer();
    using client = await connect(server, "1");
    await client.ask({ type: "ping" });
    const [closed] = await Promise.all([client.closed, server[Symbol.asyncDispose]()]);
    expect(closed).toEqual({ code: 1001, reason: "Going away" });
  });

  test("end with their token's time", async () => {
    await using server = await bootServer();
    const exp = Date.UTC(2026, 10, 1) / 1000 + 60;
    using client = await connect(server, "1", hs256({ sub: "1", exp }));
    expect(await client.ask({ type: "whoami" })).toMatchObject({
      "token-expires": "2026-11-01T00:01:00.000Z",
    });
    await server.advance(59_000);
    await client.ask({ type: "ping" });
    await server.advance(1100);
    expect(await client.closed).toEqual({ code: 4401, reason: "Unauthorized" });
  });

  test("whose peer leaves two pings unanswered are closed, and those that answer are not", async () => {
    await using server = await bootServer();
    const silent = await connectRaw(`${messagingUrl(server)}?access_token=${tokenOf("1")}`);
    using alive = await connect(server, "2");
    await alive.ask({ type: "ping" });
    for (let ping = 0; ping < 2; ping++) {
      await server.advance(25_000);
      expect((await silent.next()).opcode).toBe(9);
      await alive.ask({ type: "ping" });
    }
    await server.advance(25_000);
    expect(await silent.next()).toMatchObject({ opcode: 8, code: 1001 });
    await alive.ask({ type: "ping" });
    silent.destroy();
  });
});

test("another app's subscribers, channels and messages are not there", async () => {
  const apps = [{ id: "red" }, { id: "blue", path_prefix: "/blue" }];
  await using server = await bootServer({
    config: {
      development: false,
      apps: apps.map((app) => ({ allowed_origins: ["*"], ...app })),
      api_keys: [],
      signing_keys: apps.map(({ id }) => ({
        ...{ use: "messaging", app: id, hmac_secret: `secret-of-${id}-which-is-long-enough` },
      })),
      messaging: { enabled: true },
      streaming: {},
      channel: { namespaces: [] },
    },
  });
  const token = (app: string, sub: string) =>
    hs256({ sub }, `secret-of-${app}-which-is-long-enough`);
  const blueUrl = `${server.clientsUrl}/blue`;
  using red = await connect(server, "1", token("red", "1"));
  using blue = await connect({ clientsUrl: blueUrl }, "2", token("blue", "2"));
  using redToo = await connect(server, "2", token("red", "2"));
  const named = { type: "create-channel", "invite-token": "same" };
  const { "channel-id": id } = await red.ask(named);
  expect(await blue.refused({ type: "join-channel", "invite-token": "same" })).toBe("not-found");
  expect(await blue.refused({ type: "history", "channel-id": id })).toBe("not-found");
  await blue.ask(named);
  expect(await blue.refused({ type: "direct-message", to: "1", content: "x" })).toBe("not-found");
  const { "message-id": message } = await red.ask({
    type: "direct-message",
    to: "2",
    content: "x",
  });
  expect(await redToo.next()).toMatchObject({ "message-id": message });
  await red.ask({ type: "announce" });
  expect(await blue.ask({ type: "get-availability", subscribers: ["1"] })).toMatchObject({
    subscribers: [],
  });
  const receipt = { type: "receipt", "message-ids": [message], status: "read" };
  expect(await blue.refused(receipt)).toBe("not-found");
  expect(await blue.soFar()).toEqual([]);
});

test("a reader that stops reading is closed as slow, and the others have every message", async () => {
  await using server = await bootServer({ config: { messaging: { queue_max_size: 65_536 } } });
  using owner = await connect(server, "1");
  using reads = await connect(server, "2");
  const { "channel-id": id, "invite-token": token } = await owner.ask({ type: "create-channel" });
  await reads.ask({ type: "join-channel", "invite-token": token });
  const stalled = await connectRaw(`${messagingUrl(server)}?access_token=${tokenOf("2")}`);
  stalled.send(JSON.stringify({ type: "ping" }));
  await stalled.next();
  await stalled.next();
  stalled.pause();
  const content = "x".repeat(32_000);
  const connections = async () => (await server.hub.nodes())[0]?.connections;
  let sent = 0;
  while ((await connections()) === 3) {
    await owner.ask({ type: "channel-message", "channel-id": id, content });
    sent += 1;
    expect(await reads.nextOf("channel-message")).toMatchObject({ sequence: sent });
  }
  stalled.resume();
  expect((await stalled.rest()).at(-1)).toMatchObject({ code: 4408, text: "Slow consumer" });
});
