/** The server API's envelope: credentials, methods, errors, batches (centrifugo-protocol.md §17). */
import { describe, expect, test } from "bun:test";
import { hashApiKey } from "../../../src/auth/api-keys.ts";
import {
  API_KEY as KEY,
  BAD_REQUEST,
  bootStreaming,
  callApi as call,
  connectClient,
  HISTORY,
} from "../../support/streaming.ts";

describe("credentials", () => {
  const bearer = (scheme: string, key: string) => ({ Authorization: `${scheme} ${key}` });

  test.each([
    ["X-API-Key", "", KEY, 200],
    ["Authorization: apikey", "", bearer("apikey", "dev-api-key"), 200],
    ["in capitals", "", bearer("APIKEY", "dev-api-key"), 200],
    ["?api_key=", "?api_key=dev-api-key", {}, 200],
    ["none", "", {}, 401],
    ["a wrong X-API-Key", "", { "X-API-Key": "other" }, 401],
    ["an empty X-API-Key", "", { "X-API-Key": "" }, 401],
    ["a wrong Authorization", "", bearer("apikey", "other"), 401],
    ["another scheme", "", bearer("Basic", "dev-api-key"), 401],
    ["a wrong ?api_key=", "?api_key=other", {}, 401],
    ["the start of the key", "", { "X-API-Key": "dev-api-ke" }, 401],
    ["the key's hash", "", { "X-API-Key": hashApiKey("dev-api-key") }, 401],
  ])("%s", async (_name, query, headers, status) => {
    await using server = await bootStreaming();
    const answer = await call(server, { path: `/api/channels${query}`, headers, body: "{}" });
    expect(answer.status).toBe(status);
    if (status === 200) expect(answer.body).toEqual({ result: { channels: {} } });
  });

  test.each([
    ["without a configured key", []],
    [
      "with a key of another scope",
      [{ id: "other", hash: hashApiKey("dev-api-key"), scopes: ["events"] }],
    ],
  ])("%s: 401", async (_name, api_keys) => {
    await using server = await bootStreaming({ config: { api_keys } });
    const answer = await call(server, { path: "/api/channels", headers: KEY, body: "{}" });
    expect(answer.status).toBe(401);
  });

  test("a credential is asked for before anything else is told", async () => {
    await using server = await bootStreaming();
    for (const path of ["/api/none", "/api/publish", "/api", "/api/batch"]) {
      expect((await call(server, { path, body: "{" })).status).toBe(401);
    }
  });
});

describe("requests that are none", () => {
  test.each(["GET", "PUT", "DELETE", "PATCH"])("%s is 405", async (method) => {
    await using server = await bootStreaming();
    for (const path of ["/api/publish", "/api"]) {
      expect((await call(server, { path, method, headers: KEY })).status).toBe(405);
    }
  });

  test.each([
    ["not JSON", "channel"],
    ["half of it", '{"channel":'],
    ["more than it", '{"channel":"a"}}'],
    ["empty", ""],
    ["white space", " \n"],
    ["bytes that are no text", "\ud800"],
  ])("a body that is %s is 400", async (_name, text) => {
    await using server = await bootStreaming();
    const body = text === "\ud800" ? new Uint8Array([0x22, 0xff, 0x22]) : text;
    const url = `${server.apiUrl}/api/publish`;
    const response = await fetch(url, { method: "POST", headers: KEY, body });
    expect(response.status).toBe(400);
  });

  test("an unknown method is 404", async () => {
    await using server = await bootStreaming();
    expect((await call(server, { path: "/api/none", headers: KEY, body: "{}" })).status).toBe(404);
  });

  test.each([
    ["an array", "[]"],
    ["null", "null"],
    ["text", '"a"'],
    ["a channel that is a number", '{"channel":1,"data":{}}'],
    ["a limit that is text", '{"channel":"a","data":{},"tags":{"a":1}}'],
  ])("%s is error 107", async (_name, body) => {
    await using server = await bootStreaming();
    expect(await call(server, { path: "/api/publish", headers: KEY, body })).toEqual({
      status: 200,
      body: { error: { code: 107, message: BAD_REQUEST } },
    });
  });

  test("unknown members are ignored, null ones absent", async () => {
    await using server = await bootStreaming({ namespaces: [{ name: "kept", ...HISTORY }] });
    const body = '{"channel":"kept:a","x":1,"since":null,"limit":null}';
    expect(await call(server, { path: "/api/history", headers: KEY, body })).toMatchObject({
      body: { result: { publications: [], offset: 0 } },
    });
    const since = '{"channel":"kept:a","limit":1,"since":{"offset":0,"x":1}}';
    expect(await call(server, { path: "/api/history", headers: KEY, body: since })).toMatchObject({
      body: { result: { publications: [], offset: 0 } },
    });
  });
});

describe("errors", () => {
  const NAMESPACES = [{ name: "ns" }, { name: "kept", ...HISTORY }];

  test.each([
    ["publish to no channel", "publish", { channel: "", data: {} }, 107, BAD_REQUEST, 400],
    ["publish without a channel", "publish", { data: {} }, 107, BAD_REQUEST, 400],
    ["publish without data", "publish", { channel: "ns:a" }, 107, BAD_REQUEST, 400],
    [
      "publish to an unknown namespace",
      "publish",
      { channel: "none:a", data: {} },
      102,
      "unknown channel",
      404,
    ],
    ["broadcast to nothing", "broadcast", { channels: [], data: {} }, 107, BAD_REQUEST, 400],
    ["subscribe to no channel", "subscribe", { user: "1", channel: "" }, 107, BAD_REQUEST, 400],
    [
      "subscribe to an unknown one",
      "subscribe",
      { user: "1", channel: "none:a" },
      102,
      "unknown channel",
      404,
    ],
    ["presence of none", "presence", { channel: "" }, 107, BAD_REQUEST, 400],
    ["presence that is off", "presence", { channel: "ns:a" }, 108, "not available", 400],
    ["presence of an unknown one", "presence", { channel: "none:a" }, 102, "unknown channel", 404],
    [
      "presence_stats that is off",
      "presence_stats",
      { channel: "ns:a" },
      108,
      "not available",
      400,
    ],
    ["history that is off", "history", { channel: "ns:a" }, 108, "not available", 400],
    ["history of an unknown one", "history", { channel: "none:a" }, 102, "unknown channel", 404],
    [
      "history_remove that is off",
      "history_remove",
      { channel: "ns:a" },
      108,
      "not available",
      400,
    ],
    [
      "history of another epoch",
      "history",
      { channel: "kept:a", limit: 1, since: { offset: 1, epoch: "x" } },
      112,
      "unrecoverable position",
      416,
    ],
    [
      "history reversed from 0",
      "history",
      { channel: "kept:a", limit: 1, reverse: true, since: { offset: 0, epoch: "" } },
      107,
      BAD_REQUEST,
      400,
    ],
    ["rpc", "rpc", { method: "a", params: {} }, 104, "not found", 404],
    [
      "disconnect with a code that no close frame has",
      "disconnect",
      { user: "1", disconnect: { code: 1006, reason: "a" } },
      107,
      BAD_REQUEST,
      400,
    ],
    [
      "disconnect with a reason that is JSON",
      "disconnect",
      { user: "1", disconnect: { code: 4500, reason: "{}" } },
      107,
      BAD_REQUEST,
      400,
    ],
    [
      "disconnect with a reason above 123 bytes",
      "disconnect",
      { user: "1", disconnect: { code: 4500, reason: "é".repeat(62) } },
      107,
      BAD_REQUEST,
      400,
    ],
  ] as const)("%s", async (_name, method, request, code, message, status) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const path = `/api/${method}`;
    const body = JSON.stringify(request);
    expect(await call(server, { path, headers: KEY, body })).toEqual({
      status: 200,
      body: { error: { code, message } },
    });
    const headers = { ...KEY, "X-Centrifugo-Error-Mode": "transport" };
    expect(await call(server, { path, headers, body })).toEqual({
      status,
      body: { code, message },
    });
  });

  test("the transport mode leaves results as they are", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    const headers = { ...KEY, "X-Centrifugo-Error-Mode": "transport" };
    expect(await call(server, { path: "/api/channels", headers, body: "{}" })).toEqual({
      status: 200,
      body: { result: { channels: {} } },
    });
  });
});

describe("what 107 says", () => {
  const WRONG = [
    [
      "publish",
      { channel: 5, data: 1 },
      '"channel" is not valid: expected string, received number',
    ],
    ["publish", { data: 1 }, '"channel" is missing'],
    ["publish", { channel: "", data: 1 }, '"channel" is empty'],
    ["publish", { channel: "ns:a" }, "A publication needs data"],
    [
      "publish",
      { channel: "ns:a", data: 1, tags: { a: 1 } },
      '"tags" is not valid: must be an object of strings',
    ],
    [
      "history",
      { channel: "ns:a", since: { offset: -1 } },
      '"since.offset" is not valid: Too small: expected number to be >=0',
    ],
    [
      "broadcast",
      { channels: ["a", 7] },
      '"channels.1" is not valid: expected string, received number',
    ],
    ["subscribe", { user: "1", channel: "ns:a", expire_at: 1 }, '"expire_at" is in the past'],
    [
      "disconnect",
      { user: "1", disconnect: { code: 4000, reason: "1" } },
      '"disconnect.reason" is not valid: must be at most 123 bytes that are not JSON',
    ],
  ] as const;
  const config = (development: boolean) => ({
    development,
    channel: { without_namespace: { dialects: ["streaming"] }, namespaces: [{ name: "ns" }] },
  });

  test.each(WRONG)(
    "%s %j: in development mode which member is wrong",
    async (method, request, why) => {
      await using server = await bootStreaming({ config: config(true) });
      const { error } = await server.api(method, request);
      expect(error).toEqual({ code: 107, message: `bad request: ${why}` });
      const { replies } = await server.api("batch", { commands: [{ [method]: request }] });
      expect(replies).toEqual([{ error }]);
    },
  );

  test("to clients too", async () => {
    await using server = await bootStreaming({ config: config(true) });
    using client = await connectClient(server, { sub: "1" });
    expect(await client.ask({ subscribe: { channel: `ns:${"a".repeat(253)}` } })).toEqual({
      error: { code: 107, message: "bad request: The channel name is too long" },
    });
  });

  test("elsewhere nothing more", async () => {
    await using server = await bootStreaming({ config: config(false) });
    for (const [method, request] of WRONG) {
      const { error } = await server.api(method, request);
      expect(error).toEqual({ code: 107, message: "bad request" });
    }
    using client = await connectClient(server, { sub: "1" });
    expect(await client.ask({ subscribe: { channel: "é" } })).toEqual({
      error: { code: 107, message: "bad request" },
    });
  });
});
