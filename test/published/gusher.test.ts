/**
 * Each call of the published document (`published/002-gusher.txt`), its request line as printed, against a server without a
 * configuration. What stands in braces is substituted; answers are compared with those printed, filled with real values.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { gusherClient, type GusherClient } from "../support/gusher.ts";
import { connectRaw } from "../support/raw-websocket.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import { hs256 } from "../support/tokens.ts";

const JSON_TYPE = "application/json;charset=UTF-8";
const TEXT_TYPE = "text/plain; charset=utf-8";

const GRANT = {
  channels: ["*"],
  user_id: "user_id",
  app_key: "dev",
  remotes: { cmd1: true, cmd2: true },
};
const JWT = hs256({ gusher: GRANT });

let server: BootedServer;
let socket: GusherClient;
let socketId: string;

interface Call {
  /** As printed. */
  readonly line: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly values?: Readonly<Record<string, string>>;
}

async function call({ line, fields, values = {} }: Call) {
  const [method = "", path = ""] = line.split(" ");
  const substituted = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const known = { prefix: "gusher", api: "api", app_key: "dev", jwt: JWT, ...values };
    const value = known[name as keyof typeof known];
    if (value === undefined) throw new Error(`Nothing for {${name}}`);
    return encodeURIComponent(value);
  });
  const slave = line.startsWith("POST /{prefix}/auth");
  const response = await fetch((slave ? server.clientsUrl : server.apiUrl) + substituted, {
    method,
    ...(fields === undefined ? {} : { body: new URLSearchParams(fields) }),
  });
  const { status, headers } = response;
  return { status, type: headers.get("content-type"), headers, body: await response.text() };
}

async function expectJson(asked: Call, body: unknown): Promise<void> {
  const answer = await call(asked);
  expect([answer.status, answer.type]).toEqual([200, JSON_TYPE]);
  expect(JSON.parse(answer.body)).toEqual(body);
  // Compact, and with its members in the printed order.
  expect(answer.body).toBe(JSON.stringify(body));
}

async function logIn(): Promise<string> {
  const answer = await call({ line: "POST /{prefix}/auth", fields: { jwt: JWT } });
  expect([answer.status, answer.type]).toEqual([200, JSON_TYPE]);
  expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  const { token } = JSON.parse(answer.body) as { token: string };
  expect(answer.body).toBe(`${JSON.stringify({ token })}\n`);
  return token;
}

beforeAll(async () => {
  server = await bootServer();
  const path = "/{prefix}/ws/{app_key}?token={token}"
    .replace("{prefix}", "gusher")
    .replace("{app_key}", "dev")
    .replace("{token}", await logIn());
  socket = gusherClient(await connectRaw(server.clientsUrl + path));
  socketId = await socket.socketId();
  for (const channel of ["channel1", "channel2", "channel3", "public"]) {
    await socket.ask("gusher.subscribe", { channel });
  }
});
afterAll(async () => {
  socket[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

test("Auth", async () => {
  expect(await logIn()).toMatch(/^[-0-9a-f]{36}$/);
});

test("Ping, of the slave and of the master", async () => {
  for (const url of [server.clientsUrl, server.apiUrl]) {
    const response = await fetch(`${url}${"/{prefix}/ping".replace("{prefix}", "gusher")}`);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, TEXT_TYPE]);
    expect(await response.text()).toBe("pong");
  }
  const answer = await call({ line: "GET /{prefix}/ping", values: { prefix: "api" } });
  expect([answer.status, answer.type, answer.body]).toEqual([200, TEXT_TYPE, "pong"]);
});

test("Get Channels and their Count", async () => {
  const channels = ["channel1", "channel2", "channel3", "public"];
  await expectJson({ line: "GET /{app_key}/channels" }, channels);
  await expectJson({ line: "GET /{app_key}/channels/count" }, { count: 4 });
});

test("Get Online and its Count, of all and by channel", async () => {
  await expectJson({ line: "GET /{app_key}/online" }, ["user_id"]);
  await expectJson({ line: "GET /{app_key}/online/count" }, { count: 1 });
  const values = { channel: "channel1" };
  const line = "GET /{app_key}/online/bychannel/{channel}";
  await expectJson({ line, values }, ["user_id"]);
  await expectJson(
    { line: "GET /{app_key}/online/bychannel/{channel}/count", values },
    { count: 1 },
  );
});

test.each([
  ["^channel", 3],
  // "regexp or string": a plain string is found anywhere in a name.
  ["channel", 3],
  ["^App", 0],
])("Push Message By Regex Pattern: %s", async (channel_pattern, total) => {
  const fields = { data: '{"key":"value"}', event: "event", channel_pattern };
  const line = "POST /{api}/push/{app_key}";
  await expectJson({ line, fields }, { total, pattern: channel_pattern });
  const frames = await socket.arrived();
  expect(frames).toHaveLength(total);
  expect(frames[0] ?? { data: { key: "value" } }).toMatchObject({ data: { key: "value" } });
});

test("push_batch", async () => {
  const batch_data =
    '[{"channel":"public","event":"notify","data":"test"},{"channel":"public","event":"notify","data":{"username":"test"}}]';
  const line = "POST /{api}/push_batch/{app_key}";
  await expectJson({ line, fields: { batch_data } }, { total: 2, cap: batch_data.length });
  expect(await socket.arrived()).toEqual(JSON.parse(batch_data) as unknown[]);
});

test("Push Message", async () => {
  const line = "POST /{api}/push/{app_key}/{channel}/{event}";
  const values = { channel: "channel1", event: "event" };
  for (const [data, value] of [
    ['{"key":"value"}', { key: "value" }],
    ["text", "text"],
  ] as const) {
    await expectJson({ line, values, fields: { data } }, { ...values, data: value });
    expect(await socket.arrived()).toEqual([{ ...values, data: value }]);
  }
});

test("Push Message to User and to Socket", async () => {
  const data = '{"key":"value"}';
  const user = { user_id: "user_id" };
  const toUser = { line: "POST /{api}/push/user/{app_key}/{user_id}", values: user };
  await expectJson({ ...toUser, fields: { data } }, { ...user, data });
  const one = { socket_id: socketId };
  const toSocket = { line: "POST /{api}/push/socket/{app_key}/{socket_id}", values: one };
  await expectJson({ ...toSocket, fields: { data } }, { ...one, data });
  expect(await socket.arrived()).toEqual([{ key: "value" }, { key: "value" }]);
});

test("add channel to userid", async () => {
  const values = { user_id: "user_id" };
  const line = "POST /{api}/add/channel/user/{app_key}/{user_id}";
  await expectJson({ line, values, fields: { data: "aa" } }, { ...values, data: "aa" });
  const notice = { event: "gusher.addchannel", socket_id: "", data: { channel: "aa" } };
  expect(await socket.arrived()).toEqual([notice]);
});

test("Decode", async () => {
  const answer = await call({ line: "POST /{api}/decode?data={jwt}" });
  expect([answer.status, answer.type]).toEqual([200, TEXT_TYPE]);
  expect(answer.body).toBe(`${JSON.stringify({ gusher: GRANT })}\n`);
});

test("the notes on stars", async () => {
  const grant = { ...GRANT, channels: ["t*st", "app*"], user_id: "noted" };
  const login = await fetch(`${server.clientsUrl}/gusher/auth`, {
    method: "POST",
    body: new URLSearchParams({ jwt: hs256({ gusher: grant }) }),
  });
  const { token } = (await login.json()) as { token: string };
  using noted = gusherClient(await connectRaw(`${server.clientsUrl}/gusher/ws/dev?token=${token}`));
  for (const channel of ["test", "apple"]) {
    const { event } = await noted.ask("gusher.subscribe", { channel });
    expect(event).toBe("gusher.subscribe_succeeded");
  }
});

// Last: it takes the grants that the others rely on.
test("Reload channel to userid: what is printed is no JSON, the answer is", async () => {
  const values = { user_id: "user_id" };
  const data = '["gg","ff"]';
  const line = "POST /{api}/reload/channel/user/{app_key}/{user_id}";
  await expectJson({ line, values, fields: { data } }, { ...values, data });
  const notice = {
    ...{ event: "gusher.reloadchannel", socket_id: "" },
    data: { channels: ["gg", "ff"] },
  };
  expect(await socket.arrived()).toEqual([notice]);
});
