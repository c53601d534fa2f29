/** Publishers wait for nodes that are behind. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { RedisClient } from "bun";
import { json } from "../../../test/conformance/engine/under-test.ts";
import { startRedis, type RedisServer } from "../../../test/support/redis.ts";
import { Flow, FLOW_CHARACTERS, FLOW_PUBLICATIONS, FLOW_WAIT_MS } from "./broker-flow.ts";
import { LIMITS, ROOM, startEngine, watcher } from "./test-engine.ts";

function create() {
  const asked: PromiseWithResolvers<void>[] = [];
  const flow = new Flow(() => {
    const question = Promise.withResolvers<void>();
    asked.push(question);
    return question.promise;
  });
  /** How many of so many publications are to wait. */
  const waiting = (count: number, characters = 1) =>
    Array.from({ length: count }, () => flow.sent(characters)).filter((wait) => wait !== undefined);
  return { asked, waiting };
}

test("so many publications are answered before the others are asked, as many until they answer, and none beyond", async () => {
  const { asked, waiting } = create();
  expect(waiting(FLOW_PUBLICATIONS - 1)).toEqual([]);
  expect(asked).toHaveLength(0);
  expect(waiting(1)).toEqual([]);
  expect(asked).toHaveLength(1);
  expect(waiting(FLOW_PUBLICATIONS)).toEqual([]);
  const beyond = waiting(2);
  expect(beyond).toHaveLength(2);
  asked[0]?.resolve();
  await Promise.all(beyond);
  expect(waiting(1)).toEqual([]);
  expect(asked).toHaveLength(2);
});

test("characters count likewise, and a question that fails is an answer", async () => {
  const { asked, waiting } = create();
  expect(waiting(1, FLOW_CHARACTERS - 1)).toEqual([]);
  expect(asked).toHaveLength(0);
  expect(waiting(1)).toEqual([]);
  expect(asked).toHaveLength(1);
  expect(waiting(1, FLOW_CHARACTERS)).toEqual([]);
  const beyond = waiting(1);
  asked[0]?.reject(new Error("away"));
  await Promise.all(beyond);
  expect(waiting(1)).toEqual([]);
});

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

test("publications reach another node in any number, with history and without", async () => {
  await using a = await startEngine(server.url, { prefix: "flow" });
  await using b = await startEngine(server.url, { prefix: "flow" });
  const listener = watcher();
  await b.broker.listen(ROOM, listener);
  const count = 3 * FLOW_PUBLICATIONS;
  for (const options of [{}, { history: LIMITS }]) {
    const publish = () => a.broker.publish(ROOM, json(1), options);
    await Promise.all(Array.from({ length: count }, publish));
  }
  await listener.until((events) => events.length === 2 * count);
});

test("a node that is far behind is waited for up to the deadline, for what it hears", async () => {
  await using a = await startEngine(server.url, { prefix: "mute" });
  await a.broker.listen({ ...ROOM, name: "own" }, watcher());
  const mute = new RedisClient(server.url);
  const asked = Promise.withResolvers<void>();
  let questions = 0;
  await mute.subscribe(["mute:{app:channels:room}", "mute:{control:}"], (message) => {
    if (!message.includes('"request":null')) return;
    questions += 1;
    asked.resolve();
  });
  const publish = (name: string, count: number) =>
    Promise.all(Array.from({ length: count }, () => a.broker.publish({ ...ROOM, name }, json(1))));
  await publish("own", 3 * FLOW_PUBLICATIONS);
  await publish("nobody", 3 * FLOW_PUBLICATIONS);
  expect(questions).toBe(0);
  await publish("room", 2 * FLOW_PUBLICATIONS);
  let answered = false;
  const beyond = publish("room", 1).then(() => (answered = true));
  await asked.promise;
  // Asked for later than the publication, so that its answer is here.
  await a.broker.history(ROOM, { limit: 0 }, LIMITS.metaTtlMs);
  await a.runtime.advance(FLOW_WAIT_MS - 1);
  expect(answered).toBe(false);
  await a.runtime.advance(1);
  await beyond;
  mute.close();
});
