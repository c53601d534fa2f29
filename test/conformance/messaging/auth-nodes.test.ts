/** Two servers on one Redis: what one is told of tokens and subscribers holds on the other (messaging.md §13.3). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createRedisEngine } from "../../../src/engines/redis/index.ts";
import { systemRuntime } from "../../../src/system-runtime.ts";
import {
  closeOf,
  manage,
  managed,
  open,
  send,
  statusOf,
  subscribe,
  whoami,
} from "../../support/messaging-auth.ts";
import { startRedis, until, type RedisServer } from "../../support/redis.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { hs256 } from "../../support/tokens.ts";

let redis: RedisServer;
let here: BootedServer;
let there: BootedServer;

beforeAll(async () => {
  redis = await startRedis();
  const boot = () =>
    bootServer({
      engine: createRedisEngine({ url: redis.url, prefix: "messaging", runtime: systemRuntime }),
      runtime: systemRuntime,
      config: { master_key: "22".repeat(32) },
    });
  [here, there] = await Promise.all([boot(), boot()]);
  await until("both nodes know each other", async () => (await here.hub.nodes()).length === 2);
});

afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await there[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
});

test("a token that is revoked on one node has no connections on the other, and opens none", async () => {
  const jwt = hs256({ sub: "100" });
  const { token } = await subscribe(here, "100");
  const kept = await open(there, (await subscribe(here, "100")).token);
  for (const ended of [token, jwt]) {
    const sockets = [await open(here, ended), await open(there, ended)];
    await send(here, "revoke", { token: ended });
    expect(await statusOf(there, ended)).toBe(401);
    for (const socket of sockets) expect(await closeOf(socket)).toEqual([4401, "Unauthorized"]);
  }
  expect(await whoami(kept)).toBe("100");
});

test("whatever a mint and a deactivation on two nodes come to, no token of an inactive subscriber works", async () => {
  for (let round = 0; round < 20; round++) {
    const path = `/subscribers/r${round}`;
    await managed(here, "POST", "/subscribers", { msisdn: `r${round}` });
    const [minted, ...rest] = await Promise.all([
      manage(here, "POST", `${path}/keys`),
      manage(there, "PATCH", path, { active: false }),
      manage(here, "PATCH", path, { profile: { round } }),
    ]);
    expect([201, 409]).toContain(minted.status);
    expect(rest.map(({ status }) => status)).toEqual([200, 200]);
    const token = String(minted.body?.["access_token"]);
    expect([await statusOf(here, token), await statusOf(there, token)]).toEqual([401, 401]);
    // Nothing of either change is lost.
    expect(await managed(there, "GET", path)).toMatchObject({ active: false, profile: { round } });
    expect(await managed(there, "GET", `${path}/keys`)).toEqual({ keys: [] });
  }
});
