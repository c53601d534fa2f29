/** Recovery of what was missed (centrifugo-protocol.md §5, §22 items 2, 13). */
import { describe, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import {
  apiResult,
  bootStreaming,
  connectClient,
  ERRORS,
  keptDataDir,
  RECOVERY,
  subscribed,
  type Message,
  type StreamingServer,
} from "../../support/streaming.ts";
import { TEST_ENGINE } from "../../support/engine.ts";
import { createTestRuntime } from "../../support/runtime.ts";
import { compactJson } from "../../../src/core/json-text.ts";

const USER = { sub: "1" };

/** Publishes the numbers from `first` to `last`; the last position. */
async function publish(server: StreamingServer, first: number, last: number): Promise<Message> {
  let position: Message = {};
  for (let data = first; data <= last; data++) {
    position = await apiResult(server, "publish", { channel: "a", data });
  }
  return position;
}

const numbered = (first: number, last: number, epoch?: unknown) =>
  Array.from({ length: last - first + 1 }, (_, index) => ({
    ...{ data: first + index, offset: first + index },
    ...(first + index === 1 ? { epoch } : {}),
  }));

describe("§5.2: the stream holds 5 to 14 of 14", () => {
  test.each([
    ["item 2: some missed: the reply's offset is the request's", 10, numbered(11, 14)],
    ["everything that is kept missed", 4, numbered(5, 14)],
    ["nothing missed", 14, undefined],
  ])("%s", async (_name, offset, publications) => {
    await using server = await bootStreaming({ withoutNamespace: RECOVERY });
    const { epoch } = await publish(server, 1, 14);
    using client = await connectClient(server, USER);
    const request = { channel: "a", recover: true, epoch, offset };
    expect(await client.ask({ subscribe: request })).toEqual({
      subscribe: {
        ...{ recoverable: true, positioned: true, was_recovering: true, recovered: true },
        ...{ epoch, offset },
        ...(publications === undefined ? {} : { publications }),
      },
    });
    await publish(server, 15, 15);
    expect(await client.arrived()).toEqual([{ push: { channel: "a", pub: numbered(15, 15)[0] } }]);
  });

  test.each([
    ["more missed than is kept", {}, 3],
    ["a position ahead of the stream", {}, 15],
    ["another epoch", { epoch: "another" }, 14],
    ["no position", {}, undefined],
  ])("%s: not recovered, and live from the top", async (_name, other, offset) => {
    await using server = await bootStreaming({ withoutNamespace: RECOVERY });
    const { epoch } = await publish(server, 1, 14);
    using client = await connectClient(server, USER);
    const request = { channel: "a", recover: true, epoch, offset, ...other };
    expect(await client.ask({ subscribe: request })).toEqual({
      subscribe: {
        ...{ recoverable: true, positioned: true, was_recovering: true, epoch, offset: 14 },
      },
    });
    await publish(server, 15, 15);
    expect(await client.arrived()).toEqual([{ push: { channel: "a", pub: numbered(15, 15)[0] } }]);
  });

  test("§5.4: with flag 2 what cannot be recovered is error 112, and nothing is subscribed", async () => {
    await using server = await bootStreaming({ withoutNamespace: RECOVERY });
    const { epoch } = await publish(server, 1, 14);
    using client = await connectClient(server, USER);
    for (const at of [
      { epoch, offset: 3 },
      { epoch, offset: 15 },
      { epoch: "other", offset: 14 },
    ]) {
      const subscribe = { channel: "a", recover: true, flag: 3, ...at };
      expect(await client.ask({ subscribe })).toEqual({ error: ERRORS[112] });
    }
    expect(server.hub.stats()).toMatchObject({ channels: 0, subscriptions: 0 });
    await publish(server, 15, 15);
    expect(await client.arrived()).toEqual([]);
    expect(
      await subscribed(client, "a", { recover: true, flag: 2, epoch, offset: 14 }),
    ).toMatchObject({ recovered: true, offset: 14, publications: numbered(15, 15) });
  });

  test("an empty epoch matches any", async () => {
    await using server = await bootStreaming({ withoutNamespace: RECOVERY });
    const { epoch } = await publish(server, 1, 3);
    using client = await connectClient(server, USER);
    expect(await subscribed(client, "a", { recover: true })).toEqual({
      ...{ recoverable: true, positioned: true, was_recovering: true, recovered: true },
      ...{ epoch, publications: numbered(1, 3, epoch) },
    });
  });

  test("recovery_max_publication_limit: one more missed is too many", async () => {
    await using server = await bootStreaming({
      withoutNamespace: RECOVERY,
      streaming: { recovery_max_publication_limit: 4 },
    });
    const { epoch } = await publish(server, 1, 9);
    using client = await connectClient(server, USER);
    expect(await subscribed(client, "a", { recover: true, epoch, offset: 5 })).toMatchObject({
      recovered: true,
      publications: numbered(6, 9),
    });
    using other = await connectClient(server, USER);
    expect(await subscribed(other, "a", { recover: true, epoch, offset: 4 })).toEqual({
      ...{ recoverable: true, positioned: true, was_recovering: true, epoch, offset: 9 },
    });
  });

  test("publications that have expired cannot be recovered, a position at the top can", async () => {
    await using server = await bootStreaming({ withoutNamespace: RECOVERY });
    const { epoch } = await publish(server, 1, 3);
    await server.advance(300_000);
    using client = await connectClient(server, USER);
    expect(await subscribed(client, "a", { recover: true, epoch, offset: 2 })).toEqual({
      ...{ recoverable: true, positioned: true, was_recovering: true, epoch, offset: 3 },
    });
    using other = await connectClient(server, USER);
    expect(await subscribed(other, "a", { recover: true, epoch, offset: 3 })).toMatchObject({
      recovered: true,
      offset: 3,
    });
  });

  test("without recovery in the namespace, recover asks for nothing", async () => {
    await using server = await bootStreaming({
      withoutNamespace: { ...RECOVERY, force_recovery: false, force_positioning: true },
    });
    const { epoch } = await publish(server, 1, 3);
    using client = await connectClient(server, USER);
    expect(await subscribed(client, "a", { recover: true, epoch, offset: 1 })).toEqual({
      ...{ positioned: true, epoch, offset: 3 },
    });
  });

  test("publications made while a client recovers come once, in order", async () => {
    await using server = await bootStreaming({
      withoutNamespace: { ...RECOVERY, history_size: 1000 },
    });
    const { epoch } = await publish(server, 1, 5);
    using client = await connectClient(server, USER);
    const channel = { space: "channels", name: "a" };
    const publishing = [];
    for (let data = 6; data <= 60; data++) {
      publishing.push(server.hub.publish(channel, { data: { json: compactJson(`${data}`) } }));
      if (data === 30)
        client.send({ id: 50, subscribe: { channel: "a", recover: true, epoch, offset: 2 } });
      if (data % 5 === 0) await server.runtime.settle();
    }
    await Promise.all(publishing);
    const [reply = {}, ...pushes] = await client.arrived();
    const { publications } = reply["subscribe"] as { readonly publications: object[] };
    const live = pushes.map(({ push }) => (push as { pub: object }).pub);
    expect([...publications, ...live]).toEqual(numbered(3, 60));
  });
});

describe("item 13: epochs", () => {
  test("a clean restart keeps history and epoch", async () => {
    using kept = keptDataDir();
    const dataDir = kept.path;
    let epoch: unknown;
    {
      await using server = await bootStreaming({ dataDir, withoutNamespace: RECOVERY });
      ({ epoch } = await publish(server, 1, 4));
    }
    await using server = await bootStreaming({
      ...{ dataDir, withoutNamespace: RECOVERY, runtime: createTestRuntime(2) },
    });
    using client = await connectClient(server, USER);
    expect(await subscribed(client, "a", { recover: true, epoch, offset: 1 })).toEqual({
      ...{ recoverable: true, positioned: true, was_recovering: true, recovered: true },
      ...{ epoch, offset: 1, publications: numbered(2, 4) },
    });
  });

  // There is no file to copy with Redis, where nodes share their streams. A server that begins with older data begins other
  // epochs as well; stopping and starting servers is for the engine's own tests.
  test.skipIf(TEST_ENGINE === "redis")(
    "a copy of a running server's data has another epoch: not recovered",
    async () => {
      using running = keptDataDir();
      using copy = keptDataDir();
      await using server = await bootStreaming({
        dataDir: running.path,
        withoutNamespace: RECOVERY,
      });
      const { epoch } = await publish(server, 1, 4);
      cpSync(running.path, copy.path, { recursive: true });
      await using restored = await bootStreaming({
        ...{ dataDir: copy.path, withoutNamespace: RECOVERY, runtime: createTestRuntime(2) },
      });
      using client = await connectClient(restored, USER);
      const reply = await subscribed(client, "a", { recover: true, epoch, offset: 1 });
      expect(reply).toEqual({
        ...{ recoverable: true, positioned: true, was_recovering: true },
        ...{ epoch: expect.any(String), offset: 4 },
      });
      expect(reply["epoch"]).not.toBe(epoch);
    },
  );

  test("a stream that outlived history_meta_ttl begins anew: not recovered", async () => {
    await using server = await bootStreaming({
      withoutNamespace: { ...RECOVERY, history_meta_ttl: "600s" },
    });
    const { epoch } = await publish(server, 1, 4);
    await server.advance(600_000);
    using client = await connectClient(server, USER);
    const reply = await subscribed(client, "a", { recover: true, epoch, offset: 4 });
    expect(reply).toEqual({
      ...{ recoverable: true, positioned: true, was_recovering: true, epoch: expect.any(String) },
    });
    expect(reply["epoch"]).not.toBe(epoch);
  });

  test("§4.5: a stream that begins anew under its subscribers is unsubscribe 2500", async () => {
    await using server = await bootStreaming({
      withoutNamespace: { ...RECOVERY, history_meta_ttl: "600s" },
    });
    await publish(server, 1, 4);
    using client = await connectClient(server, USER);
    await subscribed(client, "a");
    await server.advance(600_000);
    await publish(server, 1, 1);
    const unsubscribe = { code: 2500, reason: "insufficient state" };
    expect(await client.arrived()).toEqual([{ push: { channel: "a", unsubscribe } }]);
    expect(await subscribed(client, "a")).toMatchObject({ recoverable: true, offset: 1 });
  });
});
