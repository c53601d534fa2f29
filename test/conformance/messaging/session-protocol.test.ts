/** What every message is answered by (messaging.md §6; §15, items 8 to 14, 34), on a raw WebSocket. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Message } from "../../support/messaging.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

describe("what is no client message", () => {
  test.each([
    ["text that is not JSON", "{"],
    ["an array", "[1]"],
    ["a string", '"x"'],
    ["a number", "7"],
    ["null", "null"],
    ["no type", '{"id":"1"}'],
    ["a type that is no string", '{"type":{},"id":"1"}'],
    ["an unknown type", '{"type":"shout","id":"1"}'],
    ["a server's type", '{"type":"ack","id":"1","status":true}'],
    ["an id that is no string", '{"type":"ping","id":null}'],
    ["a field of a wrong type", '{"type":"announce","id":"1","availability":true}'],
    ["a missing field", '{"type":"history","id":"1"}'],
  ])("%s is passed over, and the next message is answered", async (_what, text) => {
    using client = await connect(server, "8");
    client.send(text);
    client.sendBytes(new TextEncoder().encode('{"type":"ping","id":"bytes"}'));
    expect(await client.ask({ type: "ping", more: {} })).toMatchObject({ type: "pong" });
    expect(client.drain()).toEqual([]);
  });
});

describe("acks", () => {
  test("come once for each message, in their order, whatever becomes of it", async () => {
    using client = await connect(server, "11");
    const { "channel-id": id } = await client.ask({ type: "create-channel" });
    const kinds: readonly Message[] = [
      { type: "ping" },
      { type: "channel-message", "channel-id": id, content: "x" },
      { type: "announce", availability: "nowhere" },
      { type: "history", "channel-id": id },
      { type: "leave-channel", "channel-id": "ch_none" },
      { type: "list-channels" },
      { type: "direct-message", to: "nobody", content: "x" },
      { type: "announce", availability: "dnd" },
      { type: "whoami" },
      { type: "direct-message", to: "11", content: "" },
    ];
    const fails = new Set([2, 4, 6, 9]);
    for (let at = 0; at < 100; at++) client.send({ ...kinds[at % 10], id: `${at}` });
    const acks: Message[] = [];
    while (acks.length < 100) {
      const message = await client.next();
      if (message["type"] === "ack") acks.push(message);
      else expect(message["reply-to"]).toBe(`${acks.length}`);
    }
    for (const [at, ack] of acks.entries()) {
      const failing = fails.has(at % 10);
      expect(ack).toMatchObject({ id: `${at}`, "reply-to": `${at}`, status: !failing });
      expect(typeof ack["error"]).toBe(failing ? "string" : "undefined");
    }
  });

  test("repeat any id, and have none where none was given", async () => {
    using client = await connect(server, "12");
    for (const id of ["", "é\u{1F514}", "x".repeat(5000)]) {
      client.send({ type: "ping", id });
      expect(await client.next()).toMatchObject({ type: "pong", "reply-to": id });
      expect(await client.next()).toEqual({ type: "ack", id, "reply-to": id, status: true });
    }
    client.send({ type: "ping" });
    expect(Object.keys(await client.next())).toEqual(["type", "timestamp"]);
    expect(await client.next()).toEqual({ type: "ack", status: true });
    client.send({ type: "leave-channel", "channel-id": "ch_none" });
    expect(await client.next()).toEqual({
      type: "ack",
      status: false,
      error: "not-found",
      reason: expect.any(String),
    });
  });
});

test("nothing unsolicited passes a required response or its ack while others flood the channel", async () => {
  using reader = await connect(server, "14a");
  using writer = await connect(server, "14b");
  using other = await connect(server, "14c");
  const { "channel-id": id, "invite-token": token } = await reader.ask({ type: "create-channel" });
  for (const each of [writer, other]) {
    await each.ask({ type: "join-channel", "invite-token": token });
  }
  let flooding = true;
  const flood = async (from: typeof writer, kind: Message) => {
    while (flooding) await from.ask(kind);
  };
  const floods = [
    flood(writer, { type: "channel-message", "channel-id": id, content: "x".repeat(500) }),
    flood(other, { type: "direct-message", to: "14a", content: "y" }),
  ];
  const asked: readonly Message[] = [
    { type: "list-subscribers", "channel-id": id },
    { type: "history", "channel-id": id, limit: 200 },
    { type: "create-channel" },
    { type: "get-availability", subscribers: ["14b"] },
    { type: "channel-message", "channel-id": id, content: "mine" },
  ];
  let unsolicited = 0;
  for (let round = 0; round < 100; round++) {
    const request = { ...asked[round % asked.length], id: `${round}` };
    reader.send(request);
    // From the first word of the answer on, it is whole before anything else comes.
    let message = await reader.next();
    for (; message["reply-to"] === undefined; message = await reader.next()) unsolicited += 1;
    expect(message).toMatchObject({ "reply-to": `${round}` });
    expect(message["type"]).not.toBe("ack");
    expect(await reader.next()).toMatchObject({
      type: "ack",
      "reply-to": `${round}`,
      status: true,
    });
  }
  flooding = false;
  await Promise.all(floods);
  expect(unsolicited).toBeGreaterThan(0);
});

test("messages that arrive together are all answered before what was held back", async () => {
  using one = await connect(server, "15a");
  using two = await connect(server, "15b");
  const { "channel-id": id, "invite-token": token } = await one.ask({ type: "create-channel" });
  await two.ask({ type: "join-channel", "invite-token": token });
  await one.nextOf("subscriber-joined");
  for (let at = 0; at < 20; at++) {
    one.send({ type: "channel-message", id: `${at}`, "channel-id": id, content: `${at}` });
    two.send({ type: "channel-message", id: `${at}`, "channel-id": id, content: `${at}` });
  }
  for (const client of [one, two]) {
    const answers: unknown[] = [];
    const sequences: unknown[] = [];
    while (answers.length < 40 || sequences.length < 20) {
      const message = await client.next();
      if (message["type"] === "channel-message") sequences.push(message["sequence"]);
      else answers.push(message["reply-to"]);
    }
    expect(answers).toEqual(Array.from({ length: 40 }, (_, at) => `${at >> 1}`));
    expect(sequences).toEqual(sequences.toSorted((a, b) => Number(a) - Number(b)));
  }
});

test("whoami tells of the connection and its limits", async () => {
  using client = await connect(server, "34");
  const identity = await client.ask({ type: "whoami" });
  expect(identity).toEqual({
    type: "identity",
    "reply-to": expect.any(String),
    subscriber: {
      id: "34",
      status: "",
      availability: "invisible",
      administrator: false,
      attributes: {},
    },
    domain: "dev",
    "connection-id": expect.stringMatching(/^[\w-]{1,64}$/),
    timestamp: expect.any(String),
    limits: { "message-bytes": 65_536, "content-bytes": 32_768 },
  });
  await client.ask({ type: "announce", availability: "invisible", status: "hidden" });
  expect(await client.ask({ type: "whoami" })).toMatchObject({
    subscriber: { availability: "invisible", status: "hidden" },
  });
});
