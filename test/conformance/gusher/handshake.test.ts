/** Checklist items 10 to 13: opening a socket, and for how long a token does (gusher.md §3.1 to §3.3, §16). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  bootGusher,
  GRANT_A,
  gusherClient,
  jwt,
  logIn,
  openGusher,
  PUBLIC_PEM,
  socketUrl,
  tokenFor,
  type GusherServer,
} from "../../support/gusher.ts";
import { connectRaw, handshake } from "../../support/raw-websocket.ts";
import { keptDataDir } from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const NO_UPGRADE = { headers: { upgrade: undefined, connection: undefined } };

describe("handshake", () => {
  let server: GusherServer;
  beforeAll(async () => {
    server = await bootGusher();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("10: refusals come in their order, and before the upgrade headers are looked at", async () => {
    const { slaveUrl } = server;
    const token = await tokenFor(server, GRANT_A);
    for (const [path, body] of [
      ["/ws/TEST", "app_key is nil\n"],
      ["/ws/TEST?token=", "app_key is nil\n"],
      ["/ws/TEST?token=nope", "token error\n"],
      ["/ws/TEST?token=00000000-0000-4000-8000-000000000000", "token error\n"],
      // Nothing but a token is read from the records (O9).
      ["/ws/TEST?token=../token/x", "token error\n"],
      [`/ws/OTHER?token=${token}`, "appkey error\n"],
      [`/wtf/OTHER?token=${token}`, "appkey error\n"],
      ["/ws/OTHER?token=nope", "token error\n"],
    ]) {
      for (const options of [{}, NO_UPGRADE]) {
        const { status, headers, body: answered } = await handshake(slaveUrl + path, options);
        expect([path, status, answered]).toEqual([path, 401, body]);
        expect(headers.get("content-type")).toBe("text/plain; charset=utf-8");
        expect(headers.get("x-content-type-options")).toBe("nosniff");
      }
    }
  });

  test("11: what is no upgrade is a bad request", async () => {
    const url = socketUrl(server, await tokenFor(server, GRANT_A));
    for (const headers of [
      NO_UPGRADE.headers,
      { "sec-websocket-version": "8" },
      { "sec-websocket-key": undefined },
    ]) {
      const answer = await handshake(url, { headers });
      expect(answer).toMatchObject({ status: 400, body: "Bad Request\n" });
      expect(answer.headers.get("sec-websocket-version")).toBe("13");
    }
  });

  test("12: one token opens many sockets, also by the alias", async () => {
    const token = await tokenFor(server, GRANT_A);
    for (const path of ["/ws/TEST", "/ws/TEST", "/wtf/TEST", "/ws/%54EST"]) {
      using client = gusherClient(await connectRaw(socketUrl(server, token, path)));
      expect(await client.ask("gusher.querychannel", {})).toMatchObject({
        data: { channels: GRANT_A.channels },
      });
    }
  });

  test("13: no extension, subprotocol or origin matters", async () => {
    const raw = await connectRaw(socketUrl(server, await tokenFor(server, GRANT_A)), {
      headers: {
        origin: "https://elsewhere.example",
        "sec-websocket-extensions": "permessage-deflate; client_max_window_bits",
        "sec-websocket-protocol": "a, b",
      },
    });
    expect(raw.response.headers.has("sec-websocket-extensions")).toBe(false);
    expect(raw.response.headers.has("sec-websocket-protocol")).toBe(false);
    raw.destroy();
  });
});

describe("a token's life", () => {
  test("12: with the default lifetime it opens after 59.5 s and not after 60.5 s; open sockets live on", async () => {
    await using server = await bootGusher();
    const url = socketUrl(server, await tokenFor(server, GRANT_A));
    using client = await openGusher(server);
    await client.ask("gusher.subscribe", { channel: "AA" });
    await server.advance(50_000);
    client.send({ event: "gusher.ping", data: 1 });
    await client.next();
    await server.advance(9_500);
    expect((await client.raw.next()).opcode).toBe(9);
    (await connectRaw(url)).destroy();
    await server.advance(1_000);
    expect(await handshake(url)).toMatchObject({ status: 401, body: "token error\n" });
    expect(await client.ask("gusher.subscribe", { channel: "BB" })).toMatchObject({
      event: "gusher.subscribe_succeeded",
    });
  });

  test("D4: its lifetime is configurable", async () => {
    await using server = await bootGusher({ gusher: { token_ttl: "10m" } });
    const url = socketUrl(server, await tokenFor(server, GRANT_A));
    await server.advance(599_000);
    (await connectRaw(url)).destroy();
    await server.advance(2_000);
    expect((await handshake(url)).status).toBe(401);
  });

  test("it survives a restart, on whichever node it was made", async () => {
    using kept = keptDataDir();
    let token = "";
    {
      await using first = await bootGusher({ dataDir: kept.path });
      token = await tokenFor(first, GRANT_A);
    }
    await using second = await bootGusher({ dataDir: kept.path });
    (await connectRaw(socketUrl(second, token))).destroy();
  });
});

describe("apps", () => {
  const rsa = { public_key: PUBLIC_PEM, algorithms: ["RS256"] };
  const config = {
    apps: [{ id: "TEST" }, { id: "NEXT", path_prefix: "/next" }],
    api_keys: [],
    signing_keys: [
      { use: "gusher", app: "TEST", ...rsa },
      { use: "gusher", app: "NEXT", hmac_secret: "the secret of the next app" },
    ],
  };
  const forNext = { ...GRANT_A, app_key: "NEXT" };

  test("each app's own keys open it, and no other's", async () => {
    await using server = await bootGusher({ config });
    const next = hs256({ gusher: forNext }, "the secret of the next app");
    const login = await logIn(server, next);
    const { token } = JSON.parse(login.body) as { token: string };
    (await connectRaw(socketUrl(server, token, "/ws/NEXT"))).destroy();
    const wrong = await handshake(socketUrl(server, token, "/ws/TEST"));
    expect(wrong).toMatchObject({ status: 401, body: "appkey error\n" });
  });

  test("a JWT that one app's key signed for another opens neither", async () => {
    await using server = await bootGusher({ config });
    const token = await tokenFor(server, forNext);
    for (const path of ["/ws/NEXT", "/ws/TEST"]) {
      const answer = await handshake(socketUrl(server, token, path));
      expect(answer).toMatchObject({ status: 401, body: "appkey error\n" });
    }
  });
});

describe("kinds of tokens", () => {
  test("in development mode HS256 opens the app dev, and no streaming token does", async () => {
    await using server = await bootGusher({
      config: {
        apps: [{ id: "dev" }],
        signing_keys: ["streaming", "gusher"].map((use) => ({
          use,
          hmac_secret: "dev-token-secret-do-not-use-in-production",
        })),
      },
    });
    const grant = { ...GRANT_A, app_key: "dev" };
    const { body } = await logIn(server, hs256({ gusher: grant }));
    const { token } = JSON.parse(body) as { token: string };
    (await connectRaw(socketUrl(server, token, "/ws/dev"))).destroy();
    const streaming = await logIn(server, hs256({ sub: "u1" }));
    const useless = (JSON.parse(streaming.body) as { token: string }).token;
    const answer = await handshake(socketUrl(server, useless, "/ws/dev"));
    expect(answer).toMatchObject({ status: 401, body: "appkey error\n" });
    // Signed by the same key, and for this dialect all the same.
    const raw = await connectRaw(server.websocketUrl);
    raw.send(JSON.stringify({ id: 1, connect: { token: hs256({ gusher: grant, sub: "u1" }) } }));
    expect((await raw.next()).code).toBe(3500);
    raw.destroy();
  });

  test("HMAC opens nothing where no secret is configured", async () => {
    await using server = await bootGusher();
    expect((await logIn(server, hs256({ gusher: GRANT_A }))).status).toBe(401);
    expect((await logIn(server, jwt({ gusher: GRANT_A }, { alg: "HS512" }))).status).toBe(401);
  });
});

test("without enabled = true outside of development mode there is no dialect", async () => {
  await using server = await bootGusher({ config: { development: false } });
  expect((await fetch(`${server.slaveUrl}/ping`)).status).toBe(404);
  await using enabled = await bootGusher({
    gusher: { enabled: true, prefix: "/gcs" },
    withoutNamespace: { dialects: ["gusher"] },
    config: { development: false },
  });
  expect((await fetch(`${enabled.clientsUrl}/gcs/ping`)).status).toBe(200);
});
