/** Connecting, tokens, refresh and the server's closes, as centrifuge-js sees them. */
import { describe, expect, test } from "bun:test";
import { State } from "centrifuge";
import { BUILDS, createOfficial, failure } from "../../support/centrifuge-client.ts";
import { holdTimers } from "../../support/held-timers.ts";
import { apiResult, bootStreaming } from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";
import { compactJson } from "../../../src/core/json-text.ts";

describe.each(BUILDS)("centrifuge-js, %s", (build) => {
  const boot = (streaming: Readonly<Record<string, unknown>> = {}) => bootStreaming({ streaming });

  test("connects with a token", async () => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token: hs256({ sub: "42" }) });
    expect(await official.connect()).toMatchObject({
      client: expect.stringMatching(/^[0-9a-f-]{36}$/),
      transport: "websocket",
    });
    expect(server.hub.connectionsOf("42")).toBe(1);
  });

  test("connects anonymously", async () => {
    await using server = await boot({ allow_anonymous_connect_without_token: true });
    using official = createOfficial(build, server.websocketUrl);
    await official.connect();
    expect(server.hub.stats()).toMatchObject({ connections: 1, users: 0 });
  });

  test("is told to answer pings, and answers them", async () => {
    await using server = await boot({ ping_interval: "25s", pong_timeout: "24s" });
    using official = createOfficial(build, server.websocketUrl, { token: hs256({}) });
    await official.connect();
    for (let interval = 0; interval < 4; interval++) {
      await server.advance(25_000);
      await failure(official.client.rpc("settled", official.payload({})));
    }
    expect(official.client.state).toBe(State.Connected);
    expect(official.heard.untaken("connecting")).toHaveLength(1);
  });

  test("expired token: asks for another and connects", async () => {
    await using server = await boot();
    let asked = 0;
    using official = createOfficial(build, server.websocketUrl, {
      token: hs256({ sub: "42", exp: server.seconds(-1) }),
      getToken: async () => {
        asked++;
        return hs256({ sub: "42", exp: server.seconds(60) });
      },
    });
    await official.connect();
    expect(asked).toBe(1);
    expect(server.hub.connectionsOf("42")).toBe(1);
  });

  test("invalid token: ends with 3500", async () => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token: "token" });
    official.client.connect();
    expect(await official.heard.next("disconnected")).toEqual({
      ...{ code: 3500, reason: "invalid token" },
    });
  });

  test("no token: ends with 3501", async () => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl);
    official.client.connect();
    expect(await official.heard.next("disconnected")).toEqual({
      code: 3501,
      reason: "bad request",
    });
  });

  test("refreshes when the ttl has run out, and stays connected", async () => {
    await using server = await boot();
    using timers = holdTimers(3_599_000);
    let asked = 0;
    using official = createOfficial(build, server.websocketUrl, {
      getToken: async () => {
        asked++;
        return hs256({ sub: "42", exp: server.seconds(3_599) });
      },
    });
    await official.connect();
    for (let refresh = 1; refresh <= 2; refresh++) {
      await server.advance(3_599_000);
      timers.fire();
      while (timers.waiting === 0) await server.runtime.settle();
      expect(asked).toBe(1 + refresh);
    }
    await server.advance(3_599_000 + 24_000);
    expect(official.client.state).toBe(State.Connected);
    await server.advance(1_000);
    expect(await official.heard.next("connecting")).toMatchObject({ code: 0 });
    expect(await official.heard.next("connecting")).toEqual({
      ...{ code: 3005, reason: "connection expired" },
    });
  });

  test("a refresh pushed by the server leaves it connected, an expired one brings it back", async () => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token: hs256({ sub: "42" }) });
    await official.connect();
    await official.heard.next("connecting");
    await apiResult(server, "refresh", { user: "42", expire_at: server.seconds(77) });
    await failure(official.client.rpc("settled", official.payload({})));
    expect(official.client.state).toBe(State.Connected);
    await apiResult(server, "refresh", { user: "42", expired: true });
    expect(await official.heard.next("connecting")).toEqual({
      ...{ code: 3005, reason: "connection expired" },
    });
    await official.heard.next("connected");
  });

  test.each([
    ["the default", undefined, { code: 3503, reason: "force disconnect" }],
    ["4500", { code: 4500, reason: "banned" }, { code: 4500, reason: "banned" }],
    ["3999", { code: 3999, reason: "banned" }, { code: 3999, reason: "banned" }],
    ["4500 without a reason", { code: 4500 }, { code: 4500, reason: "force disconnect" }],
  ])("API disconnect with %s is the end", async (_name, disconnect, context) => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token: hs256({ sub: "42" }) });
    await official.connect();
    await apiResult(server, "disconnect", { user: "42", disconnect });
    expect(await official.heard.next("disconnected")).toEqual(context);
  });

  test.each([3000, 3011, 4000, 4499])("API disconnect with %d: it comes back", async (code) => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token: hs256({ sub: "42" }) });
    const { client } = await official.connect();
    await official.heard.next("connecting");
    await apiResult(server, "disconnect", { user: "42", disconnect: { code, reason: "again" } });
    expect(await official.heard.next("connecting")).toEqual({ code, reason: "again" });
    expect((await official.heard.next("connected")).client).not.toBe(client);
  });

  test("a stop of the server is 3001", async () => {
    const server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token: hs256({ sub: "42" }) });
    await official.connect();
    await official.heard.next("connecting");
    await server[Symbol.asyncDispose]();
    expect(await official.heard.next("connecting")).toEqual({ code: 3001, reason: "shutdown" });
  });

  test("rpc is error 108, send ends with 3508", async () => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token: hs256({}) });
    await official.connect();
    const called = official.client.rpc("method", official.payload({ a: 1 }));
    expect(await failure(called)).toMatchObject({ code: 108, message: "not available" });
    await official.client.send(official.payload({}));
    expect(await official.heard.next("disconnected")).toEqual({
      ...{ code: 3508, reason: "not available" },
    });
  });

  test("rpc_ping answers", async () => {
    await using server = await boot({ rpc_ping: { enabled: true } });
    using official = createOfficial(build, server.websocketUrl, { token: hs256({}) });
    await official.connect();
    const { data } = await official.client.rpc("ping", official.payload({}));
    expect(build === "json" ? data : Buffer.from(data as Uint8Array).length).toBe(
      build === "json" ? undefined : 0,
    );
  });

  test("a personal message is a message event", async () => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token: hs256({ sub: "42" }) });
    await official.connect();
    const json = '{"n":9007199254740993}';
    await server.hub.push({ user: "42" }, { data: { json: compactJson(json) } });
    const { data } = await official.heard.next("message");
    if (build === "json") expect(data).toEqual(JSON.parse(json));
    else expect(Buffer.from(data as Uint8Array).toString()).toBe(json);
  });
});
