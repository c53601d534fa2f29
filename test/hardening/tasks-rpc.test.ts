/** Hostile input of the JSON-RPC API: always a documented answer, never a bug, and the neighbour does not notice. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { Ajv2020 } from "ajv/dist/2020.js";
import { exchange, expectNoBugs, startNeighbour, type Neighbour } from "../support/hostile.ts";
import { createRandom, randomFrom, type Random } from "../support/random.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import {
  callRpc,
  failureOf,
  issueToken,
  postRpc,
  sign,
  signed,
  type RpcAnswer,
} from "../support/tasks-rpc.ts";
import { readOpenApi } from "../support/openapi.ts";

const CASES = process.env["CARILLON_SOAK"] === "1" ? 100_000 : 2_000;
const AT_ONCE = 25;
const UNLIMITED = {
  token_calls_burst: 10_000_000,
  invoke_calls_burst: 10_000_000,
  task_invokes_per_second: 10_000_000,
};

let server: BootedServer;
let neighbour: Neighbour;
let responses: Readonly<Record<string, { content?: Record<string, { schema: object }> }>>;
const ajv = new Ajv2020({ strict: false, validateFormats: false });

beforeAll(async () => {
  server = await bootServer({ config: { tasks: UNLIMITED } });
  neighbour = await startNeighbour(server);
  const { paths } = await readOpenApi<{
    paths: Record<string, { post: { responses: typeof responses } }>;
  }>(server.apiUrl);
  responses = paths["/rpc"]?.post.responses ?? {};
});
afterAll(async () => {
  neighbour.close();
  await server[Symbol.asyncDispose]();
});
afterEach(async () => {
  await neighbour.check();
  expectNoBugs(server);
});

function expectDocumented({ status, text }: RpcAnswer): void {
  const schema = responses[`${status}`]?.content?.["application/json"]?.schema;
  expect([status, text.slice(0, 200), ajv.validate(schema ?? false, JSON.parse(text))]).toEqual([
    ...[status, text.slice(0, 200), true],
  ]);
  // An id as long as what was sent has been sent back; nothing else grows.
  expect([200, 400, 413]).toContain(status);
}

const post = (body: string | Uint8Array<ArrayBuffer>) => postRpc(server, body);
const code = async (body: string) => failureOf(await post(body))[0];

describe("shapes", () => {
  test.each([
    [
      "names of the language's own",
      '{"__proto__":{"method":"get_envoy_token"},"constructor":1}',
      -32600,
    ],
    ["a method of the language's own", '{"method":"toString"}', -32601],
    [
      "a member __proto__ in params",
      '{"method":"get_envoy_token","params":{"__proto__":{"Task":{}}}}',
      -32602,
    ],
    ["a NUL in a name", '{"method\\u0000":"get_envoy_token"}', -32600],
    ["a name in full-width letters", '{"ｍethod":"get_envoy_token"}', -32600],
    ["a Kelvin sign for a k", '{"method":"get_envoy_token","params":{"tas\u212a":1}}', -32602],
    [
      "both signs for a k",
      '{"method":"get_envoy_token","params":{"Task":{},"tas\u212a":{}}}',
      -32600,
    ],
    ["nesting below what is read", `{"method":"get_envoy_token","params":${nested(998)}}`, -32602],
    ["nesting beyond it", `{"method":"get_envoy_token","params":${nested(1001)}}`, -32700],
    [
      "a nested timeout",
      `{"method":"get_envoy_token","params":{"Task":{"timeout":${nested(990)}}}}`,
      -32602,
    ],
    [
      "a huge number",
      `{"method":"get_envoy_token","params":{"Task":{"timeout":${"9".repeat(100_000)}}}}`,
      -32602,
    ],
    [
      "a tiny number",
      `{"method":"get_envoy_token","params":{"Task":{"timeout":0.${"0".repeat(100_000)}1}}}`,
      -32602,
    ],
    ["only commas", ",".repeat(200_000), -32700],
    ["only brackets", "[".repeat(200_000), -32700],
    ["only white space", " ".repeat(200_000), -32700],
    ["an unclosed string of escapes", `"${"\\\\".repeat(100_000)}`, -32700],
    ["two texts", '{"method":"nothing"}{"method":"nothing"}', -32700],
    ["a comment", '{"method":"nothing"/**/}', -32700],
    ["another encoding", "\u0000{\u0000}", -32700],
  ])("%s", async (_, body, expected) => {
    expect(await code(body)).toBe(expected);
  });

  test("many members, and members many times", async () => {
    const many = Array.from({ length: 15_000 }, (_, index) => `"m${index}":0`).join(",");
    expect(await code(`{"method":"nothing",${many}}`)).toBe(-32601);
    expect(await code(`{"method":"nothing",${'"a":0,'.repeat(30_000)}"a":0}`)).toBe(-32601);
    expect(await code(`{"method":"nothing",${'"a":0,'.repeat(30_000)}"A":0}`)).toBe(-32600);
  });

  test("an id as long as a body comes back as it was", async () => {
    const id = JSON.stringify("\u2028\u{1f514}\\".repeat(20_000));
    const { text } = await post(`{"id":${id},"method":"nothing"}`);
    expect(text).toBe(
      `{"id":${id},"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"}}`,
    );
  });

  test("a batch of the largest contexts", async () => {
    const params = { Task: { task_context: { text: "x".repeat(4085) } } };
    const { status, text } = await post(
      JSON.stringify(Array(50).fill({ method: "get_envoy_token", params })),
    );
    const ids = (JSON.parse(text) as { result: { task_id: string } }[]).map(
      ({ result }) => result.task_id,
    );
    expect([status, ids.length, new Set(ids).size]).toEqual([200, 50, 1]);
  });
});

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
}

describe("credentials", () => {
  const body = '{"method":"nothing"}';
  const refused = async (headers: Record<string, string>) => {
    const answer = await postRpc(server, body, { headers });
    expect([answer.status, failureOf(answer)[0]]).toEqual([401, -32001]);
  };

  test("of absurd lengths and forms", async () => {
    const long = "f".repeat(8_000);
    await refused({ "public-id": long, sign: long });
    await refused({ "public-id": "__proto__", sign: sign(body) });
    await refused({ "public-id": "dev", sign: `0x${sign(body).slice(2)}` });
    await refused({ "public-id": "dev", sign: `${sign(body)}, ${sign(body)}` });
    await refused({ "x-api-key": long });
    await refused({ authorization: `Bearer ${long}` });
    await refused({ ...signed(body), "sign-timestamp": "9".repeat(4_000) });
  });

  test("a header that comes twice is not the one that was signed", async () => {
    const lines = [
      ...[
        "POST /rpc HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        `Content-Length: ${body.length}`,
      ],
      ...["public-id: dev", "public-id: dev", `sign: ${sign(body)}`, "", body],
    ];
    const answer = await exchange(server.apiUrl, lines.join("\r\n"));
    expect(answer).toContain(" 401 ");
  });

  test("a compressed body is refused, also one that is signed", async () => {
    const packed = new Uint8Array(gzipSync(body));
    const answer = await postRpc(server, packed, {
      headers: { ...signed(packed), "content-encoding": "gzip" },
    });
    expect([answer.status, failureOf(answer)[0]]).toEqual([415, -32700]);
  });

  test("a body that is not whole has no answer, and costs nobody anything", async () => {
    const head = ["POST /rpc HTTP/1.1", "Host: localhost", "Content-Length: 100", "", "{"].join(
      "\r\n",
    );
    const answer = await exchange(server.apiUrl, head, { end: true });
    expect(answer).not.toContain("200");
  });
});

test("ids, tokens and secrets of another server are worth nothing here", async () => {
  await using other = await bootServer();
  const { taskId, clientToken } = await issueToken(other, { task_context: "same" });
  const own = await issueToken(server, { task_context: "same" });
  expect(own.taskId).not.toBe(taskId);
  for (const method of ["invoke_envoy", "close_envoy", "get_envoy_status"]) {
    const answer = await callRpc(server, method, { task_id: taskId, message: "AA==" });
    expect(failureOf(answer)[0]).toBe(-32004);
  }
  const socket = new WebSocket(server.clientsUrl.replace("http", "ws"));
  socket.onopen = () => socket.send(JSON.stringify({ ClientToken: clientToken }));
  const closed = await new Promise<number>((resolve) => {
    socket.onclose = ({ code: closeCode }) => resolve(closeCode);
  });
  expect(closed).toBe(4502);
});

test("what the log tells of refused calls holds no credential, context or message", async () => {
  const secrets = ["context-7f3a", "bWVzc2FnZS03ZjNh", "key-7f3a"];
  const [context, message = "", key = ""] = secrets;
  const { taskId, clientToken } = await issueToken(server, { task_context: context });
  await callRpc(server, "get_envoy_token", { Task: { task_context: context, timeout: 0 } });
  await callRpc(server, "invoke_envoy", { task_id: taskId, message, new_timeout: -1 });
  await callRpc(server, "invoke_envoy", { task_id: taskId, message });
  await postRpc(server, "{}", { headers: { "x-api-key": key } });
  const body = "{}";
  const { sign: signature = "", ...rest } = signed(body, { secret: key });
  await postRpc(server, body, { headers: { ...rest, sign: signature } });
  const refusals = server.logged.filter(({ msg, dialect }) => {
    return msg === "API call refused" && dialect === "tasks";
  });
  expect(refusals.slice(-4)).toMatchObject([
    { method: "get_envoy_token", code: -32602, param: "Task.timeout", reason: "out_of_range" },
    { method: "invoke_envoy", code: -32602, param: "new_timeout" },
    { code: -32001 },
    { code: -32001 },
  ]);
  const log = JSON.stringify(server.logged);
  for (const secret of [...secrets, clientToken, signature, "dev-api-key"]) {
    expect(log).not.toContain(secret);
  }
});

describe("random bodies", () => {
  const { seed } = createRandom("tasks rpc");

  async function each(subject: number, run: (random: Random) => Promise<void>): Promise<void> {
    for (let from = 0; from < CASES; from += AT_ONCE) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, at) => {
          const caseSeed = seed + subject * 10_000_000 + from + at;
          try {
            await run(randomFrom(caseSeed));
          } catch (error) {
            throw new Error(`randomFrom(${caseSeed})`, { cause: error });
          }
        }),
      );
    }
  }

  test("valid calls with bytes changed, left out and added are answered as documented", async () => {
    const { taskId: task_id } = await issueToken(server);
    await each(1, async (random) => {
      const bytes = [...Buffer.from(randomCall(random, task_id))];
      for (let change = random.integer(4); change > 0; change--) {
        const at = random.integer(bytes.length);
        if (random.chance(0.5))
          bytes.splice(at, random.integer(3), ...random.bytes(random.integer(3)));
        else bytes.splice(at, 1, random.pick([...Buffer.from('"\\{}[],:')]));
      }
      expectDocumented(await post(Uint8Array.from(bytes)));
    });
  }, 1_800_000);

  test("any JSON in place of any part is answered as documented", async () => {
    const { taskId } = await issueToken(server);
    await each(2, async (random) => {
      const call = JSON.parse(randomCall(random, taskId)) as Record<string, unknown>;
      const holder = random.chance(0.4) ? call : (call["params"] as Record<string, unknown>);
      holder[random.pick([...Object.keys(holder), "id", "Task", "task_context"])] = random.json(4);
      const body = random.chance(0.1) ? Array(random.integer(4)).fill(call) : call;
      expectDocumented(await post(JSON.stringify(body)));
    });
  }, 1_800_000);

  function randomCall(random: Random, task_id: string): string {
    const task = { task_context: random.json(3), timeout: 1 + random.integer(10_080) };
    const message = Buffer.from(random.bytes(1 + random.integer(40))).toString("base64");
    return JSON.stringify(
      random.pick([
        { id: 1, method: "get_envoy_token", params: { reusable_minutes: 5, Task: task } },
        { id: "2", method: "invoke_envoy", params: { task_id, message, report: true } },
        { id: null, method: "get_envoy_status", params: { task_id } },
        { method: "close_envoy", params: { task_id } },
      ]),
    );
  }
});
