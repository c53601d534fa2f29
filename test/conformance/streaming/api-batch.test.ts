/** Several server API calls in one, and what a node tells of itself (centrifugo-protocol.md §17). */
import { describe, expect, test } from "bun:test";
import packageJson from "../../../package.json" with { type: "json" };
import { BATCH_COMMANDS_MAX } from "../../../src/dialects/streaming/api-calls.ts";
import {
  API_KEY as KEY,
  apiResult,
  BAD_REQUEST,
  bootStreaming,
  callApi as call,
  connectClient,
  HISTORY,
  OPEN,
  subscribed,
  type StreamingServer,
} from "../../support/streaming.ts";

const NAMESPACES = [{ name: "kept", ...OPEN, ...HISTORY }];
const EPOCH = expect.any(String);
const bad = { error: { code: 107, message: BAD_REQUEST } };
const unknown = { error: { code: 102, message: "unknown channel" } };
const notFound = { error: { code: 104, message: "not found" } };

/** Answers compared with those of Centrifugo 6.9.1. */
describe("batch", () => {
  const batch = async (server: StreamingServer, body: string | object, headers = {}) =>
    call(server, {
      path: "/api/batch",
      headers: { ...KEY, ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

  test("replies stand bare, in the order of commands, each with its own error", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const commands = [
      { publish: { channel: "kept:a", data: 1 } },
      { publish: { channel: "none:a", data: 1 } },
      { presence: { channel: "kept:a" } },
      { none: {} },
      { broadcast: { channels: ["kept:b", "none:b"], data: 1 } },
      { channels: {} },
      {},
      { info: null },
      { publish: [] },
      null,
      7,
      { none: 1, history: { channel: "kept:a" }, publish: { channel: "kept:c", data: 1 } },
    ];
    const published = { offset: 1, epoch: EPOCH };
    const replies = [
      { publish: published },
      unknown,
      { error: { code: 108, message: "not available" } },
      notFound,
      { broadcast: { responses: [{ result: published }, unknown] } },
      { channels: { channels: {} } },
      notFound,
      notFound,
      bad,
      bad,
      bad,
      { publish: published },
    ];
    for (const headers of [{}, { "X-Centrifugo-Error-Mode": "transport" }]) {
      for (const channel of ["kept:a", "kept:b", "kept:c"]) {
        await apiResult(server, "history_remove", { channel });
      }
      expect(await batch(server, { commands }, headers)).toEqual({
        status: 200,
        body: { replies },
      });
      published.offset++;
    }
  });

  test("without commands it is the empty object", async () => {
    await using server = await bootStreaming();
    for (const body of [{}, { commands: [] }, { commands: null }]) {
      expect(await batch(server, body)).toEqual({ status: 200, body: {} });
    }
  });

  test.each(["[]", "null", "7", '{"commands":{}}', '{"commands":"a"}'])(
    "%s is error 107",
    async (body) => {
      await using server = await bootStreaming();
      expect(await batch(server, body)).toEqual({ status: 200, body: bad });
    },
  );

  test("takes BATCH_COMMANDS_MAX commands, and not one more", async () => {
    await using server = await bootStreaming();
    const filled = (count: number) => ({ commands: Array.from({ length: count }, () => ({})) });
    const { body } = await batch(server, filled(BATCH_COMMANDS_MAX));
    expect((body as { replies: unknown[] }).replies).toHaveLength(BATCH_COMMANDS_MAX);
    expect(await batch(server, filled(BATCH_COMMANDS_MAX + 1))).toEqual({ status: 200, body: bad });
  });

  test("a command sees what those before it did, unless they are to run at once", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const publish = (data: number) => ({ publish: { channel: "kept:a", data } });
    const history = { history: { channel: "kept:a", limit: 10 } };
    const commands = [
      ...[publish(1), publish(2), history],
      ...[{ history_remove: { channel: "kept:a" } }, publish(3), history],
    ];
    const { body } = await batch(server, { commands });
    const { replies } = body as { replies: { history?: { publications: { data: unknown }[] } }[] };
    const seen = replies.flatMap((reply) => (reply.history ? [reply.history] : []));
    expect(seen.map(({ publications }) => publications.map(({ data }) => data))).toEqual([
      [1, 2],
      [3],
    ]);
    const atOnce = await batch(server, { parallel: true, commands });
    expect(atOnce.status).toBe(200);
    expect((atOnce.body as { replies: unknown[] }).replies).toHaveLength(commands.length);
  });

  test("publications of one batch keep their order", async () => {
    await using server = await bootStreaming({ namespaces: [{ name: "open", ...OPEN }] });
    using client = await connectClient(server, { sub: "1" });
    await subscribed(client, "open:a");
    const numbers = Array.from({ length: 500 }, (_, index) => index);
    const commands = numbers.map((data) => ({ publish: { channel: "open:a", data } }));
    await batch(server, { commands });
    const pushed = (await client.arrived()) as { push: { pub: { data: number } } }[];
    expect(pushed.map(({ push }) => push.pub.data)).toEqual(numbers);
  });
});

/** Answers compared with those of Centrifugo 6.9.1, on whose `POST /api` gocent 3, cent.js and aiocent pipe their commands. */
describe("the former form", () => {
  async function row(server: StreamingServer, body: string, headers = {}) {
    const url = `${server.apiUrl}/api`;
    const response = await fetch(url, { method: "POST", headers: { ...KEY, ...headers }, body });
    const text = await response.text();
    const lines = response.ok ? text.split("\n").map((line) => JSON.parse(line) as unknown) : text;
    return { status: response.status, lines };
  }
  const publish = (data: unknown) =>
    JSON.stringify({ method: "publish", params: { channel: "kept:a", data } });
  const history = '{"id":7,"method":"history","params":{"channel":"kept:a","limit":1}}';
  const none = '{"method":"publish","params":{"channel":"none:a","data":1}}';
  const published = { result: { offset: 1, epoch: EPOCH } };

  test.each([
    ["lines", "\n", ""],
    ["lines, the last one ended", "\n", "\n"],
    ["lines between empty ones", "\n\n", ""],
    ["objects with nothing between them", "", ""],
  ])("%s are answered line by line, in order", async (_name, between, end) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const body = [publish({ "}": '{"\\' }), none, history].join(between) + end;
    const kept = { data: { "}": '{"\\' }, offset: 1, epoch: EPOCH, time: expect.any(Number) };
    const answers = [
      published,
      unknown,
      { id: 7, result: { publications: [kept], epoch: EPOCH, offset: 1 } },
    ];
    expect(await row(server, body)).toEqual({ status: 200, lines: answers });
  });

  test("one command may be written over several lines, its method in capitals", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const body = '{\n  "method": "Publish",\n  "params": {"channel": "kept:a", "data": 1}\n}\n';
    expect(await row(server, body)).toEqual({ status: 200, lines: [published] });
  });

  test("errors have status 200 in the transport mode too", async () => {
    await using server = await bootStreaming();
    const headers = { "X-Centrifugo-Error-Mode": "transport" };
    expect(await row(server, none, headers)).toEqual({ status: 200, lines: [unknown] });
  });

  test.each([
    ["no method", '{"params":{"channel":"kept:a","data":1}}'],
    ["a null method", '{"method":null}'],
    ["null", "null"],
    ["no params", '{"method":"disconnect"}'],
    ["null params", '{"method":"disconnect","params":null}'],
    ["params that are a list", '{"method":"publish","params":[]}'],
  ])("%s is error 107", async (_name, command) => {
    await using server = await bootStreaming();
    using nobody = await connectClient(server, {});
    expect(await row(server, command)).toEqual({ status: 200, lines: [bad] });
    expect(await nobody.arrived()).toEqual([]);
  });

  test.each([
    ["empty", ""],
    ["white space", " \n "],
    ["a list", "[]"],
    ["a number", "7"],
    ["an unknown method", '{"method":"none"}'],
    ["batch, which is no method", '{"method":"batch","params":{"commands":[]}}'],
    ["a method that is a number", '{"method":0}'],
    ["__proto__", '{"method":"__proto__"}'],
    ["no JSON", "{"],
  ])("a body that is %s is 400, and nothing was done", async (_name, last) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    expect((await row(server, last)).status).toBe(400);
    if (last.trim() === "") return;
    expect((await row(server, `${publish(1)}\n${last}`)).status).toBe(400);
    const { publications } = await apiResult(server, "history", { channel: "kept:a", limit: 1 });
    expect(publications).toEqual([]);
  });

  test("takes BATCH_COMMANDS_MAX commands, and not one more", async () => {
    await using server = await bootStreaming();
    const filled = (count: number) => row(server, "{}".repeat(count));
    expect((await filled(BATCH_COMMANDS_MAX)).lines).toHaveLength(BATCH_COMMANDS_MAX);
    expect((await filled(BATCH_COMMANDS_MAX + 1)).status).toBe(400);
  });
});

test("info counts this node's clients, users, channels and subscriptions", async () => {
  await using server = await bootStreaming({ namespaces: [{ name: "open", ...OPEN }] });
  using one = await connectClient(server, { sub: "1" });
  using two = await connectClient(server, { sub: "1" });
  for (const client of [one, two]) await subscribed(client, "open:a");
  await subscribed(one, "open:b");
  await server.advance(61_000);
  const { body } = await call(server, { path: "/api/info", headers: KEY, body: "{}" });
  expect(body).toEqual({
    result: {
      nodes: [
        {
          ...{ uid: expect.stringMatching(/^[0-9a-f-]{36}$/), name: expect.any(String) },
          ...{ version: packageJson.version, uptime: 61 },
          ...{ num_clients: 2, num_users: 1, num_channels: 2, num_subs: 3 },
        },
      ],
    },
  });
});
