/** Checklist items 14 to 25: what clients ask for and are answered (gusher.md §5.3 to §5.6, §16), with the strict options of §15.3. */
import { describe, expect, test } from "bun:test";
import {
  bootGusher,
  GRANT_A,
  GRANT_Z,
  openGusher,
  type GusherClient,
} from "../../support/gusher.ts";

const reply = (event: string, data: unknown) => ({
  event: `gusher.${event}`,
  socket_id: "SID",
  data,
});
const subscribe = (client: GusherClient, channel: string) =>
  client.ask("gusher.subscribe", { channel });
const multi = (client: GusherClient, multi_channel: unknown) =>
  client.ask("gusher.multi_subscribe", { multi_channel });
const push = (channel: string, data: unknown, event = "message") => ({ channel, event, data });

describe("subscribe", () => {
  test("14: a granted channel, as often as it is asked for, and one copy of each push", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    for (let time = 0; time < 3; time++) {
      expect(await subscribe(client, "AA")).toEqual(
        reply("subscribe_succeeded", { channel: "AA" }),
      );
    }
    await server.publish("AA", { n: 1 }, "notify");
    expect(await client.arrived()).toEqual([push("AA", { n: 1 }, "notify")]);
  });

  test("15, 16: grants decide, and a refusal costs nothing", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    for (const channel of ["ZZ", "app", "tst", "aa", ""]) {
      expect(await subscribe(client, channel)).toEqual(reply("subscribe_error", { channel }));
    }
    for (const channel of ["apple", "test", "app*"]) {
      expect(await subscribe(client, channel)).toEqual(reply("subscribe_succeeded", { channel }));
    }
  });

  test("17: a lone star grants everything, the empty name included", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server, GRANT_Z);
    for (const channel of ["anything", "", "a b/ü\n\u2028"]) {
      expect(await subscribe(client, channel)).toEqual(reply("subscribe_succeeded", { channel }));
    }
    await server.publish("", 1);
    expect(await client.arrived()).toEqual([push("", 1)]);
  });

  test("D13: grant_star_empty lets a star stand for nothing", async () => {
    await using server = await bootGusher({ gusher: { grant_star_empty: true } });
    using client = await openGusher(server);
    expect(await subscribe(client, "tst")).toMatchObject({ event: "gusher.subscribe_succeeded" });
  });

  test("replies have their members in the original's order", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    client.send({ event: "gusher.subscribe", data: { channel: "AA" } });
    const { text } = await client.raw.next();
    expect(text).toMatch(
      /^\{"event":"gusher.subscribe_succeeded","socket_id":"[^"]+","data":\{"channel":"AA"\}\}$/,
    );
    await server.publish("AA", { b: 1, a: 9007199254740992 });
    expect((await client.raw.next()).text).toBe(
      '{"channel":"AA","event":"message","data":{"b":1,"a":9007199254740992}}',
    );
  });

  test("channels of other dialects' namespaces are refused, whatever the grants say", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server, GRANT_Z);
    for (const channel of ["shipments:1", "$private", "user#1"]) {
      expect(await subscribe(client, channel)).toEqual(reply("subscribe_error", { channel }));
      expect(await multi(client, ["AA", channel])).toMatchObject({
        event: "gusher.multi_subscribe_error",
      });
    }
    for (const channel of ["public:1", "unknown:1"]) {
      expect(await subscribe(client, channel)).toEqual(reply("subscribe_succeeded", { channel }));
    }
  });

  test("limits: channels of a connection, and bytes of a name", async () => {
    await using server = await bootGusher({ gusher: { channel_limit: 3 } });
    using client = await openGusher(server, GRANT_Z);
    expect(await multi(client, ["1", "2", "3", "4"])).toMatchObject({
      event: "gusher.multi_subscribe_error",
    });
    await multi(client, ["1", "2"]);
    expect(await multi(client, ["1", "2", "3"])).toMatchObject({
      event: "gusher.multi_subscribe_succeeded",
    });
    expect(await subscribe(client, "4")).toEqual(reply("subscribe_error", { channel: "4" }));
    await client.ask("gusher.unsubscribe", { channel: "1" });
    const longest = "x".repeat(255);
    expect(await subscribe(client, `${longest}x`)).toMatchObject({
      event: "gusher.subscribe_error",
    });
    expect(await subscribe(client, longest)).toMatchObject({ event: "gusher.subscribe_succeeded" });
  });
});

describe("multi_subscribe", () => {
  test("18: a list, in its order, duplicates kept", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const channel = ["BB", "AA", "BB"];
    expect(await multi(client, channel)).toEqual(reply("multi_subscribe_succeeded", { channel }));
    await server.publish("BB", 1);
    await server.publish("AA", 2);
    expect(await client.arrived()).toEqual([push("BB", 1), push("AA", 2)]);
  });

  test("19: one refused name refuses all", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const channel = ["AA", "ZZ"];
    expect(await multi(client, channel)).toEqual(reply("multi_subscribe_error", { channel }));
    await server.publish("AA", 1);
    expect(await client.arrived()).toEqual([]);
  });

  test("20: no list is an empty one", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const refused = reply("multi_subscribe_error", { channel: [] });
    for (const data of [{ multi_channel: [] }, {}, { multi_channel: "AA" }, "", null, []]) {
      expect(await client.ask("gusher.multi_subscribe", data)).toEqual(refused);
    }
  });

  test("names are decoded; what is no string is refused as its JSON text", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server, GRANT_Z);
    client.send('{"event":"gusher.multi_subscribe","data":{"multi_channel":["\\u0041A"]}}');
    expect(await client.next()).toMatchObject({ data: { channel: ["AA"] } });
    expect(await multi(client, ["AA", 1, { a: 1 }])).toEqual(
      reply("multi_subscribe_error", { channel: ["AA", "1", '{"a":1}'] }),
    );
  });

  test("21: stars count, and with strict_multi_subscribe they do not", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const channel = ["apple"];
    expect(await multi(client, channel)).toEqual(reply("multi_subscribe_succeeded", { channel }));
    await using strict = await bootGusher({ gusher: { strict_multi_subscribe: true } });
    using literal = await openGusher(strict);
    expect(await multi(literal, channel)).toEqual(reply("multi_subscribe_error", { channel }));
    expect(await multi(literal, ["app*"])).toMatchObject({
      event: "gusher.multi_subscribe_succeeded",
    });
    using all = await openGusher(strict, GRANT_Z);
    expect(await multi(all, channel)).toEqual(reply("multi_subscribe_succeeded", { channel }));
  });

  test("no publication of its channels passes its answer, and none is lost behind it", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server, GRANT_Z);
    await subscribe(client, "before");
    const channels = Array.from({ length: 50 }, (_, at) => `c${at}`);
    client.send({ event: "gusher.multi_subscribe", data: { multi_channel: channels } });
    let published = 0;
    let answered = false;
    const publishing = (async () => {
      while (!answered) {
        published++;
        for (const channel of ["before", "c0", "c49"]) await server.publish(channel, published);
      }
    })();
    const frames: unknown[] = [];
    while (!answered) {
      const frame = await client.next();
      frames.push(frame);
      answered = (frame as { event?: string }).event === "gusher.multi_subscribe_succeeded";
    }
    await publishing;
    const after = (await client.arrived()) as { channel: string; data: number }[];
    const early = frames.slice(0, -1) as { channel: string }[];
    expect(early.every(({ channel }) => channel === "before")).toBe(true);
    for (const name of ["c0", "c49"]) {
      const data = after.filter(({ channel }) => channel === name).map((frame) => frame.data);
      expect(data).toEqual(data.map((_, at) => published - data.length + 1 + at));
    }
    const before = [...early, ...after].filter(({ channel }) => channel === "before");
    expect(before).toHaveLength(published);
  });
});

describe("unsubscribe and querychannel", () => {
  test("22: the grant alone decides", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const unsubscribe = (channel: string) => client.ask("gusher.unsubscribe", { channel });
    for (const channel of ["AA", "apple"]) {
      expect(await unsubscribe(channel)).toEqual(reply("unsubscribe_succeeded", { channel }));
    }
    expect(await unsubscribe("ZZ")).toEqual(reply("unsubscribe_error", { channel: "ZZ" }));
  });

  test("23: nothing of the channel comes behind the answer", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    await subscribe(client, "AA");
    await client.ask("gusher.unsubscribe", { channel: "AA" });
    await server.publish("AA", 1);
    expect(await client.arrived()).toEqual([]);
    await subscribe(client, "AA");
    await server.publish("AA", 2);
    expect(await client.arrived()).toEqual([push("AA", 2)]);
  });

  test("24: the grants, whatever is subscribed", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const { channels } = GRANT_A;
    expect(await client.ask("gusher.querychannel", null)).toEqual(
      reply("querychannel_succeeded", { channels }),
    );
    await subscribe(client, "AA");
    expect(await client.ask("gusher.querychannel", "")).toEqual(
      reply("querychannel_succeeded", { channels }),
    );
    using without = await openGusher(server, { user_id: "u3", app_key: "TEST" });
    expect(await without.ask("gusher.querychannel", {})).toEqual(
      reply("querychannel_succeeded", { channels: [] }),
    );
  });
});

describe("ping", () => {
  test("25: the data comes back, with the time", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const time = server.seconds();
    for (const data of [{ a: 1 }, "text", null, [1, [2]]]) {
      expect(await client.ask("gusher.ping", data)).toEqual({
        ...reply("pong_succeeded", data),
        time,
      });
    }
  });

  test("D1: with strict_ping under another name and in base64", async () => {
    await using server = await bootGusher({ gusher: { strict_ping: true } });
    using client = await openGusher(server);
    const asked = async (data: string) => {
      client.send(`{"event":"gusher.ping","data":${data}}`);
      return (await client.next()) as { event: string; data: string; time: number };
    };
    expect(await asked('{"a":1}')).toMatchObject({
      event: "gusher.querychannel_succeeded",
      data: "eyJhIjoxfQ==",
      time: server.seconds(),
    });
    expect((await asked('{ "a" : 1 }')).data).toBe(btoa('{ "a" : 1 }'));
    expect((await asked('"in\\tside"')).data).toBe(btoa("in\\tside"));
  });
});

test("§5.10: commands of one socket are answered in their order", async () => {
  await using server = await bootGusher();
  using client = await openGusher(server, GRANT_Z);
  const expected: string[] = [];
  for (let at = 0; at < 100; at++) {
    const channel = `c${at % 7}`;
    const event = at % 3 === 0 ? "unsubscribe" : "subscribe";
    client.send({ event: `gusher.${event}`, data: { channel } });
    client.send({ event: "gusher.ping", data: at });
    expected.push(`gusher.${event}_succeeded ${channel}`, `gusher.pong_succeeded ${at}`);
  }
  const answers: string[] = [];
  while (answers.length < expected.length) {
    const { event, data } = (await client.next()) as { event: string; data: unknown };
    const { channel = data } = Object(data) as { channel?: unknown };
    answers.push(`${event} ${String(channel)}`);
  }
  expect(answers).toEqual(expected);
});
