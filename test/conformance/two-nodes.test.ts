/** Two whole servers on one real Redis: what is said on one reaches and counts what is connected to the other, in every dialect. */
import { DEVELOPMENT_ORGANISATION, DEVELOPMENT_USER } from "../../src/dialects/events/config.ts";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { createRedisEngine } from "../../src/engines/redis/index.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { createOfficial } from "../support/centrifuge-client.ts";
import { startRedis, until, type RedisServer } from "../support/redis.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import { hs256 } from "../support/tokens.ts";

const MASTER_KEY = "11".repeat(32);
const KEY = { "X-API-Key": "dev-api-key", "Content-Type": "application/json" };

let redis: RedisServer;
let here: BootedServer;
let there: BootedServer;

beforeAll(async () => {
  redis = await startRedis();
  [here, there] = await Promise.all([bootNode(), bootNode()]);
  await until("both nodes know each other", async () => (await here.hub.nodes()).length === 2);
});

afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await there[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

function bootNode(): Promise<BootedServer> {
  const engine = createRedisEngine({ url: redis.url, prefix: "two", runtime: systemRuntime });
  return bootServer({ engine, runtime: systemRuntime, config: { master_key: MASTER_KEY } });
}

/** A socket on a node, its messages parsed, in order. */
async function open(url: string) {
  const socket = new WebSocket(url);
  const messages: Record<string, unknown>[] = [];
  let heard = () => {};
  const closed = Promise.withResolvers<number>();
  socket.onmessage = ({ data }) => {
    for (const line of String(data).split("\n")) {
      messages.push(JSON.parse(line) as Record<string, unknown>);
    }
    heard();
  };
  socket.onclose = ({ code }) => closed.resolve(code);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return {
    closed: closed.promise,
    send: (message: unknown) => socket.send(JSON.stringify(message)),
    async next(): Promise<Record<string, unknown>> {
      while (messages.length === 0) await new Promise<void>((resolve) => (heard = resolve));
      return messages.shift() ?? {};
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

const post = async (
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = KEY,
) => {
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  return (await response.json()) as Record<string, unknown>;
};

/** An official client of the other node with a user. */
function client(user: string, options: Parameters<typeof createOfficial>[2] = {}) {
  const token = hs256({ sub: user });
  return createOfficial("json", there.websocketUrl, { token, ...options });
}

describe("streaming", () => {
  test("a publication, presence and the lists of channels, from either node", async () => {
    using far = client("u1");
    await far.connect();
    const { heard } = far.subscribe("public:a");
    await heard.next("subscribed");
    const { result } = await here.api("publish", { channel: "public:a", data: { n: 1 } });
    expect((await heard.next("publication")).data).toEqual({ n: 1 });
    expect(result).toMatchObject({ offset: 1 });
    const presence = await here.api("presence", { channel: "public:a" });
    expect(Object.values(presence.result?.["presence"] as object)).toMatchObject([{ user: "u1" }]);
    const { result: listed } = await here.api("channels", { pattern: "public:*" });
    expect(listed?.["channels"]).toEqual({ "public:a": { num_clients: 1 } });
    const history = await there.api("history", { channel: "public:a", limit: 10 });
    expect(history.result?.["publications"]).toMatchObject([{ data: { n: 1 } }]);
  });

  test("subscribe, unsubscribe and disconnect by API", async () => {
    using far = client("u2");
    await far.connect();
    await here.api("subscribe", { user: "u2", channel: "public:b" });
    expect((await far.heard.next("subscribed")).channel).toBe("public:b");
    await here.api("publish", { channel: "public:b", data: 1 });
    expect((await far.heard.next("publication")).data).toBe(1);
    await here.api("unsubscribe", { user: "u2", channel: "public:b" });
    expect((await far.heard.next("unsubscribed")).channel).toBe("public:b");
    await here.api("disconnect", { user: "u2" });
    expect((await far.heard.next("disconnected")).code).toBe(3503);
  });
});

describe("gusher", () => {
  const claims = { channels: ["*"], user_id: "u3", app_key: "dev", remotes: {} };
  const socketUrl = async () => {
    const body = new URLSearchParams({ jwt: hs256({ gusher: claims }) });
    const answer = await fetch(`${here.clientsUrl}/gusher/auth`, { method: "POST", body });
    const { token } = (await answer.json()) as { token: string };
    return (at: BootedServer) =>
      `${at.clientsUrl.replace("http", "ws")}/gusher/ws/dev?token=${token}`;
  };

  test("12: a token opens sockets on every node", async () => {
    const url = await socketUrl();
    for (const node of [here, there]) {
      using socket = await open(url(node));
      socket.send({ event: "gusher.subscribe", data: { channel: "room-0" } });
      expect(await socket.next()).toMatchObject({ event: "gusher.subscribe_succeeded" });
    }
  });

  test("pushes to a user and by pattern reach the other node, with the right total", async () => {
    const url = await socketUrl();
    using near = await open(url(here));
    using far = await open(url(there));
    for (const [socket, channel] of [
      [near, "room-1"],
      [far, "room-1"],
      [far, "room-2"],
    ] as const) {
      socket.send({ event: "gusher.subscribe", data: { channel } });
      expect(await socket.next()).toMatchObject({ event: "gusher.subscribe_succeeded" });
    }
    const master = (path: string, fields: object) => post(`${here.apiUrl}/gusher${path}`, fields);
    const pushed = { channel_pattern: "^room-[12]$", event: "e", data: "1" };
    expect(await master("/push/dev", pushed)).toEqual({ total: 2, pattern: "^room-[12]$" });
    expect(await near.next()).toEqual({ channel: "room-1", event: "e", data: 1 });
    const arrived = [await far.next(), await far.next()].map(({ channel }) => channel);
    expect(new Set(arrived)).toEqual(new Set(["room-1", "room-2"]));
    await master("/push/user/dev/u3", { data: '{"x":1}' });
    expect(await far.next()).toEqual({ x: 1 });
    expect(await near.next()).toEqual({ x: 1 });
    const list = await fetch(`${here.apiUrl}/dev/channels`);
    expect(await list.json()).toContain("room-2");
    const online = await fetch(`${here.apiUrl}/dev/online/count`);
    expect(await online.json()).toEqual({ count: expect.any(Number) });
  });
});

describe("tasks", () => {
  const rpc = async (method: string, params: object) => {
    const answer = await post(`${here.apiUrl}/rpc`, { method, params }, {});
    return answer["result"] as Record<string, string>;
  };
  const join = async (node: BootedServer, token: string | undefined) => {
    const socket = await open(`${node.clientsUrl.replace("http", "ws")}/tasks`);
    socket.send({ ClientToken: token, Ticks: 0 });
    return socket;
  };

  test("32: a message reaches the other node, and a newer connection displaces one there", async () => {
    const Task = { task_context: "two nodes", single_instance: true };
    const { client_token: token, task_id } = await rpc("get_envoy_token", { Task });
    using far = await join(there, token);
    expect(await far.next()).toMatchObject({ Error: "", Message: "" });
    await rpc("invoke_envoy", { task_id, message: "aGVsbG8=", new_timeout: 5 });
    expect(await far.next()).toMatchObject({ Message: "aGVsbG8=", Completed: false });
    using near = await join(here, token);
    expect(await near.next()).toMatchObject({ Error: "" });
    expect(await far.next()).toMatchObject({ Error: "replaced", Completed: true });
    expect(await far.closed).toBe(4501);
  });

  test("26: of two sockets that race on two nodes a single-use token opens one", async () => {
    const { client_token: token } = await rpc("get_envoy_token", { reusable_minutes: 0, Task: {} });
    const sockets = await Promise.all([join(here, token), join(there, token)]);
    const first = await Promise.all(sockets.map((socket) => socket.next()));
    expect(new Set(first.map(({ Error }) => Error))).toEqual(new Set(["", "token expired"]));
    for (const socket of sockets) socket[Symbol.dispose]();
  });
});

describe("events", () => {
  const bearer = () => {
    const nowS = Math.floor(Date.now() / 1000);
    const claims = { iss: "http://127.0.0.1:9000", aud: "events", sub: DEVELOPMENT_USER };
    const rest = { org_id: DEVELOPMENT_ORGANISATION, iat: nowS, exp: nowS + 600 };
    return hs256({ ...claims, ...rest, scope: "platform:admin shipments:read" });
  };
  const events = async (node: BootedServer, path: string, body?: object) => {
    const headers = { Authorization: `Bearer ${bearer()}`, "Content-Type": "application/json" };
    const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const response = await fetch(`${node.apiUrl}/events/${path}`, { headers, ...sent });
    return (await response.json()) as Record<string, string>;
  };

  test("23: an event reaches the other node, and a revocation ends connections there", async () => {
    const getToken = async () => (await events(there, "connection_token"))["token"] ?? "";
    using far = createOfficial("json", there.websocketUrl, { getToken });
    await far.connect();
    const channel = `shipments:${DEVELOPMENT_ORGANISATION}`;
    const event = { type: "a.b", resource: "shipments", data: { n: 1 } };
    await post(`${here.apiUrl}/events/publish`, {
      ...{ ...event, organisation_id: DEVELOPMENT_ORGANISATION },
    });
    const publication = await far.heard.next("publication");
    expect([publication.channel, publication.data]).toMatchObject([channel, { data: { n: 1 } }]);
    const revoked = await events(here, "revoke", { user_id: DEVELOPMENT_USER });
    expect(revoked).toEqual(expect.objectContaining({ revoked: true, connections_closed: 1 }));
    expect((await far.heard.next("connecting")).code).toBe(0);
    expect((await far.heard.next("connecting")).code).toBe(3014);
  });
});
