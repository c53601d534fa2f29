/** What closes a connection, and what no client may send (centrifugo-protocol.md §3.2, §22 items 6, 15, 16). */
import { describe, expect, test } from "bun:test";
import { connectRaw } from "../../support/raw-websocket.ts";
import {
  bootStreaming,
  CLOSES,
  connectClient,
  ERRORS,
  OPEN,
  openClient,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const ANONYMOUS = { allow_anonymous_connect_without_token: true };
const CONNECT = '{"id":1,"connect":{}}';

describe("item 15: malformed frames close with 3501", () => {
  test.each([
    ["an empty frame", ""],
    ["a line feed alone", "\n"],
    ["a blank line in the middle", `${CONNECT}\n\n{"id":2,"rpc":{}}`],
    ["two trailing line feeds", `${CONNECT}\n\n`],
    ["a leading line feed", `\n${CONNECT}`],
    ["what is not JSON", "connect"],
    ["half a command", '{"id":1,"connect":{'],
    ["two commands on a line", `${CONNECT}${CONNECT}`],
    ["an array", `[${CONNECT}]`],
    ["null", "null"],
    ["a number", "1"],
    ["a string", '"connect"'],
    ["an id that is text", '{"id":"1","connect":{}}'],
    ["a negative id", '{"id":-1,"connect":{}}'],
    ["a fractional id", '{"id":1.5,"connect":{}}'],
    ["an id above 32 bits", '{"id":4294967296,"connect":{}}'],
    ["a request that is an array", '{"id":1,"connect":[]}'],
    ["a token that is a number", '{"id":1,"connect":{"token":1}}'],
    ["an unknown request", '{"id":1,"greet":{}}'],
  ])("%s", async (_name, frame) => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    using client = await openClient(server);
    client.send(frame);
    if (frame.startsWith(`${CONNECT}\n`)) expect(await client.next()).toMatchObject({ id: 1 });
    expect(await client.closed()).toEqual(CLOSES[3501]);
  });

  test.each([
    ["a length without an end", "ffffffffffffffffffffff"],
    ["a length beyond the frame", "7f0801"],
    ["a length of gigabytes", "ffffffff0f"],
    ["a message cut short", "020801" + "04080122"],
    ["a field cut short", "0308010a"],
    ["a group that never ends", "0308010b"],
    ["text of another encoding", "06080122040a02fffe"],
  ])("Protobuf: %s", async (_name, hex) => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    const raw = await connectRaw(`${server.websocketUrl}?format=protobuf`);
    raw.send(Buffer.from(hex, "hex"));
    expect(await raw.next()).toMatchObject({ opcode: 8, code: 3501, text: "bad request" });
    raw.destroy();
  });

  test.each([
    ["an empty frame", ""],
    ["a text frame", CONNECT],
  ])("Protobuf: %s", async (_name, frame) => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    const raw = await connectRaw(`${server.websocketUrl}?format=protobuf`);
    if (frame === "") raw.send(new Uint8Array());
    else raw.send(frame);
    expect(await raw.next()).toMatchObject({ opcode: 8, code: 3501, text: "bad request" });
    raw.destroy();
  });
});

describe("§3.2: commands that close the connection", () => {
  test.each([
    ["a command before connect", { id: 1, subscribe: { channel: "open:a" } }, 3501],
    ["a send before connect", { send: {} }, 3501],
    ["a pong before connect", {}, 3501],
    ["a connect with id 0", { connect: {} }, 3501],
  ] as const)("%s", async (_name, command, code) => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    using client = await openClient(server);
    client.send(command);
    expect(await client.closed()).toEqual(CLOSES[code]);
  });

  test.each([
    ["a second connect", { id: 2, connect: {} }, 3501],
    ["id 0 with a request", { subscribe: { channel: "open:a" } }, 3501],
    ["an id without a request", { id: 2 }, 3501],
    ["an unknown request", { id: 2, greet: {} }, 3501],
    ["ping", { id: 2, ping: {} }, 3501],
    ["send", { send: { data: {} } }, 3508],
    ["subscribe without a channel", { id: 2, subscribe: {} }, 3501],
    ["unsubscribe without a channel", { id: 2, unsubscribe: {} }, 3501],
    ["publish without a channel", { id: 2, publish: { data: {} } }, 3501],
    ["presence without a channel", { id: 2, presence: {} }, 3501],
    ["presence_stats without a channel", { id: 2, presence_stats: {} }, 3501],
    ["history without a channel", { id: 2, history: {} }, 3501],
    ["sub_refresh without a channel", { id: 2, sub_refresh: { token: "t" } }, 3501],
    ["refresh without a token", { id: 2, refresh: {} }, 3501],
  ] as const)("%s", async (_name, command, code) => {
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      namespaces: [{ name: "open", ...OPEN }],
    });
    using client = await connectClient(server);
    client.send(command);
    expect(await client.closed()).toEqual(CLOSES[code]);
  });

  test("what follows in the same frame is not answered", async () => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    using client = await connectClient(server);
    client.send({ id: 2, connect: {} }, { id: 3, rpc: { method: "a" } });
    expect(await client.closed()).toEqual(CLOSES[3501]);
  });

  test("after a connect that was answered with an error nothing is, and the socket goes within 5 s", async () => {
    await using server = await bootStreaming();
    using client = await openClient(server);
    const token = hs256({ sub: "1", exp: server.seconds() });
    client.send({ id: 1, connect: { token } }, { id: 2, rpc: { method: "a" } });
    expect(await client.next()).toEqual({ id: 1, error: ERRORS[109] });
    client.send({ id: 3, connect: {} }, "nonsense");
    await server.advance(4_999);
    expect(client.raw.unread).toBe(0);
    await server.advance(1);
    expect(await client.closed()).toEqual(CLOSES[3000]);
  });
});

describe("item 6: pongs", () => {
  const PINGS = { ...ANONYMOUS, ping_interval: "25s", pong_timeout: "24s" };

  test.each([
    ["one that answers no ping", []],
    ["a second one for a ping", [{}]],
  ])("%s closes with 3501", async (_name, before) => {
    await using server = await bootStreaming({ streaming: PINGS });
    using client = await connectClient(server);
    if (before.length > 0) {
      await server.advance(25_000);
      expect(await client.next()).toEqual({});
    }
    for (const pong of before) client.send(pong);
    expect(await client.arrived()).toEqual([]);
    client.send({});
    expect(await client.closed()).toEqual(CLOSES[3501]);
  });
});

describe("item 16: limits", () => {
  test("a message above message_size_limit closes with 1009", async () => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    using client = await connectClient(server);
    const around = JSON.stringify({ id: 2, rpc: { method: "" } }).length;
    client.send({ id: 2, rpc: { method: "a".repeat(65_536 - around) } });
    expect(await client.next()).toEqual({ id: 2, error: ERRORS[108] });
    client.send({ id: 3, rpc: { method: "a".repeat(65_537 - around) } });
    expect((await client.closed()).code).toBe(1009);
  });

  test("a connection holds channel_limit channels: the next subscribe is error 106", async () => {
    await using server = await bootStreaming({
      streaming: { ...ANONYMOUS, channel_limit: 3 },
      namespaces: [{ name: "open", ...OPEN }],
    });
    using client = await connectClient(server);
    const subscribe = (name: string) => client.ask({ subscribe: { channel: `open:${name}` } });
    for (const name of ["a", "b", "c"]) expect(await subscribe(name)).toEqual({ subscribe: {} });
    expect(await subscribe("d")).toEqual({ error: ERRORS[106] });
    await client.ask({ unsubscribe: { channel: "open:a" } });
    expect(await subscribe("d")).toEqual({ subscribe: {} });
  });

  test("the limit is 128 by default", async () => {
    await using server = await bootStreaming({ namespaces: [{ name: "open", ...OPEN }] });
    using client = await connectClient(server, { sub: "1" });
    const names = Array.from({ length: 128 }, (_, index) => `open:${index}`);
    client.send(...names.map((channel, index) => ({ id: 1000 + index, subscribe: { channel } })));
    for (const index of names.keys()) {
      expect(await client.next()).toEqual({ id: 1000 + index, subscribe: {} });
    }
    expect(await client.ask({ subscribe: { channel: "open:x" } })).toEqual({ error: ERRORS[106] });
  });

  test("more server-side channels than the limit close the connect with 3505", async () => {
    await using server = await bootStreaming({
      streaming: { channel_limit: 2 },
      namespaces: [{ name: "open", ...OPEN }],
    });
    using client = await openClient(server);
    const channels = ["open:a", "open:b", "open:c"];
    client.send({ id: 1, connect: { token: hs256({ sub: "1", channels }) } });
    expect(await client.closed()).toEqual(CLOSES[3505]);
  });

  test("commands beyond the rate are error 111, beyond twice the rate the close is 3013", async () => {
    await using server = await bootStreaming({
      streaming: { ...ANONYMOUS, commands_per_second_max: 3 },
    });
    using client = await connectClient(server);
    const rpc = { rpc: { method: "a" } };
    const answers = [];
    for (let count = 0; count < 5; count++) answers.push(await client.ask(rpc));
    expect(answers).toEqual([
      ...Array.from({ length: 2 }, () => ({ error: ERRORS[108] })),
      ...Array.from({ length: 3 }, () => ({ error: ERRORS[111] })),
    ]);
    client.send({ id: 50, ...rpc });
    expect(await client.closed()).toEqual(CLOSES[3013]);
  });
});
