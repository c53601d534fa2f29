/** Logins by password, and what may be asked of whom how often (messaging.md §13.1). */
import { expect, test } from "bun:test";
import {
  ask,
  introspect,
  KEY,
  manage,
  managed,
  open,
  send,
  subscribe,
  whoami,
  type Fields,
} from "../../support/messaging-auth.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

const PASSWORD = "correct horse";

async function bootWithPassword(messaging: object = {}): Promise<BootedServer> {
  const server = await bootServer({ config: { messaging } });
  await managed(server, "POST", "/subscribers", { msisdn: "101", "sip-password": PASSWORD });
  return server;
}

const logIn = (
  server: BootedServer,
  fields: Fields = {},
  options: Parameters<typeof send>[3] = {},
) =>
  send(
    server,
    "token",
    { grant_type: "password", username: "101@dev", password: PASSWORD, ...fields },
    options,
  );

const basic = (text: string) => ({ Authorization: `Basic ${btoa(text)}` });

test("a login answers a token that opens a socket, on both listeners and in both ways", async () => {
  await using server = await bootWithPassword();
  const grant = { grant_type: "password" };
  const answers = [
    await logIn(server),
    await logIn(server, { username: "101@self" }, { on: "api" }),
    await send(server, "token", grant, { headers: basic(`101@dev:${PASSWORD}`) }),
  ];
  for (const { status, body, headers } of answers) {
    expect([status, body]).toEqual([
      200,
      {
        access_token: expect.stringMatching(/^XI[A-Za-z0-9]{32}$/),
        token_type: "Bearer",
        expires_in: 3600,
      },
    ]);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(await whoami(await open(server, String(body?.["access_token"])))).toBe("101");
  }
  expect(new Set(answers.map(({ body }) => body?.["access_token"])).size).toBe(3);
  const { keys } = await managed(server, "GET", "/subscribers/101/keys");
  expect(keys).toEqual(Array(3).fill(expect.objectContaining({ name: "login", active: true })));
});

test("whatever is wrong with a login is told in the same words", async () => {
  await using server = await bootWithPassword({ logins_per_minute: 100 });
  await managed(server, "POST", "/subscribers", { msisdn: "102" });
  await managed(server, "POST", "/subscribers", {
    ...{ msisdn: "103", "sip-password": PASSWORD, active: false },
  });
  await managed(server, "POST", "/subscribers", { msisdn: "104", "sip-password": PASSWORD });
  await managed(server, "DELETE", "/subscribers/104");
  const wrong: Fields[] = [
    { password: "Correct horse" },
    { password: "" },
    { password: PASSWORD + "x".repeat(60_000) },
    { username: "102@dev" },
    { username: "103@dev" },
    { username: "104@dev" },
    { username: "105@dev" },
    { username: "101@other" },
    { username: "101" },
    { username: "@dev" },
    { username: `${"1".repeat(129)}@dev` },
    { username: "../101@dev" },
  ];
  for (const fields of wrong) {
    const { status, body } = await logIn(server, fields);
    expect([fields.username, status, body]).toEqual([
      fields.username,
      400,
      { error: "invalid_grant", error_description: "The username or password is wrong" },
    ]);
  }
});

test("a password is changed and removed, and is never shown", async () => {
  await using server = await bootWithPassword();
  const subscriber = await managed(server, "PATCH", "/subscribers/101", { "sip-password": "new" });
  expect(JSON.stringify(subscriber)).not.toContain("argon2");
  expect(subscriber["has-password"]).toBe(true);
  expect((await logIn(server)).status).toBe(400);
  expect((await logIn(server, { password: "new" })).status).toBe(200);
  await managed(server, "PATCH", "/subscribers/101", { "sip-password": null });
  expect((await logIn(server, { password: "new" })).status).toBe(400);
});

test("a request that is no login is told what is missing", async () => {
  await using server = await bootWithPassword();
  const grant = { grant_type: "password" };
  const url = `${server.clientsUrl}/messaging/auth/token`;
  const form = "application/x-www-form-urlencoded";
  const answers = [
    [await send(server, "token", {}), "unsupported_grant_type"],
    [await send(server, "token", { grant_type: "client_credentials" }), "unsupported_grant_type"],
    [await send(server, "token", grant), "invalid_request"],
    [await send(server, "token", { ...grant, username: "101@dev" }), "invalid_request"],
    [await logIn(server, {}, { headers: basic(`101@dev:${PASSWORD}`) }), "invalid_request"],
    [await send(server, "token", grant, { headers: basic("101@dev") }), "invalid_request"],
    [
      await ask(url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: "{}",
      }),
      "invalid_request",
    ],
    [
      await ask(url, {
        ...{ method: "POST", headers: { "Content-Type": form } },
        body: "grant_type=password&grant_type=password",
      }),
      "invalid_request",
    ],
    [
      await ask(`${server.clientsUrl}/messaging/auth/revoke`, {
        method: "POST",
        headers: { "Content-Type": form },
        body: "",
      }),
      "invalid_request",
    ],
  ] as const;
  for (const [{ status, body }, error] of answers) {
    expect([status, body?.["error"]]).toEqual([400, error]);
  }
  const other = await ask(url);
  expect([other.status, other.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
  const large = await logIn(server, { password: "x".repeat(70_000) });
  expect([large.status, large.body?.["error"]]).toEqual([413, "too_large"]);
  const packed = await logIn(server, {}, { headers: { "Content-Encoding": "gzip" }, on: "api" });
  expect([packed.status, packed.body?.["error"]]).toEqual([415, "unsupported_media_type"]);
});

test("any page may log in: the preflight is answered, and names what may be sent", async () => {
  await using server = await bootWithPassword();
  for (const base of [server.clientsUrl, server.apiUrl]) {
    const { status, headers } = await ask(`${base}/messaging/auth/token`, {
      method: "OPTIONS",
      headers: { Origin: "https://app.example", "Access-Control-Request-Method": "POST" },
    });
    expect(status).toBe(204);
    expect(Object.fromEntries(headers)).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "POST, OPTIONS",
      "access-control-allow-headers": "Authorization, Content-Type",
    });
  }
});

test("a subscriber may be tried so often in a minute, right or wrong, and then again", async () => {
  await using server = await bootWithPassword({ logins_per_minute: 3 });
  expect((await logIn(server)).status).toBe(200);
  expect((await logIn(server, { password: "no" })).status).toBe(400);
  expect((await logIn(server)).status).toBe(200);
  const limited = await logIn(server);
  expect([limited.status, limited.body?.["error"]]).toEqual([429, "rate_limited"]);
  expect(limited.headers.get("retry-after")).toBe("20");
  // Of this one alone.
  expect((await logIn(server, { username: "102@dev" })).status).toBe(400);
  await server.advance(19_999);
  expect((await logIn(server)).status).toBe(429);
  await server.advance(1);
  expect((await logIn(server)).status).toBe(200);
  const metrics = await (await fetch(`${server.apiUrl}/metrics`)).text();
  expect(metrics).toContain('carillon_limits_hit_total{limit="logins_per_minute"} 2');
});

test("an address may be wrong so often in a minute, whomever it tries", async () => {
  await using server = await bootWithPassword({ failed_logins_per_minute: 2 });
  for (const username of ["1@dev", "2@dev"]) {
    expect((await logIn(server, { username })).status).toBe(400);
  }
  expect((await logIn(server)).status).toBe(429);
  // Servers call on the other listener, which counts subscribers alone.
  expect((await logIn(server, {}, { on: "api" })).status).toBe(200);
  await server.advance(30_000);
  expect((await logIn(server)).status).toBe(200);
});

test("a login ends with its time, and with its subscriber", async () => {
  await using server = await bootWithPassword({ token_ttl: "60s" });
  const token = String((await logIn(server)).body?.["access_token"]);
  expect(await introspect(server, token)).toEqual({
    ...{ active: true, sub: "101", domain: "dev", token_type: "Bearer" },
    exp: Date.UTC(2026, 10, 1) / 1000 + 60,
  });
  await server.advance(60_000);
  expect(await introspect(server, token)).toEqual({ active: false });
  expect(await managed(server, "GET", "/subscribers/101/keys")).toEqual({ keys: [] });
});

test("who has no key is told nothing about a token", async () => {
  await using server = await bootWithPassword();
  const { token } = await subscribe(server, "101");
  for (const headers of [{}, { Authorization: `Bearer ${token}` }]) {
    for (const on of ["clients", "api"] as const) {
      const {
        status,
        body,
        headers: got,
      } = await send(server, "introspect", { token }, { headers, on });
      expect([status, body?.["error"]]).toEqual([401, "invalid_token"]);
      expect(got.get("www-authenticate")).toContain("Bearer");
    }
  }
  const known = await send(server, "introspect", { token }, { headers: KEY });
  expect(known.body).toMatchObject({ active: true, sub: "101" });
  const none = await send(server, "introspect", { token: "dev-api-key" }, { headers: KEY });
  expect(none.body).toEqual({ active: false });
  expect(
    (
      await manage(server, "GET", "/subscribers", undefined, {
        headers: { "X-API-Key": "dev-api-key" },
      })
    ).status,
  ).toBe(200);
});
