/** `api.on_clients`: the API's calls are answered on the `clients` listener as well, for backends that know one address for both. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { developmentFile } from "../../src/dialects/configuration.ts";
import { keyed, post, type Headers } from "../support/callers.ts";
import { createOfficial } from "../support/centrifuge-client.ts";
import { bootServer, type BootedServer } from "../support/server.ts";

const KEY: Headers = { "X-API-Key": "dev-api-key" };
const PUBLISH = '{"channel":"public:news","data":{"text":"Hello"}}';

const boot = (api: object = {}, config: object = {}) =>
  bootServer({ config: { ...config, api: { port: 0, on_clients: true, ...api } } });

describe("with api.on_clients", () => {
  let server: BootedServer;
  beforeAll(async () => {
    server = await boot();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("a publish at the clients' address reaches a client there", async () => {
    using official = createOfficial("json", server.websocketUrl);
    await official.connect();
    const { heard } = official.subscribe("public:news");
    await heard.next("subscribed");
    const { status } = await post(`${server.clientsUrl}/api/publish`, PUBLISH, KEY);
    expect(status).toBe(200);
    expect((await heard.next("publication")).data).toEqual({ text: "Hello" });
  });

  // A proxy on this machine may stand before `clients`, so that a call from here can be anybody's.
  const CALLS = [
    ["POST", "/api/publish", PUBLISH],
    ["POST", "/gusher/push/dev/news/e", "data=1"],
    ["POST", "/api/push/dev/news/e", "data=1"],
    ["GET", "/gusher/dev/channels", undefined],
    ["GET", "/metrics", undefined],
    ["GET", "/admin/api/channels", undefined],
    ["POST", "/rpc", '{"id":1,"method":"get_envoy_token","params":{"Task":{}}}'],
  ] as const;
  test.each(CALLS)("%s %s needs its credential on both listeners", async (method, path, body) => {
    for (const url of [server.clientsUrl, server.apiUrl]) {
      const status = async (headers: Headers) => {
        const form = body?.startsWith("data") === true;
        const type: Headers = form ? { "Content-Type": "application/x-www-form-urlencoded" } : {};
        const sent = body === undefined ? {} : { body };
        const answer = await fetch(url + path, {
          method,
          headers: { ...type, ...headers },
          ...sent,
        });
        await answer.text();
        return answer.status;
      };
      expect([url, await status({})]).toEqual([url, 401]);
      expect([url, await status(keyed("wrong"))]).toEqual([url, 401]);
      expect([url, await status(KEY)]).toEqual([url, 200]);
    }
  });

  test("Sora's push likewise", async () => {
    const call = (headers: Headers) =>
      post(server.clientsUrl, '{"channel_id":"sora","data":{}}', {
        "x-sora-target": "Sora_20160711.PushChannel",
        ...headers,
      });
    expect((await call({})).status).toBe(401);
    expect((await call(KEY)).status).toBe(200);
  });

  test("what clients open stays theirs", async () => {
    const page = await fetch(server.clientsUrl);
    expect([page.status, page.headers.get("content-type")]).toEqual([
      200,
      expect.stringContaining("text/html"),
    ]);
    await page.text();
    const upgrade = await fetch(`${server.clientsUrl}/connection/websocket`);
    expect(upgrade.status).toBe(426);
    await upgrade.text();
    const unknown = await fetch(`${server.clientsUrl}/nothing`);
    expect(unknown.status).toBe(404);
    await unknown.text();
    expect((await post(`${server.clientsUrl}/api/nothing`, "{}", KEY)).status).toBe(404);
    expect((await fetch(`${server.clientsUrl}/health`)).status).toBe(200);
  });

  test("a body at the method's limit is read, one byte more refused, and one beyond 1 MiB as well", async () => {
    const of = (bytes: number) => {
      const frame = '{"channel":"public:news","data":""}';
      return frame.replace('""', `"${"x".repeat(bytes - frame.length)}"`);
    };
    const status = async (bytes: number) =>
      (await post(`${server.clientsUrl}/api/publish`, of(bytes), KEY)).status;
    expect(await status(524_288)).toBe(200);
    expect(await status(524_289)).toBe(413);
    expect(await status(1_048_577)).toBe(413);
  });
});

test("an app's calls lie below its prefix", async () => {
  const apps = [{ id: "dev" }, { id: "shop", path_prefix: "/shop" }];
  const owned = <Entry extends object>(entries: readonly Entry[]) =>
    entries.map((entry) => ({ ...entry, app: "shop" }));
  const { api_keys, signing_keys } = developmentFile();
  await using server = await boot(
    {},
    {
      ...{ apps, api_keys: owned(api_keys), signing_keys: owned(signing_keys) },
    },
  );
  expect((await post(`${server.clientsUrl}/shop/api/publish`, PUBLISH, KEY)).status).toBe(200);
});

test("without it no call is answered there", async () => {
  await using server = await boot({ on_clients: false });
  expect((await post(`${server.clientsUrl}/api/publish`, PUBLISH, KEY)).status).toBe(404);
});

describe("streaming.http_auth = none", () => {
  test("asks for no key, but refuses a wrong one and pages of other sites", async () => {
    await using server = await boot({}, { streaming: { http_auth: "none" } });
    const status = async (headers: Headers) =>
      (await post(`${server.clientsUrl}/api/publish`, PUBLISH, headers)).status;
    expect(await status({})).toBe(200);
    expect(await status(KEY)).toBe(200);
    expect(await status({ Origin: "https://evil.example" })).toBe(403);
    expect(await status({ "Sec-Fetch-Site": "cross-site" })).toBe(403);
  });

  test("knows no app by itself where several could be meant", async () => {
    const { signing_keys } = developmentFile();
    const apps = [
      { id: "one", hosts: ["one.example"] },
      { id: "two", hosts: ["two.example"] },
    ];
    await using server = await boot(
      {},
      {
        ...{ apps, streaming: { http_auth: "none" }, api_keys: [] },
        signing_keys: signing_keys.map((key) => ({ ...key, app: "one" })),
      },
    );
    const status = async (host: string) =>
      (await post(`${server.apiUrl}/api/publish`, PUBLISH, { Host: host })).status;
    expect(await status("two.example")).toBe(200);
    expect(await status("other.example")).toBe(401);
  });
});
