/** The published client of `clients/messaging` against sockets whose every message the test writes: requests, gaps, reconnects. */
import { expect, test } from "bun:test";
import {
  MessagingClient,
  MessagingError,
  type ConversationKey,
  type Events,
  type SocketLike,
} from "../../clients/messaging/messaging-client.ts";
import { createTestRuntime } from "../support/runtime.ts";

interface Sent {
  readonly id: string;
  readonly type: string;
  readonly [member: string]: unknown;
}

class ScriptedSocket implements SocketLike {
  onopen: (() => unknown) | null = null;
  onmessage: ((event: { readonly data: string }) => unknown) | null = null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => unknown) | null = null;
  readonly url: URL;
  readonly sent: Sent[] = [];
  closed = false;

  constructor(url: string) {
    this.url = new URL(url);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Sent);
  }

  close(): void {
    this.closed = true;
  }

  /** What the server sends. */
  push(...messages: object[]): void {
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
  }

  last(type: string): Sent {
    const found = this.sent.findLast((message) => message.type === type);
    if (found === undefined) throw new Error(`No "${type}" was sent`);
    return found;
  }

  /** Answers the newest request of this type, with a response unless it has none. */
  answer(type: string, response?: object, ack: object = { status: true }): void {
    const { id } = this.last(type);
    if (response !== undefined) this.push({ ...response, "reply-to": id });
    this.push({ type: "ack", id, "reply-to": id, ...ack });
  }

  /** The server lets it in. */
  welcome(id = "me"): void {
    this.onopen?.();
    this.answer("whoami", { type: "identity", subscriber: { id } });
  }
}

interface Started {
  readonly client: MessagingClient;
  readonly sockets: ScriptedSocket[];
  /** The newest one. */
  readonly socket: () => ScriptedSocket;
  readonly events: [keyof Events, unknown][];
  /** Moves time, and lets promises settle. */
  readonly pass: (ms?: number) => Promise<void>;
  /** `<sequence>:<content>` of messages that were given out. */
  readonly texts: () => string[];
}

function start(
  options: {
    readonly token?: () => string | Promise<string>;
    readonly positions?: ReadonlyMap<ConversationKey, number>;
  } = {},
): Started {
  const runtime = createTestRuntime();
  const sockets: ScriptedSocket[] = [];
  class Socket extends ScriptedSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  let tokens = 0;
  const client = new MessagingClient({
    url: "wss://host.example/messaging/websocket",
    token: () => `t${(tokens += 1)}`,
    socket: Socket,
    environment: {
      after(ms, callback) {
        const timer = runtime.timers.after(ms, callback);
        return () => timer.cancel();
      },
      random: () => 0.5,
    },
    ...options,
  });
  const events: [keyof Events, unknown][] = [];
  const names = ["direct-message", "channel-message", "open", "closed", "subscriber-left"] as const;
  for (const name of names) client.on(name, (event) => void events.push([name, event]));
  return {
    client,
    sockets,
    events,
    socket: () => {
      const socket = sockets.at(-1);
      if (socket === undefined) throw new Error("No socket was opened");
      return socket;
    },
    pass: (ms = 0) => runtime.advance(ms),
    texts: () =>
      events.flatMap(([name, event]) => {
        const { sequence, content } = event as { sequence: number; content: string };
        return name.endsWith("-message") ? [`${sequence}:${content}`] : [];
      }),
  };
}

async function opened(options: Parameters<typeof start>[0] = {}): Promise<Started> {
  const started = start(options);
  await started.pass();
  started.socket().welcome();
  await started.pass();
  return started;
}

const inChannel = (sequence: number, content = "x", from = "you") => ({
  ...{ type: "channel-message", "channel-id": "ch_1", "message-id": `m${sequence}` },
  ...{ sequence, content, from },
});
const direct = (sequence: number, from: string, to: string) => ({
  ...{ type: "direct-message", "message-id": `d${from}${to}${sequence}` },
  ...{ sequence, from, to, content: `${from}>${to}` },
});
const page = (messages: object[], more = false) => ({ type: "history", messages, more });

const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => "resolved",
    (error: unknown) => (error instanceof MessagingError ? error.error : String(error)),
  );

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
