/** Who may call the admin API, for which app, and what a call that is none is answered. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hashApiKey } from "../../../src/auth/api-keys.ts";
import { developmentFile } from "../../../src/dialects/configuration.ts";
import { ADMIN_BODY_BYTES_MAX } from "../../../src/operations/admin/http.ts";
import { adminClient, type AdminClient } from "../../support/admin.ts";
import { keyed, PRODUCTION, type Headers } from "../../support/callers.ts";
import { ORG } from "../../support/events.ts";
import { handshake } from "../../support/raw-websocket.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

const KEYS = {
  admin: { scopes: ["admin"], app: "dev" },
  all: { scopes: ["*"], app: "dev" },
  streaming: { scopes: ["streaming"], app: "dev" },
  other: { scopes: ["admin"], app: "other" },
  confined: { scopes: ["*"], app: "dev", organisation: ORG },
};
const api_keys = Object.entries(KEYS).map(([id, key]) => ({ id, hash: hashApiKey(id), ...key }));
const apps = [
  { id: "dev", allowed_origins: ["https://shop.example"] },
  { id: "other", path_prefix: "/shop" },
];
const READS = ["server", "nodes", "channels", "connections", "refusals", "no/such/call"];
const WRITES = ["kick", "push"];

describe("beyond loopback", () => {
  let server: BootedServer;
  let admin: AdminClient;
  beforeAll(async () => {
    const signing_keys = PRODUCTION.signing_keys.map((key) => ({ ...key, app: "dev" }));
    const config = { ...PRODUCTION, signing_keys, api_keys, apps };
    server = await bootServer({ config: { ...config, tasks: { enabled: true } } });
    admin = await adminClient(server);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test.each<[string, Headers, number]>([
    ["no key", {}, 401],
    ["a wrong key", keyed("wrong"), 401],
    ["a key without the scope", keyed("streaming"), 401],
    ["an organisation's key", keyed("confined"), 401],
    ["a key with the scope", keyed("admin"), 200],
    ["the same as bearer", { Authorization: "Bearer admin" }, 200],
    ["a key with every scope", keyed("all"), 200],
    ["another app's key", keyed("other"), 200],
    ["a key from a page of another site", { ...keyed("admin"), Origin: "https://x.example" }, 200],
  ])("%s", async (_name, headers, status) => {
    const unknown = status === 200 ? 404 : status;
    for (const path of READS) {
      const expected = path === "no/such/call" ? unknown : status;
      expect([path, (await admin(path, { headers })).status]).toEqual([path, expected]);
    }
    for (const path of WRITES) {
      const answer = await admin(path, { headers, body: { user: "nobody", data: 1 } });
      // A kick has no data: it is refused for that, once it is known who calls.
      const expected = path === "kick" && status === 200 ? 400 : status;
      expect([path, answer.status]).toEqual([path, expected]);
    }
  });

  test("a key acts for its own app alone", async () => {
    const of = async (key: string, query: Record<string, string> = {}) =>
      (await admin("server", { headers: keyed(key), query })).body;
    expect(await of("admin")).toMatchObject({ app: "dev", apps: ["dev"] });
    expect(await of("other")).toMatchObject({ app: "other", apps: ["other"] });
    expect(await of("other", { app: "other" })).toMatchObject({ app: "other" });
    const stranger = await admin("server", { headers: keyed("other"), query: { app: "dev" } });
    expect([stranger.status, stranger.code]).toEqual([401, "unauthorized"]);
    const nobody = await admin("server", { headers: keyed("other"), query: { app: "none" } });
    expect(nobody.status).toBe(401);
  });

  test("a key sees its own app's refusals, and none that are nobody's", async () => {
    const url = (prefix: string) =>
      `${server.clientsUrl.replace("http", "ws")}${prefix}/connection/websocket`;
    for (const prefix of ["", "/shop"]) {
      await handshake(url(prefix), { headers: { Origin: `https://evil${prefix}.example` } });
    }
    const originsOf = async (key: string) => {
      const { data } = await admin("refusals", { headers: keyed(key) });
      return data.flatMap(({ event, about }) =>
        event === "Origin refused" ? [(about as { origin: string }).origin] : [],
      );
    };
    expect(await originsOf("admin")).toEqual(["https://evil.example"]);
    expect(await originsOf("other")).toEqual(["https://evil/shop.example"]);
    // Whoever has no key is nobody's.
    await admin("nodes");
    for (const key of ["admin", "other"]) {
      const { data } = await admin("refusals", { headers: keyed(key) });
      expect(data.filter(({ event }) => event === "API call refused")).toEqual([]);
    }
  });

  test("whoever may not call learns of no path", async () => {
    const answers = await Promise.all(["nodes", "no/such/call"].map((path) => admin(path)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });
});

test("where clients' listener answers calls, a key is asked for on loopback as well", async () => {
  await using server = await bootServer({ config: { api: { port: 0, on_clients: true } } });
  for (const url of [server.apiUrl, server.clientsUrl]) {
    const at = async (headers: Headers) =>
      (await fetch(`${url}/admin/api/nodes`, { headers })).status;
    expect([await at({}), await at(keyed("dev-api-key"))]).toEqual([401, 200]);
  }
});

describe("on loopback", () => {
  let server: BootedServer;
  let admin: AdminClient;
  beforeAll(async () => {
    const development = developmentFile();
    const signing_keys = development.signing_keys.map((key) => ({ ...key, app: "dev" }));
    const dev = development.api_keys.map((key) => ({ ...key, app: "dev" }));
    server = await bootServer({ config: { apps, api_keys: [...dev, ...api_keys], signing_keys } });
    admin = await adminClient(server);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test.each<[string, Headers, number]>([
    ["no key", {}, 200],
    ["a wrong key", keyed("wrong"), 200],
    ["an organisation's key", keyed("confined"), 401],
    ["a page of another site", { Origin: "https://evil.example" }, 403],
    ["a sandboxed page", { Origin: "null" }, 403],
    ["a request for another site", { "Sec-Fetch-Site": "cross-site" }, 403],
    [
      "a page of another site with the key that everybody knows",
      { ...keyed("dev-api-key"), Origin: "https://evil.example" },
      403,
    ],
    [
      "a key of one's own from such a page",
      { ...keyed("admin"), Origin: "https://x.example" },
      200,
    ],
  ])("%s", async (_name, headers, status) => {
    for (const path of READS.slice(0, -1)) {
      expect([path, (await admin(path, { headers })).status]).toEqual([path, status]);
    }
    const pushed = await admin("push", { headers, body: { user: "nobody", data: 1 } });
    expect(pushed.status).toBe(status);
    const kicked = await admin("kick", { headers, body: { user: "nobody" } });
    expect(kicked.status).toBe(status);
  });

  test("a page of its own may call", async () => {
    const { host } = new URL(server.apiUrl);
    const headers = { "Sec-Fetch-Site": "same-origin", Origin: `http://${host}` };
    expect((await admin("nodes", { headers })).status).toBe(200);
  });

  test("any app may be asked for; the first is meant", async () => {
    const of = async (query: Record<string, string>, headers: Headers = {}) =>
      (await admin("server", { query, headers })).body;
    expect(await of({})).toMatchObject({ app: "dev", apps: ["dev", "other"] });
    expect(await of({ app: "other" })).toMatchObject({ app: "other" });
    expect(await of({}, keyed("other"))).toMatchObject({ app: "other" });
    for (const app of ["none", "", "__proto__"]) {
      expect([app, (await admin("server", { query: { app } })).code]).toEqual([app, "not_found"]);
    }
  });

  test("what is below an app's prefix is about that app", async () => {
    const at = async (query: string) => {
      const answer = await fetch(`${server.apiUrl}/shop/admin/api/server${query}`);
      return [answer.status, ((await answer.json()) as { app?: string }).app];
    };
    expect(await at("")).toEqual([200, "other"]);
    expect(await at("?app=other")).toEqual([200, "other"]);
    expect(await at("?app=dev")).toEqual([404, undefined]);
  });

  test("an answer is JSON that nobody keeps, and a HEAD its head", async () => {
    const { headers } = await admin("nodes");
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    const head = await fetch(`${server.apiUrl}/admin/api/nodes`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  test("another method is told what the path takes", async () => {
    const posted = await admin("nodes", { method: "POST" });
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    const got = await admin("kick");
    expect([got.status, got.headers.get("allow")]).toEqual([405, "POST"]);
    expect((await admin("kick", { method: "DELETE" })).status).toBe(405);
  });

  test.each<[string, Record<string, string | number>, string]>([
    ["channels", { limit: 0 }, '"limit"'],
    ["channels", { limit: 251 }, '"limit"'],
    ["channels", { limit: "x" }, '"limit"'],
    ["channels", { cursor: "!" }, '"cursor"'],
    ["channels", { cursor: "" }, '"cursor"'],
    ["channels", { pattern: "(?=x)" }, "pattern"],
    ["channels", { what: 1 }, "prefix, pattern"],
    ["channels", { ["__proto__"]: 1 }, "prefix, pattern"],
    ["channels/presence", {}, '"channel" is missing'],
    ["channels/presence", { channel: "" }, '"channel" is not valid: must not be empty'],
    ["channels/history", { channel: "public:a", limit: 51 }, '"limit"'],
    ["channels/history", { channel: "public:a", cursor: "bm9uZQ" }, '"cursor"'],
    ["webhooks/attempts", { organisation: ORG }, '"endpoint" is missing'],
    ["connections", { user: "a", limit: -1 }, '"limit"'],
    ["tasks", { cursor: "%" }, '"cursor"'],
  ])("%s with %j is refused", async (path, query, words) => {
    const { status, code, text } = await admin(path, { query });
    expect([status, code]).toEqual([400, "bad_request"]);
    expect(JSON.parse(text).error.message).toContain(words);
  });

  test("a parameter that is given twice is refused", async () => {
    const answer = await fetch(`${server.apiUrl}/admin/api/channels?limit=1&limit=2`);
    expect(answer.status).toBe(400);
  });

  test("250 rows may be asked for", async () => {
    expect((await admin("channels", { query: { limit: 250 } })).status).toBe(200);
  });

  test.each<[string, string | object, number]>([
    ["kick", {}, 400],
    ["kick", { user: "" }, 400],
    ["kick", { user: "u", channel: "c" }, 400],
    ["kick", { user: "u", more: 1 }, 400],
    ["kick", { user: 1 }, 400],
    ["kick", '{"user":"u","__proto__":{}}', 400],
    ["kick", '{"user":{"__proto__":{}}}', 400],
    ["kick", "[]", 400],
    ["kick", "{", 400],
    ["kick", '"u"', 400],
    ["kick", '{"user":"\\ud800"}', 200],
    ["push", { data: 1 }, 400],
    ["push", { channel: "public:a" }, 400],
    ["push", { channel: "public:a", user: "u", data: 1 }, 400],
    ["push", { pattern: "(?=x)", data: 1 }, 400],
    ["push", '{"channel":"public:\\ud800","data":1}', 400],
    ["push", '{"channel":"public:a","data":"\\ud800"}', 200],
    ["push", '{"user":"\\ud800","data":1}', 200],
    ["push", { channel: "public:a", data: null }, 200],
    ["push", { channel: "nobody:knows", data: { n: 1 } }, 200],
    ["webhooks/dead-letters/replay", { organisation: ORG }, 400],
    ["webhooks/dead-letters/replay", { organisation: ORG, ids: ["a"], endpoint: "b" }, 400],
    ["webhooks/dead-letters/replay", { organisation: "none", ids: ["a"] }, 404],
  ])("POST %s with %j is answered %i", async (path, body, status) => {
    const answer = await admin(path, { body });
    expect([answer.text, answer.status]).toEqual([answer.text, status]);
  });

  test("a body may have its bytes and no more", async () => {
    const frame = (data: string) => `{"user":"u","data":"${data}"}`;
    const room = ADMIN_BODY_BYTES_MAX - frame("").length;
    expect((await admin("push", { body: frame("x".repeat(room)) })).status).toBe(200);
    const over = await admin("push", { body: frame("x".repeat(room + 1)) });
    expect([over.status, over.code]).toEqual([413, "too_large"]);
    const compressed = await admin("kick", {
      body: { user: "u" },
      headers: { "Content-Encoding": "gzip" },
    });
    expect(compressed.status).toBe(415);
    const wild = await fetch(`${server.apiUrl}/admin/api/kick`, {
      method: "POST",
      body: new Uint8Array([0x7b, 0xff, 0x7d]),
    });
    expect(wild.status).toBe(400);
  });

  test("refusals say who was refused what, without what was sent", async () => {
    await admin("kick", { body: { user: "u", secret: "s3cret" } });
    const [last] = (await admin("refusals", { query: { dialect: "admin", limit: 1 } })).data;
    expect(last).toMatchObject({
      ...{ event: "API call refused", dialect: "admin", times: 1 },
      about: { method: "kick", code: "bad_request" },
    });
    expect(JSON.stringify(last)).not.toContain("s3cret");
  });
});
