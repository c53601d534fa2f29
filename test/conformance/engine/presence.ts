/** Presence: who is listed in a channel, and the counts of connections and users. */
import { expect, test } from "bun:test";
import type { ClientInfo } from "../../../src/core/types.ts";
import { client, type Create, ROOM, setUp } from "./under-test.ts";
import { compactJson } from "../../../src/core/json-text.ts";

export function testPresence(create: Create): void {
  test("put() adds, renews and replaces the entry of a connection", async () => {
    await using at = await setUp(create);
    const { presence } = at.app;
    const ann: ClientInfo = {
      ...client("c1", "ann"),
      info: { json: compactJson('{"n":1}') },
      channelInfo: { bytes: new Uint8Array([1, 200]) },
    };
    await presence.put(ROOM, client("c1"));
    await presence.put(ROOM, ann);
    await presence.put(ROOM, ann);
    expect(await presence.list(ROOM)).toEqual([ann]);
  });

  test("remove() takes one connection away; an absent one is no error", async () => {
    await using at = await setUp(create);
    const { presence } = at.app;
    await presence.put(ROOM, client("c1", "ann"));
    await presence.put(ROOM, client("c2", "ann"));
    await presence.remove(ROOM, "c1");
    await presence.remove(ROOM, "c1");
    expect(await presence.list(ROOM)).toEqual([client("c2", "ann")]);
    await presence.remove(ROOM, "c2");
    expect(await presence.list(ROOM)).toEqual([]);
    await presence.put(ROOM, client("c3"));
    expect(await presence.list(ROOM)).toEqual([client("c3")]);
  });

  test("stats() counts connections, and all anonymous ones as one user", async () => {
    await using at = await setUp(create);
    const { presence } = at.app;
    expect(await presence.stats(ROOM)).toEqual({ clients: 0, users: 0 });
    for (const [connectionId, userId] of [
      ["c1", "ann"],
      ["c2", "ann"],
      ["c3", "bob"],
      ["c4", ""],
      ["c5", ""],
    ] as const) {
      await presence.put(ROOM, client(connectionId, userId));
    }
    expect(await presence.stats(ROOM)).toEqual({ clients: 5, users: 3 });
  });

  test("presence is kept apart by app, space and name", async () => {
    await using at = await setUp(create);
    const other = at.under.engine.app(`${at.appId}-other`);
    await at.app.presence.put(ROOM, client("c1"));
    expect(await other.presence.list(ROOM)).toEqual([]);
    expect(await at.app.presence.list({ ...ROOM, space: "tasks" })).toEqual([]);
    expect(await at.app.presence.list({ ...ROOM, name: "other" })).toEqual([]);
  });
}
