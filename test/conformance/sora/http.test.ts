/** The HTTP API's frame: targets, errors in their order, CORS and whom it serves (sora-push.md §1.1 to §1.3, items 5 to 18 and 21). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { hashApiKey } from "../../../src/auth/api-keys.ts";
import { PRODUCTION } from "../../support/callers.ts";
import { connectRaw } from "../../support/raw-websocket.ts";
import { ANSWER } from "../../support/scripted-peers.ts";
import { bootServer } from "../../support/server.ts";
import { bootSora, callSora, CONNECT, TARGETS, type SoraServer } from "../../support/sora.ts";

const BODY = { channel_id: "sora", data: { spam: "egg" } };
const ECHO = '{"data":{"spam":"egg"},"type":"push"}';

let server: SoraServer;
beforeAll(async () => {
  server = await bootSora();
});
afterAll(() => server[Symbol.asyncDispose]());

const invalid = (error: string, data: unknown, path: readonly string[]) => ({
  error_type: "InvalidJSON",
  error_reason: [{ invalid: "data", error, data, path, schema: expect.any(Object) }],
});
const reason = (version: string, operation: string) => ({ service: "Sora", version, operation });

describe("an answer", () => {
  test.each([
    ["compact", JSON.stringify(BODY)],
    [
      "with white space",
      '{\n    "channel_id": "sora",\n    "data": {\n        "spam": "egg"\n    }\n}\n',
    ],
  ])("is the published one for a body %s", async (_name, body) => {
    const headers = { "Accept-Encoding": "gzip, deflate" };
    const answer = await server.call(TARGETS.channel, body, { headers });
    expect([answer.status, answer.text]).toEqual([200, ECHO]);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("content-length")).toBe("37");
    expect(answer.headers.get("content-encoding")).toBeNull();
    expect([...answer.headers.keys()].filter((name) => name.startsWith("access-"))).toEqual([]);
  });

  test("needs no content type, and the header's name is in any case", async () => {
    const answer = await server.call(undefined, JSON.stringify(BODY), {
      headers: { "X-SORA-TARGET": TARGETS.channel, "Content-Type": "" },
    });
    expect([answer.status, answer.text]).toEqual([200, ECHO]);
  });

  test("keeps the data as it was written, less its white space", async () => {
    const data = '{"n":9007199254740993,"é":"\\u00e9","b":null,"a":[1.0,{"":""}]}';
    const answer = await server.call(TARGETS.channel, `{"data": ${data} , "channel_id":"sora"}`);
    expect(answer.text).toBe(`{"data":${data},"type":"push"}`);
  });
});

describe("a refusal", () => {
  type Case = readonly [name: string, target: string | undefined, body: unknown, json: object];
  const CASES: readonly Case[] = [
    ["no target", undefined, BODY, { type: "MissingHeaderName" }],
    ["a target of no form", "spam.egg", BODY, { error_type: "MissingService" }],
    [
      "a version of seven digits",
      "Sora_2016071.PushChannel",
      BODY,
      { error_type: "MissingService" },
    ],
    ["another service", "Foo_20160711.PushChannel", BODY, { error_type: "InvalidTarget" }],
    ["another case", "sora_20160711.PushChannel", BODY, { error_type: "InvalidTarget" }],
    ["no body, unknown", "Sora_20160711.Nope", undefined, { error_type: "MissingTarget" }],
    [
      ...(["no body, known", TARGETS.channel, undefined] as const),
      { error_type: "MissingTargetFunction", error_reason: reason("20160711", "PushChannel") },
    ],
    [
      ...(["no JSON", TARGETS.channel, "abc"] as const),
      { error_type: "InvalidJSON", error_reason: [{ invalid: "parse" }] },
    ],
    [
      ...(["no JSON, unknown", "Sora_20160711.Nope", "abc"] as const),
      { error_type: "InvalidJSON", error_reason: [{ invalid: "parse" }] },
    ],
    [
      ...(["unknown", "Sora_20160711.Nope", {}] as const),
      { error_type: "SchemaNotFound", error_reason: reason("20160711", "Nope") },
    ],
    [
      ...(["another version", "Sora_20160711.PushChannelByRole", BODY] as const),
      { error_type: "SchemaNotFound", error_reason: reason("20160711", "PushChannelByRole") },
    ],
    ["no object", TARGETS.channel, [1], invalid("wrong_type", [1], [])],
    [
      ...(["no channel_id", TARGETS.channel, { data: {} }] as const),
      invalid("missing_required_property", "channel_id", []),
    ],
    [
      ...(["a number for channel_id", TARGETS.channel, { channel_id: 1, data: {} }] as const),
      invalid("wrong_type", 1, ["channel_id"]),
    ],
    [
      ...(["no data", TARGETS.channel, { channel_id: "sora" }] as const),
      invalid("missing_required_property", "data", []),
    ],
    ...[[1], "x", null, 1, true].map((data): Case => [
      `data ${JSON.stringify(data)}`,
      TARGETS.channel,
      { channel_id: "sora", data },
      invalid("wrong_type", data, ["data"]),
    ]),
    [
      ...(["another role", TARGETS.role, { ...BODY, role: "viewer" }] as const),
      invalid("not_in_enum", "viewer", ["role"]),
    ],
    [
      ...(["no client_id", TARGETS.client, BODY] as const),
      invalid("missing_required_property", "client_id", []),
    ],
  ];

  test.each(CASES)("of %s", async (_name, target, body, json) => {
    const answer = await server.call(target, body);
    expect([answer.status, answer.json]).toEqual([400, json as never]);
    expect(answer.headers.get("content-type")).toBe("application/json");
  });

  test("of a body that is no UTF-8, and of half a surrogate pair as a name", async () => {
    const headers = { "x-sora-target": TARGETS.channel };
    const body = new Uint8Array([...Buffer.from('{"channel_id":"'), 0xff, ...Buffer.from('"}')]);
    const response = await fetch(server.apiUrl, { method: "POST", headers, body });
    expect([response.status, await response.json()]).toEqual([
      400,
      { error_type: "InvalidJSON", error_reason: [{ invalid: "parse" }] },
    ]);
    // Nobody can be in such a channel.
    const half = await server.call(TARGETS.channel, '{"channel_id":"\\ud800","data":{}}');
    expect([half.status, half.text]).toEqual([200, '{"data":{},"type":"push"}']);
  });

  test("of another method, where no page of the server's is", async () => {
    for (const method of ["PUT", "DELETE", "OPTIONS"]) {
      const answer = await server.call(undefined, undefined, { method });
      expect([method, answer.status, answer.json]).toEqual([
        ...[method, 400],
        { type: "UnexpectedMethod" },
      ] as never);
    }
  });

  test("a body at the limit is taken, one byte more is 413, and the next call is served", async () => {
    await using small = await bootSora({ sora: { body_size_limit: 1024 } });
    const body = (bytes: number) => {
      const empty = JSON.stringify({ channel_id: "sora", data: { a: "" } }).length;
      return { channel_id: "sora", data: { a: "x".repeat(bytes - empty) } };
    };
    expect((await small.call(TARGETS.channel, body(1024))).status).toBe(200);
    const large = await small.call(TARGETS.channel, body(1025));
    expect([large.status, large.json]).toEqual([413, { error_type: "PayloadTooLarge" }]);
    expect((await small.call(TARGETS.channel, BODY)).status).toBe(200);
  });

  test("the default limit is the original's", async () => {
    const body = `{"channel_id":"sora","data":{"a":"${"x".repeat(8_000_001)}"}}`;
    expect((await server.call(TARGETS.channel, body)).status).toBe(413);
    expect((await server.call(TARGETS.channel, BODY)).status).toBe(200);
  });
});

describe("CORS", () => {
  const ORIGIN = "http://127.0.0.1:5000";
  const CORS = {
    "access-control-allow-origin": ORIGIN,
    "access-control-allow-methods": "POST, OPTIONS",
    "access-control-allow-headers": "Origin, X-Requested-With, Content-Type, Accept, x-sora-target",
    "access-control-max-age": "1000",
  };
  const corsOf = ({ headers }: { readonly headers: Headers }) =>
    Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control")));

  test("has exactly four headers on whatever is answered", async () => {
    await using open = await bootSora({ sora: { cors_origin: ORIGIN } });
    const preflight = await open.call(undefined, undefined, { method: "OPTIONS" });
    expect([preflight.status, preflight.text, corsOf(preflight)]).toEqual([200, "", CORS] as never);
    const page = { Origin: ORIGIN, "Sec-Fetch-Site": "cross-site" };
    for (const [target, status] of [
      [TARGETS.channel, 200],
      [undefined, 400],
    ] as const) {
      const answer = await open.call(target, BODY, { headers: page });
      expect([answer.status, corsOf(answer)]).toEqual([status, CORS] as never);
    }
    const foreign = await open.call(TARGETS.channel, BODY, {
      headers: { Origin: "https://evil.example" },
    });
    expect([foreign.status, corsOf(foreign)]).toEqual([403, CORS] as never);
    expect(foreign.json).toMatchObject({ error_type: "Forbidden" });
  });
});

describe("who calls", () => {
  test("a page of another site is refused where no key is asked for", async () => {
    for (const headers of [
      { "Sec-Fetch-Site": "cross-site" },
      { Origin: "https://evil.example" },
      { Origin: "https://evil.example", "X-API-Key": "dev-api-key" },
    ] as const) {
      const answer = await server.call(TARGETS.channel, BODY, { headers });
      expect([answer.status, answer.json]).toEqual([
        403,
        { error_type: "Forbidden", error_reason: { detail: expect.stringContaining("origins") } },
      ] as never);
    }
  });

  test("beyond loopback a key of the scope is asked for, before the body is looked at", async () => {
    const key = (id: string, scopes: readonly string[]) => ({ id, hash: hashApiKey(id), scopes });
    const config = {
      ...PRODUCTION,
      api_keys: [key("sora", ["sora"]), key("other", ["gusher"])],
      channel: { without_namespace: { dialects: ["streaming", "gusher", "sora"] } },
      sora: { enabled: true, port: 0 },
    };
    await using closed = await bootServer({ config });
    const call = (headers: Readonly<Record<string, string>>, body: unknown = "abc") =>
      callSora(closed.apiUrl, TARGETS.channel, body, { headers });
    for (const headers of [{}, { "X-API-Key": "nobody" }, { "X-API-Key": "other" }] as const) {
      const answer = await call(headers);
      expect([answer.status, answer.json]).toMatchObject([401, { error_type: "Unauthorized" }]);
    }
    expect((await call({ "X-API-Key": "sora" }, BODY)).text).toBe(ECHO);
    expect((await call({ Authorization: "Bearer sora" }, BODY)).text).toBe(ECHO);
  });

  test("an app's calls come by its own address", async () => {
    const apps = [{ id: "one" }, { id: "two", path_prefix: "/two" }];
    const keys = { api_keys: [], signing_keys: [] };
    await using both = await bootSora({
      config: { apps, ...keys },
      sora: { unknown_target: "error" },
    });
    const socket = await connectRaw(both.signalingUrl.replace("/signaling", "/two/signaling"));
    socket.send(JSON.stringify(CONNECT));
    await socket.next();
    socket.send(JSON.stringify({ type: "answer", sdp: ANSWER }));
    await socket.next();
    expect((await both.call(TARGETS.channel, BODY)).status).toBe(400);
    expect((await both.call(TARGETS.channel, BODY, { url: "/two" })).status).toBe(200);
    expect((await socket.next()).text).toBe(ECHO);
    socket.destroy();
  });
});

describe("a listener of its own", () => {
  async function freePort(): Promise<number> {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address() as { port: number };
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }

  test("answers every path", async () => {
    const port = await freePort();
    await using own = await bootSora({ sora: { port } });
    const url = `http://127.0.0.1:${port}`;
    const answer = await callSora(url, TARGETS.channel, BODY);
    expect([answer.status, answer.text]).toEqual([200, ECHO]);
    const get = await callSora(url, undefined, undefined, { method: "GET" });
    expect([get.status, get.json]).toEqual([400, { type: "UnexpectedMethod" }]);
    const other = await callSora(url, TARGETS.channel, BODY, { url: "/x" });
    expect([other.status, other.text]).toEqual([404, ""]);
    // The tasks' calls share `api` alone.
    const task = { id: 1, method: "get_envoy_token", params: {} };
    expect((await callSora(url, undefined, task)).json).toEqual({ type: "MissingHeaderName" });
    expect((await own.call(undefined, task)).json).toMatchObject({ id: 1 });
  });

  test("that is taken is a warning", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    await using own = await bootSora({ sora: { port } });
    expect(own.logged).toContainEqual(expect.objectContaining({ level: 40, dialect: "sora" }));
    expect((await own.call(TARGETS.channel, BODY)).status).toBe(200);
    taken.close();
  });
});
