/** What reaches connections by user, id, label or channel, on one node and on several, and the end of all of them. */
import { describe, expect, test } from "bun:test";
import { Recorder } from "../../test/support/recorder.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { SimulatedCluster } from "../../test/support/simulated-cluster.ts";
import { createHub } from "./create-hub.ts";
import type { Reach } from "./types.ts";
import { channel, embeddedHub, json, onBug, PLAIN, subscribeTo } from "../../test/support/hub.ts";

describe("targets", () => {
  test("a user, a connection, a label and a channel each reach their connections and count them", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    const make = (id: string, user?: string) => {
      const recorder = new Recorder(id, user === undefined ? {} : { user });
      return { recorder, connection: hub.connect(recorder) };
    };
    const [u1, u1b, u2, nobody] = [make("1", "u"), make("2", "u"), make("3", "v"), make("4")];
    u1.connection.label("role:recvonly");
    u2.connection.label("role:recvonly");
    await subscribeTo(nobody.recorder, nobody.connection, "c");
    const once = { nodesAnswered: 1, nodesAsked: 1 };
    const push = json("1");
    expect(await hub.push({ user: "u" }, push)).toEqual({ matched: 2, ...once });
    expect(await hub.push({ connection: "3" }, push)).toEqual({ matched: 1, ...once });
    expect(await hub.push({ connection: "3", user: "u" }, push)).toEqual({ matched: 0, ...once });
    expect(await hub.push({ label: "role:recvonly" }, push)).toEqual({ matched: 2, ...once });
    expect(await hub.push({ channel: channel("c") }, push)).toEqual({ matched: 1, ...once });
    expect(await hub.push({ user: "" }, push)).toEqual({ matched: 1, ...once });
    const counts = [u1, u1b, u2, nobody].map(
      ({ recorder }) => recorder.recorded.filter(({ got }) => got === "push").length,
    );
    expect(counts).toEqual([2, 1, 2, 2]);
    u1.connection.unlabel("role:recvonly");
    await u2.connection.close();
    expect(await hub.push({ label: "role:recvonly" }, push)).toEqual({ matched: 0, ...once });
    expect(await hub.push({ user: "v" }, push)).toEqual({ matched: 0, ...once });
  });

  test("with a reach, only connections of those dialects", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    const recorders = ["one", "two"].map(
      (dialect) => new Recorder(dialect, { user: "u", dialect }),
    );
    for (const recorder of recorders) hub.connect(recorder);
    const matched = async (reach: Reach) =>
      (await hub.push({ user: "u", reach }, json("1"))).matched;
    expect(await Promise.all([["one"], ["one", "two"], [], "all" as const].map(matched))).toEqual([
      ...[1, 2, 0, 2],
    ]);
    await hub.disconnect({ user: "u", reach: ["two"] }, { disconnect: "ended" });
    const ended = recorders.map(({ recorded }) => recorded.some(({ got }) => got === "disconnect"));
    expect(ended).toEqual([false, true]);
  });

  test("disconnect() spares the excepted, signal() reaches one dialect's sessions", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    const recorders = [
      new Recorder("1", { user: "u" }),
      new Recorder("2", { user: "u", dialect: "other" }),
    ];
    for (const recorder of recorders) hub.connect(recorder);
    const reached = await hub.disconnect(
      { user: "u" },
      { disconnect: "slow" },
      { exceptConnections: ["2"] },
    );
    expect(reached.matched).toBe(1);
    expect(recorders.map(({ recorded }) => recorded.length)).toEqual([1, 0]);
    expect((await hub.signal({ user: "u" }, "other", { do: "it" })).matched).toBe(1);
    expect(recorders.map(({ signals }) => signals)).toEqual([[], [{ do: "it" }]]);
  });

  test("work over nodes and add up", async () => {
    const runtime = createTestRuntime();
    const cluster = new SimulatedCluster({ random: runtime.random, lossRate: 0 });
    const hubs = [1, 2].map(() =>
      createHub({ app: "a", namespaces: PLAIN, engine: cluster.node(), runtime, onBug }),
    );
    const recorders = hubs.map((hub, index) => {
      const recorder = new Recorder(`${index}`, { user: "u" });
      return { recorder, subscribed: subscribeTo(recorder, hub.connect(recorder), "c") };
    });
    await cluster.settle();
    await Promise.all(recorders.map(({ subscribed }) => subscribed));
    const pushing = hubs[0]?.push({ user: "u" }, { data: { bytes: new Uint8Array([123, 125]) } });
    const counting = hubs[1]?.channels();
    await cluster.settle();
    expect(await pushing).toEqual({ matched: 2, nodesAnswered: 2, nodesAsked: 2 });
    expect([...((await counting) ?? [])]).toEqual([["c", 2]]);
    for (const { recorder } of recorders)
      expect(recorder.recorded.at(-1)).toMatchObject({ got: "push" });
  });
});

test("drain() tells every connection, spread over the time given", async () => {
  await using server = await embeddedHub();
  const recorders = Array.from({ length: 10 }, (_, index) => new Recorder(`${index}`));
  for (const recorder of recorders) server.hub.connect(recorder);
  const told = () => recorders.filter(({ recorded }) => recorded.length > 0).length;
  const draining = server.hub.drain(1000);
  expect(told()).toBe(1);
  await server.runtime.advance(450);
  expect(told()).toBe(5);
  await server.runtime.advance(500);
  await draining;
  expect(told()).toBe(10);
  expect(recorders[3]?.recorded).toEqual([
    { got: "disconnect", reason: { disconnect: "shutdown" } },
  ]);
});
