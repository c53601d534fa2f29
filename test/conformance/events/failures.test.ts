/** What callers hear when the engine or a key set is out of reach, and that what was begun is not done twice. */
import { expect, test } from "bun:test";
import { HubError } from "../../../src/core/errors.ts";
import { createEmbeddedEngine } from "../../../src/engines/embedded/index.ts";
import {
  access,
  ask,
  askByKey,
  bootEvents,
  codeOf,
  connectionToken,
  connectUser,
  ORG,
  publicationsOf,
  USER,
  type EventsRequest,
} from "../../support/events.ts";
import { createTestRuntime } from "../../support/runtime.ts";
import { openClient } from "../../support/streaming.ts";

const away = () => Promise.reject(new HubError("unavailable", "The engine is away"));

/** A server whose engine can be taken away in parts. */
async function boot() {
  const runtime = createTestRuntime();
  const engine = createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime });
  const server = await bootEvents({ runtime, engine });
  return { server, app: engine.app("dev"), [Symbol.asyncDispose]: server[Symbol.asyncDispose] };
}

const EVENT = { id: "evt_1", type: "a", organisation_id: ORG, resource: "shipments", data: {} };

test("without its records the server answers 503 with Retry-After, and logs it without the token", async () => {
  await using booted = await boot();
  const { server, app } = booted;
  const kept = { ...app.records };
  Object.assign(app.records, { get: away, put: away, list: away });
  const token = access(server);
  const calls: readonly [string, EventsRequest][] = [
    ["/events/connection_token", {}],
    ["/events/subscription_token?channel=status:a", {}],
    ["/events/provision", {}],
    ["/events/deprovision", {}],
    ["/events/status", {}],
    ["/events/revoke", { method: "POST", body: {} }],
    ["/webhooks/endpoints", {}],
  ];
  for (const [path, request] of calls) {
    const answer = await ask(server, path, { token, ...request });
    expect([path, answer.status, codeOf(answer), answer.headers["retry-after"]]).toEqual([
      ...[path, 503, "unavailable", "1"],
    ]);
  }
  const published = await askByKey(server, "/events/publish", EVENT);
  expect([published.status, codeOf(published)]).toEqual([503, "unavailable"]);
  const log = JSON.stringify(server.logged);
  expect(log).toContain("The engine is away");
  expect(log).not.toContain(token);
  Object.assign(app.records, kept);
  expect((await ask(server, "/events/connection_token", { token })).status).toBe(200);
});

test("a socket is told to come back", async () => {
  await using booted = await boot();
  const { server, app } = booted;
  const token = await connectionToken(server);
  const kept = { ...app.records };
  Object.assign(app.records, { get: away });
  using client = await openClient(server);
  expect(await client.ask({ connect: { token } })).toMatchObject({
    error: { code: 100, temporary: true },
  });
  Object.assign(app.records, kept);
  (await connectUser(server))[Symbol.dispose]();
});

test("an event whose streams could not all be reached is sent to the rest, once, when it comes again", async () => {
  await using booted = await boot();
  const { server, app } = booted;
  using client = await connectUser(server);
  using other = await connectUser(server, { sub: "usr_2" });
  const publish = app.broker.publish.bind(app.broker);
  let calls = 0;
  app.broker.publish = (channel, ...rest) =>
    channel.name.endsWith("#usr_2") && ++calls === 1 ? away() : publish(channel, ...rest);
  const event = { ...EVENT, users: [USER, "usr_2"] };
  expect(codeOf(await askByKey(server, "/events/publish", event))).toBe("unavailable");
  await server.advance(5_000);
  const again = await askByKey(server, "/events/publish", event);
  expect(again.body).toMatchObject({ id: "evt_1", accepted: true });
  const [mine, theirs] = [
    publicationsOf(await client.arrived()),
    publicationsOf(await other.arrived()),
  ];
  expect([mine.length, theirs.length]).toEqual([1, 1]);
  // The first call's moment, also in what was sent by the second.
  expect(mine[0]?.data).toEqual(theirs[0]?.data);
  expect((await askByKey(server, "/events/publish", event)).text).toBe(again.text);
});

test("one event of a batch that could not be sent leaves the others alone", async () => {
  await using booted = await boot();
  const { server, app } = booted;
  const publish = app.broker.publish.bind(app.broker);
  app.broker.publish = (channel, ...rest) =>
    channel.name.startsWith("orders:") ? away() : publish(channel, ...rest);
  const batch = ["shipments", "orders", "shipments"].map((resource, index) => ({
    ...{ ...EVENT, id: `evt_${index}`, resource },
  }));
  const { body } = await askByKey(server, "/events/publish/batch", batch);
  expect(body).toMatchObject([
    { accepted: true },
    { error: { code: "unavailable" } },
    { accepted: true },
  ]);
});

test("a refresh whose new channels cannot be joined brings the connection back", async () => {
  await using booted = await boot();
  const { server, app } = booted;
  using client = await connectUser(server, { scope: "orders:read" });
  const token = await connectionToken(server);
  app.broker.listen = away;
  client.send({ id: 9, refresh: { token } });
  expect(await client.next()).toMatchObject({ id: 9, refresh: { expires: true } });
  expect(await client.closed()).toEqual({ code: 3010, reason: "insufficient state" });
});
