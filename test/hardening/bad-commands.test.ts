/** Hostile frames of streaming's clients: the documented answer or close, for that one connection only, and no bug in the log. */
import { describe, expect, test } from "bun:test";
import { ending, openClient, type Format } from "../support/hostile.ts";
import { bytes, endOf, nested, protobuf, RPC, text, type Case } from "../support/hostile-frames.ts";
import { hostileServer } from "../support/hostile-server.ts";
import { hs256 } from "../support/tokens.ts";

const server = hostileServer();
const BAD_REQUEST = { code: 3501, reason: "bad request" };
const expired = hs256({ sub: "u", exp: 1 });

describe("a malformed frame or a command out of turn closes with 3501", () => {
  test.each<Case>([
    text("malformed JSON", '{"id":2,'),
    text("no JSON at all", "hello"),
    text("an empty frame", ""),
    text("a blank line", "\n"),
    text("a blank line in the middle", `{"id":9,"x":1}\n\n${RPC}`),
    text("two trailing line feeds", "{}\n\n"),
    text("an array", "[]"),
    text("null", "null"),
    text("a string", '"connect"'),
    text("an id of the wrong type", '{"id":"2","rpc":{}}'),
    text("a negative id", '{"id":-1,"rpc":{}}'),
    text("an id beyond 32 bits", '{"id":4294967296,"rpc":{}}'),
    text("a fractional id", '{"id":1.5,"rpc":{}}'),
    text("a request that is an array", '{"id":2,"subscribe":[]}'),
    text("a channel of the wrong type", '{"id":2,"subscribe":{"channel":{}}}'),
    text("a flag of the wrong type", '{"id":2,"subscribe":{"channel":"a","recover":"yes"}}'),
    text("an offset of the wrong type", '{"id":2,"subscribe":{"channel":"a","offset":"1"}}'),
    text("an unknown method", '{"id":2,"teleport":{}}'),
    text("an id alone", '{"id":2}'),
    text("id 0 with a request", '{"rpc":{}}'),
    text("a ping", '{"id":2,"ping":{}}'),
    text("a pong that nobody asked for", "{}"),
    text("a missing channel", '{"id":2,"history":{}}'),
    text("a second connect", '{"id":2,"connect":{}}'),
    text("a subscribe before connect", '{"id":1,"subscribe":{"channel":"a"}}', { fresh: true }),
    text("a pong before connect", "{}", { fresh: true }),
    text("two connects in one frame", '{"id":1,"connect":{}}\n{"id":2,"connect":{}}', {
      fresh: true,
    }),
    text("data of 10,000 levels", `{"id":2,"publish":{"channel":"a","data":${nested(10_000)}}}`),
    text("10,000 pongs in one frame", Array(10_000).fill("{}").join("\n")),
    {
      name: "a binary frame that is no UTF-8",
      act: (client) => client.send(bytes("22 ff 22")),
    },
    protobuf("an empty Protobuf frame", ""),
    protobuf("a length of 4 GiB", "ff ff ff ff 0f 08 02"),
    protobuf("a varint without an end", "ff ff ff ff ff ff ff ff ff ff ff"),
    protobuf("a varint cut off", "80"),
    protobuf("a message cut off", "08 08 02 2a 0e"),
    protobuf("a field cut off", "04 08 02 2a 7f"),
    protobuf("an unknown wire type", "04 08 02 0f 00"),
    protobuf("an end group out of nowhere", "01 0c"),
    protobuf("field number 0", "02 02 00"),
    protobuf("a string that is no UTF-8", "08 08 02 2a 04 0a 02 ff fe"),
    protobuf("an unknown field only", "05 08 02 a2 06 00"),
    protobuf("a pong that nobody asked for", "00"),
    protobuf("10,000 pongs in one frame", "00".repeat(10_000)),
    protobuf("a subscribe before connect", "07 08 01 2a 03 0a 01 61", { fresh: true }),
    protobuf("a second connect", "04 08 02 22 00"),
    text("a text frame on Protobuf", RPC, { format: "protobuf" }),
  ])("$name", async (input) => {
    expect(await endOf(server(), input)).toMatchObject(BAD_REQUEST);
  });
});

describe("a command that its protocol answers or closes otherwise", () => {
  test("send has no receiver: 3508", async () => {
    const end = await endOf(server(), text("send", '{"send":{"data":{}}}'));
    expect(end).toMatchObject({ code: 3508, reason: "not available" });
  });

  test("an invalid token: 3500", async () => {
    const input = text("token", '{"id":1,"connect":{"token":"not.a.token"}}', { fresh: true });
    expect(await endOf(server(), input)).toMatchObject({ code: 3500, reason: "invalid token" });
  });

  test.each([
    ["a channel name of 256 bytes", `{"id":2,"subscribe":{"channel":"${"x".repeat(256)}"}}`, 107],
    ["a namespace that does not exist", '{"id":2,"subscribe":{"channel":"no:x"}}', 102],
    ["a private channel without a token", '{"id":2,"subscribe":{"channel":"$a"}}', 103],
    ["no data to publish", '{"id":2,"publish":{"channel":"public:a"}}', 107],
    ["an rpc that nobody serves", '{"id":2,"rpc":{"method":"x"}}', 108],
  ])("%s is answered and the connection lives on", async (_, frame, code) => {
    const client = await openClient(server());
    client.send(frame);
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 2, error: { code } });
    client.send(RPC);
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 9, error: { code: 108 } });
    client.destroy();
  });

  test("JSON in a binary frame is JSON, and unknown members of 10,000 levels are not looked at", async () => {
    const client = await openClient(server());
    client.send(Buffer.from(`{"id":9,"unknown":${nested(10_000)},"rpc":{}}`));
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 9, error: { code: 108 } });
    client.destroy();
  });

  test("nothing behind a refused connect is answered", async () => {
    const client = await openClient(server(), { connected: false });
    // Signed by nobody would be invalid; expired is answered: an error ends the session all the same.
    client.send(`{"id":1,"connect":{"token":"${expired}"}}\n${RPC}`);
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 1, error: { code: 109 } });
    client.send(RPC);
    await server().advance(5_000);
    expect(await ending(client)).toMatchObject({ texts: [], code: 3000 });
  });

  test.each<[string, Format]>([
    ["3,600 commands in one JSON frame", "json"],
    ["10,000 commands in one Protobuf frame", "protobuf"],
  ])("%s: 3013 once twice the rate is passed", async (_, format) => {
    const client = await openClient(server(), { format });
    if (format === "json") client.send(Array(3_600).fill('{"id":2,"rpc":{}}').join("\n"));
    else client.send(bytes("04 08 02 6a 00".repeat(10_000)));
    const { texts, code } = await ending(client);
    expect(code).toBe(3013);
    // The connect took one; then the rate's rest is answered, and as many again are told that they are too many.
    expect(texts).toHaveLength(1_999);
  });
});
