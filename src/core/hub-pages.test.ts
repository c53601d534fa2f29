/** Pages of channels and connections, on one node and on several. */
import { describe, expect, test } from "bun:test";
import { recordingEncoder, Recorder } from "../../test/support/recorder.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { SimulatedCluster } from "../../test/support/simulated-cluster.ts";
import { createHub } from "./create-hub.ts";
import type { Encoder, Hub } from "./hub.ts";
import { DISCONNECTS_AT_ONCE, NAMES_BETWEEN_LOOKS, ROW_CHANNELS_MAX, SLICE_MS } from "./limits.ts";
import type { Page, PageQuery } from "./pages.ts";
import { channel, embeddedHub, onBug, PLAIN, subscribeTo } from "../../test/support/hub.ts";

const ENCODERS: Readonly<Record<string, Encoder>> = {
  one: { ...recordingEncoder, name: "one" },
  two: { ...recordingEncoder, name: "two" },
};

/** A connection with this id, subscribed to the channels. */
async function join(
  hub: Hub,
  id: string,
  names: readonly string[],
  { user = "", dialect = "one" } = {},
) {
  const recorder = new Recorder(id, { user, dialect });
  const connection = hub.connect(recorder);
  const encoder = ENCODERS[dialect] ?? recordingEncoder;
  for (const name of names) await subscribeTo(recorder, connection, name, { encoder });
  return { recorder, connection };
}

/** All rows, a page after the other. */
async function walk<Row>(
  ask: (page: PageQuery) => Promise<Page<Row>>,
  limit: number,
): Promise<{ readonly rows: readonly Row[]; readonly pages: number }> {
  const rows: Row[] = [];
  let pages = 0;
  for (let after: string | undefined; ; pages++) {
    const page = await ask(after === undefined ? { limit } : { limit, after });
    rows.push(...page.rows);
    expect(page.rows.length).toBeLessThanOrEqual(limit);
    if (page.next === undefined) return { rows, pages: pages + 1 };
    after = page.next;
  }
}

const NAMES = ["__proto__", "a", "a:1", "b", "<b>", "\u{1f600}".repeat(64), "\uffee"];

describe("channelPage()", () => {
  test("shows each channel once with its connections by dialect, whatever the page's size", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    await join(hub, "1", NAMES);
    await join(hub, "2", ["a", "b", ""], { dialect: "two" });
    const expected = NAMES.toSorted().map((name) => ({
      name,
      connections: { one: 1, ...(["a", "b"].includes(name) ? { two: 1 } : {}) },
    }));
    for (const limit of [1, 2, 3, NAMES.length, 100]) {
      const { rows, pages } = await walk((page) => hub.channelPage(page), limit);
      expect([rows, pages]).toEqual([expected, Math.ceil(NAMES.length / limit)]);
    }
    const names = async (filter: object) =>
      (await hub.channelPage({ ...filter, limit: 9 })).rows.map(({ name }) => name);
    expect(await names({ prefix: "a" })).toEqual(["a", "a:1"]);
    expect(await names({ prefix: "a", pattern: "[0-9]$" })).toEqual(["a:1"]);
    expect(await names({ pattern: "^(a|b)$" })).toEqual(["a", "b"]);
    expect(await names({ space: "other" })).toEqual([]);
    expect(hub.channelPage({ pattern: "(?=x)", limit: 1 })).rejects.toMatchObject({
      code: "bad_request",
    });
  });

  test("of a thousand channels takes the first ones, in order", async () => {
    await using server = await embeddedHub();
    const { hub } = server;
    const names = Array.from({ length: 1000 }, (_, at) => `c${(at * 617) % 1000}`);
    await join(hub, "1", names);
    const { rows, pages } = await walk((page) => hub.channelPage(page), 7);
    expect(rows.map(({ name }) => name)).toEqual(names.toSorted());
    expect(pages).toBe(143);
  });
});

describe("connectionPage()", () => {
  test("finds by user, dialect and channel, and shows a bounded number of channels", async () => {
    await using server = await embeddedHub();
    const { hub, runtime } = server;
    const many = Array.from({ length: ROW_CHANNELS_MAX + 1 }, (_, at) => `m${at}`);
    await join(hub, "1", ["a"], { user: "__proto__" });
    await runtime.advance(1000);
    await join(hub, "2", many, { user: "u", dialect: "two" });
    await join(hub, "3", ["a"], { user: "u" });
    await join(hub, "4", []);
    const found = async (filter: object) =>
      (await hub.connectionPage({ ...filter, limit: 9 })).rows;
    const ids = async (filter: object) => (await found(filter)).map(({ id }) => id);
    expect(await ids({})).toEqual(["1", "2", "3", "4"]);
    expect(await ids({ user: "u" })).toEqual(["2", "3"]);
    expect(await ids({ user: "__proto__" })).toEqual(["1"]);
    expect(await ids({ user: "" })).toEqual(["4"]);
    expect(await ids({ user: "nobody" })).toEqual([]);
    expect(await ids({ userPrefix: "__" })).toEqual(["1"]);
    expect(await ids({ dialect: "two" })).toEqual(["2"]);
    expect(await ids({ channel: channel("a") })).toEqual(["1", "3"]);
    expect(await ids({ channel: channel("a"), user: "u", dialect: "one" })).toEqual(["3"]);
    expect(await ids({ channel: channel("a"), user: "" })).toEqual([]);
    const [first, second] = await found({});
    expect(first).toEqual({
      ...{ id: "1", node: hub.nodeId, dialect: "one", user: "__proto__", subscriptions: 1 },
      ...{ connectedMs: runtime.clock.epochMs() - 1000, unsentBytes: 0, channels: [channel("a")] },
    });
    expect(second).toMatchObject({
      connectedMs: runtime.clock.epochMs(),
      subscriptions: ROW_CHANNELS_MAX + 1,
      channels: many.slice(0, ROW_CHANNELS_MAX).map(channel),
    });
    const { rows, pages } = await walk((page) => hub.connectionPage(page), 2);
    expect([rows.map(({ id }) => id), pages]).toEqual([["1", "2", "3", "4"], 2]);
  });
});

test("pages and occupancy are of all nodes", async () => {
  const runtime = createTestRuntime();
  const cluster = new SimulatedCluster({ random: runtime.random, lossRate: 0 });
  const [here, there] = [1, 2].map(() =>
    createHub({ app: "a", namespaces: PLAIN, engine: cluster.node(), runtime, onBug }),
  );
  if (here === undefined || there === undefined) throw new Error("No hubs");
  const settled = async <Result>(asked: Promise<Result>): Promise<Result> => {
    let over = false;
    const end = (): void => void (over = true);
    asked.then(end, end);
    // What a question is prepared by takes turns of its own.
    while (!over) {
      await cluster.settle();
      await runtime.settle();
    }
    return asked;
  };
  await settled(
    Promise.all([
      join(here, "1", ["a", "c"]),
      join(there, "2", ["a", "b"]),
      join(there, "3", ["a"], { dialect: "two" }),
    ]),
  );
  const first = await settled(here.channelPage({ limit: 2 }));
  expect(first).toEqual({
    rows: [
      { name: "a", connections: { one: 2, two: 1 } },
      { name: "b", connections: { one: 1 } },
    ],
    next: "b",
  });
  expect(await settled(here.channelPage({ limit: 2, after: "b" }))).toEqual({
    rows: [{ name: "c", connections: { one: 1 } }],
  });
  const rows = await settled(here.connectionPage({ limit: 2, channel: channel("a") }));
  expect(rows).toMatchObject({
    rows: [
      { id: "1", node: here.nodeId },
      { id: "2", node: there.nodeId },
    ],
    next: "2",
  });
  expect(await settled(here.occupancy(channel("a")))).toEqual({ one: 2, two: 1 });
  expect(await settled(here.occupancy({ pattern: "[ab]" }))).toEqual({ one: 3, two: 1 });
  expect(await settled(here.occupancy(channel("nobody")))).toEqual({});
  expect(await settled(here.occupancy({ prefix: "c" }))).toEqual({ one: 1 });
});

test("whatever walks all of them lets other things happen between any two slices", async () => {
  let nowMs = 0;
  let turns = 0;
  await using server = await embeddedHub({
    // Each look at the clock takes a slice.
    changeRuntime: (runtime) => ({
      ...runtime,
      clock: { ...runtime.clock, monotonicMs: () => (nowMs += SLICE_MS) },
      timers: {
        ...runtime.timers,
        soon(callback) {
          turns += 1;
          runtime.timers.soon(callback);
        },
      },
    }),
  });
  const { hub } = server;
  const looks = 3;
  const count = looks * NAMES_BETWEEN_LOOKS;
  for (let n = 0; n < count; n++) await join(hub, `${n}`, [`c${n}`, "all"]);
  const walks: Readonly<Record<string, readonly [turns: number, run: () => Promise<unknown>]>> = {
    channels: [looks, () => hub.channelPage({ limit: 1 })],
    "counts of channels": [looks, () => hub.channels()],
    "channels by pattern": [count, () => hub.channelPage({ limit: 1, pattern: "nothing" })],
    connections: [count, () => hub.connectionPage({ limit: 1 })],
    "connections of a channel": [
      count,
      () => hub.connectionPage({ limit: 1, channel: channel("all") }),
    ],
    "occupancy of many": [count, () => hub.occupancy({ pattern: "c" })],
  };
  for (const [walk, [turnsMin, run]] of Object.entries(walks)) {
    turns = 0;
    await run();
    expect([walk, turns >= turnsMin]).toEqual([walk, true]);
  }
});

test("disconnect() of many counts and reaches each, in slices", async () => {
  await using server = await embeddedHub();
  const { hub } = server;
  const count = DISCONNECTS_AT_ONCE + 1;
  const joined = await Promise.all(
    Array.from({ length: count }, (_, at) => join(hub, `${at}`, ["c"])),
  );
  const { matched } = await hub.disconnect({ channel: channel("c") }, { disconnect: "ended" });
  expect(matched).toBe(count);
  const ended = joined.filter(({ recorder }) => recorder.recorded.at(-1)?.got === "disconnect");
  expect(ended).toHaveLength(count);
});
