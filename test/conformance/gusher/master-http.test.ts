/** Checklist items 1, 2, 8 and 9 for the master (gusher.md §2, §6.9, §16), where its routes lie (DESIGN.md §5), and who may call them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateApiKey, hashApiKey } from "../../../src/auth/api-keys.ts";
import { bootGusher, GRANT_A, jwt, PUBLIC_PEM, type GusherServer } from "../../support/gusher.ts";
import {
  callMaster,
  getMaster,
  list,
  ok,
  refused,
  send,
  TWO_APPS,
} from "../../support/gusher-master.ts";
import { handshake } from "../../support/raw-websocket.ts";

const TEXT = "text/plain; charset=utf-8";
const NOT_FOUND = { status: 404, type: TEXT, body: "404 page not found\n" };
const NOT_ALLOWED = { status: 405, type: null, body: "" };
const DATA = { fields: { data: "1" } };

let server: GusherServer;
beforeAll(async () => {
  server = await bootGusher();
});
afterAll(() => server[Symbol.asyncDispose]());

describe.each(["/gusher", "/api"])("below %s", (prefix) => {
  const call = (method: string, path: string, more: object = {}) =>
    send(server.apiUrl + prefix + path, { method, ...more });

  test("1: ping", async () => {
    expect(await call("GET", "/ping")).toEqual({ status: 200, type: TEXT, body: "pong" });
  });

  test.each([
    ["POST", "/ping"],
    ["HEAD", "/ping"],
    ["OPTIONS", "/ping"],
    ["GET", "/decode"],
    ["GET", "/push/TEST/AA/notify"],
    ["OPTIONS", "/push/TEST"],
    ["PUT", "/push/channels"],
    ["DELETE", "/push_batch/TEST"],
    ["PATCH", "/reload/channel/user/TEST/u1"],
    ["HEAD", "/TEST/channels"],
    ["POST", "/TEST/online/bychannel/AA/count"],
    ["GET", "/jobs/TEST/chat/take"],
  ])("2: %s %s is 405 without a body", async (method, path) => {
    const response = await fetch(server.apiUrl + prefix + path, { method });
    expect({
      status: response.status,
      type: response.headers.get("content-type"),
      body: await response.text(),
    }).toEqual(NOT_ALLOWED);
    const lists = ["/ping", "/TEST/channels"].includes(path) || path.includes("/online/");
    // An app may be called `push`.
    const allowed = path === "/push/channels" ? "POST, GET" : lists ? "GET" : "POST";
    expect(response.headers.get("allow")).toBe(allowed);
  });

  test.each([
    ["GET", "/ping/"],
    ["POST", "/push/TEST/"],
    ["POST", "/push/TEST/AA"],
    ["POST", "/push/user/TEST"],
    ["POST", "/push/TEST/AA/notify/"],
    ["POST", "/push/TEST/A%2FB/e"],
    ["POST", "/push/TEST/%zz/e"],
    ["POST", "/reload/user/TEST/u1"],
    ["GET", "/TEST/channels/"],
    ["GET", "/TEST/online/bychannel"],
    ["GET", "/TEST/channels/AA"],
  ])("2: %s %s is 404", async (method, path) => {
    const response = await fetch(server.apiUrl + prefix + path, { method });
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    const type = response.headers.get("content-type");
    expect({ status: response.status, type, body: await response.text() }).toEqual(NOT_FOUND);
  });

  test("a doubled slash leads to the path without it", async () => {
    for (const path of ["//ping?a=b", "/push//TEST/AA/e?a=b"]) {
      const response = await fetch(server.apiUrl + prefix + path, { redirect: "manual" });
      expect([response.status, await response.text()]).toEqual([301, ""]);
      const cleaned = `${prefix}${path.replaceAll("//", "/")}`;
      expect(response.headers.get("location")).toBe(cleaned);
    }
  });

  test("names are percent-decoded, one by one", async () => {
    const names = [" ", "#", "?", "%", "é", "\u{1f600}", "a+b", "a&b=c", "*", "@", ";"];
    for (const name of names) {
      const path = `/push/TEST/${encodeURIComponent(name)}/${encodeURIComponent(name)}`;
      const body = JSON.stringify({ channel: name, event: name, data: 1 });
      expect(await call("POST", path, DATA)).toEqual(ok(body));
    }
  });
});

test("2: GET {M}/nothing is 404", async () => {
  expect(await getMaster(server, "/nothing")).toEqual(NOT_FOUND);
  expect(await getMaster(server, "")).toEqual(NOT_FOUND);
  expect(await getMaster(server, "/")).toEqual(NOT_FOUND);
});

describe("8, 9: decode", () => {
  const DECODED = { gusher: GRANT_A };
  const text = (body: string) => ({ status: 200, type: TEXT, body });

  test("shows a good JWT's claims, by form and by query", async () => {
    const data = jwt({ gusher: GRANT_A });
    const body = `${JSON.stringify(DECODED)}\n`;
    expect(await callMaster(server, "/decode", { data })).toEqual(text(body));
    expect(await callMaster(server, `/decode?data=${data}`)).toEqual(text(body));
  });

  test("registered claims follow in the original's order, others do not", async () => {
    const exp = server.seconds(60);
    const claims = { sub: "s", nbf: 1, iss: "i", iat: 2, jti: "j", exp, aud: "a", more: 1 };
    const data = jwt({ ...claims, gusher: GRANT_A });
    const order = { ...DECODED, aud: "a", exp, jti: "j", iat: 2, iss: "i", nbf: 1, sub: "s" };
    expect(await callMaster(server, "/decode", { data })).toEqual(
      text(`${JSON.stringify(order)}\n`),
    );
    const zero = jwt({ gusher: GRANT_A, exp: 0, iat: 0, aud: "", sub: "" });
    const { body } = await callMaster(server, "/decode", { data: zero });
    expect(JSON.parse(body)).toEqual(DECODED);
  });

  test("fractional times come as the whole seconds that hold as long, and a remote by whatever name", async () => {
    const exp = server.seconds(60);
    const remotes = JSON.parse('{"__proto__":true,"chat":false}') as object;
    const data = jwt({ exp: exp + 0.5, nbf: 1.5, iat: 2.5, gusher: { ...GRANT_A, remotes } });
    const { body } = await callMaster(server, "/decode", { data });
    expect(body).toContain('"remotes":{"__proto__":true,"chat":false}');
    expect(JSON.parse(body)).toMatchObject({ exp, nbf: 2, iat: 3 });
  });

  test("absent members have their defaults", async () => {
    const none = { channels: null, user_id: "", app_key: "", remotes: null };
    for (const claims of [{}, { gusher: null }, { gusher: {} }]) {
      const { body } = await callMaster(server, "/decode", { data: jwt(claims) });
      expect(body).toBe(`${JSON.stringify({ gusher: none })}\n`);
    }
    const some = { app_key: "TEST", channels: [null, "a"] };
    const { body } = await callMaster(server, "/decode", { data: jwt({ gusher: some }) });
    const gusher = { channels: ["", "a"], user_id: "", app_key: "TEST", remotes: null };
    expect(JSON.parse(body)).toEqual({ gusher });
  });

  test("anything else is a data error", async () => {
    const now = server.seconds();
    const gusher = GRANT_A;
    const bad = [
      "",
      "bad",
      "a.b.c",
      jwt({ gusher, exp: now - 1 }),
      jwt({ gusher, nbf: now + 10 }),
      jwt({ gusher }, { alg: "none" }),
      jwt({ gusher }, { alg: "HS256" }),
      jwt({ gusher }, { alg: "PS256" }),
      jwt({ gusher: { ...gusher, channels: "AA" } }),
      jwt({ gusher: { ...gusher, app_key: "OTHER" } }),
      `${jwt({ gusher })}x`,
    ];
    for (const data of bad) {
      expect([data, await callMaster(server, "/decode", { data })]).toEqual([
        data,
        refused("data error"),
      ]);
    }
    expect(await callMaster(server, "/decode")).toEqual(refused("data error"));
  });

  test("an app's key vouches for that app only", async () => {
    await using apps = await bootGusher({
      config: {
        ...TWO_APPS,
        signing_keys: [
          { use: "gusher", app: "TEST", public_key: PUBLIC_PEM, algorithms: ["RS256"] },
          { use: "gusher", app: "OTHER", hmac_secret: "the secret of the other app" },
        ],
      },
    });
    const data = jwt({ gusher: { ...GRANT_A, app_key: "OTHER" } });
    expect(await callMaster(apps, "/decode", { data })).toEqual(refused("data error"));
    const own = await callMaster(apps, "/decode", { data: jwt({ gusher: GRANT_A }) });
    expect(own.status).toBe(200);
  });
});

describe("next to other APIs", () => {
  test("streaming's methods are as they were", async () => {
    const key = { "X-API-Key": "dev-api-key" };
    const { result } = await server.api("publish", { channel: "AA", data: 1 });
    expect(result).toMatchObject({ offset: expect.any(Number) as number });
    expect((await server.api("channels")).result).toEqual({ channels: {} });
    const call = (path: string, method = "POST", headers: Record<string, string> = key) =>
      send(`${server.apiUrl}/api${path}`, { method, headers });
    expect(await call("/push")).toMatchObject({ status: 404 });
    expect(await call("/publish", "GET")).toMatchObject({ body: "Method not allowed\n" });
    expect(await call("/channels", "GET")).toMatchObject({ body: "Method not allowed\n" });
    expect(await call("", "GET")).toMatchObject({ body: "Method not allowed\n" });
    expect(await call("/publish", "POST", {})).toMatchObject({ status: 401 });
  });

  test("the lists also lie where they are printed, and no other route does", async () => {
    for (const [path, body] of [
      ["/TEST/channels", "[]"],
      ["/TEST/channels/count", '{"count":0}'],
      ["/TEST/online", "[]"],
      ["/TEST/online/count", '{"count":0}'],
      ["/TEST/online/bychannel/AA", "[]"],
      ["/TEST/online/bychannel/A%20A/count", '{"count":0}'],
      ["/UNKNOWN/online", "[]"],
    ] as const) {
      expect([path, await send(server.apiUrl + path, { method: "GET" })]).toEqual([path, ok(body)]);
      expect(await send(server.apiUrl + path)).toEqual(NOT_ALLOWED);
    }
    for (const path of ["/push/TEST/AA/e", "/decode", "/ping"]) {
      expect(await send(server.apiUrl + path, DATA)).toMatchObject({ status: 404 });
    }
    for (const path of ["/health", "/ready", "/metrics", "/openapi.json"]) {
      expect(await send(server.apiUrl + path, { method: "GET" })).toMatchObject({ status: 200 });
    }
  });

  test("a prefix of one's own", async () => {
    await using own = await bootGusher({ gusher: { prefix: "/a/b" } });
    expect((await send(`${own.apiUrl}/a/b/ping`, { method: "GET" })).body).toBe("pong");
    expect((await send(`${own.apiUrl}/api/ping`, { method: "GET" })).body).toBe("pong");
    expect(await send(`${own.apiUrl}/gusher/ping`, { method: "GET" })).toMatchObject({
      status: 404,
    });
    expect(await send(`${own.apiUrl}/a/channels`, { method: "GET" })).toMatchObject({
      status: 404,
    });
  });
});

describe("credentials", () => {
  const { key: spare } = generateApiKey((count) => new Uint8Array(count).fill(7));
  const keys = { right: "right-key", streaming: "streaming-key", other: "other-key" };
  const entry = (id: keyof typeof keys, app: string, scope: string) => ({
    ...{ id, app, scopes: [scope], organisation: "*" },
    hash: hashApiKey(keys[id]),
  });
  const open = (gusher: object = {}) =>
    bootGusher({
      config: {
        ...TWO_APPS,
        development: false,
        // Every address, so that it is no loopback listener, though the test calls it there.
        api: { host: "0.0.0.0", port: 0 },
        gusher: { enabled: true, ...gusher },
        channel: { without_namespace: { dialects: ["streaming", "gusher"] } },
        api_keys: [
          entry("right", "TEST", "gusher"),
          entry("streaming", "TEST", "streaming"),
          entry("other", "OTHER", "*"),
        ],
      },
    });
  const CALLS: readonly (readonly [string, string])[] = [
    ["POST", "/gusher/push/TEST/AA/e"],
    ["POST", "/api/push/TEST"],
    ["POST", "/gusher/jobs/TEST/chat/take"],
    ["GET", "/gusher/TEST/channels"],
    ["GET", "/TEST/online"],
    ["POST", `/gusher/decode?data=${jwt({ gusher: GRANT_A })}`],
  ];

  test("are asked for beyond loopback, of the app, with the scope", async () => {
    await using guarded = await open();
    for (const [method, path] of CALLS) {
      const call = (headers: Record<string, string>) =>
        send(guarded.apiUrl + path, { method, headers, ...(path.includes("push") ? DATA : {}) });
      const bad = [undefined, "", spare, keys.streaming, keys.other];
      for (const key of bad) {
        const answer = await call(key === undefined ? {} : { "X-API-Key": key });
        expect(answer).toMatchObject({ status: 401, type: TEXT });
        expect(answer.body).toContain("API key");
      }
      for (const headers of [
        { "X-API-Key": keys.right },
        { Authorization: `Bearer ${keys.right}` },
      ]) {
        expect([path, (await call(headers)).status]).not.toEqual([path, 401]);
      }
    }
    expect((await getMaster(guarded, "/ping")).status).toBe(200);
    expect((await getMaster(guarded, "/nothing")).status).toBe(404);
  });

  test("are not with http_auth = none", async () => {
    await using unguarded = await open({ http_auth: "none" });
    expect(await list(unguarded, "/TEST/channels")).toEqual([]);
    expect((await callMaster(unguarded, "/push/TEST/AA/e", { data: "1" })).status).toBe(200);
  });
});

test("a request target that is no path is refused, and nothing else happens", async () => {
  const answer = await handshake(`${server.apiUrl}/gusher/push/TEST/%00/%0A`, { method: "POST" });
  expect(answer.status).toBe(400);
  expect((await getMaster(server, "/ping")).body).toBe("pong");
});
