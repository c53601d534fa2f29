/** What reload and add do to live sockets (gusher.md §6.6, §6.7, O7, D3); their routes are the master API's. */
import { describe, expect, test } from "bun:test";
import {
  bootGusher,
  openGusher,
  type GusherClient,
  type GusherServer,
} from "../../support/gusher.ts";

const signal = (server: GusherServer, body: object, user = "u1") =>
  server.hub.signal({ user }, "gusher", body);
const reload = (server: GusherServer, channels: readonly string[]) =>
  signal(server, { do: "reload", channels, text: JSON.stringify(channels) });
const subscribe = async (client: GusherClient, channel: string) =>
  (await client.ask("gusher.subscribe", { channel }))["event"];
const granted = async (client: GusherClient) =>
  (await client.ask("gusher.querychannel", {}))["data"];

const OK = "gusher.subscribe_succeeded";
const REFUSED = "gusher.subscribe_error";
const notice = (event: string, data: unknown) => ({ event, socket_id: "", data });

describe("reload", () => {
  test("replaces the grants, ends what they do not cover, then says so", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    for (const channel of ["AA", "BB", "apple"]) expect(await subscribe(client, channel)).toBe(OK);
    const reached = await reload(server, ["BB", "app*"]);
    expect(reached.matched).toBe(1);
    expect(await client.next()).toEqual(
      notice("gusher.reloadchannel", { channels: ["BB", "app*"] }),
    );
    for (const channel of ["AA", "BB", "apple"]) await server.publish(channel, channel);
    expect(await client.arrived()).toMatchObject([{ channel: "BB" }, { channel: "apple" }]);
    expect(await subscribe(client, "AA")).toBe(REFUSED);
    expect(await granted(client)).toEqual({ channels: ["BB", "app*"] });
  });

  test("D3: with strict_reload only literal names stay", async () => {
    await using server = await bootGusher({ gusher: { strict_reload: true } });
    using client = await openGusher(server);
    for (const channel of ["AA", "apple"]) await subscribe(client, channel);
    await reload(server, ["*", "AA"]);
    await client.next();
    for (const channel of ["AA", "apple"]) await server.publish(channel, channel);
    expect(await client.arrived()).toMatchObject([{ channel: "AA" }]);
  });

  test("its text is repeated as it is: null stays null and revokes everything", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    await subscribe(client, "AA");
    await signal(server, { do: "reload", channels: [], text: "null" });
    expect(await client.next()).toEqual(notice("gusher.reloadchannel", { channels: null }));
    await server.publish("AA", 1);
    expect(await client.arrived()).toEqual([]);
    expect(await granted(client)).toEqual({ channels: [] });
  });

  test("a subscribe under way does not outlive its grant", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const { presence } = server.engine.app("TEST");
    const put = presence.put.bind(presence);
    const entered = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    presence.put = async (...given) => {
      entered.resolve();
      await go.promise;
      return put(...given);
    };
    client.send({ event: "gusher.subscribe", data: { channel: "AA" } });
    await entered.promise;
    const reloaded = reload(server, ["BB"]);
    await server.runtime.settle();
    go.resolve();
    await reloaded;
    expect(await client.next()).toMatchObject({ event: OK });
    expect(await client.next()).toMatchObject({ event: "gusher.reloadchannel" });
    await server.publish("AA", 1);
    expect(await client.arrived()).toEqual([]);
    expect(server.hub.stats().subscriptions).toBe(0);
  });
});

describe("add", () => {
  test("adds a grant once, subscribes nothing, and only live sockets have it", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    expect(await subscribe(client, "CC")).toBe(REFUSED);
    for (let time = 0; time < 2; time++) {
      await signal(server, { do: "add", channel: "CC" });
      expect(await client.next()).toEqual(notice("gusher.addchannel", { channel: "CC" }));
    }
    expect(await granted(client)).toEqual({ channels: ["AA", "BB", "app*", "t*st", "CC"] });
    await server.publish("CC", 1);
    expect(await client.arrived()).toEqual([]);
    expect(await subscribe(client, "CC")).toBe(OK);
    using fresh = await openGusher(server);
    expect(await subscribe(fresh, "CC")).toBe(REFUSED);
  });

  test("stars work in it", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    await signal(server, { do: "add", channel: "x*" });
    await client.next();
    expect(await subscribe(client, "xy")).toBe(OK);
  });
});

test("every socket of the user is told, and nobody else", async () => {
  await using server = await bootGusher();
  using first = await openGusher(server);
  using second = await openGusher(server);
  using other = await openGusher(server, { channels: ["*"], user_id: "u2", app_key: "TEST" });
  expect((await signal(server, { do: "add", channel: "CC" })).matched).toBe(2);
  for (const client of [first, second]) {
    expect(await client.next()).toMatchObject({ event: "gusher.addchannel" });
  }
  expect(await other.arrived()).toEqual([]);
});

test("notifications come in the order of what they tell", async () => {
  await using server = await bootGusher();
  using client = await openGusher(server);
  await Promise.all([
    reload(server, ["one"]),
    signal(server, { do: "add", channel: "two" }),
    reload(server, ["three"]),
  ]);
  const events = [await client.next(), await client.next(), await client.next()];
  expect(events).toMatchObject([
    { data: { channels: ["one"] } },
    { data: { channel: "two" } },
    { data: { channels: ["three"] } },
  ]);
  expect(await granted(client)).toEqual({ channels: ["three"] });
});
