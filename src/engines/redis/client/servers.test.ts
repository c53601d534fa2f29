/** Servers that cannot be used, go away, hang and come back: what callers and subscribers see of it. */
import { expect, test } from "bun:test";
import { createServer } from "node:net";
import { startRedisCluster } from "../../../../test/support/redis-cluster.ts";
import { startSentinels } from "../../../../test/support/redis-sentinels.ts";
import { startRedis } from "../../../../test/support/redis.ts";
import { HubError } from "../../../core/errors.ts";
import { systemRuntime } from "../../../system-runtime.ts";
import type { RedisServers, RedisShard } from "./contract.ts";
import { createRedisServers } from "./servers.ts";

/** Servers, with what they report as it comes. */
function create(url: string | readonly string[], options: { readonly ca?: string } = {}) {
  const events: string[] = [];
  const waiting: { readonly text: string; readonly resolve: () => void }[] = [];
  const servers = createRedisServers({
    url,
    runtime: systemRuntime,
    ...options,
    onEvent({ message }) {
      events.push(message);
      for (const { text, resolve } of waiting) if (message.includes(text)) resolve();
    },
    onBug(error) {
      throw error;
    },
  });
  return {
    servers,
    events,
    /** Resolves with the first report from now on that contains the text. */
    heard(text: string): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ text, resolve });
      return promise;
    },
    [Symbol.asyncDispose]: () => servers[Symbol.asyncDispose](),
  };
}

function onlyShard(servers: RedisServers): RedisShard {
  const [shard] = servers.shards;
  if (shard === undefined) throw new Error("No shard");
  return shard;
}

async function refusal(promise: Promise<unknown>): Promise<unknown> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof HubError) return error.code;
  return error instanceof Error ? error.message : error;
}

/** Resolves once it listens; `message` with the next message on the topic. */
async function listen(shard: RedisShard, topic: string) {
  const { promise: message, resolve } = Promise.withResolvers<string>();
  await shard.subscribe(topic, resolve);
  return { message };
}

test("start() names what waiting cannot mend, without the password", async () => {
  await using open = await startRedis();
  await using locked = await startRedis({ password: "s3cret" });
  await using replica = await startRedis({ replicaOf: open });
  await using node = await startRedis({ cluster: true });
  const at = (server: { host: string; port: number }) => `${server.host}:${server.port}`;
  const cases = [
    [`redis://:wrong@${at(locked)}`, `${at(locked)}: wrong user name or password`],
    [`redis://nobody:s3cret@${at(locked)}`, `${at(locked)}: wrong user name or password`],
    [`redis://${at(locked)}`, `${at(locked)}: it asks for a password`],
    [replica.url, `${at(replica)}: it is a read-only replica`],
    [node.url, `${at(node)}: it is part of a Cluster, whose URL begins with redis+cluster://`],
    [`${open.url}/99`, `${at(open)}/99: DB index is out of range`],
    [
      `redis+cluster://${at(open)}`,
      `${at(open)}: it is not a Cluster, its URL begins with redis://`,
    ],
    [`redis+cluster://:wrong@${at(locked)}`, `${at(locked)}: wrong user name or password`],
  ] as const;
  for (const [url, message] of cases) {
    await using made = create(url);
    expect(await refusal(made.servers.start())).toBe(`Cannot use Redis at ${message}`);
  }
}, 60_000);

test("start() refuses a server that is too old, and one of another kind", async () => {
  const answers = [
    ["-ERR unknown command 'HELLO'\r\n", "it is too old, 7.0 or newer is needed"],
    [
      "HTTP/1.1 400 Bad Request\r\n\r\n",
      "it does not speak the Redis protocol (is it TLS, rediss://?)",
    ],
  ] as const;
  for (const [answer, message] of answers) {
    const other = createServer((socket) => socket.on("error", () => {}).end(answer));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" ? address?.port : undefined;
    await using made = create(`redis://127.0.0.1:${port}`);
    expect(await refusal(made.servers.start())).toBe(
      `Cannot use Redis at 127.0.0.1:${port}: ${message}`,
    );
    other.close();
  }
});

test("start() waits for a server that is away, and says so once", async () => {
  await using server = await startRedis();
  await server.kill();
  await using made = create(server.url);
  const at = `Redis at 127.0.0.1:${server.port}`;
  const away = made.heard("is away: connection refused");
  const started = made.servers.start();
  await away;
  expect(await made.servers.health()).toEqual({
    ready: false,
    reason: `${at} is away: connection refused`,
  });
  await server.restart();
  await started;
  expect(await made.servers.health()).toEqual({ ready: true });
  expect(made.events).toEqual([`${at} is away: connection refused`, `${at} is back`]);
});

test("TLS is checked against the certificates given", async () => {
  const path = `${import.meta.dirname}/../../../../test/fixtures/tls`;
  const tls = ["--tls-port", "0", "--tls-auth-clients", "no"];
  const files = ["--tls-cert-file", `${path}/cert.pem`, "--tls-key-file", `${path}/key.pem`];
  await using server = await startRedis({
    directives: [...tls, ...files, "--tls-ca-cert-file", `${path}/cert.pem`],
  });
  // Its plain port stays for the test's own commands; the TLS port is set while it runs.
  const port = server.port + 1;
  await server.command("CONFIG", "SET", "tls-port", String(port));
  await using trusting = create(`rediss://localhost:${port}`, {
    ca: await Bun.file(`${path}/cert.pem`).text(),
  });
  await trusting.servers.start();
  expect(await onlyShard(trusting.servers).call("SET", "k", "v")).toBe("OK");
  await using wary = create(`rediss://localhost:${port}`);
  const away = wary.heard("certificate");
  wary.servers.start().catch(() => {});
  await away;
});

test("a kill ends what is in flight; on its return topics are restored and a gap is told", async () => {
  await using server = await startRedis();
  await using made = create(server.url);
  await made.servers.start();
  const shard = onlyShard(made.servers);
  const gap = Promise.withResolvers<void>();
  made.servers.onGap(() => gap.resolve());
  const { message } = await listen(shard, "t");
  server.stop();
  const calls = ["a", "b"].map((key) => refusal(shard.call("INCR", key)));
  await server.kill();
  expect(await Promise.all(calls)).toEqual(["unavailable", "unavailable"]);
  expect(await refusal(shard.call("INCR", "a"))).toBe("unavailable");
  expect(await refusal(shard.subscribe("u", () => {}))).toBe("unavailable");
  await server.restart();
  await gap.promise;
  await shard.call("PUBLISH", "t", "hello");
  expect(await message).toBe("hello");
  expect(await server.command("PUBSUB", "NUMSUB", "u")).toEqual(["u", 0]);
});

test("a server that hangs is given up, and calls fail at once until it is back", async () => {
  await using server = await startRedis();
  await using made = create(server.url);
  await made.servers.start();
  const shard = onlyShard(made.servers);
  server.stop();
  const away = made.heard("is away");
  expect(await refusal(shard.call("INCR", "a"))).toBe("unavailable");
  await away;
  expect(await refusal(shard.call("INCR", "a"))).toBe("unavailable");
  const back = made.heard("is back");
  server.cont();
  await back;
  // The first call may have been carried out when the server went on; the others never left.
  expect([1, 2]).toContain(Number(await shard.call("INCR", "a")));
}, 30_000);

test("calls of one turn go out in order, also ahead of and behind a script's first use", async () => {
  await using server = await startRedis();
  await using made = create(server.url);
  await made.servers.start();
  const shard = onlyShard(made.servers);
  const append = { name: "append", source: "return redis.call('RPUSH', KEYS[1], ARGV[1])" };
  const calls: Promise<unknown>[] = [];
  for (let number = 1; number <= 100; number += 1) {
    const direct = number % 3 === 0;
    calls.push(direct ? shard.call("RPUSH", "l", number) : shard.run(append, ["l"], [number]));
  }
  expect(await Promise.all(calls)).toEqual(calls.map((_, index) => index + 1));
  await server.command("SCRIPT", "FLUSH");
  expect(await shard.run(append, ["l"], ["behind a flush"])).toBe(101);
});

test("names keep their server whatever the order of the URLs, and leave only one that is gone", () => {
  const urls = ["redis://a", "redis://b", "redis://c"];
  const homes = (given: readonly string[]) => {
    const { servers } = create(given);
    return Array.from({ length: 3000 }, (_, index) => servers.shardOf(`name ${index}`).name);
  };
  const three = homes(urls);
  expect(homes(urls.toReversed())).toEqual(three);
  for (const name of ["a:6379", "b:6379", "c:6379"]) {
    expect(three.filter((home) => home === name).length).toBeGreaterThan(800);
  }
  const two = homes(urls.slice(0, 2));
  for (const [index, home] of three.entries()) {
    if (home !== "c:6379") expect(two[index]).toBe(home);
  }
});

test("Sentinels name the master; after a failover everything goes to the new one", async () => {
  await using group = await startSentinels({ password: "s3cret" });
  const hosts = group.sentinels.map(({ host, port }) => `${host}:${port}`).join(",");
  await using made = create(`redis+sentinel://:s3cret@${hosts}/${group.masterName}`);
  await made.servers.start();
  const shard = onlyShard(made.servers);
  const before = shard.generation;
  const { message } = await listen(shard, "t");
  const gap = Promise.withResolvers<void>();
  made.servers.onGap(() => gap.resolve());
  const [former] = group.servers;
  await former.kill();
  await group.failedOver(former);
  await gap.promise;
  expect(await shard.call("PUBLISH", "t", "from the new one")).toBe(1);
  expect(await message).toBe("from the new one");
  expect(shard.generation).toBeGreaterThan(before);
}, 90_000);

test("Sentinels that do not know the master are asked again, with one line for it", async () => {
  await using group = await startSentinels();
  const [sentinel] = group.sentinels;
  await using made = create(`redis+sentinel://127.0.0.1:${sentinel?.port}/nobody`);
  const away = made.heard('the Sentinels know no master "nobody"');
  made.servers.start().catch(() => {});
  await away;
  expect(made.events).toHaveLength(1);
}, 60_000);

test("a topic of a Cluster moves with its slot, and a gap is told", async () => {
  await using cluster = await startRedisCluster();
  const hosts = cluster.nodes.map(({ host, port }) => `${host}:${port}`).join(",");
  await using made = create(`redis+cluster://${hosts}`);
  await made.servers.start();
  const shard = onlyShard(made.servers);
  const slot = Number(await cluster.nodes[0].command("CLUSTER", "KEYSLOT", "{t}"));
  const messages: string[] = [];
  const arrived = Promise.withResolvers<void>();
  await shard.subscribe("{t}", (message) => {
    messages.push(message);
    if (message === "moved") arrived.resolve();
  });
  const gap = Promise.withResolvers<void>();
  made.servers.onGap(() => gap.resolve());
  const owner = await cluster.ownerOf(slot);
  const other = cluster.nodes.find((node) => node !== owner);
  if (other === undefined) throw new Error("No other node");
  await shard.call("SPUBLISH", "{t}", "still here");
  await cluster.moveSlot(slot, other);
  await gap.promise;
  await shard.call("SPUBLISH", "{t}", "moved");
  await arrived.promise;
  expect(messages).toEqual(["still here", "moved"]);
}, 90_000);
