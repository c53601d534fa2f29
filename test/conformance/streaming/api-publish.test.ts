/** publish and broadcast of the server API: idempotency, versions, payloads (centrifugo-protocol.md §17, §22 item 17). */
import { describe, expect, test } from "bun:test";
import { createTestRuntime } from "../../support/runtime.ts";
import {
  apiResult,
  bootStreaming,
  CLOSES,
  connectClient,
  HISTORY,
  keptDataDir,
  OPEN,
  subscribed,
  type Message,
  type StreamingServer,
} from "../../support/streaming.ts";

const NAMESPACES = [
  { name: "open", ...OPEN },
  { name: "kept", ...OPEN, ...HISTORY },
  { name: "object", ...OPEN, publication_data_format: "json_object" },
  { name: "binary", ...OPEN, ...HISTORY, publication_data_format: "binary" },
];
const EPOCH = expect.stringMatching(/^[a-zA-Z0-9]{8,}$/);
const USER = { sub: "1" };

const publish = (server: StreamingServer, request: object) => apiResult(server, "publish", request);

/** The data of what a client received. */
const dataOf = (messages: readonly Message[]) =>
  messages.map(({ push }) => (push as { pub: { data: unknown } }).pub.data);

describe("publish", () => {
  test("answers with a position where there is a history, else with nothing", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    expect(await publish(server, { channel: "open:a", data: 1 })).toEqual({});
    const first = await publish(server, { channel: "kept:a", data: 1 });
    expect(first).toEqual({ offset: 1, epoch: EPOCH });
    const skipped = { channel: "kept:a", data: 2, skip_history: true };
    expect(await publish(server, skipped)).toEqual({});
    const second = { offset: 2, epoch: first["epoch"] };
    expect(await publish(server, { channel: "kept:a", data: 3 })).toEqual(second);
  });

  test.each([
    ["data", { data: { a: 1 } }, { a: 1 }],
    ["data null", { data: null }, null],
    ["b64data", { b64data: btoa('{"b":2}') }, { b: 2 }],
    ["b64data wins", { data: 1, b64data: btoa("2") }, 2],
    ["an empty b64data", { data: 1, b64data: "" }, 1],
  ])("%s", async (_name, payload, data) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    await subscribed(client, "open:a");
    await publish(server, { channel: "open:a", ...payload, tags: { event: "e" }, delta: true });
    const pub = { data, tags: { event: "e" } };
    expect(await client.arrived()).toEqual([{ push: { channel: "open:a", pub } }]);
  });

  test.each([
    ["b64data that is not JSON", "open:a", { b64data: btoa("text") }],
    ["b64data that is no base64", "open:a", { b64data: "*" }],
    ["an array where objects are asked for", "object:a", { data: [] }],
  ])("%s is error 107, and reaches nobody", async (_name, channel, payload) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    await subscribed(client, channel);
    expect(await server.api("publish", { channel, ...payload })).toEqual({
      error: { code: 107, message: "bad request" },
    });
    expect(await client.arrived()).toEqual([]);
  });

  test("history shows what a binary namespace keeps: JSON as it is, bytes as base64", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const time = server.runtime.clock.epochMs();
    await publish(server, { channel: "binary:a", b64data: btoa("{}") });
    await publish(server, { channel: "binary:a", b64data: "/wD+" });
    const { publications } = await apiResult(server, "history", { channel: "binary:a", limit: -1 });
    expect(publications).toEqual([
      { data: {}, offset: 1, epoch: EPOCH, time },
      { data: "/wD+", offset: 2, time },
    ]);
    using client = await connectClient(server, USER);
    await subscribed(client, "binary:a");
    await publish(server, { channel: "binary:a", b64data: "/wD+" });
    expect(await client.closed()).toEqual(CLOSES[3506]);
  });
});

describe("item 17: idempotency_key", () => {
  test("racing: one publication, identical results", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    await subscribed(client, "kept:a");
    const request = { channel: "kept:a", data: "once", idempotency_key: "k" };
    const results = await Promise.all(Array.from({ length: 10 }, () => publish(server, request)));
    expect(results).toEqual(Array.from({ length: 10 }, () => ({ offset: 1, epoch: EPOCH })));
    expect(dataOf(await client.arrived())).toEqual(["once"]);
  });

  test("holds for 300 s, per channel, with or without a history", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    for (const channel of ["open:a", "open:b"]) await subscribed(client, channel);
    const send = (channel: string, data: number) =>
      publish(server, { channel, data, idempotency_key: "k" });
    await send("open:a", 1);
    await send("open:b", 2);
    await send("open:a", 3);
    await server.advance(299_999);
    await send("open:a", 4);
    await server.advance(1);
    await send("open:a", 5);
    expect(dataOf(await client.arrived())).toEqual([1, 2, 5]);
  });

  test("outlives a restart", async () => {
    using kept = keptDataDir();
    const boot = (seed: number) =>
      bootStreaming({
        ...{ dataDir: kept.path, namespaces: NAMESPACES, runtime: createTestRuntime(seed) },
      });
    const request = { channel: "kept:a", data: 1, idempotency_key: "k" };
    let first: Message;
    {
      await using server = await boot(1);
      first = await publish(server, request);
    }
    await using server = await boot(2);
    expect(await publish(server, { ...request, data: 2 })).toEqual(first);
    const { publications } = await apiResult(server, "history", { channel: "kept:a", limit: -1 });
    expect(publications).toHaveLength(1);
  });
});

describe("version", () => {
  test("a version that is not newer is dropped, with the position as it is", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    await subscribed(client, "kept:a");
    const send = (data: string, version: number, version_epoch?: string) =>
      publish(server, { channel: "kept:a", data, version, version_epoch });
    const offsets = [];
    for (const [data, version, epoch] of [
      ["first", 5],
      ["same", 5],
      ["older", 4],
      ["newer", 6],
      ["older, another epoch", 1, "b"],
      ["same, that epoch", 1, "b"],
      ["none", 0],
      ["newer, that epoch", 2, "b"],
    ] as const) {
      offsets.push((await send(data, version, epoch))["offset"]);
    }
    expect(offsets).toEqual([1, 1, 1, 2, 3, 3, 4, 5]);
    expect(dataOf(await client.arrived())).toEqual([
      ...["first", "newer", "older, another epoch", "none", "newer, that epoch"],
    ]);
  });
});

describe("broadcast", () => {
  test("each channel has its own result or error", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    for (const channel of ["open:a", "kept:a"]) await subscribed(client, channel);
    const channels = ["kept:a", "open:a", "none:a", "", "object:a"];
    const tags = { t: "1" };
    expect(await apiResult(server, "broadcast", { channels, data: [1], tags })).toEqual({
      responses: [
        { result: { offset: 1, epoch: EPOCH } },
        { result: {} },
        { error: { code: 102, message: "unknown channel" } },
        { error: { code: 107, message: "bad request" } },
        { error: { code: 107, message: "bad request" } },
      ],
    });
    const arrived = await client.arrived();
    expect(arrived).toHaveLength(2);
    expect(arrived).toContainAllValues([
      { push: { channel: "open:a", pub: { data: [1], tags } } },
      { push: { channel: "kept:a", pub: { data: [1], tags, offset: 1, epoch: EPOCH } } },
    ]);
  });

  test("an idempotency_key holds for each of the channels", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const send = (channels: string[]) =>
      apiResult(server, "broadcast", { channels, data: 1, idempotency_key: "k" });
    const first = { result: { offset: 1, epoch: EPOCH } };
    expect(await send(["kept:a"])).toEqual({ responses: [first] });
    expect(await send(["kept:a", "kept:b"])).toEqual({ responses: [first, first] });
  });
});
