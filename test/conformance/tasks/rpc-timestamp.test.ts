/** `sign-timestamp` and the replay window (task-tokens.md §4.2). */
import { describe, expect, test } from "bun:test";
import { hashApiKey } from "../../../src/auth/api-keys.ts";
import { createTestRuntime } from "../../support/runtime.ts";
import { bootServer, temporaryDir } from "../../support/server.ts";
import { failureOf, postRpc, signed, type RpcAnswer } from "../../support/tasks-rpc.ts";

const VECTOR_SECRET = "s3cret";
const STATUS = '{"method":"get_envoy_status","params":{"task_id":""}}';
const KEY = "evk_tasks";

const config = {
  development: false,
  apps: [{ id: "demo" }, { id: "other", path_prefix: "/other" }],
  signing_keys: [
    { use: "tasks", app: "demo", hmac_secret: VECTOR_SECRET },
    { use: "tasks", app: "other", hmac_secret: "new" },
  ],
  api_keys: [{ id: "tasks", hash: hashApiKey(KEY), scopes: ["tasks"], app: "demo" }],
  channel: {},
  streaming: {},
  tasks: { enabled: true },
};

/** It got past the credential, and failed for what it asked. */
const expectAccepted = (answer: RpcAnswer) => expect(failureOf(answer)[0]).toBe(-32602);
const expectRefused = (answer: RpcAnswer) =>
  expect([answer.status, failureOf(answer)[0]]).toEqual([401, -32001]);

describe("sign-timestamp", () => {
  async function boot(own: object = {}) {
    const runtime = createTestRuntime();
    const booted = await bootServer({
      runtime,
      config: { ...config, tasks: { enabled: true, ...own } },
    });
    const seconds = (offset: number) => runtime.clock.epochMs() / 1000 + offset;
    const options = { publicId: "demo", secret: VECTOR_SECRET };
    const at = (timestamp: number | string) =>
      postRpc(booted, STATUS, { headers: signed(STATUS, { ...options, timestamp }) });
    return { ...booted, seconds, at };
  }

  test("is taken up to 300 s from the server's time, and refused beyond", async () => {
    await using booted = await boot();
    for (const offset of [0, -300, 300]) expectAccepted(await booted.at(booted.seconds(offset)));
    for (const offset of [-301, 301]) expectRefused(await booted.at(booted.seconds(offset)));
    for (const text of ["", "soon", "1e3", "-1", "0x6910", "17000000000000"]) {
      expectRefused(await booted.at(text));
    }
  });

  test("is part of what is signed", async () => {
    await using booted = await boot();
    const [now, later] = [booted.seconds(0), booted.seconds(1)];
    const headers = signed(STATUS, { publicId: "demo", secret: VECTOR_SECRET, timestamp: now });
    for (const changed of [{ "sign-timestamp": `${later}` }, { "sign-timestamp": "" }]) {
      expectRefused(await postRpc(booted, STATUS, { headers: { ...headers, ...changed } }));
    }
    const { "sign-timestamp": _, ...without } = headers;
    expectRefused(await postRpc(booted, STATUS, { headers: without }));
    const unsigned = signed(STATUS, { publicId: "demo", secret: VECTOR_SECRET });
    const added = { ...unsigned, "sign-timestamp": `${now}` };
    expectRefused(await postRpc(booted, STATUS, { headers: added }));
  });

  test("makes an exact repeat refused for as long as it would be fresh, also in other letters", async () => {
    await using booted = await boot();
    const timestamp = booted.seconds(300);
    const headers = signed(STATUS, { publicId: "demo", secret: VECTOR_SECRET, timestamp });
    expectAccepted(await postRpc(booted, STATUS, { headers }));
    const upper = { ...headers, sign: (headers["sign"] ?? "").toUpperCase() };
    for (const again of [headers, upper]) {
      expectRefused(await postRpc(booted, STATUS, { headers: again }));
    }
    await booted.advance(600_000);
    expectRefused(await postRpc(booted, STATUS, { headers }));
  });

  test("a refused call uses nothing up", async () => {
    await using booted = await boot();
    const timestamp = booted.seconds(0);
    const good = signed(STATUS, { publicId: "demo", secret: VECTOR_SECRET, timestamp });
    expectRefused(await postRpc(booted, `${STATUS} `, { headers: good }));
    expectAccepted(await postRpc(booted, STATUS, { headers: good }));
  });

  test("of two that race with one signature one is let in", async () => {
    await using booted = await boot();
    const timestamp = booted.seconds(0);
    const answers = await Promise.all(Array.from({ length: 8 }, () => booted.at(timestamp)));
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([
      200,
      ...Array(7).fill(401),
    ]);
  });

  test("a signature used before a restart is refused behind it", async () => {
    const runtime = createTestRuntime();
    const dataDir = temporaryDir();
    const first = await bootServer({ runtime, config, dataDir });
    const timestamp = runtime.clock.epochMs() / 1000;
    const headers = signed(STATUS, { publicId: "demo", secret: VECTOR_SECRET, timestamp });
    expectAccepted(await postRpc(first, STATUS, { headers }));
    await first[Symbol.asyncDispose]();
    await using second = await bootServer({ runtime, config, dataDir });
    expectRefused(await postRpc(second, STATUS, { headers }));
  });

  test("is demanded of signed calls by require_timestamp, for one app or all", async () => {
    await using all = await boot({ require_timestamp: true });
    const headers = signed(STATUS, { publicId: "demo", secret: VECTOR_SECRET });
    expectRefused(await postRpc(all, STATUS, { headers }));
    expectAccepted(await all.at(all.seconds(0)));
    const key = { "x-api-key": KEY };
    expectAccepted(await postRpc(all, STATUS, { headers: key }));

    await using one = await boot({ apps: [{ id: "demo", require_timestamp: true }] });
    expectRefused(await postRpc(one, STATUS, { headers }));
    const other = signed(STATUS, { publicId: "other", secret: "new" });
    expectAccepted(await postRpc(one, STATUS, { headers: other }));
  });
});
