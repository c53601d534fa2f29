/** Positions that are compared with an engine that may lose events: all of them, some at a time, and what a lag costs the others. */
import { expect, test } from "bun:test";
import { channel, embeddedHub, json, KEPT, pushes, subscribeTo } from "../../test/support/hub.ts";
import { Recorder } from "../../test/support/recorder.ts";
import type { AppEngine, Broker, ChannelListener } from "./engine.ts";
import { BUS_LAG_MS, POSITION_CHECK_INTERVAL_MS, POSITION_CHECKS_AT_A_TIME } from "./limits.ts";

const CHANNELS = 2 * POSITION_CHECKS_AT_A_TIME + 50;

/** The embedded engine as one that may lose events, whose answers to checks wait for the test. */
function createLossy() {
  const lost = new Set<string>();
  const asked: string[] = [];
  let underWay = 0;
  let most = 0;
  let failing = false;
  const lossy = (broker: Broker): Broker => ({
    ...broker,
    lossless: false,
    listen: (at, listener) => broker.listen(at, losing(at.name, listener)),
    async history(at, query, metaTtlMs) {
      if (query.limit > 0) return broker.history(at, query, metaTtlMs);
      asked.push(at.name);
      most = Math.max(most, (underWay += 1));
      try {
        if (failing) throw new Error("Away");
        return await broker.history(at, query, metaTtlMs);
      } finally {
        underWay -= 1;
      }
    },
  });
  const losing = (name: string, listener: ChannelListener): ChannelListener => ({
    onEvent: (event) => (lost.has(name) ? undefined : listener.onEvent(event)),
  });
  /** What was asked since the last call, and how much of it at a time. */
  const take = () => {
    const taken = { asked: asked.splice(0), most };
    most = 0;
    return taken;
  };
  return {
    change: (engine: AppEngine): AppEngine => ({ ...engine, broker: lossy(engine.broker) }),
    lost,
    fail: () => void (failing = true),
    take,
  };
}

async function subscribed(onBug?: (error: unknown) => void) {
  const { change, ...engine } = createLossy();
  const server = await embeddedHub({
    ...{ namespaces: KEPT, change },
    ...(onBug === undefined ? {} : { onBug }),
  });
  const recorder = new Recorder("one");
  const connection = server.hub.connect(recorder);
  const names = Array.from({ length: CHANNELS }, (_, index) => `c${index}`);
  for (const name of names) await subscribeTo(recorder, connection, name, { positioned: true });
  engine.take();
  return { server, recorder, names, ...engine };
}

test("each live channel is asked for once in an interval, a bounded number at a time", async () => {
  const { server, names, take } = await subscribed();
  await using _server = server;
  await server.runtime.advance(POSITION_CHECK_INTERVAL_MS - 1);
  expect(take().asked).toEqual([]);
  await server.runtime.advance(1);
  expect(take()).toEqual({ asked: names, most: POSITION_CHECKS_AT_A_TIME });
  await server.runtime.advance(POSITION_CHECK_INTERVAL_MS);
  expect(take().asked).toEqual(names);
});

test("those that lag are caught up with beside the others' checks", async () => {
  const { server, recorder, names, lost, take } = await subscribed();
  await using _server = server;
  for (const name of names) lost.add(name);
  for (const name of names) await server.hub.publish(channel(name), json(`"${name}"`));
  const before = pushes(recorder).length;
  await server.runtime.advance(POSITION_CHECK_INTERVAL_MS);
  expect(take().asked).toEqual(names);
  await server.runtime.advance(BUS_LAG_MS);
  const caught = pushes(recorder).slice(before);
  expect(caught).toEqual(names.map((name) => ({ json: `"${name}"` })));
});

test("an engine that is away is asked no more until the next time", async () => {
  const bugs: unknown[] = [];
  const { server, names, fail, take } = await subscribed((error) => void bugs.push(error));
  await using _server = server;
  fail();
  await server.runtime.advance(POSITION_CHECK_INTERVAL_MS);
  expect(take().asked).toEqual(names.slice(0, POSITION_CHECKS_AT_A_TIME));
  expect(bugs).toEqual([new Error("Away")]);
  await server.runtime.advance(POSITION_CHECK_INTERVAL_MS);
  expect(take().asked).toEqual(names.slice(0, POSITION_CHECKS_AT_A_TIME));
});
