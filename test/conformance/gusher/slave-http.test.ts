/** Checklist items 1 to 7: the slave's routes over HTTP (gusher.md §2, §3.1, §4, §16). */
import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { LOGIN_BODY_BYTES_MAX } from "../../../src/dialects/gusher/slave-http.ts";
import {
  bootGusher,
  GRANT_A,
  jwt,
  logIn,
  post,
  type GusherServer,
  type Json,
} from "../../support/gusher.ts";
import { handshake } from "../../support/raw-websocket.ts";

const TEXT = "text/plain; charset=utf-8";

describe("the slave's HTTP", () => {
  let server: GusherServer;
  beforeAll(async () => {
    server = await bootGusher();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const expectRefused = ({ status, headers, body }: Awaited<ReturnType<typeof post>>) => {
    expect({ status, body }).toEqual({ status: 401, body: "jwt decode fail\n" });
    expect(headers.get("content-type")).toBe(TEXT);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("access-control-allow-origin")).toBe("*");
  };

  test("a login's body has up to 65,536 bytes; a larger one counts as none, and the query is read all the same", async () => {
    const form = (bytes: number) => {
      const start = `jwt=${jwt({ gusher: GRANT_A })}&x=`;
      return start + "y".repeat(bytes - start.length);
    };
    const url = `${server.slaveUrl}/auth`;
    const type = { "Content-Type": "application/x-www-form-urlencoded" };
    expect((await post(url, form(LOGIN_BODY_BYTES_MAX), type)).status).toBe(200);
    expectRefused(await post(url, form(LOGIN_BODY_BYTES_MAX + 1), type));
    const query = `?jwt=${jwt({ gusher: GRANT_A })}`;
    expect((await post(url + query, form(LOGIN_BODY_BYTES_MAX + 1), type)).status).toBe(200);
  });

  test("1: ping", async () => {
    const response = await fetch(`${server.slaveUrl}/ping`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(TEXT);
    expect(await response.text()).toBe("pong");
  });

  test("2: a wrong method is 405 without a body, an unknown path 404", async () => {
    for (const [method, path] of [
      ["POST", "/ping"],
      ["HEAD", "/ping"],
      ["OPTIONS", "/ping"],
      ["POST", "/ws/TEST"],
      ["DELETE", "/wtf/TEST"],
    ] as const) {
      const response = await fetch(server.slaveUrl + path, { method });
      expect([path, response.status, await response.text()]).toEqual([path, 405, ""]);
      expect(response.headers.get("allow")).toBe("GET");
      expect(response.headers.has("content-type")).toBe(false);
    }
    for (const path of ["/nothing", "/ping/", "/ws", "/ws/", "/ws/A%2FB", "/ws/A/B", ""]) {
      const response = await fetch(server.slaveUrl + path);
      expect([path, response.status]).toEqual([path, 404]);
      expect(await response.text()).toBe("404 page not found\n");
      expect(response.headers.get("content-type")).toBe(TEXT);
      expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    }
    const doubled = await fetch(`${server.slaveUrl}//ping?a=b`, { redirect: "manual" });
    expect([doubled.status, doubled.headers.get("location")]).toEqual([301, "/gusher/ping?a=b"]);
  });

  test("3: a login by form", async () => {
    const { status, headers, body } = await logIn(server, jwt({ gusher: GRANT_A }));
    expect(status).toBe(200);
    expect(body).toMatch(/^\{"token":"[0-9a-f-]{36}"\}\n$/);
    expect(headers.get("content-type")).toBe("application/json;charset=UTF-8");
    expect(headers.get("access-control-allow-origin")).toBe("*");
  });

  test("4: a login by query; the body's field wins, and multipart and JSON bodies do as well", async () => {
    const good = jwt({ gusher: GRANT_A });
    const url = `${server.slaveUrl}/auth`;
    const form = (value: string) => new URLSearchParams({ jwt: value });
    const multipart = new FormData();
    multipart.set("jwt", good);
    const json = (value: unknown) =>
      [JSON.stringify(value), { "content-type": "application/json" }] as const;
    expect((await post(`${url}?jwt=${good}`)).status).toBe(200);
    expect((await post(`${url}?jwt=bad`, form(good))).status).toBe(200);
    expectRefused(await post(`${url}?jwt=${good}`, form("bad")));
    expect((await post(url, multipart)).status).toBe(200);
    expect((await post(url, ...json({ jwt: good }))).status).toBe(200);
    expectRefused(await post(url, ...json({ jwt: 5 })));
    expectRefused(await post(url, ...json("jwt")));
    expectRefused(await post(url, "{", { "content-type": "application/json" }));
    expectRefused(await post(url, good, { "content-type": "text/plain" }));
    expectRefused(await post(url, "jwt=%zz", { "content-type": FORM }));
    expectRefused(await post(url, "x", { "content-type": "multipart/form-data; boundary=a" }));
  });

  test("5: whatever is wrong with a JWT, the answer is one", async () => {
    const claims = { gusher: GRANT_A };
    const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    const [head = "", body = "", signature = ""] = jwt(claims).split(".");
    expectRefused(await post(`${server.slaveUrl}/auth`));
    for (const wrong of [
      "",
      "bad",
      jwt({ ...claims, exp: server.seconds(-1) }),
      jwt({ ...claims, nbf: server.seconds(60) }),
      jwt({ ...claims, iat: server.seconds(1) }),
      jwt(claims, { key: other }),
      // Keyed with the PEM text of the public key.
      jwt(claims, { alg: "HS256" }),
      jwt(claims, { alg: "PS256" }),
      jwt(claims, { alg: "none" }),
      jwt(claims, { alg: "none" }) + signature,
      `${head}.${Buffer.from(JSON.stringify({ gusher: { ...GRANT_A, user_id: "u2" } })).toString("base64url")}.${signature}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      ` ${head}.${body}.${signature}`,
      `Bearer ${head}.${body}.${signature}`,
    ]) {
      expectRefused(await logIn(server, wrong));
    }
  });

  test("6: RS384 and RS512", async () => {
    for (const alg of ["RS384", "RS512"]) {
      expect((await logIn(server, jwt({ gusher: GRANT_A }, { alg }))).status).toBe(200);
    }
  });

  test("7: a login is a POST", async () => {
    for (const method of ["GET", "OPTIONS"]) {
      const response = await fetch(`${server.slaveUrl}/auth`, { method });
      expect([method, response.status, await response.text()]).toEqual([method, 405, ""]);
      expect(response.headers.get("allow")).toBe("POST");
    }
  });

  describe("§4: claims", () => {
    const statusOf = async (claims: Json) => (await logIn(server, jwt(claims))).status;
    const withGrant = (grant: unknown) => statusOf({ gusher: grant });

    test("absent and null members have defaults", async () => {
      expect(await withGrant({})).toBe(200);
      expect(await withGrant(null)).toBe(200);
      expect(await statusOf({})).toBe(200);
      const empty = { channels: null, user_id: null, app_key: null, remotes: null };
      expect(await withGrant(empty)).toBe(200);
      expect(await withGrant({ ...GRANT_A, channels: ["AA", null] })).toBe(200);
    });

    test.each<[string, Json]>([
      ["channels", { channels: "AA" }],
      ["channels", { channels: ["AA", 5] }],
      ["user_id", { user_id: 5 }],
      ["app_key", { app_key: true }],
      ["remotes", { remotes: ["chat"] }],
      ["remotes", { remotes: { chat: 1 } }],
    ])("%s of another type are refused: %j", async (_name, member) => {
      expect(await withGrant({ ...GRANT_A, ...member })).toBe(401);
    });

    test.each<[unknown]>([[5], ["x"], [[]]])("a grant %j is refused", async (grant) => {
      expect(await withGrant(grant)).toBe(401);
    });

    test("times count in whole seconds, with the last one inside, and 0 is none", async () => {
      const times = (claims: Json) => statusOf({ gusher: GRANT_A, ...claims });
      const now = server.seconds();
      expect(await times({ exp: now, nbf: now, iat: now })).toBe(200);
      expect(await times({ exp: 0, nbf: 0, iat: 0 })).toBe(200);
      for (const name of ["exp", "nbf", "iat"]) {
        expect(await times({ [name]: `${now}` })).toBe(401);
      }
      // RFC 7519 §2, where the original takes integers only.
      expect(await times({ exp: now + 0.5, nbf: now - 0.5, iat: now - 0.5 })).toBe(200);
      expect(await times({ exp: now - 0.5 })).toBe(401);
      expect(await times({ nbf: now + 0.5 })).toBe(401);
      expect(await times({ iat: now + 0.5 })).toBe(401);
    });

    test("registered names are texts, whatever they say; an audience may be a list", async () => {
      const named = (claims: Json) => statusOf({ gusher: GRANT_A, ...claims });
      expect(await named({ aud: "x", iss: "y", sub: "z", jti: "1", more: { any: 1 } })).toBe(200);
      expect(await named({ aud: ["x", "y"] })).toBe(200);
      for (const name of ["aud", "iss", "sub", "jti"]) expect(await named({ [name]: 5 })).toBe(401);
    });
  });

  test("header members but the algorithm mean nothing", async () => {
    const header = { kid: "any", typ: "other", jku: "https://x.example/keys" };
    expect((await logIn(server, jwt({ gusher: GRANT_A }, { header }))).status).toBe(200);
  });

  test("a JWT without a grant gets a token that opens nothing", async () => {
    const { body } = await logIn(server, jwt({ sub: "somebody" }));
    const { token } = JSON.parse(body) as { token: string };
    expect(await handshake(`${server.slaveUrl}/ws/TEST?token=${token}`)).toMatchObject({
      status: 401,
      body: "appkey error\n",
    });
  });
});

const FORM = "application/x-www-form-urlencoded";
