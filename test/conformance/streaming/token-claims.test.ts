/** What tokens say (centrifugo-protocol.md §1.3, §11), as their issuers write them: every digit, fractions, nulls, and whose they are. */
import { developmentFile } from "../../../src/dialects/configuration.ts";
import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "bun:test";
import { CompactSign } from "jose";
import packageJson from "../../../package.json" with { type: "json" };
import { TOKEN_BYTES_MAX } from "../../../src/auth/key-set.ts";

import {
  apiResult,
  bootStreaming,
  CLOSES,
  connectClient,
  ERRORS,
  OPEN,
  openClient,
  subscribed,
  type StreamingServer,
} from "../../support/streaming.ts";
import { DEV_TOKEN_SECRET, hs256, hs256OfText } from "../../support/tokens.ts";

const { version } = packageJson;
const PRESENT = { ...OPEN, presence: true, allow_presence_for_client: true };
const NAMESPACES = [{ name: "open", ...PRESENT }, { name: "closed" }];

/** What no reader that goes through doubles and plain objects gives back. */
const RAW =
  '{"b":9007199254740993,"a":[1.10,1E2,-0,12345678901234567890],"__proto__":{"x":null},"\\u0061":1}';

async function connecting(server: StreamingServer, token: string) {
  const client = await openClient(server);
  client.send({ id: 1, connect: { token } });
  return client;
}

/** What a token comes to: a connection, an error's code, or a close code. */
async function outcome(server: StreamingServer, token: string): Promise<unknown> {
  using client = await connecting(server, token);
  const { opcode, code, text } = await client.raw.next();
  if (opcode === 8) return code;
  const { connect, error } = JSON.parse(text) as { connect?: object; error?: { code: number } };
  return connect === undefined ? error?.code : "connected";
}

describe("§1.3: JSON in claims arrives as it was signed", () => {
  test("info of a connection, with white space left out", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connecting(server, hs256OfText(`{ "sub":"1", "info" : [ ${RAW} , 1 ] }`));
    await client.next();
    client.send({ id: 2, subscribe: { channel: "open:a" } });
    await client.next();
    client.send({ id: 3, presence: { channel: "open:a" } });
    expect((await client.raw.next()).text).toContain(`"conn_info":[${RAW},1]`);
  });

  test("info and data of subs, and a channel by whatever name", async () => {
    await using server = await bootStreaming({ withoutNamespace: PRESENT });
    const subs = `{"__proto__":{"data":${RAW},"info":${RAW}},"null":null}`;
    using client = await connecting(server, hs256OfText(`{"sub":"1","subs":${subs}}`));
    const { text } = await client.raw.next();
    expect(text).toContain(`"__proto__":{"data":${RAW}}`);
    expect(text).toContain('"null":{}');
    client.send({ id: 2, presence: { channel: "__proto__" } });
    expect((await client.raw.next()).text).toContain(`"chan_info":${RAW}`);
  });

  test("info and data of a subscription token", async () => {
    await using server = await bootStreaming({
      namespaces: [{ name: "closed", presence: true, allow_presence_for_subscriber: true }],
    });
    using client = await connectClient(server, { sub: "1" });
    const claims = `{"sub":"1","channel":"closed:a","data":${RAW},"info":${RAW}}`;
    const subscribe = { channel: "closed:a", token: hs256OfText(claims) };
    client.send({ id: 2, subscribe });
    expect((await client.raw.next()).text).toContain(`"data":${RAW}`);
    client.send({ id: 3, presence: { channel: "closed:a" } });
    expect((await client.raw.next()).text).toContain(`"chan_info":${RAW}`);
  });

  test.each(['{"sub":"1","info":1e400}', '{"sub":"1","subs":{"open:a":{"data":[1e400]}}}'])(
    "a number that no double holds makes no token: %s",
    async (claims) => {
      await using server = await bootStreaming({ namespaces: NAMESPACES });
      expect(await outcome(server, hs256OfText(claims))).toBe(3500);
    },
  );
});

describe("fractional times", () => {
  test("count in a connection token", async () => {
    await using server = await bootStreaming();
    using client = await openClient(server);
    const now = server.seconds();
    const token = hs256({ sub: "1", exp: now + 60.25, nbf: now - 0.5, iat: now - 0.5 });
    expect(await client.ask({ connect: { token } })).toEqual({
      connect: { client: client.id, version, expires: true, ttl: 61 },
    });
    await server.advance(60_249 + 25_000);
    expect(await client.arrived()).toEqual([]);
    await server.advance(101);
    expect(await client.closed()).toEqual(CLOSES[3005]);
    const later = server.seconds();
    expect(await outcome(server, hs256({ sub: "1", exp: later - 0.5 }))).toBe(109);
    expect(await outcome(server, hs256({ sub: "1", nbf: later + 1.5 }))).toBe(109);
    expect(await outcome(server, hs256({ sub: "1", expire_at: later - 0.5 }))).toBe(110);
    expect(await outcome(server, hs256({ sub: "1", expire_at: later + 1.5 }))).toBe("connected");
  });

  test("count in a subscription token", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { sub: "1" });
    const token = hs256({ sub: "1", channel: "closed:a", exp: server.seconds() + 59.5 });
    expect(await subscribed(client, "closed:a", { token })).toEqual({ expires: true, ttl: 60 });
  });

  test("count in the API's expire_at", async () => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    using client = await connectClient(server, { sub: "1" });
    const expire_at = server.seconds() + 60.5;
    expect(await apiResult(server, "refresh", { user: "1", expire_at })).toEqual({});
    expect(await client.arrived()).toEqual([{ push: { refresh: { expires: true, ttl: 61 } } }]);
    const subscribe = { user: "1", channel: "open:a", expire_at: server.seconds() + 1.5 };
    expect(await apiResult(server, "subscribe", subscribe)).toEqual({});
    await client.arrived();
    await server.advance(26_600);
    expect(await client.closed()).toEqual(CLOSES[3006]);
    for (const wrong of [-0.5, "60", 2 ** 53, null]) {
      const { error } = await server.api("refresh", { user: "1", expire_at: wrong });
      expect([wrong, error?.code]).toEqual([wrong, wrong === null ? undefined : 107]);
    }
  });
});

describe("claims that say nothing", () => {
  test.each([
    ["null in every place", { exp: null, expire_at: null, nbf: null, info: null, b64info: null }],
    ["null lists", { channels: null, subs: null, channel: null, aud: null, iss: null }],
    ["null in grants", { subs: { "closed:a": { info: null, b64data: null, override: null } } }],
    ["null overrides", { subs: { "closed:a": { override: { presence: null } } } }],
    ["an empty channel", { channel: "" }],
  ])("%s", async (_name, claims) => {
    await using server = await bootStreaming({ namespaces: NAMESPACES });
    expect(await outcome(server, hs256({ sub: "1", ...claims }))).toBe("connected");
    const nulls = hs256({ sub: "1" }, DEV_TOKEN_SECRET, { kid: null, crit: null, cty: null });
    expect(await outcome(server, nulls)).toBe("connected");
  });

  test("null is no user", async () => {
    await using server = await bootStreaming();
    using client = await connectClient(server, { sub: null });
    expect([client.id !== "", server.hub.stats().users]).toEqual([true, 0]);
  });

  test.each([{}, { channel: "" }, { channel: null }])(
    "%j opens no channel as a subscription token",
    async (claims) => {
      await using server = await bootStreaming({ namespaces: NAMESPACES });
      using client = await connectClient(server, { sub: "1" });
      const token = hs256({ sub: "1", ...claims });
      client.send({ id: 2, subscribe: { channel: "closed:a", token } });
      expect(await client.next()).toEqual({ id: 2, error: ERRORS[103] });
    },
  );
});

describe("claims in another case", () => {
  test.each([
    { Sub: "1" },
    { sub: "1", Exp: 1 },
    { sub: "1", EXPIRE_AT: 1 },
    { sub: "1", Channel: "open:a" },
    { sub: "1", NBF: 9e9 },
  ])("%j is refused, and the log says which", async (claims) => {
    await using server = await bootStreaming();
    expect(await outcome(server, hs256(claims))).toBe(3500);
    const name = Object.keys(claims).at(-1)?.toLowerCase();
    const detail = expect.stringContaining(
      `Token claim "${name}" is spelled in another case; the token has `,
    );
    expect(server.logged).toContainEqual(expect.objectContaining({ code: 3500, detail }));
  });

  test("is refused of the configured user claim, and means nothing where the right one stands too", async () => {
    await using server = await bootStreaming({ streaming: { user_id_claim: "userId" } });
    expect(await outcome(server, hs256({ userid: "1" }))).toBe(3500);
    expect(await outcome(server, hs256({ sub: "1", Sub: "2", userId: "3" }))).toBe("connected");
  });
});

test("a token of 64 KiB is taken, and the log names the limit to one that is longer", async () => {
  await using server = await bootStreaming({ streaming: { message_size_limit: 131_072 } });
  const padded = (bytes: number) => hs256({ sub: "1", pad: "x".repeat(bytes) });
  let pad = Math.floor(TOKEN_BYTES_MAX * 0.75);
  while (padded(pad).length > TOKEN_BYTES_MAX) pad -= 1;
  expect(await outcome(server, padded(pad))).toBe("connected");
  expect(await outcome(server, padded(pad + 1))).toBe(3500);
  const detail = "Token is longer than 65536 bytes";
  expect(server.logged).toContainEqual(expect.objectContaining({ code: 3500, detail }));
});

describe("access tokens of OAuth providers", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const publicKey = rsa.publicKey.export({ type: "spki", format: "pem" });
  const privateKey = rsa.privateKey.export({ type: "pkcs8", format: "pem" });
  const rs256 = { algorithms: ["RS256"] };
  const events = { issuer: "https://id.example", audience: "events" };

  const keycloak = {
    ...{ iss: "https://id.example", aud: "account", sub: "1", typ: "Bearer", azp: "web" },
    ...{ acr: "1", scope: "openid profile email", realm_access: { roles: ["user"] } },
  };
  const clerk = { sub: "1", org_id: "org_2", org_role: "admin", sid: "sess_1", fva: [1, -1] };
  const rust = { ...keycloak, exp: null, nbf: null, jti: null, channel: "" };

  async function outcomes(signing_keys: readonly object[]): Promise<unknown[]> {
    await using server = await bootStreaming({ config: { signing_keys } });
    const sign = (claims: object) =>
      new CompactSign(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg: "RS256", kid: "any" })
        .sign(rsa.privateKey);
    const all: unknown[] = [];
    for (const claims of [keycloak, clerk, rust, { sub: "1", gusher: {} }]) {
      all.push(await outcome(server, await sign(claims)));
    }
    return all;
  }

  const others = developmentFile().signing_keys.filter(({ use }) => use !== "streaming");

  test("connect where the key serves streaming alone", async () => {
    const key = { use: "streaming", public_key: publicKey, ...rs256 };
    expect(await outcomes([...others, key])).toEqual(Array(4).fill("connected"));
  });

  test.each([
    ["gusher", { use: "gusher", public_key: publicKey, ...rs256 }],
    ["events-access", { use: "events-access", public_key: publicKey, ...rs256, ...events }],
  ])("do not where it serves %s as well", async (_name, other) => {
    const key = { use: "streaming", public_key: publicKey, ...rs256 };
    expect(await outcomes([...others, key, other])).toEqual(Array(4).fill(3500));
  });

  test("do where it serves a use whose tokens are no others", async () => {
    const key = { use: "streaming", public_key: publicKey, ...rs256 };
    const issued = { use: "events-client", private_key: privateKey, ...rs256 };
    const rest = others.filter(({ use }) => use !== "events-client");
    expect(await outcomes([...rest, key, issued])).toEqual(Array(4).fill("connected"));
  });
});

test("an expired token of another kind is of another kind", async () => {
  await using server = await bootStreaming();
  const expired = { sub: "1", scope: "a", exp: server.seconds(-60) };
  expect(await outcome(server, hs256(expired))).toBe(3500);
  using client = await connecting(server, hs256({ sub: "1", exp: server.seconds(-60) }));
  expect(await client.next()).toEqual({ id: 1, error: ERRORS[109] });
});
