/** The real servers that the tests of the Redis engine stand on do what their names say. */
import { expect, test } from "bun:test";
import { startRedisCluster } from "./redis-cluster.ts";
import { startSentinels } from "./redis-sentinels.ts";
import { startRedis } from "./redis.ts";

test("a server starts empty, answers commands, and forgets all when restarted", async () => {
  await using redis = await startRedis();
  const { url, pid } = redis;
  await redis.command("SET", "a", "1");
  expect(await redis.command("GET", "a")).toBe("1");
  await redis.restart();
  expect(redis.pid).not.toBe(pid);
  expect(redis.url).toBe(url);
  expect(await redis.command("GET", "a")).toBeNull();
});

test("with appendOnly, a kill loses nothing; restarted empty, all is lost", async () => {
  await using redis = await startRedis({ appendOnly: true });
  await redis.command("SET", "a", "1");
  await redis.kill();
  await expect(redis.command("PING")).rejects.toThrow();
  await redis.restart();
  expect(await redis.command("GET", "a")).toBe("1");
  await redis.restart({ empty: true });
  expect(await redis.command("GET", "a")).toBeNull();
});

test("a server with a password refuses those without it", async () => {
  await using redis = await startRedis({ password: "s p@ce" });
  expect(await redis.command("PING")).toBe("PONG");
  const wrong = new Bun.RedisClient(redis.url.replace(/:[^/]*@/, ":wrong@"), {
    autoReconnect: false,
  });
  await expect(wrong.connect()).rejects.toThrow();
});

test("a stopped server goes on where it was", async () => {
  await using redis = await startRedis();
  redis.stop();
  expect(await Bun.$`ps -o stat= -p ${redis.pid}`.text()).toStartWith("T");
  const answer = redis.command("PING");
  redis.cont();
  expect(await answer).toBe("PONG");
});

test("a replica follows its master and refuses writes; a full server refuses writes", async () => {
  await using master = await startRedis({ password: "p" });
  await using replica = await startRedis({ password: "p", replicaOf: master });
  expect(((await replica.command("ROLE")) as unknown[])[0]).toBe("slave");
  await expect(replica.command("SET", "a", "1")).rejects.toThrow("READONLY");
  await using full = await startRedis({ maxMemory: "1mb" });
  await expect(full.command("SET", "a", "x".repeat(2_000_000))).rejects.toThrow("OOM");
});

test("a Cluster of three masters is whole, and moves a slot with its keys", async () => {
  await using cluster = await startRedisCluster();
  const [first, , third] = cluster.nodes;
  await first.command("SET", "{06S}a", "1"); // slot 0
  await cluster.moveSlot(0, third);
  expect(await third.command("GET", "{06S}a")).toBe("1");
  await expect(first.command("GET", "{06S}a")).rejects.toThrow("MOVED 0");
}, 30_000);

test("Sentinels change the master when asked, and when it dies", async () => {
  await using group = await startSentinels({ password: "p" });
  const [first, second] = group.servers;
  expect(await group.master()).toBe(first);
  await group.failover();
  expect(await group.master()).toBe(second);
  expect(await second.command("SET", "a", "1")).toBe("OK");
}, 60_000);

test("Sentinels replace a master that is killed", async () => {
  await using group = await startSentinels();
  const [first, second] = group.servers;
  await first.kill();
  await group.failedOver(first);
  expect(await group.master()).toBe(second);
}, 60_000);
