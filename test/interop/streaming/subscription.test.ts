/** Subscribing, publishing, presence and history, as centrifuge-js sees them. */
import { describe, expect, test } from "bun:test";
import { SubscriptionState, type SubscriptionOptions } from "centrifuge";
import {
  BUILDS,
  createOfficial,
  failure,
  type Build,
  type OfficialClient,
} from "../../support/centrifuge-client.ts";
import { holdTimers } from "../../support/held-timers.ts";
import {
  apiResult,
  BAD_REQUEST,
  PERMISSION_DENIED,
  bootStreaming,
  HISTORY,
  OPEN,
  RECOVERY,
  type StreamingServer,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const EVERYTHING = {
  ...OPEN,
  presence: true,
  allow_publish_for_subscriber: true,
  allow_presence_for_subscriber: true,
  allow_history_for_subscriber: true,
};
const NAMESPACES = [
  { name: "open", ...OPEN },
  { name: "closed" },
  { name: "full", ...EVERYTHING, ...HISTORY },
  { name: "joins", ...EVERYTHING, join_leave: true },
  { name: "kept", ...RECOVERY },
  { name: "limited", ...OPEN, allow_user_limited_channels: true },
];

async function connected(
  server: StreamingServer,
  build: Build,
  claims: object = { sub: "42" },
): Promise<OfficialClient> {
  const official = createOfficial(build, server.websocketUrl, { token: hs256({ ...claims }) });
  await official.connect();
  return official;
}

describe.each(BUILDS)("centrifuge-js, %s", (build) => {
  const boot = () => bootStreaming({ namespaces: NAMESPACES });

  test("subscribes, and receives data and tags", async () => {
    await using server = await boot();
    using official = await connected(server, build);
    const { heard } = official.subscribe("open:a");
    expect(await heard.next("subscribed")).toMatchObject({
      ...{ channel: "open:a", recoverable: false, positioned: false },
      ...{ wasRecovering: false, recovered: false },
    });
    const tags = { event: "new" };
    await apiResult(server, "publish", { channel: "open:a", data: { a: [1, "é"] }, tags });
    const { data, ...rest } = await heard.next("publication");
    expect(official.value(data)).toEqual({ a: [1, "é"] });
    expect(rest).toEqual({ channel: "open:a", tags });
  });

  test("a number beyond 2^53 arrives as it was written", async () => {
    await using server = await boot();
    using official = await connected(server, build);
    const { heard } = official.subscribe("full:a");
    await heard.next("subscribed");
    await fetch(`${server.apiUrl}/api/publish`, {
      method: "POST",
      headers: { "X-API-Key": "dev-api-key" },
      body: '{"channel":"full:a","data":{"n": 9007199254740993}}',
    });
    const { data } = await heard.next("publication");
    const { publications } = await official.client.history("full:a", { limit: 1 });
    for (const each of [data, publications[0]?.data]) {
      if (build === "json") expect(each).toEqual({ n: 9007199254740992 });
      else expect(Buffer.from(each as Uint8Array).toString()).toBe('{"n":9007199254740993}');
    }
  });

  test.each([
    ["closed:a", 103, PERMISSION_DENIED],
    ["$open:a", 103, PERMISSION_DENIED],
    ["limited:a#7", 103, PERMISSION_DENIED],
    ["none:a", 102, "unknown channel"],
    ["open:é", 107, BAD_REQUEST],
  ])("%s is refused with %d", async (channel, code, reason) => {
    await using server = await boot();
    using official = await connected(server, build);
    const { heard } = official.subscribe(channel);
    expect(await heard.next("unsubscribed")).toEqual({ channel, code, reason });
  });

  test("a user-limited channel takes those it names", async () => {
    await using server = await boot();
    using official = await connected(server, build);
    const { heard } = official.subscribe("limited:a#7,42");
    await heard.next("subscribed");
  });

  test("200 subscriptions are 128, and 72 refused with 106", async () => {
    await using server = await boot();
    using official = await connected(server, build);
    const all = Array.from({ length: 200 }, (_, index) => official.subscribe(`open:${index}`));
    const outcomes = all.map(({ heard }) =>
      Promise.race([
        heard.next("subscribed").then(() => 0),
        heard.next("unsubscribed").then(({ code }) => code),
      ]),
    );
    const codes = await Promise.all(outcomes);
    expect(codes).toEqual(Array.from({ length: 200 }, (_, index) => (index < 128 ? 0 : 106)));
  });

  describe("subscription tokens", () => {
    const tokenFor = (server: StreamingServer, seconds: number) =>
      hs256({ sub: "42", channel: "$closed:a", exp: server.seconds(seconds), data: { d: 1 } });

    test("open a private channel", async () => {
      await using server = await boot();
      using official = await connected(server, build);
      const { heard } = official.subscribe("$closed:a", { token: tokenFor(server, 60) });
      expect(official.value((await heard.next("subscribed")).data)).toEqual({ d: 1 });
    });

    test("are asked for with the channel, and again when one has expired", async () => {
      await using server = await boot();
      using official = await connected(server, build);
      const asked: string[] = [];
      const getToken: SubscriptionOptions["getToken"] = async ({ channel }) => {
        asked.push(channel);
        return tokenFor(server, asked.length === 1 ? -1 : 60);
      };
      const { heard } = official.subscribe("$closed:a", { getToken });
      await heard.next("subscribed");
      expect(asked).toEqual(["$closed:a", "$closed:a"]);
    });

    test("are refreshed when their ttl has run out", async () => {
      await using server = await boot();
      using timers = holdTimers(3_599_000);
      using official = await connected(server, build);
      let asked = 0;
      const getToken = async () => {
        asked++;
        return tokenFor(server, 3_599);
      };
      const { heard, subscription } = official.subscribe("$closed:a", { getToken });
      await heard.next("subscribed");
      await server.advance(3_599_000);
      timers.fire();
      while (timers.waiting === 0) await server.runtime.settle();
      expect(asked).toBe(2);
      await server.advance(3_599_000 + 24_999);
      expect(subscription.state).toBe(SubscriptionState.Subscribed);
      expect(heard.names).toEqual(["subscribing", "subscribed"]);
    });

    test("that run out without a refresh: 2501, and it subscribes again", async () => {
      await using server = await boot();
      using _timers = holdTimers(3_599_000);
      using official = await connected(server, build);
      const getToken = async () => tokenFor(server, 3_599);
      const { heard } = official.subscribe("$closed:a", { getToken });
      await heard.next("subscribed");
      await heard.next("subscribing");
      await server.advance(3_599_000 + 25_000);
      expect(await heard.next("subscribing")).toMatchObject({
        ...{ code: 2501, reason: "subscription expired" },
      });
      await heard.next("subscribed");
    });

    test("of another user end the connection with 3500", async () => {
      await using server = await boot();
      using official = await connected(server, build, { sub: "7" });
      official.subscribe("$closed:a", { token: tokenFor(server, 60) });
      expect(await official.heard.next("disconnected")).toEqual({
        ...{ code: 3500, reason: "invalid token" },
      });
    });
  });

  test("publishes with its info, and receives it too", async () => {
    await using server = await boot();
    using official = await connected(server, build, { sub: "42", info: { name: "Ann" } });
    const { heard, subscription } = official.subscribe("full:a");
    await heard.next("subscribed");
    await subscription.publish(official.payload({ a: 1 }));
    const { data, info, offset } = await heard.next("publication");
    expect(official.value(data)).toEqual({ a: 1 });
    expect({
      user: info?.user,
      info: official.value(info?.connInfo),
      offset: Number(offset),
    }).toEqual({
      ...{ user: "42", info: { name: "Ann" }, offset: 1 },
    });
  });

  test.each([
    ["closed:a", 103],
    ["none:a", 102],
  ])("publishing to %s is refused with %d", async (channel, code) => {
    await using server = await boot();
    using official = await connected(server, build);
    const call = official.client.publish(channel, official.payload({}));
    expect(await failure(call)).toMatchObject({ code });
  });

  test("presence and presenceStats", async () => {
    await using server = await boot();
    using one = await connected(server, build);
    using two = await connected(server, build);
    for (const official of [one, two]) {
      await official.subscribe("full:a").heard.next("subscribed");
    }
    const { clients } = await one.client.presence("full:a");
    expect(Object.values(clients).map(({ user }) => user)).toEqual(["42", "42"]);
    expect(Object.keys(clients)).toEqual(Object.values(clients).map(({ client }) => client));
    const stats = await one.client.presenceStats("full:a");
    expect(stats).toEqual({ numClients: 2, numUsers: 1 });
    expect(await failure(one.client.presence("open:a"))).toMatchObject({ code: 108 });
  });

  test("history: position, limit, since, reverse", async () => {
    await using server = await boot();
    using official = await connected(server, build);
    await official.subscribe("full:a").heard.next("subscribed");
    for (const data of [1, 2, 3, 4])
      await apiResult(server, "publish", { channel: "full:a", data });
    const { client } = official;
    const top = await client.history("full:a");
    expect(top).toMatchObject({ publications: [], offset: 4 });
    const read = async (options: object) => {
      const { publications } = await client.history("full:a", options);
      return publications.map(({ data }) => official.value(data));
    };
    expect(await read({ limit: 2 })).toEqual([1, 2]);
    expect(await read({ limit: -1 })).toEqual([1, 2, 3, 4]);
    expect(await read({ limit: 10, since: { offset: 2, epoch: top.epoch } })).toEqual([3, 4]);
    expect(await read({ limit: 2, reverse: true })).toEqual([4, 3]);
    expect(await read({ limit: 2, reverse: true, since: { offset: 3, epoch: top.epoch } })).toEqual(
      [2, 1],
    );
    const other = client.history("full:a", { limit: 1, since: { offset: 1, epoch: "other" } });
    expect(await failure(other)).toMatchObject({ code: 112 });
    expect(await failure(client.history("open:a", { limit: 1 }))).toMatchObject({ code: 108 });
  });

  test("join and leave", async () => {
    await using server = await boot();
    using watching = await connected(server, build, { sub: "1" });
    using coming = await connected(server, build, { sub: "2", info: { n: 2 } });
    const { heard } = watching.subscribe("joins:a", { joinLeave: true });
    expect((await heard.next("join")).info.user).toBe("1");
    const { subscription } = coming.subscribe("joins:a");
    const { info } = await heard.next("join");
    expect({ user: info.user, info: watching.value(info.connInfo) }).toEqual({
      ...{ user: "2", info: { n: 2 } },
    });
    subscription.unsubscribe();
    expect((await heard.next("leave")).info).toEqual(info);
  });

  test("a server's unsubscribe is 2000, and final", async () => {
    await using server = await boot();
    using official = await connected(server, build);
    const { heard } = official.subscribe("open:a");
    await heard.next("subscribed");
    await apiResult(server, "unsubscribe", { user: "42", channel: "open:a" });
    expect(await heard.next("unsubscribed")).toEqual({
      ...{ channel: "open:a", code: 2000, reason: "server unsubscribe" },
    });
  });
});
