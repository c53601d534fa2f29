/** Checklist items 28 to 31: bad input, binary frames, sizes, control frames (gusher.md §5.1, §5.9, §16), and hostile input beyond them. */
import { describe, expect, test } from "bun:test";
import {
  bootGusher,
  gusherClient,
  GRANT_Z,
  openGusher,
  socketUrl,
  tokenFor,
} from "../../support/gusher.ts";
import { expectNoBugs } from "../../support/hostile.ts";
import { connectRaw } from "../../support/raw-websocket.ts";

const command = (event: string, data: unknown) => JSON.stringify({ event, data });
const BAD_INPUT = [
  "hello",
  "",
  "[]",
  "5",
  "null",
  '{"event":"gusher.subscribe"',
  '{"event":"gusher.subscribe"}',
  command("gusher.subscribe", {}),
  command("gusher.subscribe", { channel: 5 }),
  command("gusher.subscribe", { channel: null }),
  command("gusher.subscribe", "AA"),
  command("gusher.unsubscribe", {}),
  command("foo", {}),
  command("gusher.login", {}),
  command("toString", {}),
  '{"data":{}}',
  '{"event":5,"data":{}}',
  command("gusher.remote", { remote: "chat", payload: 1 }),
  command("gusher.remote", { remote: "chat", uid: "q1" }),
  command("gusher.remote", { remote: "chat", uid: 5, payload: 1 }),
  command("gusher.remote", { uid: "q1", payload: 1 }),
  `${'{"a":'.repeat(600)}1${"}".repeat(600)}`,
  `${"[".repeat(4000)}`,
  `{"event":"gusher.ping","data":${"[".repeat(1500)}${"]".repeat(1500)}}`,
];

describe("bad input", () => {
  test("28: ends the connection without an answer, and no other", async () => {
    await using server = await bootGusher();
    using neighbour = await openGusher(server, GRANT_Z);
    await neighbour.ask("gusher.subscribe", { channel: "AA" });
    const url = socketUrl(server, await tokenFor(server, GRANT_Z));
    for (const frame of BAD_INPUT) {
      const client = gusherClient(await connectRaw(url));
      client.send(frame);
      expect([frame, await client.ended()]).toEqual([frame, { texts: [], code: 1008 }]);
    }
    await server.publish("AA", 1);
    expect(await neighbour.next()).toMatchObject({ data: 1 });
    expectNoBugs(server);
  });

  test("D7: with strict_close without a close frame", async () => {
    await using server = await bootGusher({ gusher: { strict_close: true } });
    const client = await openGusher(server);
    client.send("hello");
    expect(await client.ended()).toEqual({ texts: [], code: undefined });
  });

  test("what came before it is answered, and nothing behind it", async () => {
    await using server = await bootGusher();
    const client = await openGusher(server);
    client.send({ event: "gusher.ping", data: 1 });
    client.send("hello");
    client.send({ event: "gusher.ping", data: 2 });
    const { texts, code } = await client.ended();
    expect([texts.length, code]).toEqual([1, 1008]);
  });

  test("members may stand in any order, among others, with space around and anything behind", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const succeeded = { event: "gusher.subscribe_succeeded", data: { channel: "AA" } };
    for (const frame of [
      '{"data":{"channel":"AA","more":1},"event":"gusher.subscribe","channel":"x"}',
      ' \n{ "event" : "gusher.subscribe" , "data" : { "channel" : "AA" } }\t',
      '{"event":"gusher.subscribe","data":{"channel":"AA"}} garbage {"',
      '{"event":"gusher.subscribe","data":{"channel":"AA","}":"\\"}"}}}',
      '{"event":"gusher.subscribe","data":{"channel":"AA"}}{"event":"gusher.ping","data":1}',
      '{"\\u0065vent":"gusher.subscribe","data":{"channel":"\\u0041A"}}',
    ]) {
      client.send(frame);
      expect([frame, await client.next()]).toMatchObject([frame, succeeded]);
    }
    expect(await client.arrived()).toEqual([]);
  });

  test("a fragmented message is one message", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const bytes = Buffer.from(command("gusher.ping", 1));
    client.raw.sendFrame(1, bytes.subarray(0, 5), { final: false });
    client.raw.sendFrame(0, bytes.subarray(5), { final: true });
    expect(await client.next()).toMatchObject({ event: "gusher.pong_succeeded", data: 1 });
  });
});

describe("binary messages", () => {
  const utf16 = (text: string) => Buffer.from(text, "utf16le");

  test("29: what is no command is ignored", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    for (const bytes of [
      Buffer.from(command("gusher.ping", 1)),
      Buffer.from([1, 2, 3]),
      Buffer.from([0x00, 0xd8]),
      Buffer.alloc(0),
      utf16("hello"),
      utf16(command("foo", {})),
    ]) {
      client.raw.send(bytes);
    }
    expect(await client.arrived()).toEqual([]);
  });

  test("D5: a command in UTF-16 is one, unless strict_binary says otherwise", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    client.raw.send(utf16(command("gusher.subscribe", { channel: "AA" })));
    expect(await client.next()).toMatchObject({ event: "gusher.subscribe_succeeded" });
    await using strict = await bootGusher({ gusher: { strict_binary: true } });
    using other = await openGusher(strict);
    other.raw.send(utf16(command("gusher.subscribe", { channel: "AA" })));
    expect(await other.arrived()).toEqual([]);
  });
});

describe("30: sizes", () => {
  const sized = (bytes: number) => {
    const empty = command("gusher.ping", "");
    return command("gusher.ping", "x".repeat(bytes - empty.length));
  };

  test.each([
    ["4096 by default", {}, 4096],
    ["as configured", { message_size_limit: 512 }, 512],
  ])("%s, and not one byte more", async (_name, gusher, limit) => {
    await using server = await bootGusher({ gusher });
    for (const binary of [false, true]) {
      const client = await openGusher(server);
      if (!binary) {
        client.send(sized(limit));
        expect(await client.next()).toMatchObject({ event: "gusher.pong_succeeded" });
        client.send(sized(limit + 1));
      } else {
        client.raw.send(new Uint8Array(limit));
        expect(await client.arrived()).toEqual([]);
        client.raw.send(new Uint8Array(limit + 1));
      }
      expect(await client.ended()).toEqual({ texts: [], code: 1009 });
    }
  });

  test("bytes count, not characters, and the fragments of a message together", async () => {
    await using server = await bootGusher({ gusher: { message_size_limit: 512 } });
    const wide = await openGusher(server);
    wide.send(command("gusher.ping", "ü".repeat(300)));
    expect(await wide.ended()).toMatchObject({ code: 1009 });
    const split = await openGusher(server);
    const bytes = Buffer.from(sized(513));
    split.raw.sendFrame(1, bytes.subarray(0, 300), { final: false });
    split.raw.sendFrame(0, bytes.subarray(300), { final: true });
    expect(await split.ended()).toMatchObject({ code: 1009 });
  });
});

test("31: a ping is answered with its payload, and a close with its code", async () => {
  await using server = await bootGusher();
  using client = await openGusher(server);
  client.raw.sendFrame(9, Buffer.from("abc"));
  expect(await client.raw.next()).toMatchObject({ opcode: 10, text: "abc" });
  client.raw.close(4000, "bye");
  expect(await client.ended()).toEqual({ texts: [], code: 4000 });
});

test("more commands than a connection may send end it", async () => {
  await using server = await bootGusher({ gusher: { commands_per_second_max: 5 } });
  const client = await openGusher(server);
  for (let at = 0; at < 6; at++) client.send({ event: "gusher.ping", data: at });
  const { texts, code } = await client.ended();
  expect([texts.length, code]).toEqual([5, 1008]);
});

test("a reader that is too slow is closed, and slows nobody", async () => {
  await using server = await bootGusher({ gusher: { queue_max_size: 65_536 } });
  using slow = await openGusher(server, GRANT_Z);
  using quick = await openGusher(server, GRANT_Z);
  for (const client of [slow, quick]) await client.ask("gusher.subscribe", { channel: "AA" });
  slow.raw.pause();
  const data = "x".repeat(60_000);
  // Until it is ended and no longer: a peer that does not read its close is cut some seconds later.
  while (server.hub.stats().connections === 2) {
    await server.publish("AA", data);
    expect(await quick.next()).toMatchObject({ channel: "AA" });
  }
  slow.raw.resume();
  expect((await slow.ended()).code).toBe(1013);
});
