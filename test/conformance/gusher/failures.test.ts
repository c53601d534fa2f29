/** What clients see when the engine cannot do its part: an end that brings them back, never half of what they asked for. */
import { expect, test } from "bun:test";
import { HubError } from "../../../src/core/errors.ts";
import {
  bootGusher,
  GRANT_A,
  jwt,
  logIn,
  openGusher,
  socketUrl,
  tokenFor,
} from "../../support/gusher.ts";
import { exchange, expectNoBugs } from "../../support/hostile.ts";
import { connectRaw, handshake } from "../../support/raw-websocket.ts";

const away = () => Promise.reject(new HubError("unavailable", "The engine is away"));

test("a subscribe that cannot be done closes the connection with 1011, also one of a list", async () => {
  await using server = await bootGusher();
  const { presence } = server.engine.app("TEST");
  const put = presence.put.bind(presence);
  presence.put = (channel, client) => (channel.name === "BB" ? away() : put(channel, client));
  for (const [event, data] of [
    ["gusher.subscribe", { channel: "BB" }],
    ["gusher.multi_subscribe", { multi_channel: ["AA", "BB", "apple"] }],
  ] as const) {
    const client = await openGusher(server);
    client.send({ event, data });
    expect(await client.ended()).toEqual({ texts: [], code: 1011 });
  }
  await server.runtime.settle();
  expect(server.hub.stats()).toMatchObject({ connections: 0, subscriptions: 0 });
  expect(await server.hub.presence({ space: "channels", name: "AA" })).toEqual([]);
});

test("an unsubscribe that cannot be done as well", async () => {
  await using server = await bootGusher();
  const client = await openGusher(server);
  await client.ask("gusher.subscribe", { channel: "AA" });
  server.engine.app("TEST").presence.remove = away;
  client.send({ event: "gusher.unsubscribe", data: { channel: "AA" } });
  expect(await client.ended()).toEqual({ texts: [], code: 1011 });
});

test("a reload still takes effect and is told when an end cannot be recorded", async () => {
  await using server = await bootGusher();
  using client = await openGusher(server);
  await client.ask("gusher.subscribe", { channel: "AA" });
  server.engine.app("TEST").presence.remove = away;
  await server.hub.signal({ user: "u1" }, "gusher", { do: "reload", channels: [], text: "[]" });
  expect(await client.next()).toMatchObject({ event: "gusher.reloadchannel" });
  await server.publish("AA", 1);
  expect(await client.arrived()).toEqual([]);
});

test("without its records nobody logs in, and sockets are refused until they are back", async () => {
  await using server = await bootGusher();
  const url = socketUrl(server, await tokenFor(server, GRANT_A));
  const { records } = server.engine.app("TEST");
  const kept = { ...records };
  Object.assign(records, { get: away, put: away });
  expect(await logIn(server, jwt({ gusher: GRANT_A }))).toMatchObject({
    status: 401,
    body: "jwt decode fail\n",
  });
  expect(await handshake(url)).toMatchObject({ status: 503, body: "unavailable\n" });
  Object.assign(records, kept);
  (await connectRaw(url)).destroy();
});

test("a key set that cannot be had is one more reason to refuse a login", async () => {
  await using server = await bootGusher({
    config: {
      signing_keys: [{ use: "gusher", jwks_url: "http://127.0.0.1:1/keys", algorithms: ["RS256"] }],
    },
  });
  const { status } = await logIn(server, jwt({ gusher: GRANT_A }));
  expect(status).toBe(401);
  expect(server.logged).toContainEqual(
    expect.objectContaining({ dialect: "gusher", doing: "verifying a JWT" }),
  );
});

test("a body that ends early, or is too large, is no bug", async () => {
  await using server = await bootGusher();
  const { hostname, port } = new URL(server.clientsUrl);
  const head = `POST /gusher/auth HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
  const short = await exchange(server.clientsUrl, `${head}Content-Length: 9\r\n\r\njwt=`, {
    end: true,
  });
  expect(short).not.toContain("200 OK");
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  const large = `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}0\r\n\r\n`;
  expect(await exchange(server.clientsUrl, large)).toContain("413");
  expectNoBugs(server);
});
