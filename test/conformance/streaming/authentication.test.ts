/** Who connects, and with what (centrifugo-protocol.md §3.1, §11, §14, §22 items 7, 14). */
import { describe, expect, test } from "bun:test";
import packageJson from "../../../package.json" with { type: "json" };
import {
  bootStreaming,
  CLOSES,
  connectClient,
  ERRORS,
  OPEN,
  openClient,
  type StreamingClient,
  type StreamingServer,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const { version } = packageJson;
const NAMESPACES = [{ name: "open", ...OPEN }, { name: "closed" }];

async function connecting(server: StreamingServer, request: object): Promise<StreamingClient> {
  const client = await openClient(server);
  client.send({ id: 1, connect: request });
  return client;
}

describe("item 7: tokens at connect", () => {
  const alg = (header: object, secret?: string) => (claims: object) =>
    hs256({ ...claims }, secret, { ...header });

  test.each([
    ["exp has come", { exp: 0 }],
    ["exp has passed", { exp: -1000 }],
    ["nbf has not come", { nbf: 1 }],
  ])("%s: error 109", async (_name, relative) => {
    await using server = await bootStreaming();
    const times = Object.entries(relative).map(([name, after]) => [name, server.seconds(after)]);
    using client = await connecting(server, {
      token: hs256({ sub: "1", ...Object.fromEntries(times) }),
    });
    expect(await client.next()).toEqual({ id: 1, error: ERRORS[109] });
  });

  test.each([
    ["another secret", alg({}, "another secret")({ sub: "1" })],
    ["alg none", `${Buffer.from('{"alg":"none"}').toString("base64url")}.e30.`],
    ["alg none with a signature", alg({ alg: "none" })({ sub: "1" })],
    ["another alg", alg({ alg: "HS512" })({ sub: "1" })],
    ["no token at all", "token"],
    ["a channel claim", hs256({ sub: "1", channel: "open:a" })],
    ["a gusher claim", hs256({ sub: "1", gusher: {} })],
    ["a scope claim", hs256({ sub: "1", scope: "a" })],
    ["an org_id claim", hs256({ sub: "1", org_id: "org_1" })],
    ["a sub that is a number", hs256({ sub: 1 })],
    ["channels that are text", hs256({ sub: "1", channels: "open:a" })],
    ["subs that is an array", hs256({ sub: "1", subs: ["open:a"] })],
    ["an exp that is text", hs256({ sub: "1", exp: "tomorrow" })],
    ["a b64info that is none", hs256({ sub: "1", b64info: "*" })],
  ])("%s: close 3500", async (_name, token) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connecting(server, { token });
    expect(await client.closed()).toEqual(CLOSES[3500]);
  });

  test("an expired token of another secret is invalid, not expired", async () => {
    await using server = await bootStreaming();
    using client = await connecting(server, { token: hs256({ sub: "1", exp: 1 }, "another") });
    expect(await client.closed()).toEqual(CLOSES[3500]);
  });

  test("a channel of an unknown namespace: error 102", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connecting(server, { token: hs256({ sub: "1", channels: ["none:a"] }) });
    expect(await client.next()).toEqual({ id: 1, error: ERRORS[102] });
  });

  test.each([
    ["channel", { channels: ["closed:a"], meta: {}, aud: "x", iss: "y", jti: "z", iat: 1 }],
    ["subs", { subs: { "closed:a": {} } }],
  ])("standard claims are taken, and %s needs no permission", async (_name, claims) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await openClient(server);
    expect(await client.ask({ connect: { token: hs256({ sub: "1", ...claims }) } })).toEqual({
      connect: { client: client.id, version, subs: { "closed:a": {} } },
    });
  });
});

describe("§3.1: without a valid token", () => {
  test("no token: close 3501", async () => {
    await using server = await bootStreaming();
    using client = await connecting(server, {});
    expect(await client.closed()).toEqual(CLOSES[3501]);
  });

  test.each([
    ["allow_anonymous_connect_without_token", { allow_anonymous_connect_without_token: true }],
    ["insecure", { insecure: true }],
  ])("%s: anonymous", async (_name, streaming) => {
    await using server = await bootStreaming({ streaming });
    using client = await connectClient(server);
    expect(server.hub.stats()).toMatchObject({ connections: 1, users: 0 });
    expect(client.id).not.toBe("");
  });

  test("a token without a user is anonymous, or with disallow_anonymous_connection_tokens 3507", async () => {
    await using server = await bootStreaming();
    using client = await connectClient(server, {});
    expect(client.id).not.toBe("");
    await using strict = await bootStreaming({
      streaming: { disallow_anonymous_connection_tokens: true },
    });
    using refused = await connecting(strict, { token: hs256({}) });
    expect(await refused.closed()).toEqual(CLOSES[3507]);
  });

  test("user_id_http_header names the user, after a token and anonymity", async () => {
    const streaming = { user_id_http_header: "x-user" };
    await using server = await bootStreaming({ streaming });
    using client = await openClient(server, { headers: { "X-User": "42" } });
    await client.ask({ connect: {} });
    expect(server.hub.connectionsOf("42")).toBe(1);
    using withToken = await openClient(server, { headers: { "X-User": "42" } });
    await withToken.ask({ connect: { token: hs256({ sub: "7" }) } });
    expect(server.hub.connectionsOf("7")).toBe(1);
    await using anonymous = await bootStreaming({
      streaming: { ...streaming, allow_anonymous_connect_without_token: true },
    });
    using nobody = await openClient(anonymous, { headers: { "X-User": "42" } });
    await nobody.ask({ connect: {} });
    expect(anonymous.hub.connectionsOf("42")).toBe(0);
  });

  test("user_id_claim names another claim", async () => {
    await using server = await bootStreaming({ streaming: { user_id_claim: "uid" } });
    using client = await connectClient(server, { sub: "1", uid: "42" });
    expect([server.hub.connectionsOf("42"), server.hub.connectionsOf("1")]).toEqual([1, 0]);
    expect(client.id).not.toBe("");
  });

  test("user_connection_limit: close 3504", async () => {
    await using server = await bootStreaming({ streaming: { user_connection_limit: 1 } });
    using _first = await connectClient(server, { sub: "1" });
    using _other = await connectClient(server, { sub: "2" });
    using second = await connecting(server, { token: hs256({ sub: "1" }) });
    expect(await second.closed()).toEqual(CLOSES[3504]);
  });

  test("connect_include_server_time", async () => {
    await using server = await bootStreaming({ streaming: { connect_include_server_time: true } });
    using client = await openClient(server);
    const time = server.runtime.clock.epochMs();
    expect(await client.ask({ connect: { token: hs256({}) } })).toEqual({
      connect: { client: client.id, version, time },
    });
  });

  test("pings are announced with their interval in seconds", async () => {
    await using server = await bootStreaming({ streaming: { ping_interval: "25s" } });
    using client = await openClient(server);
    expect(await client.ask({ connect: { token: hs256({}) } })).toEqual({
      connect: { client: client.id, version, ping: 25, pong: true },
    });
  });
});

describe("item 14: expires and ttl", () => {
  test.each([
    ["no exp", {}, {}],
    ["exp", { exp: 60 }, { expires: true, ttl: 60 }],
    ["expire_at beyond exp", { exp: 60, expire_at: 90 }, { expires: true, ttl: 90 }],
    ["expire_at alone", { expire_at: 90 }, { expires: true, ttl: 90 }],
    ["expire_at 0", { exp: 60, expire_at: "never" }, {}],
    ["more than a year", { exp: 400 * 86_400 }, { expires: true, ttl: 365 * 86_400 }],
  ])("%s", async (_name, relative, expiry) => {
    await using server = await bootStreaming();
    const claims = Object.fromEntries(
      Object.entries(relative).map(([name, after]) => [
        name,
        typeof after === "string" ? 0 : server.seconds(after),
      ]),
    );
    using client = await openClient(server);
    expect(await client.ask({ connect: { token: hs256({ sub: "1", ...claims }) } })).toEqual({
      connect: { client: client.id, version, ...expiry },
    });
  });

  test("credentials that have ended already: error 110", async () => {
    await using server = await bootStreaming();
    using client = await connecting(server, {
      token: hs256({ sub: "1", expire_at: server.seconds() }),
    });
    expect(await client.next()).toEqual({ id: 1, error: ERRORS[110] });
  });

  test("insecure: a token's connection does not expire, but the token itself does", async () => {
    await using server = await bootStreaming({ streaming: { insecure: true } });
    using client = await openClient(server);
    const token = hs256({ sub: "1", exp: server.seconds(60) });
    expect(await client.ask({ connect: { token } })).toEqual({
      connect: { client: client.id, version },
    });
    await server.advance(60_000);
    using expired = await connecting(server, { token });
    expect(await expired.next()).toEqual({ id: 1, error: ERRORS[109] });
    using invalid = await connecting(server, { token: hs256({ sub: "1" }, "another") });
    expect(await invalid.closed()).toEqual(CLOSES[3500]);
  });
});

describe("§11.1: what the token says of the client", () => {
  test.each([
    ["info", { info: { name: "Ann" } }, { name: "Ann" }],
    ["b64info", { b64info: btoa('{"name":"Bob"}') }, { name: "Bob" }],
    ["b64info wins", { info: 1, b64info: btoa("2") }, 2],
    ["null is none", { info: null }, undefined],
  ])("%s", async (_name, claims, conn_info) => {
    await using server = await bootStreaming({
      namespaces: [{ name: "open", ...OPEN, presence: true, allow_presence_for_client: true }],
    });
    using client = await connectClient(server, { sub: "42", ...claims });
    await client.ask({ subscribe: { channel: "open:a" } });
    const info = {
      user: "42",
      client: client.id,
      ...(conn_info === undefined ? {} : { conn_info }),
    };
    expect(await client.ask({ presence: { channel: "open:a" } })).toEqual({
      presence: { presence: { [client.id]: info } },
    });
  });
});

describe("a subscribe that nothing opens", () => {
  const denied = async (development: boolean) => {
    await using server = await bootStreaming({
      config: {
        development,
        channel: { without_namespace: { dialects: ["streaming"] }, namespaces: NAMESPACES },
      },
    });
    using client = await connectClient(server, { sub: "a-user-with-a-long-id", secret: "s3cret" });
    return await client.ask({ subscribe: { channel: "closed:a" } });
  };

  test("names channel, claims that would open it and the token's, in development mode", async () => {
    const answer = await denied(true);
    expect(answer).toEqual({
      error: {
        code: 103,
        message: expect.stringMatching(
          /^permission denied: .*"closed:a".*"channels" and "subs".*"sub" \("a-user-with-…"\).*"secret" \(string\)/,
        ),
      },
    });
    expect(JSON.stringify(answer)).not.toContain("s3cret");
  });

  test("is answered as the protocol has it elsewhere", async () => {
    expect(await denied(false)).toEqual({ error: { code: 103, message: "permission denied" } });
  });
});
