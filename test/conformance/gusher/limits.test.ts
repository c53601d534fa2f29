/** Connections per app and per user, which the original does not bound: at the limit, and one beyond. */
import { expect, test } from "bun:test";
import {
  bootGusher,
  GRANT_A,
  GRANT_Z,
  openGusher,
  socketUrl,
  tokenFor,
  type GusherClient,
  type GusherServer,
} from "../../support/gusher.ts";
import { until } from "../../support/hostile.ts";
import { connectRaw, handshake } from "../../support/raw-websocket.ts";

const serves = async (client: GusherClient) =>
  (await client.ask("gusher.querychannel", {}))["event"] === "gusher.querychannel_succeeded";
const connections = (server: GusherServer) => server.hub.stats().connections;
const metrics = async (server: GusherServer) => (await fetch(`${server.apiUrl}/metrics`)).text();

test("beyond connection_limit upgrades are refused with 503, until one has gone", async () => {
  await using server = await bootGusher({ gusher: { connection_limit: 2 } });
  const first = await openGusher(server, GRANT_A);
  using second = await openGusher(server, GRANT_Z);
  expect(await serves(second)).toBe(true);
  const url = socketUrl(server, await tokenFor(server, GRANT_A));
  const refused = await handshake(url);
  expect(refused).toMatchObject({ status: 503, body: "connection limit\n" });
  expect(refused.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  // A wrong token is told before it.
  expect(await handshake(`${server.slaveUrl}/ws/TEST?token=x`)).toMatchObject({ status: 401 });
  const scraped = await metrics(server);
  expect(scraped).toContain('carillon_limits_hit_total{limit="connection_limit"} 1');
  for (const word of ["connection_limit", "invalid_token"]) {
    const series = `carillon_connections_refused_total{dialect="gusher",word="${word}"} 1`;
    expect(scraped).toContain(series);
  }
  first.raw.destroy();
  await until(() => connections(server) === 1);
  (await connectRaw(url)).destroy();
});

test("beyond user_connection_limit a user's new connection is closed, and no other", async () => {
  await using server = await bootGusher({ gusher: { user_connection_limit: 2 } });
  const first = await openGusher(server, GRANT_A);
  using second = await openGusher(server, GRANT_A);
  expect(await serves(second)).toBe(true);
  const third = await openGusher(server, GRANT_A);
  expect(await third.ended()).toEqual({ texts: [], code: 1008 });
  expect(await serves(second)).toBe(true);
  using other = await openGusher(server, GRANT_Z);
  expect(await serves(other)).toBe(true);
  expect(connections(server)).toBe(3);
  expect(await metrics(server)).toContain(
    'carillon_limits_hit_total{limit="user_connection_limit"} 1',
  );
  first.raw.destroy();
  await until(() => connections(server) === 2);
  using again = await openGusher(server, GRANT_A);
  expect(await serves(again)).toBe(true);
});

test("connections that come at the same time are counted as well", async () => {
  await using server = await bootGusher({ gusher: { user_connection_limit: 2 } });
  const url = socketUrl(server, await tokenFor(server, GRANT_A));
  const clients = await Promise.all(Array.from({ length: 10 }, () => connectRaw(url)));
  await until(() => connections(server) === 2);
  for (const client of clients) client.send('{"event":"gusher.querychannel","data":{}}');
  const frames = await Promise.all(clients.map((client) => client.next()));
  expect(frames.filter(({ code }) => code === 1008)).toHaveLength(8);
  expect(frames.filter(({ opcode }) => opcode === 1)).toHaveLength(2);
  for (const client of clients) client.destroy();
});

test("nobody in particular is no user, and strict_close drops the connection", async () => {
  const anonymous = { ...GRANT_A, user_id: "" };
  await using server = await bootGusher({
    gusher: { user_connection_limit: 1, strict_close: true },
  });
  using first = await openGusher(server, anonymous);
  using second = await openGusher(server, anonymous);
  expect([await serves(first), await serves(second)]).toEqual([true, true]);
  using only = await openGusher(server, GRANT_A);
  const beyond = await openGusher(server, GRANT_A);
  expect(await beyond.ended()).toEqual({ texts: [], code: undefined });
  expect(await serves(only)).toBe(true);
});
