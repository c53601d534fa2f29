/** Two apps in one server: what one can name, the other cannot reach. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hashApiKey } from "../../src/auth/api-keys.ts";
import { ending, until } from "../support/hostile.ts";
import { connectRaw, handshake, type RawWebSocket } from "../support/raw-websocket.ts";
import { bootServer, type ApiAnswer, type BootedServer } from "../support/server.ts";
import { hs256 } from "../support/tokens.ts";

const HISTORY = { history_size: 10, history_ttl: "300s", presence: true };
const channelOptions = { ...HISTORY, allow_subscribe_for_client: true };

function fileOf(apps: readonly Readonly<Record<string, unknown>>[]) {
  return {
    development: false,
    apps: apps.map((app) => ({ allowed_origins: ["*"], ...app })),
    api_keys: apps.map(({ id }) => ({ id, app: id, hash: hashApiKey(`key-${String(id)}`) })),
    signing_keys: apps.map(({ id }) => ({
      ...{ use: "streaming", app: id, hmac_secret: `secret-${String(id)}` },
    })),
    channel: { without_namespace: channelOptions, namespaces: [] },
    streaming: {},
  };
}

interface Setup {
  readonly name: string;
  readonly apps: readonly Readonly<Record<string, unknown>>[];
  /** How a client reaches an app. */
  readonly reach: (
    server: BootedServer,
    app: string,
  ) => { readonly url: string; readonly headers: Readonly<Record<string, string>> };
}

const SETUPS: readonly Setup[] = [
  {
    name: "by host",
    apps: [
      { id: "red", hosts: ["red.example"] },
      { id: "blue", hosts: ["blue.example", "blau.example"] },
    ],
    reach: ({ websocketUrl }, app) => ({
      url: websocketUrl,
      headers: { host: `${app}.example` },
    }),
  },
  {
    name: "by path prefix",
    apps: [{ id: "red" }, { id: "blue", path_prefix: "/blue" }],
    reach: ({ websocketUrl, clientsUrl }, app) => ({
      url:
        app === "red"
          ? websocketUrl
          : `${clientsUrl.replace("http", "ws")}/blue/connection/websocket`,
      headers: {},
    }),
  },
];

describe.each(SETUPS)("apps told apart $name", ({ apps, reach }) => {
  let server: BootedServer;
  beforeAll(async () => {
    server = await bootServer({ config: fileOf(apps) });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function connect(app: string, tokenOf: string): Promise<RawWebSocket> {
    const { url, headers } = reach(server, app);
    const client = await connectRaw(url, { headers });
    const token = hs256({ sub: "u" }, `secret-${tokenOf}`);
    client.send(`{"id":1,"connect":{"token":"${token}"}}`);
    return client;
  }

  async function subscribed(app: string): Promise<RawWebSocket> {
    const client = await connect(app, app);
    client.send('{"id":2,"subscribe":{"channel":"news"}}');
    await client.next();
    await client.next();
    return client;
  }

  async function api(app: string, method: string, body: unknown): Promise<ApiAnswer> {
    const response = await fetch(`${server.apiUrl}/api/${method}`, {
      method: "POST",
      headers: { "X-API-Key": `key-${app}` },
      body: JSON.stringify(body),
    });
    return (await response.json()) as ApiAnswer;
  }

  test("a token of one is invalid for the other", async () => {
    const client = await connect("red", "blue");
    expect(await ending(client)).toMatchObject({ texts: [], code: 3500 });
    const own = await connect("blue", "blue");
    expect(JSON.parse((await own.next()).text)).toHaveProperty("connect");
    own.destroy();
  });

  test("one channel name is two channels: publications, history, presence and counts stay apart", async () => {
    const [red, blue] = [await subscribed("red"), await subscribed("blue")];
    const first = await api("red", "publish", { channel: "news", data: "to red" });
    const second = await api("blue", "publish", { channel: "news", data: "to blue" });
    expect(JSON.parse((await red.next()).text)).toMatchObject({
      push: { pub: { data: "to red" } },
    });
    expect(JSON.parse((await blue.next()).text)).toMatchObject({
      push: { pub: { data: "to blue" } },
    });
    expect(first.result?.["epoch"]).not.toBe(second.result?.["epoch"]);
    for (const app of ["red", "blue"]) {
      const history = await api(app, "history", { channel: "news", limit: -1 });
      expect(history.result?.["publications"]).toMatchObject([{ data: `to ${app}` }]);
      const present = await api(app, "presence_stats", { channel: "news" });
      expect(present.result).toEqual({ num_clients: 1, num_users: 1 });
      const channels = await api(app, "channels", {});
      expect(channels.result).toEqual({ channels: { news: { num_clients: 1 } } });
    }
    red.destroy();
    blue.destroy();
  });

  test("the API key decides the app: a disconnect reaches the user of that app only", async () => {
    const [red, blue] = [await subscribed("red"), await subscribed("blue")];
    await api("red", "disconnect", { user: "u" });
    expect(await ending(red)).toMatchObject({ code: 3503 });
    await api("blue", "publish", { channel: "news", data: "still there" });
    expect((await blue.next()).text).toContain("still there");
    blue.destroy();
  });

  test("a connection's id means nothing to the other app", async () => {
    const client = await connect("red", "red");
    const { connect: connected } = JSON.parse((await client.next()).text) as {
      connect: { client: string };
    };
    await api("blue", "disconnect", { client: connected.client });
    await api("blue", "subscribe", { client: connected.client, channel: "news" });
    client.send('{"id":3,"unsubscribe":{"channel":"news"}}');
    expect(JSON.parse((await client.next()).text)).toEqual({ id: 3, unsubscribe: {} });
    await api("red", "disconnect", { client: connected.client });
    expect(await ending(client)).toMatchObject({ code: 3503 });
  });

  test("a wrong key, and none, are 401", async () => {
    for (const headers of [{}, { "X-API-Key": "key-green" }]) {
      const request = { method: "POST", headers, body: "{}" };
      expect((await fetch(`${server.apiUrl}/api/info`, request)).status).toBe(401);
    }
  });

  test("each app counts its own connections", async () => {
    const clients = [await subscribed("red"), await subscribed("red"), await subscribed("blue")];
    expect(server.hubs.get("red")?.stats().connections).toBe(2);
    expect(server.hubs.get("blue")?.stats().connections).toBe(1);
    for (const client of clients) client.destroy();
    await until(() => server.sockets() === 0);
  });
});

test("a host that belongs to no app is refused", async () => {
  await using server = await bootServer({ config: fileOf(SETUPS[0]?.apps ?? []) });
  const refused = await handshake(server.websocketUrl, { headers: { host: "green.example" } });
  expect(refused.status).toBe(404);
  const other = await handshake(server.websocketUrl, { headers: { host: "BLAU.example:8000" } });
  expect(other.status).toBe(101);
});

test("a path prefix that belongs to no app is not found", async () => {
  await using server = await bootServer({ config: fileOf(SETUPS[1]?.apps ?? []) });
  const url = `${server.clientsUrl.replace("http", "ws")}/green/connection/websocket`;
  expect((await handshake(url)).status).toBe(404);
});
