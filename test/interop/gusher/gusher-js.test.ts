/** Checklist items 47 to 51: the published client `@xpomelox/gusher` 1.1.6, unmodified (gusher.md §12, §16). */
import { expect, test } from "bun:test";
import {
  bootGusher,
  GRANT_A,
  GRANT_Z,
  post,
  tokenFor,
  type GusherServer,
} from "../../support/gusher.ts";
import { useGusherJs, type OfficialGusher } from "../../support/gusher-js.ts";
import { until } from "../../support/hostile.ts";

const { create } = useGusherJs();

const multi = (...multi_channel: string[]) => ({
  event: "gusher.multi_subscribe",
  data: { multi_channel },
});

/** Connected for longer than the moment that it needs to tell `@closed`. */
async function connect({ client, next }: OfficialGusher): Promise<void> {
  client.connect();
  await next("connected");
  const openedMs = Date.now();
  await until(() => Date.now() > openedMs);
}

/** A push by the master API, whose `data` is JSON or plain text. */
async function push(server: GusherServer, path: string, data: string): Promise<void> {
  const { status } = await post(`${server.masterUrl}/push${path}`, new URLSearchParams({ data }));
  expect(status).toBe(200);
}

test("47: registered channels are asked for in one frame, and learn of their success", async () => {
  await using server = await bootGusher();
  const official = create(server, await tokenFor(server, GRANT_A));
  const { client } = official;
  const channels = ["AA", "BB"].map((name) => client.subscribe(name));
  const told: unknown[] = [];
  for (const channel of channels) {
    channel.bind("gusher.multi_subscribe_succeeded", (data: unknown) =>
      told.push([channel.name, data]),
    );
  }
  client.connect();
  await official.next("connected");
  await official.next("gusher.multi_subscribe_succeeded");
  expect(official.sent).toEqual([multi("AA", "BB")]);
  const data = { channel: ["AA", "BB"] };
  expect(told).toEqual([
    ["AA", data],
    ["BB", data],
  ]);
  expect(channels.map(({ subscribed }) => subscribed)).toEqual([true, true]);
});

test("47: eleven channels are two frames, and stars in a grant count in them (D2)", async () => {
  await using server = await bootGusher();
  const official = create(server, await tokenFor(server, GRANT_A));
  const names = Array.from({ length: 11 }, (_, at) => `apple-${at}-${"x".repeat(60)}`);
  const channels = Object.values(official.client.subscribes(names));
  official.client.connect();
  for (let frame = 0; frame < 2; frame++) await official.next("gusher.multi_subscribe_succeeded");
  expect(official.sent).toEqual([multi(...names.slice(0, 10)), multi(...names.slice(10))]);
  expect(channels.every(({ subscribed }) => subscribed)).toBe(true);
});

test("48: a push reaches its channel's callback, and the whole frame `*`", async () => {
  await using server = await bootGusher();
  const official = create(server, await tokenFor(server, GRANT_A), { events: ["notify"] });
  const heard: unknown[] = [];
  for (const name of ["AA", "BB"]) {
    const channel = official.client.subscribe(name);
    channel.bind("notify", (data: unknown) => heard.push([name, data]));
  }
  official.client.connect();
  await official.next("gusher.multi_subscribe_succeeded");
  await push(server, "/TEST/AA/notify", '{"key":"value"}');
  await official.next("notify");
  const data = { key: "value" };
  expect(heard).toEqual([["AA", data]]);
  expect(official.frames.at(-1)).toEqual({ channel: "AA", event: "notify", data });
});

test("49: a user's push in an envelope reaches the channel's callback, a bare one only `*`", async () => {
  await using server = await bootGusher();
  const official = create(server, await tokenFor(server, GRANT_A), { events: ["notify"] });
  const heard: unknown[] = [];
  official.client.subscribe("AA").bind("notify", (data: unknown) => heard.push(data));
  official.client.connect();
  await official.next("gusher.multi_subscribe_succeeded");
  await push(server, "/user/TEST/u1", '{"channel":"AA","event":"notify","data":5}');
  await official.next("notify");
  expect(heard).toEqual([5]);
  const before = official.events.length;
  await push(server, "/user/TEST/u1", "hello");
  await until(() => official.frames.at(-1) === "hello");
  expect(heard).toEqual([5]);
  expect(official.events).toHaveLength(before);
});

test.each(["internal_error", "slow", "no_pong", "missed", "ended"] as const)(
  "50: closed by the server as %s it comes back, subscribed, and pushes flow again",
  async (disconnect) => {
    await using server = await bootGusher();
    const token = await tokenFor(server, GRANT_A);
    const official = create(server, token, { reconnection: true, events: ["notify"] });
    official.client.subscribe("AA");
    await connect(official);
    await official.next("gusher.multi_subscribe_succeeded");
    await server.hub.disconnect({ user: "u1" }, { disconnect });
    await official.next("gusher.multi_subscribe_succeeded");
    const lifecycle = official.events.filter((event) => !event.startsWith("gusher."));
    expect(lifecycle).toEqual(["connected", "@closed", "closed", "retry", "connected"]);
    expect(await official.next("closed")).toMatchObject({ wasClean: true });
    await server.publish("AA", 1, "notify");
    expect(await official.next("notify")).toBe(1);
  },
);

test("50: with a bad token it tries as often as it is told", async () => {
  await using server = await bootGusher();
  const official = create(server, "nope", { reconnection: true, retryMax: 2 });
  official.client.connect();
  await official.next("retryMax");
  const round = ["error", "closed", "retry"];
  const end = ["error", "closed", "disconnected", "retryMax"];
  expect(official.events).toEqual([...round, ...round, ...end]);
});

test("51: disconnect() ends it for good", async () => {
  await using server = await bootGusher();
  const token = await tokenFor(server, GRANT_A);
  const official = create(server, token, { reconnection: true });
  await connect(official);
  official.client.disconnect();
  expect(await official.next("closed")).toMatchObject({ code: 1005, wasClean: true });
  await until(() => server.sockets() === 0);
  expect(official.events).toEqual(["connected", "disconnected", "@closed", "closed"]);
});

test("51: a new token says nothing until connect(), which subscribes again", async () => {
  await using server = await bootGusher();
  const official = create(server, await tokenFor(server, GRANT_A));
  official.client.subscribe("anything");
  await connect(official);
  await official.next("gusher.multi_subscribe_error");
  const before = [...official.events];
  const next = await tokenFor(server, GRANT_Z);
  official.client.setAuthToken(next);
  await until(() => server.sockets() === 0);
  expect(official.events).toEqual(before);
  official.client.connect();
  await official.next("connected");
  await official.next("gusher.multi_subscribe_succeeded");
  expect(official.client.getAuthToken()).toBe(next);
  expect(server.hub.connectionsOf("u2")).toBe(1);
});

test("D5: a client with binary: true is served", async () => {
  await using server = await bootGusher();
  const token = await tokenFor(server, GRANT_A);
  const official = create(server, token, { binary: true, events: ["notify"] });
  official.client.subscribe("AA");
  official.client.connect();
  await official.next("gusher.multi_subscribe_succeeded");
  expect(official.sent[0]).toBeInstanceOf(ArrayBuffer);
  await server.publish("AA", 1, "notify");
  expect(await official.next("notify")).toBe(1);
});

test("§12.8: a second connect() overlaps with the first, and the client ends up with pushes", async () => {
  await using server = await bootGusher();
  const token = await tokenFor(server, GRANT_A);
  const official = create(server, token, { reconnection: true, events: ["notify"] });
  official.client.subscribe("AA");
  await connect(official);
  await official.next("gusher.multi_subscribe_succeeded");
  official.client.connect();
  await official.next("retry");
  await official.next("connected");
  await official.next("gusher.multi_subscribe_succeeded");
  await server.publish("AA", 1, "notify");
  expect(await official.next("notify")).toBe(1);
});
