/** What a call reaches, whichever dialect's API is asked, and who opens a channel (DESIGN.md §3). */
import { developmentFile } from "../../src/dialects/configuration.ts";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { api_keys, master, OPEN, PRODUCTION, streamingApi } from "../support/callers.ts";
import {
  askByKey,
  bootEvents,
  connectUser,
  ORG,
  OTHER_ORG,
  publish,
  subscriptionToken,
  USER,
  type Json,
} from "../support/events.ts";
import { connectRaw } from "../support/raw-websocket.ts";
import {
  connectClient,
  ERRORS,
  openClient,
  subscribed,
  type StreamingClient,
  type StreamingServer,
} from "../support/streaming.ts";
import { hs256 } from "../support/tokens.ts";

const dataOf = (messages: readonly Json[]) =>
  messages.map((message) => {
    const push = message["push"] as { pub?: { data: unknown }; message?: { data: unknown } };
    return push.pub?.data ?? push.message?.data;
  });

describe("a push of gusher's API", () => {
  /** Development mode, on loopback: nobody is asked for a key. */
  let server: StreamingServer;
  let member: StreamingClient;
  let user: StreamingClient;
  const CLOSED = [`shipments:${ORG}`, "dialog:x#12", "$secret", "own:a"];
  beforeAll(async () => {
    const development = developmentFile();
    const namespaces = [
      { name: "dialog", ...OPEN },
      { name: "own", ...OPEN },
    ];
    const channel = { without_namespace: development.channel.without_namespace, namespaces };
    server = await bootEvents({ config: { api_keys, channel } });
    member = await connectUser(server);
    user = await connectClient(server, { sub: "12" });
    await subscribed(user, "own:a");
    await subscribed(user, "dialog:x#12");
    await subscribed(user, "news");
    const token = hs256({ sub: "12", channel: "$secret" });
    expect(await user.ask({ subscribe: { channel: "$secret", token } })).toHaveProperty(
      "subscribe",
    );
  });
  afterAll(async () => {
    member[Symbol.dispose]();
    user[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  const arrived = async () => dataOf([...(await member.arrived()), ...(await user.arrived())]);

  async function pushAll(key?: string): Promise<unknown[]> {
    for (const name of [...CLOSED, "news"]) {
      const path = `/push/dev/${encodeURIComponent(name)}/e`;
      expect((await master(server, path, { data: name }, key)).status).toBe(200);
    }
    return arrived();
  }

  test.each([
    ["without a key", undefined, ["news"]],
    ["with a key that is not known", "nobody's", ["news"]],
    ["with gusher's scope", "gusher", ["news"]],
    ["with streaming's scope too", "both", ["dialog:x#12", "$secret", "own:a", "news"]],
    ["with the scope to publish events too", "publisher", [...CLOSED, "news"]],
    ["with every scope", "dev-api-key", [...CLOSED, "news"]],
  ])("by name, %s", async (_name, key, expected) => {
    expect(await pushAll(key)).toEqual(expected);
  });

  test("by batch: the items for others are left out, and the log says so", async () => {
    const batch_data = JSON.stringify(
      [...CLOSED, "news"].map((channel) => ({ channel, event: "e", data: channel })),
    );
    expect((await master(server, "/push_batch/dev", { batch_data })).status).toBe(200);
    expect(await arrived()).toEqual(["news"]);
    expect(server.logged).toContainEqual(
      expect.objectContaining({ msg: "Push left out", dialect: "gusher", channels: 4 }),
    );
    expect((await master(server, "/push_batch/dev", { batch_data }, "publisher")).status).toBe(200);
    expect((await arrived()).length).toBe(5);
  });

  test("by pattern", async () => {
    const fields = { channel_pattern: ".", event: "e", data: "1" };
    expect(JSON.parse((await master(server, "/push/dev", fields)).text).total).toBe(1);
    expect(await arrived()).toEqual([1]);
    expect(JSON.parse((await master(server, "/push/dev", fields, "both")).text).total).toBe(4);
    expect(await arrived()).toEqual([1, 1, 1, 1]);
  });

  test("by user and socket reaches gusher's connections alone", async () => {
    const paths = [`/push/user/dev/${USER}`, "/push/user/dev/12", `/push/socket/dev/${user.id}`];
    for (const key of [undefined, "gusher"]) {
      for (const path of paths) {
        expect((await master(server, path, { data: "1" }, key)).status).toBe(200);
      }
      expect(await arrived()).toEqual([]);
    }
    for (const path of paths) await master(server, path, { data: "1" }, "both");
    expect(await arrived()).toEqual([1, 1, 1]);
  });

  test("its lists see what gusher's clients may join", async () => {
    const list = async (path: string) => (await fetch(`${server.apiUrl}/gusher/dev${path}`)).json();
    expect(await list("/channels")).toEqual(["news"]);
    for (const name of CLOSED) {
      expect(await list(`/online/bychannel/${encodeURIComponent(name)}`)).toEqual([]);
    }
    expect(await list("/online/bychannel/news")).toEqual(["12"]);
  });

  test("streaming's API obeys the same rule", async () => {
    const [events = ""] = CLOSED;
    const calls = [
      ["publish", { channel: events, data: 1 }],
      ["history", { channel: events }],
      ["history_remove", { channel: events }],
      ["presence", { channel: events }],
      ["presence_stats", { channel: events }],
      ["subscribe", { channel: events, user: "12" }],
    ] as const;
    for (const [method, body] of calls) {
      const answer = await streamingApi(server, method, body, "streaming");
      expect([method, answer]).toEqual([method, { error: ERRORS_API[103] }]);
    }
    const broadcast = { channels: [events, "news"], data: 2 };
    const { result } = await streamingApi(server, "broadcast", broadcast, "streaming");
    expect(result.responses).toEqual([
      { error: ERRORS_API[103] },
      { result: expect.objectContaining({ offset: expect.any(Number) }) },
    ]);
    expect(await arrived()).toEqual([2]);
    const listed = await streamingApi(server, "channels", {}, "streaming");
    expect(Object.keys(listed.result.channels).toSorted()).toEqual(
      ["$secret", "dialog:x#12", "news", "own:a"].toSorted(),
    );
    const published = await streamingApi(
      server,
      "publish",
      { channel: events, data: 3 },
      "publisher",
    );
    expect(published).toHaveProperty("result");
    expect(await arrived()).toEqual([3]);
  });
});

const ERRORS_API = { 103: { code: 103, message: expect.stringMatching(/^permission denied/) } };

test("a disconnect by streaming's API reaches gusher's connections with gusher's scope", async () => {
  await using server = await bootEvents({ config: { api_keys } });
  const claims = { channels: ["*"], user_id: "12", app_key: "dev", remotes: {} };
  const login = new URLSearchParams({ jwt: hs256({ gusher: claims }) });
  const answer = await fetch(`${server.clientsUrl}/gusher/auth`, { method: "POST", body: login });
  const { token } = (await answer.json()) as { token: string };
  const socket = await connectRaw(
    `${server.clientsUrl.replace("http", "ws")}/gusher/ws/dev?token=${token}`,
  );
  using user = await connectClient(server, { sub: "12" });
  await streamingApi(server, "disconnect", { user: "12" }, "streaming");
  expect(await user.closed()).toMatchObject({ code: 3503 });
  // It is there to be pushed to.
  await master(server, "/push/user/dev/12", { data: "1" });
  expect((await socket.next()).text).toBe("1");
  await streamingApi(server, "disconnect", { user: "12" }, "both");
  expect((await socket.next()).opcode).toBe(8);
});

describe("in production", () => {
  test("names with a leading $ or a # are streaming's, though gusher is listed for the rest", async () => {
    await using server = await bootEvents({ config: PRODUCTION, events: { enabled: true } });
    const claims = { channels: ["*"], user_id: "12", app_key: "dev", remotes: {} };
    const login = new URLSearchParams({ jwt: hs256({ gusher: claims }, "a secret") });
    const answer = await fetch(`${server.clientsUrl}/gusher/auth`, { method: "POST", body: login });
    const { token } = (await answer.json()) as { token: string };
    const socket = await connectRaw(
      `${server.clientsUrl.replace("http", "ws")}/gusher/ws/dev?token=${token}`,
    );
    const subscribe = async (channel: string): Promise<string> => {
      socket.send(JSON.stringify({ event: "gusher.subscribe", data: { channel } }));
      return (JSON.parse((await socket.next()).text) as { event: string }).event;
    };
    for (const name of [
      "$secret",
      "#12",
      "free#12",
      "unknown:a#12",
      "$unknown:a",
      `orders:${ORG}`,
    ]) {
      expect([name, await subscribe(name)]).toEqual([name, "gusher.subscribe_error"]);
    }
    for (const name of ["free", "listed:a#12"]) {
      expect([name, await subscribe(name)]).toEqual([name, "gusher.subscribe_succeeded"]);
    }
    using user = await openClient(server);
    await user.ask({ connect: { token: hs256({ sub: "12" }, "a secret") } });
    await subscribed(user, "free#12");
    const pushed = await master(server, `/push/dev/${encodeURIComponent("free#12")}/e`, {
      data: "1",
    });
    expect(pushed.status).toBe(401);
    for (const key of ["gusher", "both"]) {
      await master(server, `/push/dev/${encodeURIComponent("free#12")}/e`, { data: key }, key);
    }
    expect(dataOf(await user.arrived())).toEqual(["both"]);
    socket.destroy();
  });
});

describe("the events catalogue's channels", () => {
  const NAMES = [`shipments:${OTHER_ORG}`, `shipments:${ORG}`, `shipments:${ORG}#${USER}`];

  test.each(NAMES)("%s is not opened by a token signed with the streaming key", async (name) => {
    await using server = await bootEvents();
    for (const claims of [{ channels: [name] }, { subs: { [name]: {} } }]) {
      using client = await openClient(server);
      const token = hs256({ sub: USER, ...claims });
      expect(await client.ask({ connect: { token } })).toEqual({ error: ERRORS[103] });
    }
    using client = await connectClient(server, { sub: USER });
    using member = await connectUser(server);
    for (const [asker, code] of [
      [client, 103],
      // Its own authority alone decides on its later tokens.
      [member, name === NAMES[0] ? 103 : 105],
    ] as const) {
      const token = hs256({ sub: USER, channel: name });
      const reply = await asker.ask({ subscribe: { channel: name, token } });
      expect(reply).toEqual({ error: ERRORS[code] });
      expect(await asker.ask({ subscribe: { channel: name } })).toEqual({ error: ERRORS[code] });
    }
    using asking = await openClient(server);
    const connect = { token: hs256({ sub: USER }), subs: { [name]: {} } };
    expect(await asking.ask({ connect })).toEqual({
      connect: expect.not.objectContaining({ subs: expect.anything() }),
    });
    expect(await server.api("subscribe", { user: USER, channel: name })).toEqual({
      error: ERRORS_API[103],
    });
    expect(await client.arrived()).toEqual([]);
  });

  test("are closed in insecure mode too, and take nothing from clients", async () => {
    await using server = await bootEvents({ streaming: { insecure: true } });
    using client = await openClient(server);
    await client.ask({ connect: {} });
    const channel = `shipments:${ORG}`;
    for (const command of [
      { subscribe: { channel } },
      { publish: { channel, data: 1 } },
      { history: { channel } },
    ]) {
      expect(await client.ask(command)).toEqual({ error: ERRORS[103] });
    }
    expect(await client.ask({ subscribe: { channel: "status:a" } })).toHaveProperty("subscribe");
  });

  test.each(["deprovision", "revoke"])("receive nothing more after a %s", async (ending) => {
    await using server = await bootEvents();
    const channel = `shipments:${ORG}`;
    const entity = `shipments:${ORG}.a`;
    using stranger = await connectClient(server, { sub: USER });
    await stranger.ask({ subscribe: { channel, token: hs256({ sub: USER, channel }) } });
    await server.api("subscribe", { user: USER, channel });
    using member = await connectUser(server);
    const token = await subscriptionToken(server, entity);
    expect(await member.ask({ subscribe: { channel: entity, token } })).toHaveProperty("subscribe");
    await publish(server, { entity: "a" });
    expect((await member.arrived()).length).toBe(2);
    await server.advance(1);
    const answer = await askByKey(server, `/events/${ending}?organisation_id=${ORG}`, {});
    expect(answer.status).toBe(200);
    expect(await member.raw.next()).toMatchObject({ opcode: 8 });
    const { result } = await server.api("channels", { pattern: "shipments:*" });
    expect(result).toEqual({ channels: {} });
    expect(await stranger.arrived()).toEqual([]);
  });
});
