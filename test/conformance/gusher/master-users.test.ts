/** Checklist items 39 to 42: pushes to users and sockets, reload and add (gusher.md §6.5 to §6.7, §16). */
import { describe, expect, test } from "bun:test";
import {
  bootGusher,
  GRANT_A,
  GRANT_Z,
  gusherClient,
  openGusher,
  socketUrl,
  tokenFor,
  type GusherClient,
  type GusherServer,
} from "../../support/gusher.ts";
import {
  callMaster,
  ok,
  openSockets,
  refused,
  send,
  subscribe,
  TWO_APPS,
} from "../../support/gusher-master.ts";
import { connectRaw } from "../../support/raw-websocket.ts";

const texts = async (client: GusherClient) =>
  (await client.arrived()).map((f) => JSON.stringify(f));

async function openOther(server: GusherServer, grant: object = GRANT_A): Promise<GusherClient> {
  const token = await tokenFor(server, { ...grant, app_key: "OTHER" });
  return gusherClient(await connectRaw(socketUrl(server, token, "/ws/OTHER")));
}

describe("39: a user", () => {
  test("gets the bare value at every socket in this app, subscribed or not", async () => {
    await using server = await bootGusher({ config: TWO_APPS });
    using sockets = await openSockets(server);
    using second = await openGusher(server);
    using other = await openOther(server);
    const push = (fields?: Record<string, string>, app = "TEST") =>
      callMaster(server, `/push/user/${app}/u1`, fields);
    for (const [data, frame] of [
      ['{"a":1}', '{"a":1}'],
      ["hello", '"hello"'],
      ["5", "5"],
      ["null", "null"],
      ["", '""'],
    ] as const) {
      expect(await push({ data })).toEqual(ok(JSON.stringify({ user_id: "u1", data })));
      for (const { raw } of [sockets.s1, second]) expect((await raw.next()).text).toBe(frame);
    }
    expect(await push()).toEqual(ok('{"user_id":"u1","data":""}'));
    expect(await texts(sockets.s1)).toEqual(['""']);
    expect(await texts(sockets.s2)).toEqual([]);
    expect(await texts(other)).toEqual([]);
    expect((await push({ data: "x" }, "OTHER")).status).toBe(200);
    expect(await texts(other)).toEqual(['"x"']);
    expect(await texts(second)).toEqual(['""']);
  });

  test("that is not there is pushed to all the same", async () => {
    await using server = await bootGusher();
    for (const path of ["/push/user/TEST/nobody", "/push/user/UNKNOWN/nobody"]) {
      const answer = await callMaster(server, path, { data: "x" });
      expect(answer).toEqual(ok('{"user_id":"nobody","data":"x"}'));
    }
  });

  test("has any name, and the anonymous are nobody", async () => {
    await using server = await bootGusher();
    using spaced = await openGusher(server, { ...GRANT_A, user_id: "a b#é" });
    using anonymous = await openGusher(server, { ...GRANT_A, user_id: "" });
    const path = `/push/user/TEST/${encodeURIComponent("a b#é")}`;
    const answer = await callMaster(server, path, { data: "1" });
    expect(JSON.parse(answer.body)).toEqual({ user_id: "a b#é", data: "1" });
    expect(await texts(spaced)).toEqual(["1"]);
    expect((await callMaster(server, "/push/user/TEST/", { data: "1" })).status).toBe(404);
    expect(await texts(anonymous)).toEqual([]);
  });

  test("gets it by streaming as well, from a caller whose key has that scope", async () => {
    await using server = await bootGusher({
      config: { streaming: { user_id_http_header: "x-user" } },
    });
    const socket = new WebSocket(server.websocketUrl, { headers: { "X-User": "u1" } });
    const received: unknown[] = [];
    const pushed = Promise.withResolvers<void>();
    socket.onopen = () => socket.send('{"id":1,"connect":{}}');
    const connected = Promise.withResolvers<void>();
    socket.onmessage = ({ data }) => {
      received.push(JSON.parse(String(data)));
      if (received.length === 1) connected.resolve();
      else pushed.resolve();
    };
    await connected.promise;
    await callMaster(server, "/push/user/TEST/u1", { data: '{"a":0}' });
    const headers = { "X-API-Key": "dev-api-key" };
    await send(`${server.masterUrl}/push/user/TEST/u1`, { fields: { data: '{"a":1}' }, headers });
    await pushed.promise;
    expect(received[1]).toEqual({ push: { message: { data: { a: 1 } } } });
    socket.close();
  });
});

describe("40: a socket", () => {
  test("gets the bare value, and no other socket", async () => {
    await using server = await bootGusher({ config: TWO_APPS });
    using sockets = await openSockets(server);
    using second = await openGusher(server);
    const sid = await sockets.s1.socketId();
    const push = (app: string, data: string) =>
      callMaster(server, `/push/socket/${app}/${sid}`, { data });
    const answer = ok(JSON.stringify({ socket_id: sid, data: '{"a":1}' }));
    expect(await push("TEST", '{"a":1}')).toEqual(answer);
    // Another app cannot reach it (O1).
    expect(await push("OTHER", '{"a":1}')).toEqual(answer);
    expect(await push("UNKNOWN", '{"a":1}')).toEqual(answer);
    expect(await texts(sockets.s1)).toEqual(['{"a":1}']);
    for (const client of [sockets.s2, second]) expect(await texts(client)).toEqual([]);
    const unknown = await callMaster(server, "/push/socket/TEST/none");
    expect(unknown).toEqual(ok('{"socket_id":"none","data":""}'));
  });
});

const reply = (event: string, data: unknown) => ({ event, socket_id: "SID", data });
const ask = (client: GusherClient, channel: string) => client.ask("gusher.subscribe", { channel });

describe("41: add", () => {
  test("adds the text as a grant to live sockets, and says so", async () => {
    await using server = await bootGusher({ config: TWO_APPS });
    using sockets = await openSockets(server);
    using other = await openOther(server);
    const { s1 } = sockets;
    const add = (data: string) => callMaster(server, "/add/channel/user/TEST/u1", { data });
    expect(await add("CC")).toEqual(ok('{"user_id":"u1","data":"CC"}'));
    const notice = { event: "gusher.addchannel", socket_id: "", data: { channel: "CC" } };
    expect(await s1.next()).toEqual(notice);
    expect(await ask(s1, "CC")).toEqual(reply("gusher.subscribe_succeeded", { channel: "CC" }));
    using fresh = await openGusher(server);
    for (const client of [fresh, other]) {
      expect(await ask(client, "CC")).toEqual(reply("gusher.subscribe_error", { channel: "CC" }));
    }
    expect(await sockets.s2.arrived()).toEqual([]);
    // Verbatim: a list is one strange name.
    expect(await add('["x"]')).toEqual(ok('{"user_id":"u1","data":"[\\"x\\"]"}'));
    expect(await s1.next()).toMatchObject({ data: { channel: '["x"]' } });
  });

  test("of nothing is refused, of a user that is not there succeeds", async () => {
    await using server = await bootGusher();
    for (const fields of [undefined, { data: "" }]) {
      const answer = await callMaster(server, "/add/channel/user/TEST/u1", fields);
      expect(answer).toEqual(refused("data empty error"));
    }
    const answer = await callMaster(server, "/add/channel/user/UNKNOWN/u1", { data: "x" });
    expect(answer).toEqual(ok('{"user_id":"u1","data":"x"}'));
  });
});

describe("42: reload", () => {
  const reload = (server: GusherServer, data?: string) =>
    callMaster(server, "/reload/channel/user/TEST/u1", data === undefined ? undefined : { data });

  test("replaces the grants of live sockets, and ends what they no longer cover", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    const { s1, s2 } = sockets;
    expect(await reload(server, '["BB"]')).toEqual(ok('{"user_id":"u1","data":"[\\"BB\\"]"}'));
    expect(await s1.next()).toEqual({
      ...{ event: "gusher.reloadchannel", socket_id: "", data: { channels: ["BB"] } },
    });
    await callMaster(server, "/push/TEST/AA/e", { data: "1" });
    expect(await s1.arrived()).toEqual([]);
    expect(await s2.arrived()).toHaveLength(1);
    expect(await ask(s1, "AA")).toEqual(reply("gusher.subscribe_error", { channel: "AA" }));
    expect(await ask(s1, "BB")).toEqual(reply("gusher.subscribe_succeeded", { channel: "BB" }));
  });

  test("takes effect before it is answered", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    await reload(server, "[]");
    await callMaster(server, "/push/TEST/AA/e", { data: "1" });
    expect(await sockets.s1.arrived()).toEqual([
      { event: "gusher.reloadchannel", socket_id: "", data: { channels: [] } },
    ]);
  });

  test("null is an empty list, and said so as null; a null inside is an empty name", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    for (const [data, channels] of [
      ["null", null],
      [' ["a", null] ', ["a", ""]],
    ] as const) {
      expect(await reload(server, data)).toEqual(ok(JSON.stringify({ user_id: "u1", data })));
      expect(await client.next()).toMatchObject({ data: { channels } });
    }
    using again = await openGusher(server, GRANT_Z);
    await subscribe(again, "any");
  });

  test("of anything but a list of strings is refused", async () => {
    await using server = await bootGusher();
    using client = await openGusher(server);
    const long = JSON.stringify(Array(10_001).fill("a"));
    for (const data of [undefined, "", "notjson", '{"a":1}', "[1]", '["a",["b"]]', '"a"', long]) {
      expect(await reload(server, data)).toEqual(refused("data unmarshal error"));
    }
    expect(await client.arrived()).toEqual([]);
  });
});
