/** How long a publish waits for its own message. */
import { expect, test } from "bun:test";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { Bus, ECHO_BEHIND_MS, ECHO_WAIT_MS } from "./broker-bus.ts";
import type { RedisServers, RedisShard } from "./client/contract.ts";

const OWN = { sender: "own", number: 7, confirmed: 6 };

/** A bus whose messages the test sends, with one echo awaited. */
async function create() {
  const runtime = createTestRuntime();
  let hear = (_message: string): void => {};
  let miss = (_shard: RedisShard): void => {};
  const shard = {
    subscribe: async (_topic: string, onMessage: typeof hear) => void (hear = onMessage),
  } as unknown as RedisShard;
  const servers = {
    onGap: (listener: typeof miss) => (miss = listener),
  } as unknown as RedisServers;
  const open = { now: () => "" as const, onBug() {}, requireOpen() {} };
  const bus = new Bus({ servers, prefix: "p", runtime, ...open });
  await bus.listen(shard, "topic", { onEvent() {} });
  let heard = false;
  void bus.echo("topic", OWN)?.heard.then(() => (heard = true));
  return {
    runtime,
    heard: () => heard,
    hear: (sender: string, number: number) => hear(`p ${sender} ${number} 0\n0\n1`),
    miss: () => miss(shard),
  };
}

test("its own message ends the wait, another's of the same number does not", async () => {
  const { runtime, heard, hear } = await create();
  hear("other", OWN.number);
  await runtime.settle();
  expect(heard()).toBe(false);
  hear(OWN.sender, OWN.number);
  await runtime.settle();
  expect(heard()).toBe(true);
});

test("a bus that brings nothing is waited for once, up to twice the time", async () => {
  const { runtime, heard } = await create();
  await runtime.advance(2 * ECHO_WAIT_MS - 1);
  expect(heard()).toBe(false);
  await runtime.advance(1);
  expect(heard()).toBe(true);
  expect(runtime.pendingTimers).toBe(0);
});

test("a bus that is behind is waited for while it brings something, and not for ever", async () => {
  const { runtime, heard, hear } = await create();
  for (let passedMs = 0; passedMs < ECHO_BEHIND_MS; passedMs += ECHO_WAIT_MS) {
    hear("other", passedMs + 1);
    await runtime.advance(ECHO_WAIT_MS);
    expect(heard()).toBe(false);
  }
  hear("other", ECHO_BEHIND_MS + 1);
  await runtime.advance(ECHO_WAIT_MS);
  expect(heard()).toBe(true);
});

test("what may have been missed is not waited for", async () => {
  const { runtime, heard, miss } = await create();
  miss();
  await runtime.settle();
  expect(heard()).toBe(true);
});
