import { describe, expect, test } from "bun:test";
import {
  namespaces,
  Recorder,
  recordingEncoder,
  RecordingFanout,
  type Recorded,
} from "../../test/support/recorder.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { SimulatedCluster } from "../../test/support/simulated-cluster.ts";
import { createEmbeddedEngine } from "../engines/embedded/index.ts";
import { createHub } from "./create-hub.ts";
import type { Namespaces } from "./namespaces.ts";
import type { Encoder } from "./hub.ts";
import type { Channel } from "./types.ts";

const HISTORY = { size: 3, ttlMs: 60_000, metaTtlMs: 600_000 };
const PLAIN = namespaces();
const KEPT = namespaces({ history: HISTORY });
const json = (text: string) => ({ data: { json: text } });

function channel(name: string): Channel {
  return { space: "channels", name };
}

async function embeddedHub(options: Namespaces = PLAIN) {
  const runtime = createTestRuntime();
  const engine = createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime });
  await engine.start();
  const onBug = (error: unknown): void => {
    throw error;
  };
  const make = (app: string) =>
    createHub({ app, namespaces: options, engine: engine.app(app), runtime, onBug });
  return {
    hub: make("a"),
    other: make("b"),
    runtime,
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

function pushes(recorder: Recorder): unknown[] {
  const types = (record: Recorded) =>
    record.got === "push" && record.push.type === "publication"
      ? record.push.publication.data
      : record;
  return recorder.recorded.map(types);
}

const subscribeTo = async (
  recorder: Recorder,
  connection: ReturnType<Awaited<ReturnType<typeof embeddedHub>>["hub"]["connect"]>,
  name: string,
  options: { positioned?: boolean; encoder?: Encoder } = {},
) =>
  connection.subscribe(channel(name), { encoder: recordingEncoder, ...options }, (answer) =>
    recorder.replied(answer),
  );

describe("publish()", () => {
  test("reaches members of groups and subscribers without one, once each", async () => {
    await using server = await embeddedHub();
    const fanout = new RecordingFanout();
    const grouped = new Recorder("grouped", { fanout });
    const single = new Recorder("single");
    for (const recorder of [grouped, single]) {
      await subscribeTo(recorder, server.hub.connect(recorder), "c");
    }
    await server.hub.publish(channel("c"), json("1"));
    await server.hub.publish(channel("d"), json("2"));
    for (const recorder of [grouped, single]) {
      expect(pushes(recorder)).toEqual([
        { got: "reply", subscribed: { publications: [] } },
        { json: "1" },
      ]);
    }
  });

  test("leaves out the connection that is excepted, grouped or not", async () => {
    await using server = await embeddedHub();
    const fanout = new RecordingFanout();
    const recorders = [
      new Recorder("grouped", { fanout }),
      new Recorder("single"),
      new Recorder("third", { fanout }),
    ];
    for (const recorder of recorders)
      await subscribeTo(recorder, server.hub.connect(recorder), "c");
    await server.hub.publish(channel("c"), { ...json("1"), exceptConnectionId: "grouped" });
    await server.hub.publish(channel("c"), { ...json("2"), exceptConnectionId: "single" });
    const got = recorders.map((recorder) => pushes(recorder).slice(1));
    expect(got).toEqual([[{ json: "2" }], [{ json: "1" }], [{ json: "1" }, { json: "2" }]]);
  });

  test("compacts JSON once and keeps its digits and order", async () => {
    await using server = await embeddedHub();
    const recorder = new Recorder("one");
    await subscribeTo(recorder, server.hub.connect(recorder), "c");
    await server.hub.publish(channel("c"), json(' { "b" : 9007199254740993 , "a" : " x " } '));
    expect(pushes(recorder)[1]).toEqual({ json: '{"b":9007199254740993,"a":" x "}' });
  });

  test("refuses what the channel does not take", async () => {
    await using server = await embeddedHub(
      namespaces({}, { obj: { publicationDataFormat: "json_object" } }),
    );
    const { hub } = server;
    expect(hub.publish(channel("c"), json("{"))).rejects.toMatchObject({ code: "bad_request" });
    expect(hub.publish(channel("obj:c"), json("[1]"))).rejects.toMatchObject({
      code: "bad_request",
    });
    expect(
      hub.publish(channel("c"), { data: { bytes: new Uint8Array([0xff]) } }),
    ).rejects.toMatchObject({
      code: "bad_request",
    });
    expect(await hub.publish(channel("obj:c"), json('{"a":1}'))).toBeUndefined();
  });

  test("of one app is not seen by another app's subscriber of the same name", async () => {
    await using server = await embeddedHub(KEPT);
    const fanout = new RecordingFanout();
    const [mine, theirs] = [new Recorder("one", { fanout }), new Recorder("one", { fanout })];
    await subscribeTo(mine, server.hub.connect(mine), "c");
    await subscribeTo(theirs, server.other.connect(theirs), "c");
    await server.hub.publish(channel("c"), json("1"));
    expect(mine.recorded).toHaveLength(2);
    expect(theirs.recorded).toHaveLength(1);
    const page = await server.other.history(channel("c"), { limit: 10 });
    expect(page.publications).toEqual([]);
  });

  test("to subscribers whose format cannot carry it ends those and no others", async () => {
    await using server = await embeddedHub();
    const picky: Encoder = {
      name: "test.picky",
      encode: () => ({ disconnect: "inappropriate_protocol" }),
    };
    const [fine, ended] = [new Recorder("fine"), new Recorder("ended")];
    await subscribeTo(fine, server.hub.connect(fine), "c");
    await subscribeTo(ended, server.hub.connect(ended), "c", { encoder: picky });
    await server.hub.publish(channel("c"), json("1"));
    expect(pushes(fine).at(-1)).toEqual({ json: "1" });
    expect(ended.recorded.at(-1)).toEqual({
      got: "disconnect",
      reason: { disconnect: "inappropriate_protocol" },
    });
  });
});

describe("subscribe()", () => {
  test("twice is refused, also while the first is in progress", async () => {
    await using server = await embeddedHub();
    const recorder = new Recorder("one");
    const connection = server.hub.connect(recorder);
    const first = subscribeTo(recorder, connection, "c");
    expect(subscribeTo(recorder, connection, "c")).rejects.toMatchObject({
      code: "already_subscribed",
    });
    await first;
    expect(subscribeTo(recorder, connection, "c")).rejects.toMatchObject({
      code: "already_subscribed",
    });
    expect(connection.subscriptionCount).toBe(1);
  });

  test("closed meanwhile does not answer and leaves nothing behind", async () => {
    await using server = await embeddedHub(
      namespaces({ presence: true, joinLeave: true, history: HISTORY }),
    );
    const recorder = new Recorder("one");
    const connection = server.hub.connect(recorder);
    const subscribing = subscribeTo(recorder, connection, "c", { positioned: true });
    await connection.close();
    await subscribing;
    expect(recorder.recorded).toEqual([]);
    expect(server.hub.stats()).toEqual({ connections: 0, users: 0, channels: 0, subscriptions: 0 });
    expect(await server.hub.presence(channel("c"))).toEqual([]);
  });

  test("then unsubscribe at once answers first and then ends", async () => {
    await using server = await embeddedHub();
    const recorder = new Recorder("one");
    const connection = server.hub.connect(recorder);
    const subscribing = subscribeTo(recorder, connection, "c");
    expect(await connection.unsubscribe(channel("c"))).toBe(true);
    await subscribing;
    await server.hub.publish(channel("c"), json("1"));
    expect(recorder.recorded.map(({ got }) => got)).toEqual(["reply"]);
    expect(server.hub.stats().channels).toBe(0);
  });

  test("with presence and join/leave is announced behind its answer, its leave to the others only", async () => {
    await using server = await embeddedHub(namespaces({ presence: true, joinLeave: true }));
    const [first, second] = [new Recorder("first", { user: "u" }), new Recorder("second")];
    const firstConnection = server.hub.connect(first);
    const secondConnection = server.hub.connect(second);
    await subscribeTo(first, firstConnection, "c");
    await subscribeTo(second, secondConnection, "c");
    expect(await server.hub.presence(channel("c"))).toEqual([
      { connectionId: "first", userId: "u" },
      { connectionId: "second", userId: "" },
    ]);
    expect(await server.hub.presenceStats(channel("c"))).toEqual({ clients: 2, users: 2 });
    await secondConnection.close();
    const types = ({ recorded }: Recorder) =>
      recorded.map((record) => (record.got === "push" ? `${record.push.type}` : record.got));
    expect(types(first)).toEqual(["reply", "join", "join", "leave"]);
    expect(types(second)).toEqual(["reply", "join"]);
    expect(await server.hub.presenceStats(channel("c"))).toEqual({ clients: 1, users: 1 });
  });
});

describe("recovery", () => {
  test("gives what was missed, or says that it cannot", async () => {
    await using server = await embeddedHub(KEPT);
    const { hub } = server;
    const positions = [];
    for (const text of ["1", "2", "3", "4"])
      positions.push(await hub.publish(channel("c"), json(text)));
    const epoch = positions[0]?.epoch ?? "";
    const cases = [
      { since: { epoch, offset: 4 }, recovered: true, offsets: [] },
      { since: { epoch, offset: 1 }, recovered: true, offsets: [2, 3, 4] },
      { since: { epoch: "", offset: 3 }, recovered: true, offsets: [4] },
      { since: { epoch, offset: 0 }, recovered: false, offsets: [] },
      { since: { epoch, offset: 5 }, recovered: false, offsets: [] },
      { since: { epoch: "other", offset: 4 }, recovered: false, offsets: [] },
    ];
    for (const [index, { since, recovered, offsets }] of cases.entries()) {
      const recorder = new Recorder(`client-${index}`);
      const connection = hub.connect(recorder);
      const options = { encoder: recordingEncoder, recoverSince: since };
      await connection.subscribe(channel("c"), options, (answer) => recorder.replied(answer));
      const [answer] = recorder.recorded;
      expect(answer).toMatchObject({
        got: "reply",
        subscribed: { recovered, position: { epoch, offset: 4 } },
      });
      const publications = answer?.got === "reply" ? answer.subscribed.publications : [];
      expect(publications.map(({ position }) => position?.offset ?? 0)).toEqual(offsets);
    }
  });

  test("of more than asked for at the most is none; at the most it is", async () => {
    await using server = await embeddedHub(KEPT);
    const { hub } = server;
    for (const text of ["1", "2", "3"]) await hub.publish(channel("c"), json(text));
    for (const [recoverMax, recovered] of [
      [2, true],
      [1, false],
    ] as const) {
      const recorder = new Recorder(`client-${recoverMax}`);
      const options = {
        encoder: recordingEncoder,
        recoverMax,
        recoverSince: { epoch: "", offset: 1 },
      };
      await hub
        .connect(recorder)
        .subscribe(channel("c"), options, (answer) => recorder.replied(answer));
      expect(recorder.recorded[0]).toMatchObject({ subscribed: { recovered } });
    }
  });

  test("required and impossible is refused, with no subscription left", async () => {
    await using server = await embeddedHub(KEPT);
    const recorder = new Recorder("one");
    const connection = server.hub.connect(recorder);
    const options = {
      encoder: recordingEncoder,
      recoverSince: { epoch: "other", offset: 1 },
      requireRecovery: true,
    };
    const refused = connection.subscribe(channel("c"), options, (answer) =>
      recorder.replied(answer),
    );
    expect(refused).rejects.toMatchObject({ code: "unrecoverable_position" });
    await refused.catch(() => {});
    expect(recorder.recorded).toEqual([]);
    expect(server.hub.stats().channels).toBe(0);
  });
});

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

  test("channels() finds by RE2 pattern and refuses what does not compile", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    for (const [index, name] of ["app.one", "app.two", "web"].entries()) {
      const recorder = new Recorder(`${index}`);
      await subscribeTo(recorder, hub.connect(recorder), name);
    }
    expect([...(await hub.channels({ pattern: "^app" }))]).toEqual([
      ["app.one", 1],
      ["app.two", 1],
    ]);
    expect((await hub.channels()).size).toBe(3);
    expect(hub.channels({ pattern: "(?=x)" })).rejects.toMatchObject({ code: "bad_request" });
    expect(hub.channels({ pattern: ".".repeat(1_001) })).rejects.toMatchObject({
      code: "bad_request",
    });
    expect((await hub.channels({ pattern: "a".repeat(1_000) })).size).toBe(0);
  });

  test("publishMatching() publishes to each channel found, and not to those of other dialects", async () => {
    const own = { dialects: { names: ["streaming"], implied: true } };
    const objects = { publicationDataFormat: "json_object" } as const;
    await using server = await embeddedHub(namespaces({}, { own, objects }));
    const { hub } = server;
    const names = ["app.one", "app.two", "web", "own:app", "objects:app"];
    const recorders = names.map((_, index) => new Recorder(`${index}`));
    for (const [index, name] of names.entries()) {
      const recorder = recorders[index];
      if (recorder !== undefined) await subscribeTo(recorder, hub.connect(recorder), name);
    }
    expect(await hub.publishMatching({ pattern: "app", dialect: "test" }, json("1"))).toBe(3);
    expect(recorders.map(({ recorded }) => recorded.length - 1)).toEqual([1, 1, 0, 0, 0]);
    expect(await hub.publishMatching({ pattern: "app" }, json("{}"))).toBe(4);
    expect(recorders.map(({ recorded }) => recorded.length - 1)).toEqual([2, 2, 0, 1, 1]);
    expect(await hub.publishMatching({ pattern: "nothing" }, json("1"))).toBe(0);
  });

  test("work over nodes and add up", async () => {
    const runtime = createTestRuntime();
    const cluster = new SimulatedCluster({ random: runtime.random, lossRate: 0 });
    const onBug = (error: unknown): void => {
      throw error;
    };
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
