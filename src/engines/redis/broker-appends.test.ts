/** Publications of one turn that share a call: which ones do, and that each is answered for itself. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { json, values } from "../../../test/conformance/engine/under-test.ts";
import { startRedis, type RedisServer } from "../../../test/support/redis.ts";
import { compactJson } from "../../core/json-text.ts";
import { APPENDED_CHARACTERS_MAX, APPENDED_MAX, Appends } from "./broker-appends.ts";
import { Outlet } from "./broker-outlets.ts";
import { ALL, code, LIMITS, ROOM, startEngine } from "./test-engine.ts";
import type { LateArguments, RedisShard } from "./client/contract.ts";

/** A channel whose calls are asked for, and sent when the test says so. */
function create() {
  const calls: { readonly args: LateArguments; readonly reply: PromiseWithResolvers<unknown> }[] =
    [];
  const run: RedisShard["run"] = (_script, _keys, args) => {
    const reply = Promise.withResolvers<unknown>();
    calls.push({ args, reply });
    return reply.promise;
  };
  const place = { shard: { run } as RedisShard, topic: "t", metaKey: "t:m", listKey: "t:s" };
  const node = { count: 0 };
  const [outlet, another] = [new Outlet(place, "me", node), new Outlet(place, "me", node)];
  const appends = new Appends();
  return {
    calls,
    add: (message: string, how = "how") => {
      outlet.next();
      return appends.add(outlet, how, message);
    },
    /** Something else is sent, to another channel. */
    other: () => void another.next(),
    /** What goes with each call, when it is sent. */
    sent: () => calls.map(({ args }) => (typeof args === "function" ? args() : args)),
  };
}

const messages = (count: number) => Array.from({ length: count }, (_, index) => `m${index}`);

test("messages of one turn share a call, and each is answered its own offset", async () => {
  const { add, calls, sent } = create();
  const answers = messages(3).map((message) => add(message));
  expect(sent()).toEqual([["how", "m0", "m1", "m2"]]);
  calls[0]?.reply.resolve(["epoch", 7, 2]);
  expect(await Promise.all(answers)).toEqual([
    ["epoch", 7, 2],
    ["epoch", 8, 2],
    ["epoch", 9, 2],
  ]);
});

test("one that comes when the call was sent goes with another", () => {
  const { add, sent } = create();
  void add("a");
  sent();
  void add("b");
  expect(sent()).toEqual([
    ["how", "a"],
    ["how", "b"],
  ]);
});

test("one behind something else that was sent, to whichever channel, keeps its place, as does one that is kept in another way", () => {
  const { add, other, sent } = create();
  void add("a");
  other();
  void add("b");
  void add("c");
  void add("d", "another how");
  expect(sent()).toEqual([
    ["how", "a"],
    ["how", "b", "c"],
    ["another how", "d"],
  ]);
});

test(`${APPENDED_MAX} messages and ${APPENDED_CHARACTERS_MAX} characters share a call, one beyond does not`, () => {
  const many = create();
  for (const message of messages(APPENDED_MAX + 1)) void many.add(message);
  expect(many.sent().map((args) => args.length)).toEqual([APPENDED_MAX + 1, 2]);

  const full = create();
  void full.add("x".repeat(APPENDED_CHARACTERS_MAX - 1));
  void full.add("y");
  void full.add("z");
  void full.add("x".repeat(APPENDED_CHARACTERS_MAX + 1));
  expect(full.sent().map((args) => args.length)).toEqual([3, 2, 2]);
});

test("a call that fails fails all that share it, and nothing joins it later", async () => {
  const { add, calls, sent } = create();
  const answers = [add("a"), add("b")];
  // Refused before it was sent.
  calls[0]?.reply.reject(new Error("refused"));
  const settled = await Promise.allSettled(answers);
  expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  void add("c");
  expect(sent().at(-1)).toEqual(["how", "c"]);
});

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

async function scriptCalls(): Promise<number> {
  const stats = String(await server.command("INFO", "commandstats"));
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

test("a turn's publications to a channel reach the server in few calls, keep their order and what was asked to be kept", async () => {
  await using node = await startEngine(server.url, { prefix: "few" });
  const limits = { ...LIMITS, size: 5 };
  await node.broker.publish(ROOM, json("first"), { history: limits });
  const before = await scriptCalls();
  const answers = await Promise.all(
    messages(APPENDED_MAX).map((text) =>
      node.broker.publish(ROOM, json(text), { history: limits }),
    ),
  );
  // The first goes at once, the others together.
  expect((await scriptCalls()) - before).toBe(2);
  expect(answers.map((answer) => answer?.offset)).toEqual(
    Array.from({ length: APPENDED_MAX }, (_, index) => index + 2),
  );
  const page = await node.broker.history(ROOM, ALL, limits.metaTtlMs);
  expect(values(page.publications)).toEqual(messages(APPENDED_MAX).slice(-5));
});

test("a text of several lines and a removal between publications come out as they went in", async () => {
  await using node = await startEngine(server.url, { prefix: "lines" });
  const { broker } = node;
  const text = { data: { json: compactJson(String.raw`"a\nb"`) }, tags: { line: "1\n2\n" } };
  const kept = { history: LIMITS };
  await Promise.all([
    broker.publish(ROOM, json("busy"), kept),
    broker.publish(ROOM, json("gone"), kept),
    broker.removeHistory(ROOM),
    broker.publish(ROOM, text, kept),
    broker.publish(ROOM, json("last"), kept),
  ]);
  const page = await broker.history(ROOM, ALL, LIMITS.metaTtlMs);
  expect(values(page.publications)).toEqual(["a\nb", "last"]);
  expect(page.publications[0]?.tags).toEqual(text.tags);
  expect(page.position.offset).toBe(4);
});

test("what one channel cannot take fails there alone", async () => {
  await using node = await startEngine(server.url, { prefix: "broken" });
  const other = { ...ROOM, name: "other" };
  const kept = { history: LIMITS };
  await node.broker.publish(ROOM, json("fine"), kept);
  await server.command("SET", "broken:{app:channels:room}:s", "no stream");
  const answers = ["a", "b", "c"].flatMap((text) => [
    node.broker.publish(ROOM, json(text), kept),
    node.broker.publish(other, json(text), kept),
  ]);
  const settled = await Promise.allSettled(answers);
  expect(settled.map(({ status }) => status)).toEqual(
    ["a", "b", "c"].flatMap(() => ["rejected", "fulfilled"]),
  );
  const page = await node.broker.history(other, ALL, LIMITS.metaTtlMs);
  expect(values(page.publications)).toEqual(["a", "b", "c"]);
  expect(await code(node.broker.publish(other, json("d"), kept))).toBe("done");
});
