/** Checklist items 33 to 38: pushes to channels (gusher.md §5.8, §6.2 to §6.4, §16). */
import { describe, expect, test } from "bun:test";
import {
  bootGusher,
  GRANT_A,
  GRANT_Z,
  openGusher,
  socketUrl,
  tokenFor,
  type GusherServer,
} from "../../support/gusher.ts";
import { gusherClient } from "../../support/gusher.ts";
import {
  callMaster,
  ok,
  openSockets,
  refused,
  subscribe,
  TWO_APPS,
} from "../../support/gusher-master.ts";
import { connectRaw } from "../../support/raw-websocket.ts";

const pushed = (channel: string, event: string, data: unknown) => ({ channel, event, data });

describe("one channel", () => {
  test("33: each subscriber gets what the caller is answered, once", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    const { s1, s2 } = sockets;
    for (const [data, json] of [
      ['{"key":"value"}', '{"key":"value"}'],
      ["hello", '"hello"'],
      ["5", "5"],
      ['"q"', '"q"'],
      ["null", "null"],
      ["{broken", '"{broken"'],
      ["007", '"007"'],
      ['{"a":1}{"b":2}', '"{\\"a\\":1}{\\"b\\":2}"'],
      ["1e400", '"1e400"'],
      [' {"b" : 9007199254740993, "a":1} ', '{"b":9007199254740993,"a":1}'],
      ["é\u{1f600}<>&", '"é\u{1f600}<>&"'],
    ] as const) {
      const body = `{"channel":"AA","event":"notify","data":${json}}`;
      expect(await callMaster(server, "/push/TEST/AA/notify", { data })).toEqual(ok(body));
      for (const { raw } of [s1, s2]) expect((await raw.next()).text).toBe(body);
    }
    expect([await s1.arrived(), await s2.arrived()]).toEqual([[], []]);
  });

  test("34: without data nothing is delivered", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    for (const fields of [undefined, { data: "" }, { other: "x" }]) {
      const answer = await callMaster(server, "/push/TEST/AA/notify", fields);
      expect(answer).toEqual(refused("empty data"));
    }
    expect(await sockets.s1.arrived()).toEqual([]);
  });

  test("35: a push that nobody receives succeeds; another app's push reaches nobody here", async () => {
    await using server = await bootGusher({ config: TWO_APPS });
    using sockets = await openSockets(server);
    const token = await tokenFor(server, { ...GRANT_Z, app_key: "OTHER" });
    using other = gusherClient(await connectRaw(socketUrl(server, token, "/ws/OTHER")));
    await subscribe(other, "AA");
    const data = { data: "x" };
    const notify = ok('{"channel":"AA","event":"notify","data":"x"}');
    expect(await callMaster(server, "/push/TEST/NOBODY/notify", data)).toMatchObject({
      status: 200,
    });
    expect(await callMaster(server, "/push/UNKNOWN/AA/notify", data)).toEqual(notify);
    expect(await callMaster(server, "/push/OTHER/AA/notify", data)).toEqual(notify);
    expect(
      await callMaster(server, "/push/OTHER", { ...data, channel_pattern: ".", event: "e" }),
    ).toEqual(ok('{"total":1,"pattern":"."}'));
    expect(await sockets.s1.arrived()).toEqual([]);
    expect(await sockets.s2.arrived()).toEqual([]);
    expect(await other.arrived()).toEqual([pushed("AA", "notify", "x"), pushed("AA", "e", "x")]);
  });

  test("36: names are percent-decoded, and an encoded slash is none", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server, GRANT_Z);
    await subscribe(client, "A B");
    const body = '{"channel":"A B","event":"e","data":1}';
    expect(await callMaster(server, "/push/TEST/A%20B/e", { data: "1" })).toEqual(ok(body));
    expect((await client.raw.next()).text).toBe(body);
    expect((await callMaster(server, "/push/TEST/A%2FB/e", { data: "1" })).status).toBe(404);
  });

  test("O3, O4: no name means anything but itself", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    using star = await openGusher(server, GRANT_Z);
    await subscribe(star, "A*A");
    const names = ["%23GUSHERFUNC-TOUID%23", "A*A", "gusher.cluster.AA", "*", "TEST@AA"];
    for (const name of names) {
      expect((await callMaster(server, `/push/TEST/${name}/e`, { data: "1" })).status).toBe(200);
    }
    expect(await sockets.s1.arrived()).toEqual([]);
    expect(await star.arrived()).toEqual([pushed("A*A", "e", 1)]);
  });

  test("a name that nobody can subscribe to is refused", async () => {
    await using server = await bootGusher();
    const push = (bytes: number) =>
      callMaster(server, `/push/TEST/${"n".repeat(bytes)}/e`, { data: "1" });
    expect((await push(255)).status).toBe(200);
    expect(await push(256)).toEqual(refused("data error"));
  });

  test("pushes to one channel arrive in their order", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    const numbers = Array.from({ length: 50 }, (_, index) => index);
    for (const data of numbers) await callMaster(server, "/push/TEST/AA/n", { data: `${data}` });
    const expected = numbers.map((data) => pushed("AA", "n", data));
    expect(await sockets.s1.arrived()).toEqual(expected);
    expect(await sockets.s2.arrived()).toEqual(expected);
  });
});

describe("37: a pattern", () => {
  const push = (server: GusherServer, fields: Record<string, string>) =>
    callMaster(server, "/push/TEST", { event: "ev", data: "s", ...fields });

  test("counts channels, and frames have the real names", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    const answer = await push(server, { channel_pattern: "^App" });
    expect(answer).toEqual(ok('{"total":2,"pattern":"^App"}'));
    const frames = [await sockets.s2.next(), await sockets.s2.next()];
    expect(frames).toEqual([pushed("App1", "ev", "s"), pushed("App2", "ev", "s")]);
    expect(await sockets.s1.arrived()).toEqual([]);
  });

  test.each([
    ["zzz", 0],
    // No anchor: found anywhere, so a plain word is a part of the name.
    ["pp", 2],
    ["A", 3],
    ["(?i)^app", 2],
    ["^(AA|App1)$", 2],
    ["\\d", 2],
    ['"', 0],
  ])("%s matches %d of AA, App1, App2", async (pattern, total) => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    const answer = await push(server, { channel_pattern: pattern, data: '{"k":1}' });
    expect(answer).toEqual(ok(JSON.stringify({ total, pattern })));
    const both = [...(await sockets.s1.arrived()), ...(await sockets.s2.arrived())];
    const own = pattern === "A" || pattern.includes("AA") ? 1 : 0;
    expect(both).toHaveLength(total + own);
  });

  test("errors come in their order, for known and unknown apps", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    for (const app of ["TEST", "UNKNOWN"]) {
      const call = (fields?: Record<string, string>) => callMaster(server, `/push/${app}`, fields);
      const bad = { channel_pattern: "[", event: "e", data: "s" };
      const good = { ...bad, channel_pattern: "A" };
      for (const [fields, text] of [
        [undefined, "empty param"],
        [{ ...bad, event: "" }, "empty param"],
        [{ ...bad, channel_pattern: "" }, "empty param"],
        [{ event: "e", data: "s" }, "empty param"],
        [{ channel_pattern: "A", data: "s" }, "empty param"],
        [bad, "channel_pattern cant regex"],
        [{ ...bad, data: "" }, "channel_pattern cant regex"],
        [{ ...bad, channel_pattern: "(?=a)" }, "channel_pattern cant regex"],
        [{ ...bad, channel_pattern: "(a)\\1" }, "channel_pattern cant regex"],
        [{ ...bad, channel_pattern: "a{1001}" }, "channel_pattern cant regex"],
        [{ ...good, data: "" }, "empty data"],
        [{ channel_pattern: "A", event: "e" }, "empty data"],
      ] as const) {
        expect([fields, await call(fields)]).toEqual([fields, refused(text)]);
      }
    }
    expect(await sockets.s1.arrived()).toEqual([]);
  });

  test("reaches no channel that gusher's clients may not join", async () => {
    await using server = await bootGusher();
    const streaming = new WebSocket(server.websocketUrl);
    const subscribed = Promise.withResolvers<void>();
    streaming.onopen = () =>
      streaming.send('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"orders#A"}}');
    streaming.onmessage = ({ data }) => {
      if (String(data).includes('"id":2,"subscribe"')) subscribed.resolve();
    };
    await subscribed.promise;
    expect((await push(server, { channel_pattern: "A" })).body).toBe('{"total":0,"pattern":"A"}');
    streaming.close();
  });
});

describe("38: a batch", () => {
  const PRINTED =
    '[{"channel":"AA","event":"notify","data":"test"},{"channel":"AA","event":"notify","data":{"username":"test"}}]';
  const push = (server: GusherServer, batch_data: string) =>
    callMaster(server, "/push_batch/TEST", { batch_data });
  const answer = (total: number, text: string) =>
    ok(JSON.stringify({ total, cap: Buffer.byteLength(text) }));

  test("arrives in order and without any other frame", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    using unnamed = await openGusher(server, GRANT_Z);
    await subscribe(unnamed, "");
    expect(await push(server, PRINTED)).toEqual(answer(2, PRINTED));
    expect(await sockets.s1.arrived()).toEqual([
      pushed("AA", "notify", "test"),
      pushed("AA", "notify", { username: "test" }),
    ]);
    expect(await unnamed.arrived()).toEqual([]);
  });

  test("its order holds across channels, however many items there are", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    const channels = ["AA", "App1", "App2"];
    const items = Array.from({ length: 450 }, (_, data) => ({
      ...{ channel: channels[data % 3] ?? "", event: "e", data },
    }));
    const text = JSON.stringify(items);
    expect(await push(server, text)).toEqual(answer(450, text));
    expect(await sockets.s2.arrived()).toEqual(items);
  });

  test("cap counts bytes of the text as it was sent", async () => {
    await using server = await bootGusher();
    for (const [text, total] of [
      ["[]", 0],
      ["null", 0],
      [' [ {"channel":"é", "data":"\u{1f600}"} ] ', 1],
    ] as const) {
      expect(await push(server, text)).toEqual(answer(total, text));
    }
  });

  test("data is the JSON it is, and what is missing is empty", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    using unnamed = await openGusher(server, GRANT_Z);
    await subscribe(unnamed, "");
    const text =
      '[{"channel":"AA","event":"e","data":"{\\"j\\":1}"},{"channel":"AA"},{"data":5},null,{"channel":null,"event":null}]';
    expect(await push(server, text)).toEqual(answer(5, text));
    expect(await sockets.s1.arrived()).toEqual([
      pushed("AA", "e", '{"j":1}'),
      pushed("AA", "", null),
    ]);
    const nothing = pushed("", "", null);
    expect(await unnamed.arrived()).toEqual([{ ...nothing, data: 5 }, nothing, nothing]);
  });

  test("member names count in any case, as Go reads them", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    const text = `[${[
      '{"Channel":"AA","Event":"e","Data":1}',
      '{"CHANNEL":"AA","eVENT":"e","dATA":{"Data":2}}',
      // Of several the last counts, but no null in place of a text.
      '{"channel":"App1","Channel":"AA","EVENT":"x","event":"e","data":0,"DATA":3,"channel":null}',
      '{"channel":"AA","event":"e","Data":4,"data":null,"channels":5,"":6}',
    ].join(",")}]`;
    expect(await push(server, text)).toEqual(answer(4, text));
    expect(await sockets.s1.arrived()).toEqual([
      pushed("AA", "e", 1),
      pushed("AA", "e", { Data: 2 }),
      pushed("AA", "e", 3),
      pushed("AA", "e", null),
    ]);
    for (const wrong of ['{"CHANNEL":5}', '{"channel":"AA","Event":{}}']) {
      expect(await push(server, `[${wrong}]`)).toEqual(refused("data error"));
    }
  });

  test("errors leave nothing behind", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    const item = '{"channel":"AA","event":"e","data":1}';
    for (const text of [
      "bad",
      "{}",
      "5",
      `[${item},5]`,
      `[${item},{"channel":5}]`,
      `[${item},{"channel":"AA","event":{}}]`,
      `[${item},{"channel":"${"n".repeat(256)}"}]`,
      `[${item}]]`,
      `[${Array(10_001).fill("{}").join(",")}]`,
    ]) {
      expect(await push(server, text)).toEqual(refused("data error"));
    }
    expect(await callMaster(server, "/push_batch/TEST")).toEqual(refused("empty batch data"));
    expect(await push(server, "")).toEqual(refused("empty batch data"));
    expect(await sockets.s1.arrived()).toEqual([]);
    const unknown = await callMaster(server, "/push_batch/UNKNOWN", { batch_data: PRINTED });
    expect(unknown).toEqual(answer(2, PRINTED));
  });
});

test("the same message arrives once, however the socket came to its subscription", async () => {
  await using server = await bootGusher();
  using client = await openGusher(server, GRANT_A);
  for (const multi_channel of [["AA"], ["AA", "BB"]]) {
    await client.ask("gusher.multi_subscribe", { multi_channel });
  }
  await callMaster(server, "/push/TEST/AA/e", { data: "1" });
  expect(await client.arrived()).toEqual([pushed("AA", "e", 1)]);
});
