/** What centrifuge-js gets back after a cut link and a restarted server. */
import { describe, expect, test } from "bun:test";
import {
  BUILDS,
  createOfficial,
  type HeardSubscription,
  type OfficialClient,
} from "../../support/centrifuge-client.ts";
import { createLink } from "../../support/link.ts";
import { createTestRuntime } from "../../support/runtime.ts";
import {
  apiResult,
  bootStreaming,
  HISTORY,
  keptDataDir,
  OPEN,
  RECOVERY,
  type StreamingServer,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const NAMESPACES = [
  { name: "kept", ...RECOVERY, history_size: 20 },
  { name: "brief", ...RECOVERY, history_meta_ttl: "600s" },
  { name: "ask", ...OPEN, ...HISTORY, allow_recovery: true, allow_positioning: true },
];
const token = hs256({ sub: "42" });

async function publish(server: StreamingServer, channel: string, first: number, last: number) {
  for (let data = first; data <= last; data++) {
    await apiResult(server, "publish", { channel, data });
  }
}

const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Takes `count` publications: their data and offsets. */
async function take(official: OfficialClient, { heard }: HeardSubscription, count: number) {
  const taken: [unknown, number][] = [];
  for (let index = 0; index < count; index++) {
    const { data, offset } = await heard.next("publication");
    taken.push([official.value(data), Number(offset)]);
  }
  return taken;
}

describe.each(BUILDS)("centrifuge-js, %s", (build) => {
  const boot = (options: { dataDir?: string; seed?: number } = {}) =>
    bootStreaming({
      namespaces: NAMESPACES,
      runtime: createTestRuntime(options.seed ?? 1),
      ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
    });

  /** Cuts the link, does something, and lets the client come back: how its subscription went. */
  async function whileAway(
    {
      server,
      official,
      link,
    }: {
      server: StreamingServer;
      official: OfficialClient;
      link: Awaited<ReturnType<typeof createLink>>;
    },
    { heard }: HeardSubscription,
    away: () => Promise<void>,
  ) {
    official.heard.forget("connecting");
    link.cut();
    expect(await official.heard.next("connecting")).toMatchObject({ code: 1 });
    // The server sees the cut on its own time.
    while (server.hub.stats().connections > 0) await server.runtime.settle();
    await away();
    link.restore();
    return heard.next("subscribed");
  }

  test.each([
    ["kept:a", {}],
    ["ask:a", { recoverable: true, positioned: true }],
  ])(
    "%s recovers across a cut link: exactly what was missed, in order",
    async (channel, options) => {
      await using server = await boot();
      await using link = await createLink(server.websocketUrl);
      using official = createOfficial(build, link.url, { token });
      await official.connect();
      const sub = official.subscribe(channel, options);
      expect(await sub.heard.next("subscribed")).toMatchObject({
        recoverable: true,
        positioned: true,
      });
      await publish(server, channel, 1, 3);
      await take(official, sub, 3);
      const context = await whileAway({ server, official, link }, sub, () =>
        publish(server, channel, 4, 9),
      );
      expect(context).toMatchObject({
        ...{ wasRecovering: true, recovered: true, hasRecoveredPublications: true },
      });
      await publish(server, channel, 10, 11);
      const expected = numbers(4, 11).map((number) => [number, number]);
      expect(await take(official, sub, 8)).toEqual(expected as [number, number][]);
      expect(sub.heard.untaken("publication")).toEqual([]);
      const again = await whileAway({ server, official, link }, sub, async () => {});
      expect(again).toMatchObject({ recovered: true, hasRecoveredPublications: false });
    },
  );

  test("more missed than is kept: not recovered, and live from there", async () => {
    await using server = await boot();
    await using link = await createLink(server.websocketUrl);
    using official = createOfficial(build, link.url, { token });
    await official.connect();
    const sub = official.subscribe("kept:a");
    await sub.heard.next("subscribed");
    await publish(server, "kept:a", 1, 1);
    await take(official, sub, 1);
    const context = await whileAway({ server, official, link }, sub, () =>
      publish(server, "kept:a", 2, 22),
    );
    expect(context).toMatchObject({ wasRecovering: true, recovered: false });
    await publish(server, "kept:a", 23, 23);
    expect(await take(official, sub, 1)).toEqual([[23, 23]]);
  });

  test.each([
    ["an epoch renewed", "brief:a", (server: StreamingServer) => server.advance(600_000)],
    [
      "history removed",
      "kept:a",
      (server: StreamingServer) => apiResult(server, "history_remove", { channel: "kept:a" }),
    ],
  ])("%s: not recovered", async (_name, channel, lose) => {
    await using server = await boot();
    await using link = await createLink(server.websocketUrl);
    using official = createOfficial(build, link.url, { token });
    await official.connect();
    const sub = official.subscribe(channel);
    await sub.heard.next("subscribed");
    await publish(server, channel, 1, 2);
    await take(official, sub, 2);
    const context = await whileAway({ server, official, link }, sub, async () => {
      await publish(server, channel, 3, 4);
      await lose(server);
    });
    expect(context).toMatchObject({ wasRecovering: true, recovered: false });
  });

  test("recovers across a clean restart of the server: nothing is lost", async () => {
    using kept = keptDataDir();
    const first = await boot({ dataDir: kept.path });
    await using link = await createLink(first.websocketUrl);
    using official = createOfficial(build, link.url, { token });
    await official.connect();
    const sub = official.subscribe("kept:a");
    await sub.heard.next("subscribed");
    await publish(first, "kept:a", 1, 3);
    await take(official, sub, 3);
    await official.heard.next("connecting");
    await sub.heard.next("subscribing");
    link.cut();
    await official.heard.next("connecting");
    await publish(first, "kept:a", 4, 6);
    await first[Symbol.asyncDispose]();
    await using second = await boot({ dataDir: kept.path, seed: 2 });
    await publish(second, "kept:a", 7, 8);
    link.restore(second.websocketUrl);
    expect(await sub.heard.next("subscribed")).toMatchObject({ recovered: true });
    await publish(second, "kept:a", 9, 9);
    expect((await take(official, sub, 6)).map(([data]) => data)).toEqual(numbers(4, 9));
  });

  test("a stopping server tells it 3001, and it recovers at the next one", async () => {
    using kept = keptDataDir();
    const first = await boot({ dataDir: kept.path });
    await using link = await createLink(first.websocketUrl);
    using official = createOfficial(build, link.url, { token });
    await official.connect();
    const sub = official.subscribe("kept:a");
    await sub.heard.next("subscribed");
    await publish(first, "kept:a", 1, 1);
    await take(official, sub, 1);
    await official.heard.next("connecting");
    await first[Symbol.asyncDispose]();
    expect(await official.heard.next("connecting")).toMatchObject({ code: 3001 });
    await using second = await boot({ dataDir: kept.path, seed: 2 });
    link.restore(second.websocketUrl);
    expect(await sub.heard.next("subscribed")).toMatchObject({ recovered: true });
    await publish(second, "kept:a", 2, 2);
    expect(await take(official, sub, 1)).toEqual([[2, 2]]);
  });

  test("`since` starts from a known position", async () => {
    await using server = await boot();
    await publish(server, "kept:a", 1, 5);
    const { epoch } = await apiResult(server, "history", { channel: "kept:a" });
    using official = createOfficial(build, server.websocketUrl, { token });
    await official.connect();
    const sub = official.subscribe("kept:a", { since: { offset: 2, epoch: String(epoch) } });
    expect(await sub.heard.next("subscribed")).toMatchObject({ recovered: true });
    expect((await take(official, sub, 3)).map(([data]) => data)).toEqual([3, 4, 5]);
  });

  test("`getState` is asked when a position cannot be recovered, and what it says is the start", async () => {
    await using server = await boot();
    await publish(server, "kept:a", 1, 30);
    const { epoch } = await apiResult(server, "history", { channel: "kept:a" });
    using official = createOfficial(build, server.websocketUrl, { token });
    await official.connect();
    const positions = [
      { offset: 3, epoch: String(epoch) },
      { offset: 28, epoch: String(epoch) },
    ];
    let asked = 0;
    const getState = async () => positions[asked++] ?? { offset: 0, epoch: "" };
    const sub = official.subscribe("kept:a", { getState });
    expect(await sub.heard.next("subscribed")).toMatchObject({ recovered: true });
    expect(asked).toBe(2);
    expect((await take(official, sub, 2)).map(([data]) => data)).toEqual([29, 30]);
  });

  test("a stream that begins anew under it is 2500, and it subscribes again", async () => {
    await using server = await boot();
    using official = createOfficial(build, server.websocketUrl, { token });
    await official.connect();
    const { heard } = official.subscribe("brief:a");
    await heard.next("subscribing");
    await heard.next("subscribed");
    await publish(server, "brief:a", 1, 1);
    await heard.next("publication");
    await server.advance(600_000);
    await publish(server, "brief:a", 2, 2);
    expect(await heard.next("subscribing")).toMatchObject({
      ...{ code: 2500, reason: "insufficient state" },
    });
    expect(await heard.next("subscribed")).toMatchObject({ wasRecovering: true, recovered: false });
  });
});
