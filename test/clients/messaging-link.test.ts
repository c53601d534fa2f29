/** The published client of `clients/messaging` likewise: what breaks, waits and comes back. */
import { expect, test } from "bun:test";
import { direct, errorOf, inChannel, opened, page, start } from "../support/scripted-messaging.ts";

test("after a reconnect it is announced, watches again, and what was missed is fetched", async () => {
  const { client, sockets, socket, texts, pass } = await opened();
  void client.request("announce", { status: "Here", attributes: { a: 1 } });
  void client.request("announce", { availability: "busy", attributes: { b: 2 } });
  void client.request("watch-availability", { subscribers: ["x", "y"] });
  void client.request("unwatch-availability", { subscribers: ["x"] });
  for (const { id, type } of socket().sent.slice(1)) {
    socket().push({ type, "reply-to": id }, { type: "ack", "reply-to": id, status: true });
  }
  socket().push(inChannel(1), direct(1, "you", "me"));
  socket().onclose?.({ code: 1001, reason: "Going away" });
  await pass(375);
  expect(sockets).toHaveLength(2);
  socket().welcome();
  expect(socket().sent.slice(0, 2)).toMatchObject([
    { type: "announce", status: "Here", availability: "busy", attributes: { a: 1, b: 2 } },
    { type: "watch-availability", subscribers: ["y"] },
  ]);
  await pass();
  socket().answer("list-channels", {
    type: "channels",
    channels: [
      { "channel-id": "ch_1", "last-sequence": 3 },
      { "channel-id": "ch_9", "last-sequence": 9 },
    ],
  });
  socket().answer("list-conversations", {
    ...{ type: "conversations", conversations: [{ with: "you", "last-sequence": 1 }] },
  });
  await pass();
  // Where nothing is missing, and where nothing was ever seen, nothing is asked.
  expect(socket().sent.filter(({ type }) => type === "history")).toHaveLength(1);
  socket().push(inChannel(4));
  socket().answer("history", page([inChannel(2, "h"), inChannel(3, "h")]));
  await pass();
  expect(texts()).toEqual(["1:x", "1:you>me", "2:h", "3:h", "4:x"]);
});

test("where the application stands already it is told what came since", async () => {
  const { socket, texts, pass } = await opened({ positions: new Map([["channel:ch_1", 4]]) });
  socket().answer("list-channels", { channels: [{ "channel-id": "ch_1", "last-sequence": 6 }] });
  socket().answer("list-conversations", undefined, { status: false, error: "unavailable" });
  await pass();
  expect(socket().last("history")).toMatchObject({ after: 4 });
  socket().answer("history", page([inChannel(5, "h"), inChannel(6, "h")]));
  await pass();
  expect(texts()).toEqual(["5:h", "6:h"]);
});

test("what was under way when the connection broke is repeated if it may be, and else told", async () => {
  const { client, socket, pass } = await opened();
  const message = client.request("direct-message", { to: "you", content: "hi" });
  const created = errorOf(client.request("create-channel"));
  const pinged = errorOf(client.request("ping"));
  const first = socket().last("direct-message");
  expect(first["dedupe-key"]).toMatch(/^[0-9a-z]{1,64}$/);
  socket().onclose?.({ code: 1006, reason: "" });
  expect(await created).toBe("disconnected");
  await pass(375);
  socket().onopen?.();
  expect(socket().last("direct-message")).toEqual(first);
  expect(socket().sent.map(({ type }) => type)).toEqual(["whoami", "direct-message", "ping"]);
  socket().answer("direct-message", { type: "delivery", "message-id": "m1", sequence: 1 });
  socket().answer("ping", { type: "pong" });
  expect(await message).toMatchObject({ "message-id": "m1" });
  expect(await pinged).toBe("resolved");
  // The application's own key is kept.
  void client.request("direct-message", { to: "you", content: "hi", "dedupe-key": "mine" });
  expect(socket().last("direct-message")["dedupe-key"]).toBe("mine");
});

test("it comes back ever more slowly, and at once again when it was welcome", async () => {
  const { sockets, socket, events, pass } = await opened();
  const lose = (code: number) => {
    socket().onclose?.({ code, reason: "" });
    return events.flatMap(([, event]) => (event as { retryMs?: number }).retryMs ?? []).at(-1) ?? 0;
  };
  const waits: number[] = [];
  for (let times = 0; times < 8; times++) {
    const waitMs = lose(1006);
    waits.push(waitMs);
    await pass(waitMs);
  }
  expect(waits).toEqual([375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500]);
  socket().welcome();
  await pass();
  expect(lose(1006)).toBe(375);
  await pass(375);
  // Where it is not welcome it does not help to hurry.
  expect(lose(4409)).toBe(22_500);
  await pass(22_499);
  expect(sockets).toHaveLength(10);
});

test("a token that cannot be had, and a link that does not open, are tried again", async () => {
  let has = false;
  const token = () => (has ? "t" : Promise.reject(new Error("no network")));
  const { sockets, events, pass } = start({ token });
  await pass();
  expect(events).toEqual([["closed", { code: 0, reason: "Error: no network", retryMs: 375 }]]);
  has = true;
  await pass(375);
  expect(sockets).toHaveLength(1);
  await pass(20_000);
  expect(events[1]).toEqual(["closed", { code: 1006, reason: "no answer", retryMs: 750 }]);
  expect(sockets[0]?.closed).toBe(true);
  // What it still says is nobody's business.
  sockets[0]?.onopen?.();
  expect(sockets[0]?.sent).toEqual([]);
});

test("a silent link is asked, and given up when it does not answer", async () => {
  const { sockets, socket, events, pass } = await opened();
  await pass(29_999);
  expect(socket().sent.some(({ type }) => type === "ping")).toBe(false);
  await pass(1);
  socket().answer("ping", { type: "pong" });
  await pass(30_000);
  expect(socket().sent.filter(({ type }) => type === "ping")).toHaveLength(2);
  await pass(9999);
  expect(events).toHaveLength(1);
  await pass(1);
  expect(events[1]).toEqual(["closed", expect.objectContaining({ code: 1006 })]);
  expect(sockets[0]?.closed).toBe(true);
});

test("who leaves is not brought back, and what waited is told", async () => {
  const { client, sockets, socket, pass } = await opened();
  const asked = errorOf(client.request("ping"));
  client.close();
  expect(await asked).toBe("closed");
  expect(socket().closed).toBe(true);
  expect(await errorOf(client.request("ping"))).toBe("closed");
  socket().onclose?.({ code: 1000, reason: "" });
  await pass(60_000);
  expect(sockets).toHaveLength(1);
});

test("as many requests wait as may, and one more is told at once", async () => {
  const { client, pass } = start();
  const all = Array.from({ length: 1000 }, () => errorOf(client.request("ping")));
  expect(await errorOf(client.request("ping"))).toBe("queue-full");
  client.close();
  await pass();
  expect(new Set(await Promise.all(all))).toEqual(new Set(["closed"]));
});

test("a browser loads less than 8 KB of it", async () => {
  const entrypoints = [`${import.meta.dir}/../../clients/messaging/messaging-client.ts`];
  const { success, outputs } = await Bun.build({ entrypoints, minify: true, target: "browser" });
  expect(success).toBe(true);
  expect(outputs).toHaveLength(1);
  expect(outputs[0]?.size ?? Infinity).toBeLessThan(8192);
});
