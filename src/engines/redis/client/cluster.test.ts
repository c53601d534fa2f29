/** A Cluster of which one node goes away: what the engine on it makes of that. */
import { expect, test } from "bun:test";
import { json, told, values } from "../../../../test/conformance/engine/under-test.ts";
import { startRedisCluster } from "../../../../test/support/redis-cluster.ts";
import { until } from "../../../../test/support/redis.ts";
import { slotOf } from "./cluster-bus.ts";
import { ALL, code, LIMITS, ROOM, startEngine, watcher } from "../test-engine.ts";

const META_TTL_MS = LIMITS.metaTtlMs;
const kept = { history: LIMITS };

// Redis Cluster specification, appendix A, and slots as servers tell them.
test.each([
  ["123456789", 0x31c3],
  ["{user1000}.following", 3443],
  ["user1000", 3443],
  ["foo{}{bar}", 8363],
  ["foo{{bar}}zap", 4015],
  ["{bar", 4015],
  ["foo{bar}{zap}", 5061],
  ["", 0],
  ["é", 10180],
])("the slot of %p is %d", (key, slot) => {
  expect(slotOf(key)).toBe(slot);
});

/** Until the publish is taken: a Cluster says of itself when it is whole again, but to nobody who waits. */
async function publishUntilTaken(publish: () => Promise<unknown>): Promise<unknown> {
  let taken: unknown;
  await until("the Cluster takes publications again", async () => {
    taken = await publish();
    return true;
  });
  return taken;
}

test("it hangs, then is killed: refused in time, listeners stay, and what is on disk keeps its epoch", async () => {
  await using cluster = await startRedisCluster({ appendOnly: true });
  const hosts = cluster.nodes.map(({ host, port }) => `${host}:${port}`).join(",");
  await using node = await startEngine(`redis+cluster://${hosts}`);
  const [first] = cluster.nodes;
  const slot = await first.command("CLUSTER", "KEYSLOT", "{app:channels:room}");
  const owner = await cluster.ownerOf(Number(slot));
  const listener = watcher();
  await node.broker.listen(ROOM, listener);
  const publish = (value: string) => node.broker.publish(ROOM, json(value), kept);
  const before = await publish("whole");

  owner.stop();
  expect(await code(publish("lost 1"))).toBe("unavailable");
  owner.cont();
  await publishUntilTaken(() => publish("after a stop"));
  listener.events.length = 0;

  const back = listener.until((events) => events.includes("gap"));
  await owner.kill();
  expect(await code(publish("lost 2"))).toBe("unavailable");
  await owner.restart();
  await back;
  const after = await publishUntilTaken(() => publish("after a kill"));
  expect(after).toMatchObject({ epoch: before?.epoch ?? "" });
  const page = await node.broker.history(ROOM, ALL, META_TTL_MS);
  const left = values(page.publications);
  // One that was given up may have been carried out, but none twice.
  expect(left).toEqual(left.filter((value, index) => left.indexOf(value) === index));
  for (const value of ["whole", "after a stop", "after a kill"]) expect(left).toContain(value);
  expect(told(listener.events).at(-1)).toBe("after a kill");
  expect(node.bugs).toEqual([]);
}, 90_000);
