/** Hostile calls of streaming's server API: the documented status or error, and no bug in the log. */
import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { API_METHODS, RAW_MEMBERS } from "../../src/dialects/streaming/api-schema.ts";
import { exchange } from "../support/hostile.ts";
import { bytes, nested } from "../support/hostile-frames.ts";
import { hostileServer } from "../support/hostile-server.ts";
import { BAD_REQUEST } from "../support/streaming.ts";

const server = hostileServer();

describe("the server API", () => {
  const headers = { "X-API-Key": "dev-api-key" };
  const post = (method: string, body: string | Uint8Array<ArrayBuffer>) =>
    fetch(`${server().apiUrl}/api/${method}`, { method: "POST", headers, body });

  test.each([
    ["a body that is cut off", "content-length: 500\r\n\r\n{}"],
    ["a chunk without a length", "transfer-encoding: chunked\r\n\r\nzz\r\n\r\n"],
    ["a chunk that is cut off", "transfer-encoding: chunked\r\n\r\nff\r\n{"],
  ])("%s is refused", async (_, rest) => {
    const head = "POST /api/info HTTP/1.1\r\nhost: localhost\r\nx-api-key: dev-api-key\r\n";
    const answer = await exchange(server().apiUrl, head + rest, { end: true });
    expect(answer).toStartWith("HTTP/1.1 400 ");
  });

  test("a body that arrives byte by byte is taken", async () => {
    const body = '{"channel":"public:slow","data":1}';
    const chunks = Array.from(body, (letter) => `1\r\n${letter}\r\n`).join("");
    const head =
      "POST /api/publish HTTP/1.1\r\nhost: localhost\r\nx-api-key: dev-api-key\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    expect(await exchange(server().apiUrl, `${head}${chunks}0\r\n\r\n`)).toContain('"result"');
  });

  test("a body of body_size_limit bytes is taken and one byte more is 413, with and without its length", async () => {
    const data = (size: number) => `{"data":"${"x".repeat(size - 11)}"}`;
    expect((await post("info", data(524_288))).status).toBe(200);
    expect((await post("info", data(524_289))).status).toBe(413);
    const chunked = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from(data(524_289)));
        controller.close();
      },
    });
    const answered = await fetch(`${server().apiUrl}/api/info`, {
      method: "POST",
      headers,
      body: chunked,
    });
    expect(answered.status).toBe(413);
    const claimed =
      "POST /api/info HTTP/1.1\r\nhost: localhost\r\nx-api-key: dev-api-key\r\ncontent-length: 99999999999\r\n\r\n{}";
    expect(await exchange(server().apiUrl, claimed, { until: "\r\n\r\n" })).toContain(" 413 ");
  });

  test.each<[string, string | Uint8Array<ArrayBuffer>]>([
    ["no JSON", "{"],
    ["text behind the value", "{}{}"],
    ["a deep body", nested(10_000)],
    ["a deep member", `{"channel":"public:x","data":${nested(10_000)}}`],
    ["500 KB of brackets", "[".repeat(500_000)],
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
    const response = await fetch(`${server().apiUrl}/api/${path}`, { method, headers });
    expect(response.status).toBe(status);
  });

  test.each([
    ["no key", {}],
    ["a wrong key", { "X-API-Key": "dev-api-kez" }],
    ["a key of 10 KB", { "X-API-Key": "x".repeat(10_000) }],
    ["an empty bearer", { Authorization: "Bearer " }],
  ])("%s is 401", async (_, wrong) => {
    const options = { method: "POST", headers: wrong, body: "{}" };
    expect((await fetch(`${server().apiUrl}/api/info`, options)).status).toBe(401);
  });

  describe("a member of the wrong type is error 107", () => {
    test.each(Object.keys(API_METHODS))("of %s", async (method) => {
      for (const body of wrongBodies(method)) {
        const response = await post(method, JSON.stringify(body));
        const answered = { body, status: response.status, answer: await response.json() };
        expect(answered).toEqual({
          body,
          status: 200,
          answer: { error: { code: 107, message: BAD_REQUEST } },
        });
      }
    });

    test("of a batch", async () => {
      const wrong = Object.keys(API_METHODS).flatMap((method) =>
        wrongBodies(method).map((body) => ({ [method]: body })),
      );
      const { replies = [] } = await server().api("batch", { commands: wrong });
      expect(replies).toHaveLength(wrong.length);
      for (const [index, reply] of replies.entries()) {
        const error = { code: 107, message: BAD_REQUEST };
        expect({ wrong: wrong[index], reply }).toEqual({ wrong: wrong[index], reply: { error } });
      }
    });

    test.each([
      '{"commands":{}}',
      '{"commands":[1,null,[],"publish",{},{"publish":[]},{"publish":null}]}',
      '{"commands":[{"__proto__":{}},{"constructor":{}},{"batch":{"commands":[]}}]}',
      "[]",
      "null",
      "7",
    ])("of a batch that is none: %s", async (body) => {
      const response = await post("batch", body);
      expect(response.status).toBe(200);
      const { error, replies } = (await response.json()) as BatchAnswer;
      expect(replies ?? [{ error }]).not.toBeEmpty();
      for (const reply of replies ?? [{ error }]) expect(reply.error).toBeDefined();
    });
  });
});

interface BatchAnswer {
  readonly error?: object;
  readonly replies?: readonly { readonly error?: object }[];
}

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
  readonly type?: string | readonly string[];
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
  const types = [inner.type ?? []].flat();
  const fits = (type: string) =>
    types.includes(type) || (type === "integer" && types.includes("number"));
  const wrong = VALUES.filter(([type]) => !fits(type)).map(([, value]) => value);
  if (types.includes("integer")) wrong.push(2 ** 53);
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
