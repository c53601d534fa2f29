/** Hostile input on every port: the documented answer or close, for that one connection only, and no bug in the log. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { API_METHODS, RAW_MEMBERS } from "../../src/dialects/streaming/api-schema.ts";
import {
  ending,
  exchange,
  expectNoBugs,
  openClient,
  startNeighbour,
  until,
  type Format,
  type Neighbour,
} from "../support/hostile.ts";
import { handshake, type RawWebSocket } from "../support/raw-websocket.ts";
import { bootServer, type ApiAnswer, type BootedServer } from "../support/server.ts";
import { hs256 } from "../support/tokens.ts";

let server: BootedServer;
let neighbour: Neighbour;

beforeAll(async () => {
  server = await bootServer();
  neighbour = await startNeighbour(server);
});

afterEach(async () => {
  await neighbour.check();
  await until(() => server.sockets() === 1);
  expect(server.hub.stats().connections).toBe(1);
  expectNoBugs(server);
});

afterAll(async () => {
  neighbour.close();
  await server[Symbol.asyncDispose]();
});

const MESSAGE_BYTES_MAX = 65_536;
const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");
const BAD_REQUEST = { code: 3501, reason: "bad request" };

interface Case {
  readonly name: string;
  /** Default: json. */
  readonly format?: Format;
  /** Before any connect command. */
  readonly fresh?: true;
  readonly act: (client: RawWebSocket) => void;
}

function text(name: string, frame: string, options: Partial<Case> = {}): Case {
  return { name, act: (client) => client.send(frame), ...options };
}

function protobuf(name: string, hex: string, options: Partial<Case> = {}): Case {
  return { name, format: "protobuf", act: (client) => client.send(bytes(hex)), ...options };
}

async function endOf({ format, fresh, act }: Case) {
  const client = await openClient(server, {
    ...(format === undefined ? {} : { format }),
    connected: fresh !== true,
  });
  act(client);
  return ending(client);
}

const expired = hs256({ sub: "u", exp: 1 });
const rpc = '{"id":9,"rpc":{"method":"x"}}';

describe("a malformed frame or a command out of turn closes with 3501", () => {
  test.each<Case>([
    text("malformed JSON", '{"id":2,'),
    text("no JSON at all", "hello"),
    text("an empty frame", ""),
    text("a blank line", "\n"),
    text("a blank line in the middle", `{"id":9,"x":1}\n\n${rpc}`),
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
    text("a text frame on Protobuf", rpc, { format: "protobuf" }),
  ])("$name", async (input) => {
    expect(await endOf(input)).toMatchObject(BAD_REQUEST);
  });
});

describe("a command that its protocol answers or closes otherwise", () => {
  test("send has no receiver: 3508", async () => {
    const end = await endOf(text("send", '{"send":{"data":{}}}'));
    expect(end).toMatchObject({ code: 3508, reason: "not available" });
  });

  test("an invalid token: 3500", async () => {
    const input = text("token", '{"id":1,"connect":{"token":"not.a.token"}}', { fresh: true });
    expect(await endOf(input)).toMatchObject({ code: 3500, reason: "invalid token" });
  });

  test.each([
    ["a channel name of 256 bytes", `{"id":2,"subscribe":{"channel":"${"x".repeat(256)}"}}`, 107],
    ["a namespace that does not exist", '{"id":2,"subscribe":{"channel":"no:x"}}', 102],
    ["a private channel without a token", '{"id":2,"subscribe":{"channel":"$a"}}', 103],
    ["no data to publish", '{"id":2,"publish":{"channel":"public:a"}}', 107],
    ["an rpc that nobody serves", '{"id":2,"rpc":{"method":"x"}}', 108],
  ])("%s is answered and the connection lives on", async (_, frame, code) => {
    const client = await openClient(server);
    client.send(frame);
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 2, error: { code } });
    client.send(rpc);
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 9, error: { code: 108 } });
    client.destroy();
  });

  test("JSON in a binary frame is JSON, and unknown members of 10,000 levels are not looked at", async () => {
    const client = await openClient(server);
    client.send(Buffer.from(`{"id":9,"unknown":${nested(10_000)},"rpc":{}}`));
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 9, error: { code: 108 } });
    client.destroy();
  });

  test("nothing behind a refused connect is answered", async () => {
    const client = await openClient(server, { connected: false });
    // Signed by nobody would be invalid; expired is answered: an error ends the session all the same.
    client.send(`{"id":1,"connect":{"token":"${expired}"}}\n${rpc}`);
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 1, error: { code: 109 } });
    client.send(rpc);
    await server.advance(5_000);
    expect(await ending(client)).toMatchObject({ texts: [], code: 3000 });
  });

  test.each<[string, Format]>([
    ["3,600 commands in one JSON frame", "json"],
    ["10,000 commands in one Protobuf frame", "protobuf"],
  ])("%s: 3013 once twice the rate is passed", async (_, format) => {
    const client = await openClient(server, { format });
    if (format === "json") client.send(Array(3_600).fill('{"id":2,"rpc":{}}').join("\n"));
    else client.send(bytes("04 08 02 6a 00".repeat(10_000)));
    const { texts, code } = await ending(client);
    expect(code).toBe(3013);
    // The connect took one; then the rate's rest is answered, and as many again are told that they are too many.
    expect(texts).toHaveLength(1_999);
  });
});

describe("WebSocket frames that break RFC 6455 are closed by the transport", () => {
  const protocolError = (name: string, act: Case["act"]): Case => ({ name, act });
  test.each<Case>([
    protocolError("reserved bit 1", (client) => client.write(bytes("c1 80 00 00 00 00"))),
    protocolError("reserved bit 2", (client) => client.write(bytes("a1 80 00 00 00 00"))),
    protocolError("reserved bit 3", (client) => client.write(bytes("91 80 00 00 00 00"))),
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) =>
      protocolError(`opcode ${opcode}`, (client) => client.sendFrame(opcode, Buffer.from("x"))),
    ),
    protocolError("an unmasked frame", (client) => client.write(bytes("81 02 7b 7d"))),
    protocolError("a control frame of 126 bytes", (client) =>
      client.sendFrame(9, Buffer.alloc(126)),
    ),
    protocolError("a control frame in parts", (client) =>
      client.sendFrame(9, Buffer.alloc(2), { final: false }),
    ),
    protocolError("a continuation of nothing", (client) => client.sendFrame(0, Buffer.from("{}"))),
    protocolError("a message within a message", (client) => {
      client.sendFrame(1, Buffer.from("{"), { final: false });
      client.sendFrame(1, Buffer.from(rpc));
    }),
    protocolError("a close code that may not travel", (client) => client.close(1005)),
    protocolError("a close payload of one byte", (client) => client.sendFrame(8, Buffer.from([3]))),
  ])("$name: 1002", async (input) => {
    expect(await endOf(input)).toMatchObject({ code: 1002, texts: [] });
  });

  test.each<Case>([
    protocolError("in a text frame", (client) => client.sendFrame(1, bytes("22 ff 22"))),
    protocolError("in a part of a message", (client) => {
      client.sendFrame(1, bytes("22 c3"), { final: false });
      client.sendFrame(0, bytes("28 22"));
    }),
    protocolError("in a close reason", (client) => client.sendFrame(8, bytes("03 e8 ff fe"))),
  ])("invalid UTF-8 $name: 1007", async (input) => {
    expect(await endOf(input)).toMatchObject({ code: 1007, texts: [] });
  });

  const padded = (size: number) => `${" ".repeat(size - rpc.length)}${rpc}`;

  test("a message of 65,536 bytes is taken, whole or in parts", async () => {
    const client = await openClient(server);
    client.send(padded(MESSAGE_BYTES_MAX));
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 9 });
    const message = Buffer.from(padded(MESSAGE_BYTES_MAX));
    client.sendFrame(1, message.subarray(0, 40_000), { final: false });
    client.sendFrame(0, message.subarray(40_000));
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 9 });
    client.destroy();
  });

  test.each<Case>([
    text("one byte more", padded(MESSAGE_BYTES_MAX + 1)),
    text("one byte more in UTF-8 only", `"${"é".repeat(MESSAGE_BYTES_MAX / 2 - 1)}"x`),
    text("2 MB", padded(2_000_000)),
    protocolError("one byte more in parts", (client) => {
      client.sendFrame(1, Buffer.alloc(40_000, " "), { final: false });
      client.sendFrame(0, Buffer.alloc(MESSAGE_BYTES_MAX + 1 - 40_000, " "));
    }),
    protocolError("a header that claims 1 TiB", (client) =>
      client.sendFrame(1, Buffer.from("x"), { claimedBytes: 2 ** 40 }),
    ),
    { ...protobuf("a Protobuf message of one byte more", "00".repeat(MESSAGE_BYTES_MAX + 1)) },
  ])("$name: 1009", async (input) => {
    expect(await endOf(input)).toMatchObject({ code: 1009, texts: [] });
  });
});

describe("an upgrade that is none", () => {
  test.each([
    ["no Upgrade header", { upgrade: undefined }, 426],
    ["an upgrade to something else", { upgrade: "h2c" }, 426],
    ["another version", { "sec-websocket-version": "8" }, 426],
    ["no version", { "sec-websocket-version": undefined }, 426],
    ["no key", { "sec-websocket-key": undefined }, 400],
    ["a key of the wrong length", { "sec-websocket-key": "x" }, 400],
    ["no host", { host: undefined }, 400],
    ["a host that is none", { host: "%%[" }, 400],
    ["a header of 100 KB", { "x-large": "x".repeat(100_000) }, 431],
  ])("%s is refused", async (_, headers, status) => {
    expect((await handshake(server.websocketUrl, { headers })).status).toBe(status);
  });

  test("half a request, and then nothing, holds no connection of the hub", async () => {
    const half = "GET /connection/websocket HTTP/1.1\r\nhost: x\r\nupgrade: webso";
    expect(await exchange(server.clientsUrl, half, { end: true })).toBe("");
  });
});

describe.each(["clientsUrl", "apiUrl"] as const)("bytes that are no request at %s", (listener) => {
  const garbage = Buffer.from(Array.from({ length: 4_000 }, (_, index) => (index * 7919) & 0xff));
  test.each<[string, string | Buffer, number]>([
    ["garbage", garbage, 400],
    ["a TLS handshake", bytes("16 03 01 00 a1 01 00 00"), 400],
    ["a header of 100 KB", `GET / HTTP/1.1\r\nhost: x\r\nx: ${"a".repeat(100_000)}\r\n\r\n`, 431],
    ["300 headers", `GET / HTTP/1.1\r\nhost: x\r\n${"x: 1\r\n".repeat(300)}\r\n`, 431],
    ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["a negative length", "POST /api/info HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n", 400],
    [
      "two lengths of the body",
      "POST /api/info HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
  ])("%s is refused", async (_, sent, status) => {
    expect(await exchange(server[listener], sent)).toStartWith(`HTTP/1.1 ${status} `);
  });

  test("a host that is none", async () => {
    const sent = "GET / HTTP/1.1\r\nhost: %%%[[\r\n\r\n";
    expect(await exchange(server[listener], sent, { until: "\r\n\r\n" })).toContain(" 400 ");
  });
});

describe("the server API", () => {
  const headers = { "X-API-Key": "dev-api-key" };
  const post = (method: string, body: string | Uint8Array<ArrayBuffer>) =>
    fetch(`${server.apiUrl}/api/${method}`, { method: "POST", headers, body });

  test.each([
    ["a body that is cut off", "content-length: 500\r\n\r\n{}"],
    ["a chunk without a length", "transfer-encoding: chunked\r\n\r\nzz\r\n\r\n"],
    ["a chunk that is cut off", "transfer-encoding: chunked\r\n\r\nff\r\n{"],
  ])("%s is refused", async (_, rest) => {
    const head = "POST /api/info HTTP/1.1\r\nhost: x\r\nx-api-key: dev-api-key\r\n";
    const answer = await exchange(server.apiUrl, head + rest, { end: true });
    expect(answer).toStartWith("HTTP/1.1 400 ");
  });

  test("a body that arrives byte by byte is taken", async () => {
    const body = '{"channel":"public:slow","data":1}';
    const chunks = Array.from(body, (letter) => `1\r\n${letter}\r\n`).join("");
    const head =
      "POST /api/publish HTTP/1.1\r\nhost: x\r\nx-api-key: dev-api-key\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    expect(await exchange(server.apiUrl, `${head}${chunks}0\r\n\r\n`)).toContain('"result"');
  });

  test("a body of 10 MiB is taken and one byte more is 413, with and without its length", async () => {
    const data = (size: number) => `{"data":"${"x".repeat(size - 11)}"}`;
    expect((await post("info", data(10_485_760))).status).toBe(200);
    expect((await post("info", data(10_485_761))).status).toBe(413);
    const chunked = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from(data(10_485_761)));
        controller.close();
      },
    });
    const answered = await fetch(`${server.apiUrl}/api/info`, {
      method: "POST",
      headers,
      body: chunked,
    });
    expect(answered.status).toBe(413);
    const claimed =
      "POST /api/info HTTP/1.1\r\nhost: x\r\nx-api-key: dev-api-key\r\ncontent-length: 99999999999\r\n\r\n{}";
    expect(await exchange(server.apiUrl, claimed, { until: "\r\n\r\n" })).toContain(" 413 ");
  });

  test.each<[string, string | Uint8Array<ArrayBuffer>]>([
    ["no JSON", "{"],
    ["text behind the value", "{}{}"],
    ["a deep body", nested(10_000)],
    ["a deep member", `{"channel":"public:x","data":${nested(10_000)}}`],
    ["1 MB of brackets", "[".repeat(1_000_000)],
    ["invalid UTF-8", Uint8Array.from(bytes("7b 22 61 22 3a 22 ff 22 7d"))],
    ["UTF-16", Uint8Array.from(Buffer.from("{}", "utf16le"))],
  ])("%s is 400", async (_, body) => {
    expect((await post("publish", body)).status).toBe(400);
  });

  test.each([
    ["another HTTP method", "GET", "publish", 405],
    ["an unknown method", "POST", "teleport", 404],
    ["__proto__", "POST", "__proto__", 404],
    ["constructor", "POST", "constructor", 404],
    ["a zero byte", "POST", "%00", 404],
    ["half an escape", "POST", "%e0%a4%a", 404],
    ["a path of 4,000 bytes", "POST", "x".repeat(4_000), 404],
  ])("%s is refused", async (_, method, path, status) => {
    const response = await fetch(`${server.apiUrl}/api/${path}`, { method, headers });
    expect(response.status).toBe(status);
  });

  test.each([
    ["no key", {}],
    ["a wrong key", { "X-API-Key": "dev-api-kez" }],
    ["a key of 10 KB", { "X-API-Key": "x".repeat(10_000) }],
    ["an empty bearer", { Authorization: "Bearer " }],
  ])("%s is 401", async (_, wrong) => {
    const options = { method: "POST", headers: wrong, body: "{}" };
    expect((await fetch(`${server.apiUrl}/api/info`, options)).status).toBe(401);
  });

  describe("a member of the wrong type is error 107", () => {
    test.each(Object.keys(API_METHODS))("of %s", async (method) => {
      for (const body of wrongBodies(method)) {
        const response = await post(method, JSON.stringify(body));
        const answered = { body, status: response.status, answer: await response.json() };
        expect(answered).toEqual({
          body,
          status: 200,
          answer: { error: { code: 107, message: "bad request" } },
        });
      }
    });

    test("of a batch", async () => {
      const wrong = Object.keys(API_METHODS).flatMap((method) =>
        wrongBodies(method).map((body) => ({ [method]: body })),
      );
      const { result } = await server.api("batch", { commands: wrong });
      const replies = result?.["replies"] as readonly unknown[];
      expect(replies).toHaveLength(wrong.length);
      for (const [index, reply] of replies.entries()) {
        const error = { code: 107, message: "bad request" };
        expect({ wrong: wrong[index], reply }).toEqual({ wrong: wrong[index], reply: { error } });
      }
    });

    test.each([
      '{"commands":{}}',
      '{"commands":null}',
      '{"commands":[1,null,[],"publish",{},{"publish":[]},{"publish":null}]}',
      '{"commands":[{"__proto__":{}},{"constructor":{}},{"batch":{"commands":[]}}]}',
      "[]",
      "null",
      "7",
    ])("of a batch that is none: %s", async (body) => {
      const response = await post("batch", body);
      expect(response.status).toBe(200);
      const { result } = (await response.json()) as ApiAnswer;
      const replies = (result?.["replies"] ?? []) as readonly object[];
      for (const reply of replies) expect(reply).toHaveProperty("error");
    });
  });
});

type Wrong = Readonly<Record<string, unknown>>;

/** Requests that would be right but for one member. A member that is passed on as it was written has no wrong type. */
function wrongBodies(method: string): Wrong[] {
  const { request } = API_METHODS[method as keyof typeof API_METHODS];
  const right: Wrong = {
    ...{ channel: "public:wrong", channels: ["public:wrong"], data: {}, user: "u", method: "m" },
  };
  const schema = z.toJSONSchema(request, { io: "input", unrepresentable: "any" });
  const shape = schema.properties ?? {};
  const fitting = Object.fromEntries(Object.entries(right).filter(([name]) => name in shape));
  return Object.entries(shape).flatMap(([name, type]) =>
    RAW_MEMBERS.has(name)
      ? []
      : wrongValues(type as JsonSchema).map((value) => ({ ...fitting, [name]: value })),
  );
}

interface JsonSchema {
  readonly type?: string;
  readonly anyOf?: readonly JsonSchema[];
  readonly format?: string;
  readonly minimum?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
}

const VALUES: readonly [type: string, value: unknown][] = [
  ["string", "text"],
  ["integer", 7],
  ["number", 1.5],
  ["boolean", true],
  ["array", []],
  ["object", {}],
];

function wrongValues(schema: JsonSchema): unknown[] {
  const inner = schema.anyOf?.find(({ type }) => type !== "null") ?? schema;
  const wrong = VALUES.filter(([type]) => type !== inner.type).map(([, value]) => value);
  if (inner.type === "integer") wrong.push(2 ** 53);
  if (inner.minimum === 0) wrong.push(-1);
  if (inner.format === "base64") wrong.push("%%%");
  if (inner.items !== undefined) {
    for (const value of wrongValues(inner.items)) wrong.push([value]);
  }
  for (const [name, member] of Object.entries(inner.properties ?? {})) {
    const { type } = inner.properties?.[name] ?? {};
    if (type !== undefined) for (const value of wrongValues(member)) wrong.push({ [name]: value });
  }
  if (typeof inner.additionalProperties === "object" && inner.properties === undefined) {
    for (const value of wrongValues(inner.additionalProperties)) wrong.push({ key: value });
  }
  return wrong;
}
