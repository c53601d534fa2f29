/** Frames, encodings and zero values (centrifugo-protocol.md §1, §2.1, §22 items 1, 6, 12, 15). */
import { describe, expect, test } from "bun:test";
import packageJson from "../../../package.json" with { type: "json" };
import { createCentrifugePeer } from "../../support/centrifuge-protobuf.ts";
import { connectRaw, type RawWebSocket } from "../../support/raw-websocket.ts";
import {
  apiResult,
  bootStreaming,
  CLOSES,
  connectClient,
  ERRORS,
  OPEN,
  openClient,
  RECOVERY,
  type StreamingServer,
  subscribed,
} from "../../support/streaming.ts";
import { compactJson } from "../../../src/core/json-text.ts";

const ANONYMOUS = { allow_anonymous_connect_without_token: true };
/** The first ping comes within 25 s, and its answer is not awaited within them. */
const PINGS = { ping_interval: "25s", pong_timeout: "24s" };
const READABLE = {
  presence: true,
  allow_presence_for_client: true,
  allow_presence_for_anonymous: true,
  allow_history_for_client: true,
  allow_history_for_anonymous: true,
  allow_publish_for_client: true,
  allow_publish_for_anonymous: true,
};

describe("item 1: zero values are left out, save those that are always written", () => {
  test("connect without anything to tell has client and version only", async () => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    using client = await openClient(server);
    client.send({ id: 1, connect: {} });
    const { text } = await client.raw.next();
    const id = /"client":"([0-9a-f-]{36})"/.exec(text)?.[1];
    expect(text).toBe(`{"id":1,"connect":{"client":"${id}","version":"${packageJson.version}"}}`);
  });

  test("a client id is a UUID of version 4", async () => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    using client = await connectClient(server);
    expect(client.id).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  test("results without fields are empty objects; presence, its numbers and history keep theirs", async () => {
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      namespaces: [
        { name: "open", ...OPEN, ...READABLE },
        { name: "kept", ...RECOVERY, ...READABLE },
      ],
    });
    using client = await connectClient(server);
    const asked = [
      { subscribe: { channel: "open:a" } },
      { publish: { channel: "open:none", data: {} } },
      { unsubscribe: { channel: "open:a" } },
      { presence: { channel: "open:a" } },
      { presence_stats: { channel: "open:a" } },
    ];
    const texts: string[] = [];
    for (const [index, command] of asked.entries()) {
      client.send({ id: 10 + index, ...command });
      texts.push((await client.raw.next()).text);
    }
    expect(texts).toEqual([
      '{"id":10,"subscribe":{}}',
      '{"id":11,"publish":{}}',
      '{"id":12,"unsubscribe":{}}',
      '{"id":13,"presence":{"presence":{}}}',
      '{"id":14,"presence_stats":{"num_clients":0,"num_users":0}}',
    ]);
    const { epoch } = await apiResult(server, "history", { channel: "kept:a" });
    client.send({ id: 20, history: { channel: "kept:a" } });
    expect((await client.raw.next()).text).toBe(
      `{"id":20,"history":{"publications":[],"epoch":"${String(epoch)}","offset":0}}`,
    );
  });

  test("an anonymous client's info has both of its fields", async () => {
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      namespaces: [{ name: "open", ...OPEN, ...READABLE }],
    });
    using client = await connectClient(server);
    await subscribed(client, "open:a");
    const info = { user: "", client: client.id };
    expect(await client.ask({ presence: { channel: "open:a" } })).toEqual({
      presence: { presence: { [client.id]: info } },
    });
  });
});

describe("item 12: batches", () => {
  test("a frame's commands are answered in their order", async () => {
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      namespaces: [{ name: "open", ...OPEN }],
    });
    using client = await openClient(server);
    client.send(
      { id: 1, connect: {} },
      { id: 2, subscribe: { channel: "open:a" } },
      { id: 3, subscribe: { channel: "none:a" } },
      { id: 4, unsubscribe: { channel: "open:a" } },
    );
    expect(await client.next()).toMatchObject({ id: 1, connect: {} });
    expect(await client.next()).toEqual({ id: 2, subscribe: {} });
    expect(await client.next()).toEqual({ id: 3, error: ERRORS[102] });
    expect(await client.next()).toEqual({ id: 4, unsubscribe: {} });
  });

  test("one trailing LF is tolerated", async () => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    using client = await openClient(server);
    client.send('{"id":1,"connect":{}}\n');
    expect(await client.next()).toMatchObject({ id: 1, connect: {} });
  });
});

describe("§1.3: payloads", () => {
  test("data is passed on as it was written, without raw LF", async () => {
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      namespaces: [{ name: "open", ...OPEN, ...READABLE }],
    });
    using client = await connectClient(server);
    await subscribed(client, "open:a");
    const body =
      '{"channel":"open:a","data":{"n":9007199254740993,\n "f":1.0,"b":"\\u0041\\n","a":1,"a":2}}';
    const response = await fetch(`${server.apiUrl}/api/publish`, {
      method: "POST",
      headers: { "X-API-Key": "dev-api-key" },
      body,
    });
    expect(await response.json()).toEqual({ result: {} });
    expect((await client.raw.next()).text).toBe(
      '{"push":{"channel":"open:a","pub":{"data":{"n":9007199254740993,"f":1.0,"b":"\\u0041\\n","a":1,"a":2}}}}',
    );
  });

  test("unknown fields are ignored, a null sub-message is absent", async () => {
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      namespaces: [{ name: "open", ...OPEN }],
    });
    using client = await openClient(server);
    client.send('{"id":1,"x":[],"connect":{"y":{},"subs":null},"subscribe":null}');
    expect(await client.next()).toMatchObject({ id: 1, connect: {} });
    expect(await client.ask({ subscribe: { channel: "open:a", tf: null } })).toEqual({
      subscribe: {},
    });
  });

  test("the first request field in the protocol's order is the command", async () => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    using client = await connectClient(server);
    expect(await client.ask({ rpc: { method: "a" }, history: { channel: "none:a" } })).toEqual({
      error: ERRORS[102],
    });
  });

  test("bytes that are not JSON close a JSON subscriber with 3506, and reach a Protobuf one", async () => {
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      namespaces: [{ name: "binary", ...OPEN, publication_data_format: "binary" }],
    });
    using client = await connectClient(server);
    await subscribed(client, "binary:a");
    const protobuf = await connectRaw(`${server.websocketUrl}?format=protobuf`);
    protobuf.send(Buffer.from("04080122000e08022a0a0a0862696e6172793a61", "hex"));
    await protobuf.next();
    await protobuf.next();
    const result = await apiResult(server, "publish", { channel: "binary:a", b64data: "/wD+" });
    expect(result).toEqual({});
    expect(await client.closed()).toEqual(CLOSES[3506]);
    expect((await protobuf.next()).payload.toString("hex")).toBe(
      "13221112" + "0862696e6172793a61" + "2205" + "2203ff00fe",
    );
    protobuf.destroy();
  });
});

describe("§2.1: golden bytes", () => {
  const peer = createCentrifugePeer();
  const READER = { allow_history_for_client: true, allow_history_for_anonymous: true };

  async function connectProtobuf(server: StreamingServer): Promise<RawWebSocket> {
    const raw = await connectRaw(`${server.websocketUrl}?format=protobuf`);
    raw.send(peer.encode([{ id: 1, connect: {} }]));
    expect(peer.decode((await raw.next()).payload)).toMatchObject([{ id: 1, connect: {} }]);
    return raw;
  }

  test("a connect with the token `t` is understood, and invalid", async () => {
    await using server = await bootStreaming({ streaming: ANONYMOUS });
    const raw = await connectRaw(`${server.websocketUrl}?format=protobuf`);
    raw.send(Buffer.from("0b08012207" + "0a0174" + "22026a73", "hex"));
    expect(await raw.next()).toMatchObject({ opcode: 8, code: 3500, text: "invalid token" });
    raw.destroy();
  });

  test("a recovering subscribe, and error 103", async () => {
    // Development mode says more.
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      config: { development: false },
    });
    const raw = await connectProtobuf(server);
    raw.send(Buffer.from("1208022a0e0a0161180132" + "0378797a38057001", "hex"));
    expect((await raw.next()).payload.toString("hex")).toBe(
      "19080212150867" + "12117065726d697373696f6e2064656e696564",
    );
    raw.destroy();
  });

  test("a history query from another epoch, and error 112", async () => {
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      withoutNamespace: { ...RECOVERY, ...READER },
    });
    const raw = await connectProtobuf(server);
    raw.send(Buffer.from("120803520e0a0161380a4205" + "08011201654801", "hex"));
    expect(peer.decode((await raw.next()).payload)).toMatchObject([{ id: 3, error: ERRORS[112] }]);
    raw.destroy();
  });

  test("a publication with offset 300", async () => {
    await using server = await bootStreaming({
      streaming: ANONYMOUS,
      withoutNamespace: RECOVERY,
    });
    const channel = { space: "channels", name: "a" };
    const before = Array.from({ length: 299 }, () =>
      server.hub.publish(channel, { data: { json: compactJson("{}") } }),
    );
    await Promise.all(before);
    const raw = await connectProtobuf(server);
    raw.send(peer.encode([{ id: 2, subscribe: { channel: "a" } }]));
    await raw.next();
    await apiResult(server, "publish", { channel: "a", data: {} });
    expect((await raw.next()).payload.toString("hex")).toBe("0e220c1201612207" + "22027b7d30ac02");
    raw.destroy();
  });

  test("ping and pong are one zero byte", async () => {
    await using server = await bootStreaming({ streaming: { ...ANONYMOUS, ...PINGS } });
    const raw = await connectProtobuf(server);
    await server.advance(25_000);
    expect((await raw.next()).payload).toEqual(Buffer.from([0]));
    raw.send(Buffer.from([0]));
    raw.send(Buffer.from([0]));
    expect(await raw.next()).toMatchObject({ opcode: 8, code: 3501, text: "bad request" });
    raw.destroy();
  });
});
