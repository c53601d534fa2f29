/** The published client of `clients/messaging` against sockets whose every message the test writes: requests, order and gaps. */
import { expect, test } from "bun:test";
import { direct, errorOf, inChannel, opened, page, start } from "../support/scripted-messaging.ts";

test("the token of each connection is asked for anew, and stands in its address", async () => {
  const { sockets, events, pass } = await opened();
  expect(sockets[0]?.url.href).toBe("wss://host.example/messaging/websocket?access_token=t1");
  expect(events).toEqual([["open", expect.objectContaining({ subscriber: { id: "me" } })]]);
  sockets[0]?.onclose?.({ code: 4401, reason: "Unauthorized" });
  expect(events[1]).toEqual(["closed", { code: 4401, reason: "Unauthorized", retryMs: 375 }]);
  await pass(374);
  expect(sockets).toHaveLength(1);
  await pass(1);
  expect(sockets[1]?.url.searchParams.get("access_token")).toBe("t2");
});

test("a request resolves with its response behind the ack, and rejects with the server's error", async () => {
  const { client, socket, pass } = await opened();
  const created = client.request("create-channel", { name: "Ops" });
  const left = errorOf(client.request("leave-channel", { "channel-id": "ch_2" }));
  expect(socket().last("create-channel")).toEqual({ id: "2", type: "create-channel", name: "Ops" });
  let early = true;
  void created.then(() => (early = false));
  const { id } = socket().last("create-channel");
  socket().push({ type: "invitation", "reply-to": id, "channel-id": "ch_1", name: "Ops" });
  await pass();
  expect(early).toBe(true);
  socket().push({ type: "ack", id, "reply-to": id, status: true });
  expect(await created).toMatchObject({ "channel-id": "ch_1" });
  socket().answer("leave-channel", undefined, { status: false, error: "not-found", reason: "No" });
  expect(await left).toBe("not-found");
  const slow = client.request("typing", { to: "you" });
  socket().answer("typing", undefined, {
    ...{ status: false, error: "rate-limited", reason: "Slow down", "retry-after": 3 },
  });
  await expect(slow).rejects.toMatchObject({ message: "Slow down", retryAfter: 3 });
});

test("an ack says that what was asked before it and has none was ignored", async () => {
  const { client, socket } = await opened();
  const asked = [client.request("ping"), client.request("ping"), client.request("ping")].map(
    errorOf,
  );
  socket().answer("ping", { type: "pong", timestamp: "" });
  expect(await Promise.all(asked)).toEqual(["ignored", "ignored", "resolved"]);
});

test("an id in a push is no answer", async () => {
  const { client, socket, events, pass } = await opened();
  const pinged = errorOf(client.request("ping"));
  const { id } = socket().last("ping");
  socket().push({ type: "subscriber-left", "channel-id": "ch_1", id, cause: "left" });
  await pass();
  expect(events.at(-1)).toEqual(["subscriber-left", expect.objectContaining({ id })]);
  socket().answer("ping", { type: "pong" });
  expect(await pinged).toBe("resolved");
});

test("what is asked before there is a connection waits for one, in its order", async () => {
  const { client, socket, pass } = start();
  void client.request("announce", { status: "Here" }).catch(() => {});
  void client.request("direct-message", { to: "you", content: "1" });
  void client.request("direct-message", { to: "you", content: "2" });
  await pass();
  expect(socket().sent).toEqual([]);
  socket().onopen?.();
  expect(socket().sent.map(({ type, content }) => content ?? type)).toEqual([
    ...["announce", "whoami", "announce", "1", "2"],
  ]);
});

test("messages come in their order and each once, and a gap is closed before what is behind it", async () => {
  const { socket, texts, pass } = await opened();
  socket().push(inChannel(7), inChannel(8), inChannel(8), inChannel(7), inChannel(12));
  expect(texts()).toEqual(["7:x", "8:x"]);
  expect(socket().last("history")).toMatchObject({ "channel-id": "ch_1", after: 8, limit: 200 });
  // What comes meanwhile waits.
  socket().push(inChannel(13));
  socket().answer("history", page([inChannel(9, "h"), inChannel(10, "h")], true));
  await pass();
  expect(socket().last("history")).toMatchObject({ after: 10 });
  socket().answer("history", page([inChannel(11, "h"), inChannel(12, "h")]));
  await pass();
  expect(texts()).toEqual(["7:x", "8:x", "9:h", "10:h", "11:h", "12:h", "13:x"]);
});

test("a gap behind a gap is closed as well, and what cannot be fetched now is fetched later", async () => {
  const { client, socket, texts, pass } = await opened();
  socket().push(inChannel(1), inChannel(3));
  socket().push(inChannel(6));
  socket().answer("history", undefined, { status: false, error: "unavailable" });
  await pass(999);
  expect(socket().sent.filter(({ type }) => type === "history")).toHaveLength(1);
  await pass(1);
  expect(socket().last("history")).toMatchObject({ after: 1 });
  socket().answer("history", page([inChannel(2, "h")]));
  await pass();
  expect(texts()).toEqual(["1:x", "2:h", "3:x"]);
  expect(socket().last("history")).toMatchObject({ after: 3 });
  // It leaves before it is closed: what is behind it is not given out, and a later client begins before it.
  client.close();
  await pass();
  expect(texts()).toHaveLength(3);
  expect([...client.positions]).toEqual([["channel:ch_1", 3]]);
});

test("what a connection brought before it broke is not lost, though nobody knew yet whose it was", async () => {
  const { sockets, socket, texts, pass } = start();
  await pass();
  socket().onopen?.();
  socket().push(direct(1, "you", "me"), direct(2, "you", "me"));
  socket().onclose?.({ code: 1006, reason: "" });
  await pass(375);
  expect(sockets).toHaveLength(2);
  socket().welcome();
  await pass();
  socket().push(direct(3, "you", "me"));
  expect(texts()).toHaveLength(3);
});

test("what the history does not have any more is left out, and asked for once", async () => {
  const { socket, texts, pass } = await opened();
  socket().push(inChannel(1), inChannel(9));
  socket().answer("history", page([inChannel(6, "h")]));
  await pass();
  socket().push(inChannel(10));
  expect(texts()).toEqual(["1:x", "6:h", "9:x", "10:x"]);
  expect(socket().sent.filter(({ type }) => type === "history")).toHaveLength(1);
  // A channel that one may not look into any more.
  socket().push(inChannel(20));
  socket().answer("history", undefined, { status: false, error: "not-found" });
  await pass();
  expect(texts().at(-1)).toBe("20:x");
});

test("what this client sent itself leaves no gap, in whichever order the others come", async () => {
  const { client, socket, texts, pass } = await opened();
  const sending = client.request("channel-message", { "channel-id": "ch_1", content: "mine" });
  socket().push(inChannel(3));
  socket().answer("channel-message", { type: "delivery", "message-id": "m5", sequence: 5 });
  socket().push(inChannel(4), inChannel(6));
  expect(await sending).toMatchObject({ "message-id": "m5" });
  await pass();
  expect(texts()).toEqual(["3:x", "4:x", "6:x"]);
  expect(socket().sent.some(({ type }) => type === "history")).toBe(false);
  // A hole around it: its own is in the history, and not given out.
  void client.request("channel-message", { "channel-id": "ch_1", content: "mine" });
  socket().answer("channel-message", { type: "delivery", "message-id": "m8", sequence: 8 });
  socket().push(inChannel(9));
  socket().answer("history", page([inChannel(7, "h"), inChannel(8, "mine", "me")]));
  await pass();
  expect(texts().slice(3)).toEqual(["7:h", "9:x"]);
  expect(client.positions).toEqual(new Map([["channel:ch_1", 9]]));
});

test("what is pushed while its first message is under way is not lost", async () => {
  const { client, socket, texts, pass } = await opened();
  const mine = { "channel-id": "ch_1", content: "mine" };
  for (const sequence of [5, 6]) {
    void client.request("channel-message", mine);
    // The server holds back what it has for the client until this is answered.
    socket().answer("channel-message", { type: "delivery", "message-id": "m", sequence });
  }
  socket().push(inChannel(3), inChannel(4), inChannel(7), inChannel(3));
  await pass();
  expect(texts()).toEqual(["3:x", "4:x", "7:x"]);
  expect(socket().sent.some(({ type }) => type === "history")).toBe(false);
  expect(client.positions).toEqual(new Map([["channel:ch_1", 7]]));
});

test("a direct conversation is one, whoever of the two writes, and from whichever connection", async () => {
  const { client, sockets, events, pass } = start();
  await pass();
  const [socket] = sockets;
  socket?.onopen?.();
  // Before it is known which of the two this is.
  socket?.push(direct(1, "you", "me"), direct(2, "me", "you"));
  expect(events).toEqual([]);
  socket?.answer("whoami", { type: "identity", subscriber: { id: "me" } });
  await pass();
  socket?.push(direct(3, "me", "me"), direct(4, "me", "you"));
  expect(socket?.last("history")).toMatchObject({ with: "you", after: 2 });
  socket?.answer("history", page([{ ...direct(3, "you", "me"), to: undefined }]));
  await pass();
  const given = events.flatMap(([name, event]) =>
    name === "direct-message" ? [event as { from: string; to: string; sequence: number }] : [],
  );
  expect(given.map(({ from, to, sequence }) => `${from}>${to} ${sequence}`)).toEqual([
    ...["you>me 1", "me>you 2", "me>me 3", "you>me 3", "me>you 4"],
  ]);
  expect(client.positions).toEqual(
    new Map([
      ["with:you", 4],
      ["with:me", 3],
    ]),
  );
});

test("messages of no conversation come once by their id", async () => {
  const { socket, texts } = await opened();
  const system = { ...direct(0, "", "me"), "message-id": "s1" };
  socket().push(system, system, { ...system, "message-id": "s2" });
  expect(texts()).toEqual(["0:>me", "0:>me"]);
});
