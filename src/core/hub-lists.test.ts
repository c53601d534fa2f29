/** What the hub finds among its channels and users, on one node and on several. */
import { describe, expect, test } from "bun:test";
import { namespaces, Recorder, recordingEncoder } from "../../test/support/recorder.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { SimulatedCluster } from "../../test/support/simulated-cluster.ts";
import { createEmbeddedEngine } from "../engines/embedded/index.ts";
import { createHub } from "./create-hub.ts";
import type { AppEngine, ControlAnswers } from "./engine.ts";
import type { Connection, Hub } from "./hub.ts";
import { PUBLISH_SLICE_PUBLICATIONS } from "./limits.ts";

async function embeddedHub(change: (engine: AppEngine) => AppEngine = (engine) => engine) {
  const runtime = createTestRuntime();
  const engine = createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime });
  await engine.start();
  const hub = createHub({
    ...{ app: "a", namespaces: namespaces(), engine: change(engine.app("a")), runtime },
    onBug(error) {
      throw error;
    },
  });
  return { hub, runtime, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
}

const CHANNEL = { space: "channels", name: "c" };

async function join(connection: Connection, name: string): Promise<void> {
  await connection.subscribe({ space: "channels", name }, { encoder: recordingEncoder }, () => {});
}

let made = 0;
function connect(hub: Hub, user = ""): Connection {
  return hub.connect(new Recorder(`${made++}`, { user }));
}

describe("users()", () => {
  test("has each connected user once, in the order of bytes, and no anonymous one", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    expect(await hub.users()).toEqual([]);
    const left = connect(hub, "left");
    for (const user of ["b", "a", "", "a", "é", "Z", "\u{1f600}", "\uffee"]) connect(hub, user);
    await left.close();
    expect(await hub.users()).toEqual(["Z", "a", "b", "é", "\uffee", "\u{1f600}"]);
  });

  test("of a channel has those subscribed there", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    const [first, second, third] = [connect(hub, "u"), connect(hub, "u"), connect(hub, "v")];
    for (const connection of [first, second, third, connect(hub)]) await join(connection, "c");
    connect(hub, "elsewhere");
    expect(await hub.users({ channel: CHANNEL })).toEqual(["u", "v"]);
    await first.unsubscribe(CHANNEL);
    expect(await hub.users({ channel: CHANNEL })).toEqual(["u", "v"]);
    await second.close();
    expect(await hub.users({ channel: CHANNEL })).toEqual(["v"]);
    expect(await hub.users({ channel: { space: "channels", name: "none" } })).toEqual([]);
    expect(await hub.users({ channel: { space: "other", name: "c" } })).toEqual([]);
  });

  test("are those of all nodes", async () => {
    const runtime = createTestRuntime();
    const cluster = new SimulatedCluster({ random: runtime.random, lossRate: 0 });
    const onBug = (error: unknown): void => {
      throw error;
    };
    const hubs = [1, 2].map(() =>
      createHub({ app: "a", namespaces: namespaces(), engine: cluster.node(), runtime, onBug }),
    );
    const joined = hubs.map((hub, index) => {
      connect(hub, "both");
      return join(connect(hub, `${index}`), "c");
    });
    await cluster.settle();
    await Promise.all(joined);
    const asking = [hubs[0]?.users(), hubs[1]?.users({ channel: CHANNEL })];
    await cluster.settle();
    expect(await Promise.all(asking)).toEqual([
      ["0", "1", "both"],
      ["0", "1"],
    ]);
  });
});

describe("channels()", () => {
  test("does not show the channel without a name", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    const connection = connect(hub);
    for (const name of ["", "c"]) await join(connection, name);
    expect([...(await hub.channels()).keys()]).toEqual(["c"]);
    expect([...(await hub.channels({ pattern: ".*" })).keys()]).toEqual(["c"]);
  });

  test("that no node answers are unavailable rather than none", async () => {
    const silent = async (): Promise<ControlAnswers> => ({ answers: [], nodesAsked: 1 });
    await using server = await embeddedHub((engine) => ({
      ...engine,
      control: { ...engine.control, ask: silent },
    }));
    const { hub } = server;
    const publication = { data: { json: "1" } };
    const asking = [hub.channels(), hub.users(), hub.publishMatching({}, publication)];
    for (const asked of await Promise.allSettled<unknown>(asking)) {
      expect(asked).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
    }
  });
});

test("publishMatching() to many channels hands the engine a slice at a time", async () => {
  let pending = 0;
  let mostPending = 0;
  await using server = await embeddedHub((engine) => ({
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
  }));
  const { hub } = server;
  const count = PUBLISH_SLICE_PUBLICATIONS * 3 + 1;
  const connection = connect(hub);
  for (let index = 0; index < count; index++) await join(connection, `c${index}`);
  expect(await hub.publishMatching({}, { data: { json: "1" } })).toBe(count);
  expect(mostPending).toBe(PUBLISH_SLICE_PUBLICATIONS);
});
