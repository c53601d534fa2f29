/** What a subscription is granted and sees: options, joins and leaves, unsubscribe (centrifugo-protocol.md §4.2 to §4.6, §22 items 4, 18). */
import { describe, expect, test } from "bun:test";
import {
  apiResult,
  bootStreaming,
  connectClient,
  ERRORS,
  HISTORY,
  OPEN,
  RECOVERY,
  subscribed,
} from "../../support/streaming.ts";
import { until } from "../../support/hostile.ts";
import { hs256 } from "../../support/tokens.ts";

const USER = { sub: "1" };

describe("§4.2: positioned and recoverable", () => {
  const READ = { allow_history_for_subscriber: true };
  const nothing = {};
  const positioned = { positioned: true, epoch: expect.stringMatching(/^[a-zA-Z0-9]{8,}$/) };
  const recoverable = { ...positioned, recoverable: true };

  test.each([
    ["nothing asked, nothing forced", HISTORY, {}, nothing],
    ["asked, not allowed", HISTORY, { positioned: true, recoverable: true }, nothing],
    ["force_positioning", { ...HISTORY, force_positioning: true }, {}, positioned],
    ["allow_positioning, not asked", { ...HISTORY, allow_positioning: true }, {}, nothing],
    [
      "allow_positioning",
      { ...HISTORY, allow_positioning: true },
      { positioned: true },
      positioned,
    ],
    ["positioned by reading", { ...HISTORY, ...READ }, { positioned: true }, positioned],
    ["force_recovery", { ...HISTORY, force_recovery: true }, {}, recoverable],
    ["allow_recovery", { ...HISTORY, allow_recovery: true }, { recoverable: true }, recoverable],
    ["recoverable by reading", { ...HISTORY, ...READ }, { recoverable: true }, recoverable],
    [
      "allow_recovery, but positioned asked",
      { ...HISTORY, allow_recovery: true },
      { positioned: true },
      nothing,
    ],
    [
      "allowed without a history",
      { allow_positioning: true, allow_recovery: true },
      { positioned: true, recoverable: true },
      nothing,
    ],
  ])("%s", async (_name, options, asked, result) => {
    await using server = await bootStreaming({ withoutNamespace: { ...OPEN, ...options } });
    using client = await connectClient(server, USER);
    expect(await subscribed(client, "a", asked)).toEqual(result);
  });

  test("a positioned subscribe answers with the top, and what follows counts on from it", async () => {
    await using server = await bootStreaming({ withoutNamespace: RECOVERY });
    await apiResult(server, "publish", { channel: "a", data: 1 });
    const { epoch } = await apiResult(server, "publish", { channel: "a", data: 2 });
    using client = await connectClient(server, USER);
    expect(await subscribed(client, "a")).toEqual({
      ...{ recoverable: true, positioned: true, epoch, offset: 2 },
    });
    for (const data of [3, 4]) await apiResult(server, "publish", { channel: "a", data });
    await apiResult(server, "publish", { channel: "a", data: "aside", skip_history: true });
    expect(await client.arrived()).toEqual([
      { push: { channel: "a", pub: { data: 3, offset: 3 } } },
      { push: { channel: "a", pub: { data: 4, offset: 4 } } },
      { push: { channel: "a", pub: { data: "aside" } } },
    ]);
  });

  test("§5.1: the publication with offset 1 tells the epoch", async () => {
    await using server = await bootStreaming({ withoutNamespace: { ...OPEN, ...HISTORY } });
    using client = await connectClient(server, USER);
    await subscribed(client, "a");
    const { epoch } = await apiResult(server, "publish", { channel: "a", data: 1 });
    await apiResult(server, "publish", { channel: "a", data: 2, tags: { k: "v" } });
    expect(await client.arrived()).toEqual([
      { push: { channel: "a", pub: { data: 1, offset: 1, epoch } } },
      { push: { channel: "a", pub: { data: 2, offset: 2, tags: { k: "v" } } } },
    ]);
  });
});

describe("item 4: joins and leaves", () => {
  const JOINS = { ...OPEN, join_leave: true };
  const READ = { presence: true, allow_presence_for_subscriber: true };
  const pushes = { ...JOINS, force_push_join_leave: true };

  test("the own join comes after the subscribe reply, the own leave never", async () => {
    await using server = await bootStreaming({ withoutNamespace: pushes });
    using client = await connectClient(server, { ...USER, info: { n: 1 } });
    client.send({ id: 50, subscribe: { channel: "a" } });
    expect(await client.next()).toEqual({ id: 50, subscribe: {} });
    const info = { user: "1", client: client.id, conn_info: { n: 1 } };
    expect(await client.next()).toEqual({ push: { channel: "a", join: { info } } });
    expect(await client.ask({ unsubscribe: { channel: "a" } })).toEqual({ unsubscribe: {} });
    expect(await client.arrived()).toEqual([]);
  });

  test("others see the join, and the leave by unsubscribe and by a dropped connection", async () => {
    await using server = await bootStreaming({ withoutNamespace: pushes });
    using watcher = await connectClient(server, { sub: "9" });
    await subscribed(watcher, "a");
    expect(await watcher.arrived()).toMatchObject([{ push: { join: {} } }]);
    using client = await connectClient(server, USER);
    const info = { user: "1", client: client.id };
    const [join, leave] = [
      { channel: "a", join: { info } },
      { channel: "a", leave: { info } },
    ];
    await subscribed(client, "a");
    expect(await watcher.next()).toEqual({ push: join });
    expect(await client.next()).toEqual({ push: join });
    await client.ask({ unsubscribe: { channel: "a" } });
    expect(await watcher.next()).toEqual({ push: leave });
    client.send({ id: 90, subscribe: { channel: "a" } });
    expect(await watcher.next()).toEqual({ push: join });
    client.raw.destroy();
    expect(await watcher.next()).toEqual({ push: leave });
  });

  test.each([
    ["join_leave off", { force_push_join_leave: true }, { join_leave: true }, 0],
    ["not asked", { ...JOINS, ...READ }, {}, 0],
    ["asked by one who may not read presence", JOINS, { join_leave: true }, 0],
    ["asked by one who may", { ...JOINS, ...READ }, { join_leave: true }, 1],
    ["forced", pushes, {}, 1],
  ])("%s", async (_name, options, asked, joins) => {
    await using server = await bootStreaming({ withoutNamespace: { ...OPEN, ...options } });
    using client = await connectClient(server, USER);
    await subscribed(client, "a", asked);
    expect(await client.arrived()).toHaveLength(joins);
  });
});

describe("§11.2: a token's options replace the channel's", () => {
  const on = { value: true };
  const off = { value: false };

  test.each([
    ["force_recovery", HISTORY, { force_recovery: on }, { recoverable: true, positioned: true }],
    ["force_recovery off", { ...HISTORY, force_recovery: true }, { force_recovery: off }, {}],
    ["force_positioning", HISTORY, { force_positioning: on }, { positioned: true }],
    ["nothing", { ...HISTORY, force_positioning: true }, {}, { positioned: true }],
  ])("%s", async (_name, options, override, result) => {
    await using server = await bootStreaming({ withoutNamespace: options });
    using client = await connectClient(server, USER);
    const token = hs256({ ...USER, channel: "$a", override });
    const { epoch, ...rest } = await subscribed(client, "$a", { token });
    expect(rest).toEqual(result);
    expect(epoch !== undefined).toBe("positioned" in result);
  });

  test("presence off, join and leave on, and info in both", async () => {
    await using server = await bootStreaming({ withoutNamespace: { presence: true } });
    using client = await connectClient(server, USER);
    using hidden = await connectClient(server, { sub: "2" });
    const override = { presence: off, join_leave: on, force_push_join_leave: on };
    const tokenOf = (claims: object) => hs256({ channel: "$a", ...claims });
    await subscribed(client, "$a", {
      token: tokenOf({ sub: "1", info: { i: 1 }, override: { ...override, presence: on } }),
    });
    const info = { user: "1", client: client.id, chan_info: { i: 1 } };
    expect(await client.next()).toEqual({ push: { channel: "$a", join: { info } } });
    await subscribed(hidden, "$a", { token: tokenOf({ sub: "2", override }) });
    const other = { user: "2", client: hidden.id };
    expect(await client.next()).toEqual({ push: { channel: "$a", join: { info: other } } });
    expect(await apiResult(server, "presence", { channel: "$a" })).toEqual({
      presence: { [client.id]: info },
    });
  });
});

describe("§4.6: unsubscribe", () => {
  test("is answered, and nothing of the channel follows", async () => {
    await using server = await bootStreaming({ withoutNamespace: OPEN });
    using client = await connectClient(server, USER);
    await subscribed(client, "a");
    expect(await client.ask({ unsubscribe: { channel: "a" } })).toEqual({ unsubscribe: {} });
    await apiResult(server, "publish", { channel: "a", data: 1 });
    expect(await client.arrived()).toEqual([]);
  });

  test.each(["a", "none:a", "$a"])(
    "of %s, which is not subscribed, is no error",
    async (channel) => {
      await using server = await bootStreaming({ withoutNamespace: OPEN });
      using client = await connectClient(server, USER);
      expect(await client.ask({ unsubscribe: { channel } })).toEqual({ unsubscribe: {} });
    },
  );

  test("waits for a subscribe of the same frame", async () => {
    await using server = await bootStreaming({ withoutNamespace: RECOVERY });
    using client = await connectClient(server, USER);
    client.send(
      { id: 50, subscribe: { channel: "a" } },
      { id: 51, unsubscribe: { channel: "a" } },
      { id: 52, subscribe: { channel: "a" } },
    );
    expect(await client.next()).toMatchObject({ id: 50, subscribe: {} });
    expect(await client.next()).toEqual({ id: 51, unsubscribe: {} });
    expect(await client.next()).toMatchObject({ id: 52, subscribe: {} });
    expect(server.hub.stats()).toMatchObject({ channels: 1, subscriptions: 1 });
  });

  test("item 18: racing the server's own subscribe and unsubscribe leaves nothing behind", async () => {
    await using server = await bootStreaming({ withoutNamespace: { ...RECOVERY, presence: true } });
    using client = await connectClient(server, USER);
    const target = { channel: "a", user: "1" };
    const calls = [];
    for (let round = 0; round < 25; round++) {
      client.send({ id: 1000 + round, subscribe: { channel: "a" } });
      calls.push(server.api("unsubscribe", target), server.api("subscribe", target));
      client.send({ id: 2000 + round, unsubscribe: { channel: "a" } });
    }
    await Promise.all(calls);
    await client.arrived();
    await apiResult(server, "unsubscribe", target);
    expect(await client.ask({ unsubscribe: { channel: "a" } })).toMatchObject({});
    expect(server.hub.stats()).toMatchObject({ channels: 0, subscriptions: 0 });
    expect(await apiResult(server, "presence", { channel: "a" })).toEqual({ presence: {} });
    await client.arrived();
    await apiResult(server, "publish", { channel: "a", data: 1 });
    expect(await client.arrived()).toEqual([]);
    expect(await client.ask({ subscribe: { channel: "a" } })).toMatchObject({ subscribe: {} });
  });

  test("a client that goes in the middle of a subscribe leaves nothing behind", async () => {
    await using server = await bootStreaming({ withoutNamespace: { ...RECOVERY, presence: true } });
    using watcher = await connectClient(server, USER);
    for (let round = 0; round < 10; round++) {
      const client = await connectClient(server, { sub: "2" });
      client.send({ id: 50, subscribe: { channel: "a" } });
      client.raw.close(1000);
      await client.raw.rest();
      client.raw.destroy();
    }
    await watcher.arrived();
    // Their subscribes end once the engine has answered; one that does not ends the test.
    await until(() => server.hub.stats().channels === 0);
    expect(server.hub.stats()).toMatchObject({ connections: 1, channels: 0, subscriptions: 0 });
    expect(await apiResult(server, "presence", { channel: "a" })).toEqual({ presence: {} });
  });
});

test("the same channel can be subscribed by many, each told by its own reply", async () => {
  await using server = await bootStreaming({ withoutNamespace: OPEN });
  using one = await connectClient(server, USER);
  using two = await connectClient(server, USER);
  await Promise.all([subscribed(one, "a"), subscribed(two, "a")]);
  expect(await one.ask({ subscribe: { channel: "a" } })).toEqual({ error: ERRORS[105] });
  await apiResult(server, "publish", { channel: "a", data: 1 });
  for (const client of [one, two]) {
    expect(await client.arrived()).toEqual([{ push: { channel: "a", pub: { data: 1 } } }]);
  }
});
