/** Subscribing, its answer, what is announced of it, and what it recovers. */
import { describe, expect, test } from "bun:test";
import {
  namespaces,
  Recorder,
  recordingEncoder,
  RecordingFanout,
} from "../../test/support/recorder.ts";
import { channel, embeddedHub, HISTORY, json, KEPT, subscribeTo } from "../../test/support/hub.ts";

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

  test("does not keep the frame that the channel's name was cut from", async () => {
    await using server = await embeddedHub();
    const recorder = new Recorder("one");
    const connection = server.hub.connect(recorder);
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    for (let index = 0; index < 200; index++) {
      const frame = Buffer.from(`${"x".repeat(1_000_000)} cut out of ${index}`).toString();
      await subscribeTo(recorder, connection, frame.slice(frame.indexOf(" ")));
      if (index % 20 === 0) Bun.gc(true);
    }
    Bun.gc(true);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000);
    expect(connection.subscriptionCount).toBe(200);
  });

  test("closed meanwhile does not answer and leaves nothing behind", async () => {
    await using server = await embeddedHub({
      namespaces: namespaces({ presence: true, joinLeave: true, history: HISTORY }),
    });
    const recorder = new Recorder("one");
    const connection = server.hub.connect(recorder);
    const subscribing = subscribeTo(recorder, connection, "c", { positioned: true });
    await connection.close();
    await subscribing;
    expect(recorder.recorded).toEqual([]);
    expect(server.hub.stats()).toEqual({ connections: 0, users: 0, channels: 0, subscriptions: 0 });
    expect(await server.hub.presence(channel("c"))).toEqual([]);
  });

  test("joins a native group from the second socket or the first publication on", async () => {
    await using server = await embeddedHub();
    const fanout = new RecordingFanout();
    const [first, second] = [new Recorder("first", { fanout }), new Recorder("second", { fanout })];
    const [firstConnection, secondConnection] = [
      server.hub.connect(first),
      server.hub.connect(second),
    ];
    const sizes = () => [...fanout.groups.values()].map(({ size }) => size);
    for (const name of ["quiet", "shared", "alone"]) {
      await subscribeTo(first, firstConnection, name);
    }
    expect(sizes()).toEqual([]);
    await subscribeTo(second, secondConnection, "shared");
    expect(sizes()).toEqual([2]);
    await server.hub.publish(channel("alone"), { ...json("1"), exceptConnectionId: "first" });
    await server.hub.publish(channel("alone"), json("2"));
    expect(sizes()).toEqual([2, 1]);
    expect(first.recorded.filter(({ got }) => got === "push")).toMatchObject([
      { push: { publication: json("2") } },
    ]);
    await Promise.all([firstConnection.close(), secondConnection.close()]);
    expect(sizes()).toEqual([]);
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
    await using server = await embeddedHub({
      namespaces: namespaces({ presence: true, joinLeave: true }),
    });
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

  test("closed without waiting is told to the engine before the hub's close resolves", async () => {
    const told: string[] = [];
    const gate = Promise.withResolvers<void>();
    await using server = await embeddedHub({
      namespaces: namespaces({ presence: true, joinLeave: true }),
      change: (engine) => ({
        ...engine,
        presence: { ...engine.presence, remove: () => gate.promise },
        broker: { ...engine.broker, announce: async (_, { type }) => void told.push(type) },
      }),
    });
    const recorder = new Recorder("one");
    const connection = server.hub.connect(recorder);
    await subscribeTo(recorder, connection, "c");
    void connection.close();
    const closed = server.hub.close().then(() => void told.push("closed"));
    gate.resolve();
    await closed;
    expect(told).toEqual(["join", "leave", "closed"]);
  });
});

describe("recovery", () => {
  test("gives what was missed, or says that it cannot", async () => {
    await using server = await embeddedHub({ namespaces: KEPT });
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
    await using server = await embeddedHub({ namespaces: KEPT });
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
    await using server = await embeddedHub({ namespaces: KEPT });
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
