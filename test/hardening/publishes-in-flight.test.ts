/** `api.publishes_in_flight_max`: calls that publish, at the limit and one beyond, in every dialect; and whom it does not concern. */
import { connect } from "node:net";
import { describe, expect, test } from "bun:test";
import { hashApiKey } from "../../src/auth/api-keys.ts";
import { API_KEY } from "../support/events.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import { callRpc, issueToken } from "../support/tasks-rpc.ts";

const MAX = 3;
const EVENT = {
  type: "a.b",
  resource: "shipments",
  organisation_id: "org_26ZZVNs2QURl4yY6owPARekUbMa",
};

/** A publish whose body the server asks for, and which comes when it is let go. */
async function beginPublish(server: BootedServer, key = "dev-api-key") {
  const body = '{"channel":"c","data":1}';
  const socket = connect(Number(new URL(server.apiUrl).port), "127.0.0.1");
  socket.setEncoding("utf8");
  const answers = socket[Symbol.asyncIterator]() as AsyncIterator<string>;
  const statusLine = async () => String((await answers.next()).value).split("\r\n")[0];
  const head = ["POST /api/publish HTTP/1.1", "Host: localhost", `X-API-Key: ${key}`];
  head.push("Expect: 100-continue", `Content-Length: ${body.length}`, "", "");
  socket.write(head.join("\r\n"));
  expect(await statusLine()).toBe("HTTP/1.1 100 Continue");
  return async () => {
    socket.write(body);
    const status = await statusLine();
    socket.destroy();
    return status;
  };
}

async function post(server: BootedServer, path: string, body: unknown, headers = {}) {
  const json = { ...API_KEY, "Content-Type": "application/json", ...headers };
  const answer = await fetch(server.apiUrl + path, {
    ...{ method: "POST", headers: json, body: JSON.stringify(body) },
  });
  return {
    status: answer.status,
    retryAfter: answer.headers.get("retry-after"),
    text: await answer.text(),
  };
}

const boot = (config: object = {}) =>
  bootServer({ config: { api: { port: 0, publishes_in_flight_max: MAX }, ...config } });

async function calls(server: BootedServer) {
  const { taskId } = await issueToken(server);
  const publish = { channel: "c", data: 1 };
  const invoke = { task_id: taskId, message: "bQ==" };
  const sora = (name: string, body: object) => () =>
    post(server, "/", body, { "x-sora-target": `Sora_${name}` });
  const room = { channel_id: "c", data: {} };
  return {
    publish: () => post(server, "/api/publish", publish),
    broadcast: () => post(server, "/api/broadcast", { channels: ["c"], data: 1 }),
    batch: () => post(server, "/api/batch", { commands: [{ publish }] }),
    "former form": () => post(server, "/api", { method: "publish", params: publish }),
    "gusher's channel": () => post(server, "/gusher/push/dev/c/e", { data: "1" }),
    "gusher's pattern": () =>
      post(server, "/gusher/push/dev", { channel_pattern: "c", event: "e", data: "1" }),
    "gusher's batch": () => post(server, "/gusher/push_batch/dev", { batch_data: "[]" }),
    "gusher's user": () => post(server, "/gusher/push/user/dev/u", { data: "1" }),
    "sora's channel": sora("20160711.PushChannel", room),
    "sora's client": sora("20160711.PushClient", { ...room, client_id: "x" }),
    "an event": () => post(server, "/events/publish", { ...EVENT, data: {} }),
    "a batch of events": () => post(server, "/events/publish/batch", [{ ...EVENT, data: {} }]),
    "an operator's push": () => post(server, "/admin/api/push", publish),
    "a task": async () => {
      const { status, headers, text } = await callRpc(server, "invoke_envoy", invoke);
      return { status, retryAfter: headers.get("retry-after"), text };
    },
  };
}

describe("calls that publish", () => {
  test("at the limit are served, one beyond is answered 429 in its dialect's form, and then they are served again", async () => {
    await using server = await boot();
    const all = await calls(server);
    const statuses = async () => {
      const found: Record<string, number> = {};
      for (const [name, call] of Object.entries(all)) found[name] = (await call()).status;
      return found;
    };
    const usual = await statuses();
    expect(Object.values(usual).filter((status) => status === 429)).toEqual([]);
    const begun = [await beginPublish(server), await beginPublish(server)];
    expect(await statuses()).toEqual(usual);
    begun.push(await beginPublish(server));
    const from = server.logged.length;
    expect(await statuses()).toEqual(
      Object.fromEntries(Object.keys(all).map((name) => [name, 429])),
    );
    const lines = server.logged.slice(from).filter(({ msg }) => msg === "API call refused");
    expect(lines).toHaveLength(Object.keys(all).length);
    const metrics = await (await fetch(`${server.apiUrl}/metrics`)).text();
    expect(metrics).toContain(
      `carillon_limits_hit_total{limit="api.publishes_in_flight_max"} ${lines.length}`,
    );
    for (const finish of begun) expect(await finish()).toBe("HTTP/1.1 200 OK");
    expect(await statuses()).toEqual(usual);
  });

  test("are told what it is and when to come again", async () => {
    await using server = await boot();
    const all = await calls(server);
    const begun = await Promise.all([1, 2, 3].map(() => beginPublish(server)));
    expect(await all.publish()).toEqual({
      ...{ status: 429, retryAfter: "1" },
      text: expect.stringContaining("api.publishes_in_flight_max"),
    });
    expect(await all["gusher's channel"]()).toMatchObject({
      text: expect.stringContaining("api.publishes_in_flight_max"),
    });
    expect(JSON.parse((await all["sora's channel"]()).text)).toMatchObject({
      error_type: "TooManyRequests",
    });
    const event = await all["an event"]();
    expect(event.retryAfter).toBe("1");
    expect(JSON.parse(event.text)).toMatchObject({ error: { code: "rate_limited" } });
    const task = await all["a task"]();
    expect(task.retryAfter).toBe("1");
    expect(JSON.parse(task.text)).toMatchObject({
      error: { code: -32003, data: { retry_after_ms: 1000 } },
    });
    for (const finish of begun) await finish();
  });
});

test("other calls, and other apps, are served beyond it", async () => {
  await using server = await boot({
    apps: [{ id: "dev" }, { id: "other", path_prefix: "/other" }],
    api_keys: ["one", "two"].map((id, index) => {
      return { id, hash: hashApiKey(id), app: ["dev", "other"][index] };
    }),
    signing_keys: [],
    ...{ events: { enabled: false }, tasks: { enabled: false }, development: false },
  });
  const keys = { one: { "X-API-Key": "one" }, two: { "X-API-Key": "two" } };
  const begun = await Promise.all([1, 2, 3].map(() => beginPublish(server, "one")));
  const publish = { channel: "c", data: 1 };
  expect((await post(server, "/api/publish", publish, keys.one)).status).toBe(429);
  expect((await post(server, "/api/info", {}, keys.one)).status).toBe(200);
  expect((await post(server, "/api/publish", publish, keys.two)).status).toBe(200);
  for (const finish of begun) expect(await finish()).toBe("HTTP/1.1 200 OK");
});
