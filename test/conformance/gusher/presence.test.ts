/** Checklist items 43 to 46: who and what is there (gusher.md §6.8, §7, §16). Exact and at once, where the original sweeps. */
import { describe, expect, test } from "bun:test";
import {
  bootGusher,
  GRANT_A,
  GRANT_Z,
  openGusher,
  type GusherServer,
} from "../../support/gusher.ts";
import { getMaster, list, ok, openSockets, subscribe } from "../../support/gusher-master.ts";
import { until } from "../../support/hostile.ts";

const LISTS = ["/channels", "/online", "/online/bychannel/AA", "/online/bychannel/App1"] as const;

async function all(server: GusherServer, app = "TEST"): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const path of LISTS) {
    const names = (await list(server, `/${app}${path}`)) as string[];
    expect(await list(server, `/${app}${path}/count`)).toEqual({ count: names.length });
    found[path] = names.toSorted();
  }
  return found;
}

const EMPTY = Object.fromEntries(LISTS.map((path) => [path, []]));

describe("lists", () => {
  test("43, 44: users and channels, each once, and their counts", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    const expected = {
      "/channels": ["AA", "App1", "App2"],
      "/online": ["u1", "u2"],
      "/online/bychannel/AA": ["u1", "u2"],
      "/online/bychannel/App1": ["u2"],
    };
    expect(await all(server)).toEqual(expected);
    using second = await openGusher(server);
    await subscribe(second, "AA");
    expect(await all(server)).toEqual(expected);
    await sockets.s1.ask("gusher.unsubscribe", { channel: "AA" });
    expect(await all(server)).toEqual(expected);
    await second.ask("gusher.unsubscribe", { channel: "AA" });
    expect(await all(server)).toEqual({ ...expected, "/online/bychannel/AA": ["u2"] });
  });

  test("their form", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    expect(await sockets.s1.arrived()).toEqual([]);
    expect(await getMaster(server, "/TEST/online")).toEqual(ok('["u1","u2"]'));
    expect(await getMaster(server, "/TEST/online/count")).toEqual(ok('{"count":2}'));
    expect(await getMaster(server, "/TEST/online/bychannel/App1")).toEqual(ok('["u2"]'));
  });

  test("45: unknown apps and channels are empty, and no app's name is a glob (O5)", async () => {
    await using server = await bootGusher();
    using sockets = await openSockets(server);
    expect(await sockets.s1.arrived()).toEqual([]);
    for (const app of ["UNKNOWN", "*", "T*", "TES%54x", "%5BT%5DEST"]) {
      expect(await all(server, app)).toEqual(EMPTY);
    }
    expect(await getMaster(server, "/TEST/online/bychannel/NONE")).toEqual(ok("[]"));
    expect(await getMaster(server, "/TEST/online/bychannel/A*/count")).toEqual(ok('{"count":0}'));
  });

  test("46: who has left is in no list, however they left", async () => {
    await using server = await bootGusher();
    {
      using sockets = await openSockets(server);
      expect(await sockets.s1.arrived()).toEqual([]);
      sockets.s1.raw.close(1000);
    }
    await until(() => server.hub.stats().connections === 0);
    expect(await all(server)).toEqual(EMPTY);
  });

  test("the anonymous and the channel without a name are in no list (O11)", async () => {
    await using server = await bootGusher();
    using anonymous = await openGusher(server, { ...GRANT_Z, user_id: "" });
    for (const channel of ["AA", ""]) await subscribe(anonymous, channel);
    expect(await all(server)).toEqual({ ...EMPTY, "/channels": ["AA"] });
  });

  test("a user is online from the connection on, by whichever dialect", async () => {
    await using server = await bootGusher({
      config: { streaming: { user_id_http_header: "x-user" } },
    });
    using unsubscribed = await openGusher(server, GRANT_A);
    const streaming = new WebSocket(server.websocketUrl, { headers: { "X-User": "u3" } });
    const subscribed = Promise.withResolvers<void>();
    streaming.onopen = () =>
      streaming.send(
        '{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"AA"}}\n{"id":3,"subscribe":{"channel":"orders#1"}}',
      );
    streaming.onmessage = ({ data }) => {
      if (String(data).includes('"id":3,"subscribe"')) subscribed.resolve();
    };
    await subscribed.promise;
    expect(await unsubscribed.arrived()).toEqual([]);
    expect(await all(server)).toEqual({
      ...EMPTY,
      // `orders#1` is a channel that gusher's clients may not join.
      "/channels": ["AA"],
      "/online": ["u1", "u3"],
      "/online/bychannel/AA": ["u3"],
    });
    streaming.close();
  });
});
