/** Who may call the JSON-RPC API (task-tokens.md §4.2; checklist 1 to 4). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hashApiKey } from "../../../src/auth/api-keys.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import {
  callRpc,
  failureOf,
  postRpc,
  sign,
  signed,
  type RpcAnswer,
} from "../../support/tasks-rpc.ts";

const VECTOR_SECRET = "s3cret";
/** §4.2. */
const VECTOR_BODY =
  '{"method":"invoke_envoy","params":{"task_id":"x","message":"aGVsbG8=","new_timeout":20}}';
const VECTOR_SIGN =
  "c9d01a7941dad7243662d83aa1cfed6dd61fb75a19000cce511bc92afe3973ede2a1c1145369bd2b98656cd709aa5e17cc67acd60c14c53bafff95be436b179f";
const STATUS = '{"method":"get_envoy_status","params":{"task_id":""}}';

const KEYS = {
  every: "evk_every",
  tasks: "evk_tasks",
  one: "evk_one",
  none: "evk_none",
  other: "evk_other",
};
const SCOPES: Record<string, string[]> = {
  every: ["*"],
  tasks: ["tasks"],
  one: ["tasks:get_envoy_token"],
  none: ["streaming"],
  other: ["tasks"],
};

const config = {
  development: false,
  apps: [{ id: "demo" }, { id: "other", path_prefix: "/other" }],
  signing_keys: [
    { use: "tasks", app: "demo", hmac_secret: VECTOR_SECRET },
    { use: "tasks", app: "other", hmac_secret: "new" },
    { use: "tasks", app: "other", hmac_secret: "old", until: "2026-11-01T01:00:00Z" },
  ],
  api_keys: Object.entries(KEYS).map(([id, key]) => ({
    ...{ id, hash: hashApiKey(key), scopes: SCOPES[id] },
    app: id === "other" ? "other" : "demo",
  })),
  channel: {},
  streaming: {},
  tasks: { enabled: true },
};

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer({ config });
});
afterAll(() => server[Symbol.asyncDispose]());

/** It got past the credential, and failed for what it asked. */
const expectAccepted = (answer: RpcAnswer) => expect(failureOf(answer)[0]).toBe(-32602);

const UNAUTHORIZED = '{"id":null,"jsonrpc":"2.0","error":{"code":-32001,"message":"Unauthorized"}}';

function expectRefused({ status, text, headers }: RpcAnswer): void {
  expect([status, text, headers.get("content-type")]).toEqual([
    ...[401, UNAUTHORIZED, "application/json"],
  ]);
}

describe("signatures", () => {
  test("the vector is accepted, one changed byte is 401 and -32001", async () => {
    const headers = { "public-id": "demo", sign: VECTOR_SIGN };
    expectAccepted(await postRpc(server, VECTOR_BODY, { headers }));
    const upper = { "public-id": "demo", sign: VECTOR_SIGN.toUpperCase() };
    expectAccepted(await postRpc(server, VECTOR_BODY, { headers: upper }));
    for (const at of [0, 11, VECTOR_BODY.length - 1]) {
      const bytes = Buffer.from(VECTOR_BODY);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      expectRefused(await postRpc(server, bytes, { headers }));
    }
  });

  test("the MAC is over the bytes as they came: equal JSON in other bytes is refused", async () => {
    const headers = { "public-id": "demo", sign: VECTOR_SIGN };
    const { method, params } = JSON.parse(VECTOR_BODY) as { method: string; params: object };
    for (const body of [JSON.stringify({ params, method }), `${VECTOR_BODY} `, ` ${VECTOR_BODY}`]) {
      expectRefused(await postRpc(server, body, { headers }));
    }
  });

  test("an unknown public id and a wrong signature are answered alike, byte for byte", async () => {
    const wrong: RpcAnswer[] = [];
    for (const headers of [
      { "public-id": "demo", sign: "0".repeat(128) },
      { "public-id": "nobody", sign: VECTOR_SIGN },
      { "public-id": "other", sign: VECTOR_SIGN },
      { "public-id": "DEMO", sign: VECTOR_SIGN },
      { "public-id": "demo", sign: "none" },
      { "public-id": "demo", sign: "" },
      { "public-id": "demo" },
      { sign: VECTOR_SIGN },
      {},
    ] as Record<string, string>[]) {
      wrong.push(await postRpc(server, VECTOR_BODY, { headers }));
    }
    for (const answer of wrong) {
      expectRefused(answer);
      answer.headers.delete("date");
      expect([...answer.headers]).toEqual([...(wrong[0]?.headers ?? [])]);
    }
  });

  test("whoever is refused learns nothing of what is wrong with the request", async () => {
    for (const body of ["{", "[]", '{"method":"nothing"}', "\ufffd", ""]) {
      expectRefused(await postRpc(server, body, { headers: signed(body, { secret: "x" }) }));
    }
  });

  test("requests work without Content-Type and with any", async () => {
    const headers = { "public-id": "demo", sign: VECTOR_SIGN };
    const bare = await fetch(`${server.apiUrl}/rpc`, {
      ...{ method: "POST", headers },
      body: Buffer.from(VECTOR_BODY),
    });
    expect(await bare.json()).toMatchObject({ error: { code: -32602 } });
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "nonsense"]) {
      expectAccepted(
        await postRpc(server, VECTOR_BODY, { headers: { ...headers, "content-type": type } }),
      );
    }
  });

  test("two secrets are good at a time, the former one up to its end", async () => {
    await using rotating = await bootServer({ config });
    const by = (secret: string) =>
      postRpc(rotating, STATUS, { headers: signed(STATUS, { publicId: "other", secret }) });
    expectAccepted(await by("new"));
    expectAccepted(await by("old"));
    await rotating.advance(3_599_999);
    expectAccepted(await by("old"));
    await rotating.advance(1);
    expectRefused(await by("old"));
    expectAccepted(await by("new"));
  });
});

describe("API keys", () => {
  test.each([
    ["Authorization: Bearer", (key: string) => ({ authorization: `Bearer ${key}` })],
    ["X-API-Key", (key: string) => ({ "x-api-key": key })],
    ["with its public-id", (key: string) => ({ "x-api-key": key, "public-id": "demo" })],
  ])("%s", async (_, headersOf) => {
    expectAccepted(await postRpc(server, STATUS, { headers: headersOf(KEYS.tasks) }));
    expectAccepted(await postRpc(server, STATUS, { headers: headersOf(KEYS.every) }));
    expectRefused(await postRpc(server, STATUS, { headers: headersOf("evk_wrong") }));
  });

  test("one of another app than the public-id is refused", async () => {
    const headers = { "x-api-key": KEYS.other, "public-id": "demo" };
    expectRefused(await postRpc(server, STATUS, { headers }));
  });

  test("a signature counts alone where there is one", async () => {
    const headers = {
      "x-api-key": KEYS.tasks,
      ...signed(STATUS, { secret: "wrong", publicId: "demo" }),
    };
    expectRefused(await postRpc(server, STATUS, { headers }));
  });

  test("a key may be for one method, or for another dialect: -32002 and 403", async () => {
    const by = (key: string, method: string) =>
      callRpc(server, method, {}, { headers: { "x-api-key": key } });
    expect(failureOf(await by(KEYS.one, "get_envoy_token"))[0]).toBe(-32602);
    for (const [key, method] of [
      [KEYS.one, "invoke_envoy"],
      [KEYS.none, "get_envoy_token"],
    ] as const) {
      const answer = await by(key, method);
      expect([answer.status, answer.text]).toEqual([
        ...[403, '{"id":"2","jsonrpc":"2.0","error":{"code":-32002,"message":"Forbidden"}}'],
      ]);
    }
  });
});

test("a suspended app's calls are -32002, another app's go on", async () => {
  await using suspended = await bootServer({
    config: { ...config, tasks: { enabled: true, apps: [{ id: "demo", suspended: true }] } },
  });
  const headers = signed(STATUS, { publicId: "demo", secret: VECTOR_SECRET });
  const answer = await postRpc(suspended, STATUS, { headers });
  expect([answer.status, failureOf(answer)[0]]).toEqual([403, -32002]);
  const other = signed(STATUS, { publicId: "other", secret: "new" });
  expectAccepted(await postRpc(suspended, STATUS, { headers: other }));
});

describe("development mode", () => {
  test("a call without any credential is app dev's, a wrong or half one is refused", async () => {
    await using dev = await bootServer();
    expectAccepted(await postRpc(dev, STATUS, { headers: {} }));
    expectAccepted(await postRpc(dev, STATUS));
    expectAccepted(await postRpc(dev, STATUS, { headers: { "x-api-key": "dev-api-key" } }));
    for (const headers of [
      { "public-id": "dev" },
      { sign: sign(STATUS) },
      { "public-id": "dev", sign: sign(STATUS, { secret: "other" }) },
      { "x-api-key": "other" },
      { authorization: "Bearer other" },
    ] as Record<string, string>[]) {
      expectRefused(await postRpc(dev, STATUS, { headers }));
    }
  });

  test("elsewhere a call without a credential is refused", async () => {
    expectRefused(await postRpc(server, STATUS, { headers: {} }));
  });
});
