/** Remote jobs on the original's Redis lists, read as its workers do (gusher.md §8, §9). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { RedisClient } from "bun";
import { createEmbeddedEngine } from "../../../src/engines/embedded/index.ts";
import { createRedisEngine } from "../../../src/engines/redis/index.ts";
import { systemRuntime } from "../../../src/system-runtime.ts";
import { bootGusher, openGusher, type GusherServer } from "../../support/gusher.ts";
import { callMaster, refused } from "../../support/gusher-master.ts";
import { startRedis, type RedisServer } from "../../support/redis.ts";
import { createTestRuntime } from "../../support/runtime.ts";

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

const remote = (uid: string, name = "chat") => ({ remote: name, uid, payload: { msg: 1 } });

let seeds = 100;

function bootOnLists({ url }: RedisServer): Promise<GusherServer> {
  const runtime = createTestRuntime((seeds += 1));
  const nowMs = () => runtime.clock.epochMs();
  return bootGusher({
    runtime,
    engine: createRedisEngine({ url, runtime, connections: systemRuntime, nowMs }),
    config: { engine: "redis", master_key: "0".repeat(64), redis: { url } },
    gusher: { remote_jobs: "redis_list" },
  });
}

/** A worker of the original: it waits for the list's next entry, whichever program pushes it. */
async function openWorker() {
  const client = new RedisClient(redis.url);
  await client.connect();
  return {
    async pop(list: string): Promise<string> {
      const [from, job] = (await client.send("BLPOP", [list, "0"])) as [string, string];
      expect(from).toBe(list);
      return job;
    },
    [Symbol.dispose]: () => client.close(),
  };
}

test("a worker that waits at the list gets each job once, as the original writes it, in order", async () => {
  await using server = await bootOnLists(redis);
  using client = await openGusher(server);
  using worker = await openWorker();
  const socketId = await client.socketId();
  const waiting = worker.pop("TEST@chat");
  client.send({ event: "gusher.remote", data: remote("q1") });
  expect(await waiting).toBe(
    `{"user_id":"u1","socket_id":"${socketId}","uid":"q1","app_key":"TEST","data":{"msg":1}}`,
  );
  for (const uid of ["q2", "q3"]) {
    expect(await client.ask("gusher.remote", remote(uid), { debug: true })).toEqual({
      event: "gusher.remote_succeeded",
      socket_id: "SID",
      data: { remote: "chat", msg: null },
    });
  }
  using other = await openWorker();
  const jobs = [await worker.pop("TEST@chat"), await other.pop("TEST@chat")];
  expect(jobs.map((job) => (JSON.parse(job) as { uid: string }).uid)).toEqual(["q2", "q3"]);
  expect(await redis.command("EXISTS", "TEST@chat")).toBe(0);
});

test("such a job is in no queue, and the pull call says where it is", async () => {
  await using server = await bootOnLists(redis);
  using client = await openGusher(server);
  await client.ask("gusher.remote", remote("q1"), { debug: true });
  expect(await server.jobs("TEST@chat")).toEqual([]);
  for (const call of ["take", "done"]) {
    const answer = await callMaster(server, `/jobs/TEST/chat/${call}`, { jobs: "[]", wait: "60" });
    expect(answer).toEqual(refused("jobs are in redis lists"));
  }
  expect(await redis.command("LLEN", "TEST@chat")).toBe(1);
  await redis.command("DEL", "TEST@chat");
});

test("what is not allowed is refused and on no list", async () => {
  await using server = await bootOnLists(redis);
  using client = await openGusher(server);
  for (const name of ["off", "nope", "__proto__"]) {
    expect(await client.ask("gusher.remote", remote("q1", name))).toMatchObject({
      event: "gusher.remote_error",
    });
    expect(await redis.command("EXISTS", `TEST@${name}`)).toBe(0);
  }
});

test("a job that the list cannot take drops the connection", async () => {
  await using own = await startRedis();
  await using server = await bootOnLists(own);
  const client = await openGusher(server);
  await own.command("SET", "TEST@chat", "no list");
  client.send({ event: "gusher.remote", debug: true, data: remote("q1") });
  expect(await client.ended()).toEqual({ texts: [], code: 1011 });
  expect(server.logged).toContainEqual(
    expect.objectContaining({ dialect: "gusher", doing: "gusher.remote" }),
  );
});

test("without the setting nothing is on a list", async () => {
  const runtime = createTestRuntime((seeds += 1));
  const engine = createRedisEngine({ url: redis.url, runtime, connections: systemRuntime });
  await using server = await bootGusher({ runtime, engine });
  using client = await openGusher(server);
  await client.ask("gusher.remote", remote("q1"), { debug: true });
  expect(await redis.command("EXISTS", "TEST@chat")).toBe(0);
  expect(await server.jobs("TEST@chat")).toHaveLength(1);
});

test("an engine without lists is told at the start", async () => {
  const runtime = createTestRuntime((seeds += 1));
  const booting = bootGusher({
    runtime,
    engine: createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime }),
    config: { engine: "redis", master_key: "0".repeat(64), redis: { url: redis.url } },
    gusher: { remote_jobs: "redis_list" },
  });
  const error = await booting.then(
    (server) => server[Symbol.asyncDispose](),
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({
    message: 'The engine "embedded" has no lists for `gusher.remote_jobs`',
  });
});
