/** The Redis broker between nodes and over losses: what the conformance suite, which sees one node, cannot show. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { json, recorder, told, values } from "../../../test/conformance/engine/under-test.ts";
import { startRedis, type RedisOptions, type RedisServer } from "../../../test/support/redis.ts";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { ALL, code, LIMITS, ROOM, startEngine, watcher } from "./test-engine.ts";
import { compactJson } from "../../core/json-text.ts";

const META_TTL_MS = LIMITS.metaTtlMs;
const kept = { history: LIMITS };

describe("between two nodes", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("publications, joins and notes arrive on the other node in one order", async () => {
    await using a = await startEngine(server.url);
    await using b = await startEngine(server.url);
    const listeners = [watcher(), watcher()] as const;
    await a.broker.listen(ROOM, listeners[0]);
    await b.broker.listen(ROOM, listeners[1]);
    const client = { connectionId: "c", userId: "" };
    await Promise.all([
      ...Array.from({ length: 50 }, (_, index) => a.broker.publish(ROOM, json(`a${index}`), kept)),
      b.broker.announce(ROOM, { type: "join", client }),
      a.broker.announce(
        ROOM,
        { type: "note", note: { dialect: "test", json: compactJson("{}") } },
        { positioned: true },
      ),
      ...Array.from({ length: 50 }, (_, index) => b.broker.publish(ROOM, json(`b${index}`), kept)),
      a.broker.publish(ROOM, json("live")),
    ]);
    await Promise.all(listeners.map((each) => each.until((events) => events.length === 103)));
    expect(listeners[0].events).toEqual(listeners[1].events);
    const page = await a.broker.history(ROOM, ALL, META_TTL_MS);
    const published = listeners[0].events.flatMap((event) =>
      event.type === "publication" && event.publication.position !== undefined
        ? [event.publication]
        : [],
    );
    expect(page.publications).toEqual(published);
  });

  test("an idempotency key holds on every node", async () => {
    await using a = await startEngine(server.url);
    await using b = await startEngine(server.url);
    const channel = { ...ROOM, name: "idempotent" };
    const options = { ...kept, idempotencyKey: "k" };
    const answers = await Promise.all(
      [a, b, a, b].map(({ broker }) => broker.publish(channel, json(1), options)),
    );
    expect(new Set(answers.map((answer) => answer?.offset))).toEqual(new Set([1]));
    expect((await a.broker.history(channel, ALL, META_TTL_MS)).publications).toHaveLength(1);
  });

  test("prefixes keep servers on one Redis apart", async () => {
    await using a = await startEngine(server.url, { prefix: "one" });
    await using b = await startEngine(server.url, { prefix: "two" });
    const listener = recorder();
    await b.broker.listen(ROOM, listener);
    await a.broker.publish(ROOM, json("mine"), kept);
    await b.broker.publish(ROOM, json("yours"), kept);
    expect(told(listener.events)).toEqual(["yours"]);
    expect((await a.broker.history(ROOM, ALL, META_TTL_MS)).position.offset).toBe(1);
  });

  test("a message that did not arrive is seen by the next one, without history too", async () => {
    await using a = await startEngine(server.url, { prefix: "gaps" });
    await using b = await startEngine(server.url, { prefix: "gaps" });
    const listener = watcher();
    await b.broker.listen(ROOM, listener);
    await a.broker.publish(ROOM, json(1));
    await a.broker.publish(ROOM, json(2));
    await listener.until((events) => events.length === 2);
    // Another node's messages, one of which the bus has lost; then two whose publishing was refused.
    const send = (number: number, confirmed: number) =>
      server.command(
        "PUBLISH",
        "gaps:{app:channels:room}",
        `p other.1 ${number} ${confirmed}\n0\n${number}`,
      );
    await send(11, 9);
    await send(13, 12);
    await send(16, 13);
    await listener.until((events) => events.includes(16));
    expect(told(listener.events)).toEqual([1, 2, 11, "gap", 13, 16]);
    // What was refused leaves no gap.
    await a.broker.publish(ROOM, json(5), { idempotencyKey: "k" });
    await a.broker.publish(ROOM, json("again"), { idempotencyKey: "k" });
    await a.broker.publish(ROOM, json(6));
    await listener.until((events) => events.includes(6));
    expect(told(listener.events).slice(-2)).toEqual([5, 6]);
  });
});

describe("where the server loses data", () => {
  /** Publishes three, has them lost or not, and publishes again. `restarted`: the node is told of a gap by then. */
  async function afterLoss(
    options: RedisOptions,
    lose: (server: RedisServer) => Promise<unknown>,
    { restarted }: { readonly restarted: boolean },
  ) {
    await using server = await startRedis(options);
    await using node = await startEngine(server.url);
    const listener = watcher();
    await node.broker.listen(ROOM, listener);
    for (const value of [1, 2, 3]) await node.broker.publish(ROOM, json(value), kept);
    const { position: before } = await node.broker.history(ROOM, ALL, META_TTL_MS);
    await lose(server);
    if (restarted) await listener.until((events) => events.includes("gap"));
    const next = await node.broker.publish(ROOM, json("next"), kept);
    const page = await node.broker.history(ROOM, ALL, META_TTL_MS);
    expect(told(listener.events)).toEqual([1, 2, 3, ...(restarted ? ["gap"] : []), "next"]);
    expect(page.position).toEqual(next ?? before);
    return { before, next, kept: values(page.publications) };
  }

  test("killed and restarted empty: a new epoch", async () => {
    const lose = (server: RedisServer) => server.restart({ empty: true });
    const { before, next, kept: left } = await afterLoss({}, lose, { restarted: true });
    expect(next?.offset).toBe(1);
    expect(next?.epoch).not.toBe(before.epoch);
    expect(left).toEqual(["next"]);
  });

  test("FLUSHALL, which no connection tells: a new epoch", async () => {
    const lose = (server: RedisServer) => server.command("FLUSHALL");
    const { before, next } = await afterLoss({}, lose, { restarted: false });
    expect(next?.offset).toBe(1);
    expect(next?.epoch).not.toBe(before.epoch);
  });

  test("restarted with a log that is on disk before each answer: nothing is lost, the epoch stays", async () => {
    const lose = (server: RedisServer) => server.restart();
    const {
      before,
      next,
      kept: left,
    } = await afterLoss({ appendOnly: true }, lose, { restarted: true });
    expect(next).toEqual({ epoch: before.epoch, offset: 4 });
    expect(left).toEqual([1, 2, 3, "next"]);
  });

  test("restarted with a log that a loss of power may have cut: a new epoch", async () => {
    const lose = (server: RedisServer) => server.restart();
    const options = { appendOnly: true, directives: ["--appendfsync", "everysec"] };
    const { before, next, kept: left } = await afterLoss(options, lose, { restarted: true });
    expect(next?.epoch).not.toBe(before.epoch);
    // What the log still has of the others depends on how busy the disk is.
    expect(left.at(-1)).toBe("next");
  });

  test("restarted from a snapshot that is behind: a new epoch, since offsets come twice", async () => {
    const lose = async (server: RedisServer) => {
      await server.command("SAVE");
      await server.command("SET", "since the snapshot", "1");
      await server.restart();
    };
    const { before, next, kept: left } = await afterLoss({}, lose, { restarted: true });
    expect(next?.epoch).not.toBe(before.epoch);
    expect(left).toEqual([1, 2, 3, "next"]);
  });

  test("a replica that takes over may lag: a new epoch", async () => {
    await using first = await startRedis();
    await using second = await startRedis({ replicaOf: first });
    await using before = await startEngine(first.url);
    await before.broker.publish(ROOM, json(1), kept);
    const { position } = await before.broker.history(ROOM, ALL, META_TTL_MS);
    await first.command("WAIT", "1", "5000");
    await second.command("REPLICAOF", "NO", "ONE");
    await using after = await startEngine(second.url);
    const page = await after.broker.history(ROOM, ALL, META_TTL_MS);
    expect(page.position.epoch).not.toBe(position.epoch);
    expect(values(page.publications)).toEqual([1]);
    // All nodes agree: a second one that connects changes nothing.
    await using other = await startEngine(second.url);
    expect((await other.broker.history(ROOM, ALL, META_TTL_MS)).position).toEqual(page.position);
  }, 30_000);
});

describe("where the server is away", () => {
  test("calls are refused at once, listeners stay, and all is there again with it", async () => {
    await using server = await startRedis();
    await using node = await startEngine(server.url);
    const listener = watcher();
    await node.broker.listen(ROOM, listener);
    await server.kill();
    // The first call may find the connection still taken for alive.
    await code(node.broker.publish(ROOM, json("lost")));
    const other = recorder();
    const calls = [
      node.broker.publish(ROOM, json("lost")),
      node.broker.publish(ROOM, json("lost"), kept),
      node.broker.announce(ROOM, { type: "join", client: { connectionId: "c", userId: "" } }),
      node.broker.history(ROOM, ALL, META_TTL_MS),
      node.broker.listen({ ...ROOM, name: "other" }, other),
    ];
    expect(await Promise.all(calls.map(code))).toEqual(calls.map(() => "unavailable"));
    expect((await node.engine.health()).ready).toBe(false);
    await server.restart();
    await listener.until((events) => events.includes("gap"));
    expect(await node.engine.health()).toEqual({ ready: true });
    await node.broker.publish(ROOM, json("back"));
    await node.broker.publish({ ...ROOM, name: "other" }, json("not heard"));
    expect(told(listener.events)).toEqual(["gap", "back"]);
    expect(other.events).toEqual([]);
    expect(node.bugs).toEqual([]);
  });

  test("a publish whose answer was lost is refused and not sent again", async () => {
    await using server = await startRedis({ appendOnly: true });
    await using node = await startEngine(server.url);
    const listener = watcher();
    await node.broker.listen(ROOM, listener);
    server.stop();
    // It waits in the server's socket until that goes on, by when it was given up here.
    const lost = node.broker.publish(ROOM, json("once"), kept);
    expect(await code(lost)).toBe("unavailable");
    const back = node.heard("is back");
    server.cont();
    await back;
    const { publications } = await node.broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(publications).length).toBeLessThanOrEqual(1);
    const next = await node.broker.publish(ROOM, json("next"), kept);
    expect(next?.offset).toBe(publications.length + 1);
    expect(told(listener.events)).toEqual([...values(publications), "next"]);
  }, 30_000);

  test("a full server refuses for now, and its subscribers keep listening", async () => {
    await using server = await startRedis();
    await using node = await startEngine(server.url);
    const listener = watcher();
    await node.broker.listen(ROOM, listener);
    await server.command("CONFIG", "SET", "maxmemory", "1");
    expect(await code(node.broker.publish(ROOM, json("refused"), kept))).toBe("unavailable");
    await server.command("CONFIG", "SET", "maxmemory", "0");
    expect((await node.broker.publish(ROOM, json("taken"), kept))?.offset).toBe(1);
    expect(told(listener.events)).toEqual(["taken"]);
  });
});

describe("what lies in Redis", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("everything of a channel has one hash tag, and an end by the server's own clock", async () => {
    await using node = await startEngine(server.url, { prefix: "keys" });
    const channel = { space: "channels", name: "a}b{c%d" };
    await node.broker.publish(channel, json(1), { ...kept, idempotencyKey: "k" });
    await node.presence.put(channel, { connectionId: "c", userId: "u" });
    const keys = (await server.command("KEYS", "keys:{app:*")) as string[];
    expect(keys).toHaveLength(6);
    for (const key of keys) {
      expect(key).toStartWith("keys:{app:channels:a%7Db%7Bc%25d}:");
      expect(Number(await server.command("PTTL", key))).toBeGreaterThan(0);
    }
  });

  test("the list lives as long as its longest publication, the stream as its last one says", async () => {
    await using node = await startEngine(server.url, { prefix: "ttl" });
    const publish = (ttlMs: number) =>
      node.broker.publish(ROOM, json(1), { history: { ...LIMITS, ttlMs } });
    const ttlOf = async (part: string) =>
      Number(await server.command("PTTL", `ttl:{app:channels:room}:${part}`));
    await publish(50_000);
    await publish(5_000);
    expect(await ttlOf("s")).toBeGreaterThan(40_000);
    expect(await ttlOf("m")).toBeGreaterThan(LIMITS.metaTtlMs - 10_000);
  });

  test("expiry goes by the server's clock unless a test says otherwise", async () => {
    const runtime = createTestRuntime(1_000);
    await using node = await startEngine(server.url, {
      prefix: "clock",
      runtime,
      time: "server",
    });
    await node.broker.publish(ROOM, json(1), kept);
    // A node whose clock is wrong by an hour changes nothing.
    await runtime.advance(3_600_000);
    expect((await node.broker.history(ROOM, ALL, META_TTL_MS)).publications).toHaveLength(1);
  });
});
