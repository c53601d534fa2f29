/** What the hub finds among its channels and users, on one node and on several. */
import { describe, expect, test } from "bun:test";
import { namespaces, Recorder } from "../../test/support/recorder.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { SimulatedCluster } from "../../test/support/simulated-cluster.ts";
import { createHub } from "./create-hub.ts";
import type { ControlAnswers } from "./engine.ts";
import type { Connection, Hub } from "./hub.ts";
import { PUBLISH_SLICE_PUBLICATIONS, SLICE_MS } from "./limits.ts";
import { channel, embeddedHub, json, onBug, PLAIN, subscribeTo } from "../../test/support/hub.ts";

let made = 0;
function connect(hub: Hub, user = "") {
  const recorder = new Recorder(`${made++}`, { user });
  const connection: Connection = hub.connect(recorder);
  return {
    recorder,
    connection,
    join: (name: string) => subscribeTo(recorder, connection, name),
  };
}

describe("users()", () => {
  test("has each connected user once, in the order of bytes, and no anonymous one", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    expect(await hub.users()).toEqual([]);
    const left = connect(hub, "left");
    for (const user of ["b", "a", "", "a", "é", "Z", "\u{1f600}", "\uffee"]) connect(hub, user);
    await left.connection.close();
    expect(await hub.users()).toEqual(["Z", "a", "b", "é", "\uffee", "\u{1f600}"]);
  });

  test("of a channel has those subscribed there", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    const [first, second, third] = [connect(hub, "u"), connect(hub, "u"), connect(hub, "v")];
    for (const each of [first, second, third, connect(hub)]) await each.join("c");
    connect(hub, "elsewhere");
    expect(await hub.users({ channel: channel("c") })).toEqual(["u", "v"]);
    await first.connection.unsubscribe(channel("c"));
    expect(await hub.users({ channel: channel("c") })).toEqual(["u", "v"]);
    await second.connection.close();
    expect(await hub.users({ channel: channel("c") })).toEqual(["v"]);
    expect(await hub.users({ channel: channel("none") })).toEqual([]);
    expect(await hub.users({ channel: { space: "other", name: "c" } })).toEqual([]);
  });

  test("are those of all nodes", async () => {
    const runtime = createTestRuntime();
    const cluster = new SimulatedCluster({ random: runtime.random, lossRate: 0 });
    const hubs = [1, 2].map(() =>
      createHub({ app: "a", namespaces: PLAIN, engine: cluster.node(), runtime, onBug }),
    );
    const joined = hubs.map((hub, index) => {
      connect(hub, "both");
      return connect(hub, `${index}`).join("c");
    });
    await cluster.settle();
    await Promise.all(joined);
    const asking = [hubs[0]?.users(), hubs[1]?.users({ channel: channel("c") })];
    await cluster.settle();
    expect(await Promise.all(asking)).toEqual([
      ["0", "1", "both"],
      ["0", "1"],
    ]);
  });
});

test("who or what goes and comes again while it is looked for is found once", async () => {
  let lookedMs = 0;
  let turns = 0;
  let between = async (): Promise<void> => {};
  await using server = await embeddedHub({
    // Each look at the clock takes a slice, so that a turn of the event loop lies between any two visits.
    changeRuntime: (runtime) => ({
      ...runtime,
      clock: { ...runtime.clock, monotonicMs: () => (lookedMs += SLICE_MS) },
      timers: {
        ...runtime.timers,
        soon(callback) {
          turns++;
          void between().then(callback);
        },
      },
    }),
  });
  const { hub } = server;
  for (const name of ["1", "2", "3"]) await connect(hub, `u${name}`).join(name);
  let again = connect(hub, "again");
  await again.join("again");
  const pattern = "1|2|3|again";
  const channels = async () => [...(await hub.channels({ pattern })).entries()];
  for (const look of [channels, () => hub.users()]) {
    turns = 0;
    between = async () => {
      // Found, and not yet visited; it then comes behind the last.
      if (turns !== 4) return;
      await again.connection.close();
      again = connect(hub, "again");
      await again.join("again");
    };
    const found = await look();
    expect(found).toHaveLength(4);
    expect(found.at(-1)).toEqual(typeof found[0] === "string" ? "u3" : ["again", 1]);
  }
});

describe("channels()", () => {
  test("finds by RE2 pattern and refuses what does not compile", async () => {
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

  test("does not show the channel without a name", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    const { join } = connect(hub);
    for (const name of ["", "c"]) await join(name);
    expect([...(await hub.channels()).keys()]).toEqual(["c"]);
    expect([...(await hub.channels({ pattern: ".*" })).keys()]).toEqual(["c"]);
  });

  test("of the first pattern that is no word are asked for once every node is ready for it", async () => {
    const asked: unknown[] = [];
    await using server = await embeddedHub({
      change: (engine) => ({
        ...engine,
        control: {
          ...engine.control,
          ask(request, ...rest) {
            asked.push((request as { readonly ask: unknown }).ask);
            return engine.control.ask(request, ...rest);
          },
        },
      }),
    });
    const { hub } = server;
    await connect(hub).join("app.one");
    for (const pattern of ["app", "^a.+e$", "^a.+f$"]) await hub.channels({ pattern });
    expect(asked).toEqual(["channels", "warmUp", "channels", "channels"]);
    expect(await hub.channels({ pattern: "^a.+e$" })).toEqual(new Map([["app.one", 1]]));
    await expect(hub.channels({ pattern: "(" })).rejects.toMatchObject({ code: "bad_request" });
  });

  test("that no node answers are unavailable rather than none", async () => {
    const silent = async (): Promise<ControlAnswers> => ({ answers: [], nodesAsked: 1 });
    await using server = await embeddedHub({
      change: (engine) => ({ ...engine, control: { ...engine.control, ask: silent } }),
    });
    const { hub } = server;
    const asking = [hub.channels(), hub.users(), hub.publishMatching({}, json("1"))];
    for (const asked of await Promise.allSettled<unknown>(asking)) {
      expect(asked).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
    }
  });
});

describe("publishMatching()", () => {
  test("publishes to each channel found, and not to those of other dialects", async () => {
    const own = { dialects: ["streaming"] };
    const objects = { publicationDataFormat: "json_object" } as const;
    await using server = await embeddedHub({ namespaces: namespaces({}, { own, objects }) });
    const { hub } = server;
    const names = ["app.one", "app.two", "web", "own:app", "objects:app"];
    const recorders = names.map((_, index) => new Recorder(`${index}`));
    for (const [index, name] of names.entries()) {
      const recorder = recorders[index];
      if (recorder !== undefined) await subscribeTo(recorder, hub.connect(recorder), name);
    }
    expect(await hub.publishMatching({ pattern: "app", reach: ["test"] }, json("1"))).toBe(3);
    expect(recorders.map(({ recorded }) => recorded.length - 1)).toEqual([1, 1, 0, 0, 0]);
    expect(await hub.publishMatching({ pattern: "app" }, json("{}"))).toBe(4);
    expect(recorders.map(({ recorded }) => recorded.length - 1)).toEqual([2, 2, 0, 1, 1]);
    expect(await hub.publishMatching({ pattern: "nothing" }, json("1"))).toBe(0);
  });

  test("to many channels hands the engine a slice at a time", async () => {
    let pending = 0;
    let mostPending = 0;
    await using server = await embeddedHub({
      change: (engine) => ({
        ...engine,
        broker: {
          ...engine.broker,
          async publish(...publishing) {
            mostPending = Math.max(mostPending, ++pending);
            try {
              return await engine.broker.publish(...publishing);
            } finally {
              pending--;
            }
          },
        },
      }),
    });
    const { hub } = server;
    const count = PUBLISH_SLICE_PUBLICATIONS * 3 + 1;
    const { join } = connect(hub);
    for (let index = 0; index < count; index++) await join(`c${index}`);
    expect(await hub.publishMatching({}, json("1"))).toBe(count);
    expect(mostPending).toBe(PUBLISH_SLICE_PUBLICATIONS);
  });
});
