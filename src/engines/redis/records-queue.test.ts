/** Records and queues on Redis: what every engine owes the core. */
import { afterAll, beforeAll, describe } from "bun:test";
import { testQueueOrder } from "../../../test/conformance/engine/queue-order.ts";
import { testQueueWatch } from "../../../test/conformance/engine/queue-watch.ts";
import { testQueue } from "../../../test/conformance/engine/queue.ts";
import { testRecords } from "../../../test/conformance/engine/records.ts";
import type { EngineUnderTest } from "../../../test/conformance/engine/under-test.ts";
import { startRedis, type RedisServer } from "../../../test/support/redis.ts";
import type { AppEngine } from "../../core/engine.ts";
import { start } from "./test-records-queue.ts";

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

/** The cases ask for nothing but the parts that there are. */
async function create(): Promise<EngineUnderTest> {
  const node = await start({ url: redis.url });
  return {
    engine: {
      name: "redis",
      start: () => Promise.resolve(),
      app: (id) => node.app(id) as AppEngine,
      health: () => node.servers.health(),
      [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
    },
    advance: (ms) => node.runtime.advance(ms),
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  };
}

describe("records", () => testRecords(create, true));
describe("queue", () => testQueue(create, true));
describe("queue, order keys", () => testQueueOrder(create, true));
describe("queue, watching", () => testQueueWatch(create, true));
