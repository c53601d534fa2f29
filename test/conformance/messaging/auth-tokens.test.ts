/** Checklist 1 to 7 and 31 (messaging.md §15): tokens open connections, and their ends end them. */
import { expect, test } from "bun:test";
import { createTestEngine } from "../../support/engine.ts";
import {
  closeOf,
  introspect,
  KEY,
  manage,
  managed,
  open,
  send,
  socketUrl,
  statusOf,
  subscribe,
  whoami,
} from "../../support/messaging-auth.ts";
import { bootServer } from "../../support/server.ts";
import { connectRaw, handshake } from "../../support/raw-websocket.ts";
import { createTestRuntime } from "../../support/runtime.ts";
import { hs256 } from "../../support/tokens.ts";

const ENDED = [4401, "Unauthorized"] as const;

test("an upgrade without a token, or with an unknown one, is answered 401 with a challenge", async () => {
  await using server = await bootServer();
  const none = await handshake(socketUrl(server), { headers: { origin: "https://app.example" } });
  expect(none.status).toBe(401);
  expect(none.headers.get("www-authenticate")).toBe('Bearer realm="messaging"');
  expect(JSON.parse(none.body)).toEqual({ error: "unauthorized" });
  for (const token of ["", "XI", `XI${"a".repeat(32)}`, `XI${"a".repeat(33)}`, "a.b.c", "%00"]) {
    const unknown = await handshake(socketUrl(server, token), {
      headers: { origin: "https://app.example" },
    });
    expect([token, unknown.status]).toEqual([token, 401]);
    expect(Object.fromEntries(unknown.headers)).toMatchObject({
      "www-authenticate": 'Bearer realm="messaging", error="invalid_token"',
      "content-type": "application/json; charset=UTF-8",
      "cache-control": "no-store",
      "access-control-allow-origin": "https://app.example",
      "access-control-allow-credentials": "true",
      vary: "Origin",
    });
    expect(JSON.parse(unknown.body)).toEqual({
      error: "invalid_token",
      error_description: "The access token is expired, revoked or unknown",
    });
  }
});

test("a token in the header or the query opens a socket, and both are one too many", async () => {
  await using server = await bootServer();
  const { token } = await subscribe(server, "101");
  expect(token).toMatch(/^XI[A-Za-z0-9]{32}$/);
  for (const as of ["header", "query"] as const) {
    expect(await whoami(await open(server, token, as))).toBe("101");
  }
  const twice = [
    { url: socketUrl(server, token), authorization: `Bearer ${token}` },
    { url: `${socketUrl(server, token)}&access_token=${token}`, authorization: undefined },
    { url: socketUrl(server), authorization: "Bearer" },
    { url: socketUrl(server), authorization: `Bearer ${token}, Bearer ${token}` },
  ];
  for (const { url, authorization } of twice) {
    const answer = await handshake(url, { headers: { authorization } });
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([
      400,
      'Bearer realm="messaging", error="invalid_request"',
    ]);
  }
  // Not a way to send one: cookies would let pages of other sites connect.
  const elsewhere = await handshake(socketUrl(server), {
    headers: { cookie: `access_token=${token}`, "x-api-key": token, authorization: "Basic eDp5" },
  });
  expect(elsewhere.status).toBe(401);
});

test("what is good and no subscriber's token is answered 403", async () => {
  await using server = await bootServer();
  const tokens = ["dev-api-key", hs256({ exp: 2e9 }), hs256({ sub: "1", gusher: {} })];
  for (const token of [...tokens, hs256({ sub: "a/b" }), hs256({ sub: "" })]) {
    const answer = await handshake(socketUrl(server, token));
    expect([answer.status, JSON.parse(answer.body).error]).toEqual([403, "insufficient_scope"]);
    expect(answer.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
  }
});

test("where one key serves several dialects, a token that says it is messaging's is no other's", async () => {
  await using server = await bootServer();
  const token = hs256({ sub: "42", messaging: true });
  expect(await whoami(await open(server, token))).toBe("42");
  const streaming = await connectRaw(server.websocketUrl);
  streaming.send(JSON.stringify({ id: 1, connect: { token } }));
  expect((await streaming.next()).code).toBe(3500);
});

test("a JWT by the app's key opens a socket, and makes its subscriber first", async () => {
  await using server = await bootServer();
  expect((await manage(server, "GET", "/subscribers/auth0%7C42")).status).toBe(404);
  const token = hs256({ sub: "auth0|42", exp: 2e9 });
  expect(await whoami(await open(server, token))).toBe("auth0|42");
  expect(await managed(server, "GET", "/subscribers/auth0%7C42")).toMatchObject({
    msisdn: "auth0|42",
    active: true,
    "has-password": false,
  });
  expect(await statusOf(server, hs256({ sub: "43", exp: 1 }))).toBe(401);
  expect(await statusOf(server, hs256({ sub: "43" }, "another secret"))).toBe(401);
  expect((await manage(server, "GET", "/subscribers/43")).status).toBe(404);
});

test("revoking a token drops its connections alone, and a new one works", async () => {
  await using server = await bootServer();
  const [first, second] = [await subscribe(server, "101"), await subscribe(server, "101")];
  const [tab, other, kept] = [
    await open(server, first.token),
    await open(server, first.token, "header"),
    await open(server, second.token),
  ];
  expect((await send(server, "revoke", { token: first.token })).status).toBe(200);
  expect(await statusOf(server, first.token)).toBe(401);
  expect(await closeOf(tab)).toEqual(ENDED);
  expect(await closeOf(other)).toEqual(ENDED);
  expect(await whoami(kept)).toBe("101");
  const again = await subscribe(server, "101");
  expect(await whoami(await open(server, again.token))).toBe("101");
  // Whatever is revoked, the answer is the same.
  for (const token of [first.token, "nothing", ""]) {
    expect((await send(server, "revoke", { token })).status).toBe(200);
  }
});

test("a revoked JWT stays revoked, however its signature is spelled", async () => {
  await using server = await bootServer();
  const token = hs256({ sub: "7", exp: 2e9 });
  const socket = await open(server, token);
  expect((await send(server, "revoke", { token }, { on: "api" })).status).toBe(200);
  expect(await closeOf(socket)).toEqual(ENDED);
  for (const spelled of [token, `${token}=`, `${token.slice(0, -1)}${"A"}`]) {
    expect(await statusOf(server, spelled)).toBe(401);
  }
  expect(await whoami(await open(server, hs256({ sub: "7", exp: 2e9, jti: "2" })))).toBe("7");
});

test("a key that is deactivated or deleted ends its token; an active one works again", async () => {
  await using server = await bootServer();
  const { token, keyId } = await subscribe(server, "101");
  const socket = await open(server, token);
  const path = `/subscribers/101/keys/${keyId}`;
  expect(await managed(server, "PATCH", path, { active: false })).toMatchObject({ active: false });
  expect(await closeOf(socket)).toEqual(ENDED);
  expect(await statusOf(server, token)).toBe(401);
  expect(await introspect(server, token)).toEqual({ active: false });
  await managed(server, "PATCH", path, { active: true });
  const again = await open(server, token);
  expect((await manage(server, "DELETE", path)).status).toBe(204);
  expect(await closeOf(again)).toEqual(ENDED);
  expect(await statusOf(server, token)).toBe(401);
  expect((await manage(server, "PATCH", path, { active: true })).status).toBe(404);
  expect((await manage(server, "GET", path)).status).toBe(404);
});

test("all of a subscriber's keys end at once, JWTs that are out included", async () => {
  await using server = await bootServer();
  const issued = Date.UTC(2026, 10, 1) / 1000;
  const [one, two] = [await subscribe(server, "101"), await subscribe(server, "101")];
  const bystander = await open(server, (await subscribe(server, "102")).token);
  const jwt = hs256({ sub: "101", iat: issued });
  const sockets = [await open(server, one.token), await open(server, two.token)];
  sockets.push(await open(server, jwt));
  expect((await manage(server, "DELETE", "/subscribers/101/keys")).status).toBe(204);
  for (const socket of sockets) expect(await closeOf(socket)).toEqual(ENDED);
  for (const token of [one.token, two.token, jwt, hs256({ sub: "101" })]) {
    expect(await statusOf(server, token)).toBe(401);
  }
  expect(await managed(server, "GET", "/subscribers/101/keys")).toEqual({ keys: [] });
  expect(await whoami(bystander)).toBe("102");
  await server.advance(1000);
  const later = hs256({ sub: "101", iat: issued + 1 });
  expect(await whoami(await open(server, later))).toBe("101");
  expect(await whoami(await open(server, (await subscribe(server, "101")).token))).toBe("101");
});

test("a deactivated subscriber has no connections and gets no tokens, until it is active again", async () => {
  await using server = await bootServer();
  const { token, keyId } = await subscribe(server, "101");
  const jwt = hs256({ sub: "101" });
  const sockets = [await open(server, token), await open(server, jwt)];
  const changed = await managed(server, "PATCH", "/subscribers/101", { active: false });
  expect(changed).toMatchObject({ active: false });
  for (const socket of sockets) expect(await closeOf(socket)).toEqual(ENDED);
  for (const refused of [token, jwt]) expect(await statusOf(server, refused)).toBe(401);
  const mint = await manage(server, "POST", "/subscribers/101/keys");
  expect([mint.status, mint.body?.["error"]]).toEqual([409, "conflict"]);
  await managed(server, "PATCH", "/subscribers/101", { active: true });
  // What has ended stays so.
  expect(await statusOf(server, token)).toBe(401);
  expect((await manage(server, "GET", `/subscribers/101/keys/${keyId}`)).status).toBe(404);
  expect(await whoami(await open(server, (await subscribe(server, "101")).token))).toBe("101");
});

test("a deleted subscriber is not brought back by a token that is still out", async () => {
  await using server = await bootServer();
  const { token } = await subscribe(server, "101");
  const jwt = hs256({ sub: "101", exp: 2e9 });
  const socket = await open(server, jwt);
  expect((await manage(server, "DELETE", "/subscribers/101")).status).toBe(204);
  expect(await closeOf(socket)).toEqual(ENDED);
  for (const refused of [token, jwt]) expect(await statusOf(server, refused)).toBe(401);
  expect((await manage(server, "GET", "/subscribers/101")).status).toBe(404);
  expect((await manage(server, "DELETE", "/subscribers/101")).status).toBe(404);
  expect(await managed(server, "GET", "/subscribers")).toEqual({ subscribers: [] });
  await managed(server, "POST", "/subscribers", { msisdn: "101" });
  for (const refused of [token, jwt]) expect(await statusOf(server, refused)).toBe(401);
  expect(await whoami(await open(server, (await subscribe(server, "101")).token))).toBe("101");
});

test("a token's time is over at its moment, as if it had been revoked", async () => {
  await using server = await bootServer();
  const { token, keyId } = await subscribe(server, "101", { "expires-in": 60 });
  const jwt = hs256({ sub: "101", exp: Date.UTC(2026, 10, 1) / 1000 + 60 });
  const sockets = [await open(server, token), await open(server, jwt)];
  await server.advance(59_999);
  expect(await statusOf(server, token)).toBe(101);
  expect(await statusOf(server, jwt)).toBe(101);
  await server.advance(1);
  for (const socket of sockets) expect(await closeOf(socket)).toEqual(ENDED);
  for (const refused of [token, jwt]) expect(await statusOf(server, refused)).toBe(401);
  expect((await manage(server, "GET", `/subscribers/101/keys/${keyId}`)).status).toBe(404);
});

test("a token that ends while its connection opens ends that as well", async () => {
  await using server = await bootServer();
  for (let times = 0; times < 5; times++) {
    const { token } = await subscribe(server, "101");
    const [revoked, opened] = await Promise.allSettled([
      send(server, "revoke", { token }),
      open(server, token).then(closeOf),
    ]);
    expect(revoked.status).toBe("fulfilled");
    // Refused, or opened and closed: it never stays.
    if (opened.status === "fulfilled") expect(opened.value).toEqual(ENDED);
    else expect(String(opened.reason)).toMatch(/401|4401/);
  }
});

test("domains know nothing of each other's subscribers, keys and tokens", async () => {
  const config = {
    apps: [
      { id: "one", hosts: ["one.example"] },
      { id: "two", hosts: ["two.example"] },
    ],
    api_keys: ["one", "two"].map((app) => ({
      id: app,
      hash: new Bun.CryptoHasher("sha256").update(`key-${app}`).digest("hex"),
      scopes: ["messaging"],
      app,
    })),
    signing_keys: [{ use: "messaging", hmac_secret: "secret of one", app: "one" }],
  };
  await using server = await bootServer({ config });
  const as = (app: string, domain = app) => ({
    headers: { Authorization: `Bearer key-${app}` },
    domain: `domains/${domain}`,
  });
  const upgrade = async (host: string, token: string) =>
    (await handshake(socketUrl(server, token), { headers: { host } })).status;
  await managed(server, "POST", "/subscribers", { msisdn: "101" }, as("one"));
  const minted = await managed(server, "POST", "/subscribers/101/keys", {}, as("one", "self"));
  const token = String(minted["access_token"]);
  expect(await upgrade("one.example", token)).toBe(101);
  expect(await upgrade("two.example", token)).toBe(401);
  const jwt = hs256({ sub: "101" }, "secret of one");
  expect(await upgrade("one.example", jwt)).toBe(101);
  expect(await upgrade("two.example", jwt)).toBe(401);
  // An API key of one's own is good and no subscriber's; of another domain it is nothing.
  expect(await upgrade("one.example", "key-one")).toBe(403);
  expect(await upgrade("two.example", "key-one")).toBe(401);
  expect((await manage(server, "GET", "/subscribers/101", undefined, as("two"))).status).toBe(404);
  const foreign = await manage(server, "GET", "/subscribers/101", undefined, as("two", "one"));
  expect([foreign.status, foreign.body?.["error"]]).toEqual([404, "not_found"]);
  const asked = await send(server, "introspect", { token }, { ...as("two"), on: "api" });
  expect(asked.body).toEqual({ active: false });
  const known = await send(server, "introspect", { token }, { ...as("one"), on: "api" });
  expect(known.body).toMatchObject({ active: true, sub: "101", domain: "one" });
});

test("a page of another origin is refused where the app has a list", async () => {
  const apps = [{ id: "dev", allowed_origins: ["https://app.example"] }];
  await using server = await bootServer({ config: { apps } });
  const { token } = await subscribe(server, "101");
  const from = (origin: string) => handshake(socketUrl(server, token), { headers: { origin } });
  expect((await from("https://app.example")).status).toBe(101);
  // Of this server itself, as SockJS's iframe page is.
  expect((await from(server.clientsUrl)).status).toBe(101);
  const refused = await from("https://evil.example");
  expect([refused.status, JSON.parse(refused.body).error]).toEqual([403, "forbidden"]);
  expect(refused.headers.has("access-control-allow-origin")).toBe(false);
  expect(server.logged.find(({ msg }) => msg === "Origin refused")).toMatchObject({
    dialect: expect.stringContaining("messaging"),
    origin: "https://evil.example",
  });
});

test("tokens and passwords are in no line of the log, and in no record as they are", async () => {
  const runtime = createTestRuntime();
  const engine = createTestEngine({ runtime });
  await using server = await bootServer({ runtime, engine });
  const { token } = await subscribe(server, "101");
  await managed(server, "PATCH", "/subscribers/101", { "sip-password": "correct horse" });
  const jwt = hs256({ sub: "7", exp: 2e9 });
  for (const known of [token, jwt]) await open(server, known);
  await statusOf(server, `${token}x`);
  await send(server, "token", { grant_type: "password", username: "101@dev", password: "wrong p" });
  await send(server, "revoke", { token });
  await send(server, "revoke", { token: jwt });
  await introspect(server, jwt);
  await manage(server, "GET", "/subscribers", undefined, { headers: {} });
  const kept = await engine.app("dev").records.list("messaging/", { limit: 100 });
  expect(kept.map(({ key }) => key)).toContainEqual(expect.stringContaining("messaging/denied/"));
  const log = JSON.stringify([server.logged, kept]);
  for (const secret of [
    token,
    jwt,
    jwt.split(".")[2] ?? "",
    "correct horse",
    "wrong p",
    KEY.Authorization,
  ]) {
    expect(log).not.toContain(secret);
  }
  expect(server.logged.filter(({ level }) => level === 50)).toEqual([]);
});
