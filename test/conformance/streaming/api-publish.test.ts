/** publish and broadcast of the server API: idempotency, versions, payloads (centrifugo-protocol.md §17, §22 item 17). */
import { describe, expect, test } from "bun:test";
import { createTestRuntime } from "../../support/runtime.ts";
import {
  API_KEY,
  apiResult,
  BAD_REQUEST,
  bootStreaming,
  CLOSES,
  connectClient,
  HISTORY,
  keptDataDir,
  OPEN,
  RECOVERY,
  subscribed,
  type Message,
  type StreamingServer,
} from "../../support/streaming.ts";

const NAMESPACES = [
  { name: "open", ...OPEN },
  { name: "kept", ...OPEN, ...HISTORY },
  { name: "json", ...OPEN, publication_data_format: "json" },
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
    ["b64data in lines", { b64data: `${btoa('{"b":2}')}\r\n`.replace("e", "e\n") }, { b: 2 }],
  ])("%s", async (_name, payload, data) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    await subscribed(client, "open:a");
    await publish(server, { channel: "open:a", ...payload, tags: { event: "e" }, delta: true });
    const pub = { data, tags: { event: "e" } };
    expect(await client.arrived()).toEqual([{ push: { channel: "open:a", pub } }]);
  });

  test.each([
    ["b64data that is not JSON, where JSON is asked for", "json:a", { b64data: btoa("text") }],
    ["no data", "open:a", {}],
    ["no data, where JSON is asked for", "json:a", {}],
    ["a name with half a surrogate pair", "open:\ud800", { data: 1 }],
    ["an idempotency key with one", "open:a", { data: 1, idempotency_key: "\udfff" }],
    ["b64data that is no base64", "open:a", { b64data: "*" }],
    ["an array where objects are asked for", "object:a", { data: [] }],
  ])("%s is error 107, and reaches nobody", async (_name, channel, payload) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    if (channel.isWellFormed()) await subscribed(client, channel);
    expect(await server.api("publish", { channel, ...payload })).toEqual({
      error: { code: 107, message: BAD_REQUEST },
    });
    expect(await client.arrived()).toEqual([]);
  });

  test("no data at all is a publication without data, where bytes are asked for", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    await subscribed(client, "binary:a");
    for (const empty of [{}, { b64data: "" }])
      await publish(server, { channel: "binary:a", ...empty });
    const pushed = (pub: object) => ({ push: { channel: "binary:a", pub } });
    expect(await client.arrived()).toEqual([
      pushed({ offset: 1, epoch: EPOCH }),
      pushed({ offset: 2 }),
    ]);
    const { publications } = await apiResult(server, "history", { channel: "binary:a", limit: -1 });
    expect(publications).toEqual([
      { offset: 1, epoch: EPOCH, time: expect.any(Number) },
      { offset: 2, time: expect.any(Number) },
    ]);
    const { responses } = await apiResult(server, "broadcast", {
      channels: ["binary:b", "open:b"],
    });
    expect(responses).toEqual([
      { result: { offset: 1, epoch: EPOCH } },
      { error: { code: 107, message: BAD_REQUEST } },
    ]);
  });

  test("a name whose namespace part is empty has no namespace", async () => {
    await using server = await bootStreaming({ withoutNamespace: OPEN });
    using client = await connectClient(server, USER);
    await subscribed(client, ":a");
    for (const channel of [":a", "$:a"]) await publish(server, { channel, data: 1 });
    expect(await client.arrived()).toEqual([{ push: { channel: ":a", pub: { data: 1 } } }]);
  });

  test("a member called __proto__ is kept in data and tags, and is none of the request's own", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, USER);
    await subscribed(client, "kept:a");
    const post = async (body: string) => {
      const url = `${server.apiUrl}/api/publish`;
      const response = await fetch(url, { method: "POST", headers: API_KEY, body });
      return response.text();
    };
    const payload = '"data":{"__proto__":{"a":1}},"tags":{"__proto__":"x","constructor":"y"}';
    expect(await post(`{"channel":"kept:a",${payload}}`)).toContain('{"result":{"offset":1,');
    expect((await client.raw.next()).text).toContain(payload.replace(",", ',"offset":1,'));
    for (const refused of [
      '{"__proto__":{"channel":"kept:a"},"data":1}',
      '{"__proto__":{"data":1},"channel":"kept:a"}',
    ]) {
      expect(await post(refused)).toContain('"code":107');
    }
    expect(await post('{"channel":"kept:a","data":2,"__proto__":{"skip_history":true}}')).toContain(
      '"offset":2',
    );
    expect(await client.arrived()).toEqual([
      { push: { channel: "kept:a", pub: { data: 2, offset: 2 } } },
    ]);
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
  test("is pushed with its publication, recovered with it, and pushed without a history too", async () => {
    await using server = await bootStreaming({
      namespaces: [...NAMESPACES, { name: "back", ...RECOVERY }],
    });
    using client = await connectClient(server, USER);
    for (const channel of ["open:a", "back:a"]) await subscribed(client, channel);
    for (const channel of ["open:a", "back:a"]) {
      await publish(server, { channel, data: 1, version: 7, version_epoch: "e" });
      await publish(server, { channel, data: 2, version: 0 });
    }
    const back = [
      { data: 1, offset: 1, epoch: EPOCH, version: 7 },
      { data: 2, offset: 2 },
    ];
    expect(await client.arrived()).toEqual([
      { push: { channel: "open:a", pub: { data: 1, version: 7 } } },
      { push: { channel: "open:a", pub: { data: 2 } } },
      ...back.map((pub) => ({ push: { channel: "back:a", pub } })),
    ]);
    using later = await connectClient(server, USER);
    expect(await subscribed(later, "back:a", { recover: true })).toMatchObject({
      publications: back,
    });
  });

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
        { error: { code: 107, message: BAD_REQUEST } },
        { error: { code: 107, message: BAD_REQUEST } },
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
