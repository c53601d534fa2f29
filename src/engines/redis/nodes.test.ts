/** Presence and control of several nodes: what becomes of a node that is gone, and of entries that a server loses. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { startRedis, type RedisServer } from "../../../test/support/redis.ts";
import { startRedisCluster } from "../../../test/support/redis-cluster.ts";
import { createRandom } from "../../../test/support/random.ts";
import { createTestRuntime, type TestRuntime } from "../../../test/support/runtime.ts";
import { HEARTBEAT_MS, LEASE_MS } from "./nodes.ts";
import { ROOM, startEngine } from "./test-engine.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server[Symbol.asyncDispose]());

let prefixes = 0;

/** A prefix of its own for each test, and nodes that share one time. One with a `runtime` of its own stands still: it is as good as dead. */
function cluster() {
  const prefix = `nodes-${(prefixes += 1)}`;
  const runtime = createTestRuntime(1_000 + prefixes);
  const time = runtime.clock;
  return {
    prefix,
    runtime,
    live: () => startEngine(server.url, { prefix, time, runtime: withOtherChance(runtime) }),
    still: () => startEngine(server.url, { prefix, time }),
    /** Lets time pass in heartbeats, each with its answer. */
    async pass(ms: number): Promise<void> {
      for (let left = ms; left > 0; left -= HEARTBEAT_MS / 4) {
        await runtime.advance(Math.min(left, HEARTBEAT_MS / 4));
        await server.command("PING");
      }
    },
  };
}

/** Nodes that share their time must not share their names. */
function withOtherChance(runtime: TestRuntime): TestRuntime {
  return Object.create(runtime, {
    random: { value: createTestRuntime(10_000 + (prefixes += 1)).random },
  });
}

const client = (connectionId: string, userId = "") => ({ connectionId, userId });

async function idsIn(node: Awaited<ReturnType<typeof startEngine>>): Promise<string[]> {
  return (await node.presence.list(ROOM)).map(({ connectionId }) => connectionId).sort();
}

test("presence of all nodes is one list; a user on two nodes counts once", async () => {
  const at = cluster();
  await using a = await at.live();
  await using b = await at.live();
  await a.presence.put(ROOM, client("a1", "ann"));
  await b.presence.put(ROOM, client("b1", "ann"));
  await b.presence.put(ROOM, client("b2", "bob"));
  for (const node of [a, b]) {
    expect(await idsIn(node)).toEqual(["a1", "b1", "b2"]);
    expect(await node.presence.stats(ROOM)).toEqual({ clients: 3, users: 2 });
  }
  await b.presence.put(ROOM, client("b1", "bob"));
  expect(await a.presence.stats(ROOM)).toEqual({ clients: 3, users: 2 });
  await a.presence.remove(ROOM, "a1");
  expect(await b.presence.stats(ROOM)).toEqual({ clients: 2, users: 1 });
});

test("entries of a node that is gone vanish with its lease, within two heartbeats, and leave nothing", async () => {
  const at = cluster();
  await using living = await at.live();
  await using dead = await at.still();
  await dead.presence.put(ROOM, client("d1", "ann"));
  await dead.presence.put(ROOM, client("d2", "dan"));
  await living.presence.put(ROOM, client("l1", "ann"));
  expect(LEASE_MS).toBeLessThanOrEqual(2 * HEARTBEAT_MS);
  await at.pass(LEASE_MS - 1);
  expect(await idsIn(living)).toEqual(["d1", "d2", "l1"]);
  await at.pass(1);
  expect(await idsIn(living)).toEqual(["l1"]);
  expect(await living.presence.stats(ROOM)).toEqual({ clients: 1, users: 1 });
  const keys = (await server.command("KEYS", `${at.prefix}:{app:*`)) as string[];
  expect(keys).toHaveLength(3);
});

/** What the server does with a lease's entries that nobody met for `ENTRIES_KEPT_MS`. */
async function dropEntriesOf(prefix: string, connectionId: string): Promise<void> {
  for (const key of (await server.command("KEYS", `${prefix}:{app:*:p:*`)) as string[]) {
    if ((await server.command("HEXISTS", key, connectionId)) === 1)
      await server.command("DEL", key);
  }
}

async function usersIn(prefix: string): Promise<unknown> {
  const [key = ""] = (await server.command("KEYS", `${prefix}:{app:*:u`)) as string[];
  return server.command("HLEN", key);
}

test("users of a dead node whose entries the server has dropped are counted no more, once somebody looks", async () => {
  const at = cluster();
  await using living = await at.live();
  await using dead = await at.still();
  for (const id of ["d1", "d2", "d3"]) await dead.presence.put(ROOM, client(id, id));
  await living.presence.put(ROOM, client("l1", "ann"));
  await at.pass(LEASE_MS);
  await dropEntriesOf(at.prefix, "d1");
  expect(await living.presence.stats(ROOM)).toEqual({ clients: 1, users: 1 });
  expect(await usersIn(at.prefix)).toBe(1);
});

test("so they are on several servers, and on a Cluster", async () => {
  await using sharded = new AsyncDisposableStack();
  const servers = [sharded.use(await startRedis()), sharded.use(await startRedis())];
  await using nodes = await startRedisCluster();
  for (const [urls, all] of [
    [servers.map(({ url }) => url), servers],
    [nodes.urls.join(",").replaceAll("redis://", "").replace(/^/, "redis+cluster://"), nodes.nodes],
  ] as const) {
    const time = createTestRuntime();
    await using living = await startEngine(urls, { time: time.clock });
    await using dead = await startEngine(urls, { time: time.clock });
    const rooms = Array.from({ length: 20 }, (_, at) => ({ ...ROOM, name: `room ${at}` }));
    for (const room of rooms) {
      await dead.presence.put(room, client("d1", "dan"));
      await living.presence.put(room, client("l1", "ann"));
    }
    time.setClock(LEASE_MS);
    await beat(living);
    // Entries on every server, half of which are dropped.
    for (const node of all) {
      const keys = (await node.command("KEYS", "carillon:{app:*:p:*")) as string[];
      expect(keys.length).toBeGreaterThan(0);
      for (const key of keys) {
        if ((await node.command("HEXISTS", key, "d1")) === 1 && /[02468]}/.test(key)) {
          await node.command("DEL", key);
        }
      }
    }
    for (const room of rooms) {
      expect(await living.presence.stats(room)).toEqual({ clients: 1, users: 1 });
    }
    expect([...living.bugs, ...dead.bugs]).toEqual([]);
  }
}, 60_000);

test("where nobody ever looks, the next node that comes forgets what dead ones left", async () => {
  const at = cluster();
  await using living = await at.live();
  await living.presence.put(ROOM, client("l1", "ann"));
  for (let generation = 0; generation < 5; generation += 1) {
    await using dead = await at.still();
    await dead.presence.put(ROOM, client(`d${generation}`, `dan${generation}`));
    await at.pass(LEASE_MS);
    await dropEntriesOf(at.prefix, `d${generation}`);
  }
  await using next = await at.live();
  await next.presence.put(ROOM, client("n1", "ann"));
  expect(await usersIn(at.prefix)).toBe(1);
  const keys = (await server.command("KEYS", `${at.prefix}:{app:*`)) as string[];
  expect(keys).toHaveLength(4);
  expect(await living.presence.stats(ROOM)).toEqual({ clients: 2, users: 1 });
});

test("a living node clears up in its channels within the renewal time, also where nobody ever looks", async () => {
  const at = cluster();
  await using living = await at.still();
  await using dead = await at.still();
  await living.presence.put(ROOM, client("l1", "ann"));
  for (const id of ["d1", "d2", "d3"]) await dead.presence.put(ROOM, client(id, id));
  await at.pass(LEASE_MS);
  // The first turn is the walk's begin.
  for (let beats = 0; beats < 2; beats += 1) await beat(living);
  const keys = (await server.command("KEYS", `${at.prefix}:{app:*`)) as string[];
  expect(keys).toHaveLength(3);
  expect(await usersIn(at.prefix)).toBe(1);
});

test("counts that the server has dropped, or a living node's entries, are made anew with the next entry", async () => {
  const at = cluster();
  await using node = await at.live();
  await using other = await at.live();
  await node.presence.put(ROOM, client("n1", "ann"));
  await other.presence.put(ROOM, client("o1", "bob"));
  await dropEntriesOf(at.prefix, "n1");
  await node.presence.put(ROOM, client("n1", "ann"));
  await node.presence.remove(ROOM, "n1");
  expect(await other.presence.stats(ROOM)).toEqual({ clients: 1, users: 1 });
  const [users = ""] = (await server.command("KEYS", `${at.prefix}:{app:*:u`)) as string[];
  await server.command("DEL", users);
  await node.presence.put(ROOM, client("n2", "cid"));
  expect(await other.presence.stats(ROOM)).toEqual({ clients: 2, users: 2 });
});

test("a server that is away for longer than the leases: what they left is counted no more, whether it is dropped or not", async () => {
  for (const dropped of [true, false]) {
    await using own = await startRedis({ appendOnly: true });
    const time = createTestRuntime();
    await using nodes = new AsyncDisposableStack();
    const [one, two] = [
      nodes.use(await startEngine(own.url, { time: time.clock })),
      nodes.use(await startEngine(own.url, { time: time.clock })),
    ];
    await one.presence.put(ROOM, client("c1", "ann"));
    await one.presence.put(ROOM, client("c2", "bob"));
    await two.presence.put(ROOM, client("c3", "cid"));
    const away = Promise.all([one.heard("is away"), two.heard("is away")]);
    await own.kill();
    await away;
    await one.presence.remove(ROOM, "c2");
    const back = Promise.all([one.heard("is back"), two.heard("is back")]);
    time.setClock(LEASE_MS);
    await own.restart();
    await back;
    const old = (await own.command("KEYS", "carillon:{app:*:p:*/1")) as string[];
    expect(old).toHaveLength(2);
    if (dropped) await own.command("DEL", ...old);
    for (const node of [one, two, one]) await beat(node);
    for (const node of [one, two]) {
      expect(await idsIn(node)).toEqual(["c1", "c3"]);
      expect(await node.presence.stats(ROOM)).toEqual({ clients: 2, users: 2 });
    }
    expect(await own.command("KEYS", "carillon:{app:*")).toBeArrayOfSize(4);
  }
});

test("counts are right whatever nodes come, go, die and are forgotten", async () => {
  const random = createRandom("presence");
  const at = cluster();
  await using nodes = new AsyncDisposableStack();
  const reader = nodes.use(await at.live());
  /** Each with its entries: connection and user. Those that are not here do not beat any more. */
  const alive = new Map<Awaited<ReturnType<typeof at.still>>, Map<string, string>>();
  const dead: string[] = [];
  let made = 0;
  for (let step = 0; step < 300; step += 1) {
    const chance = random.integer(100);
    if (alive.size === 0 || (chance < 5 && alive.size < 4)) {
      alive.set(nodes.use(await at.still()), new Map());
    }
    const [node, entries] = random.pick([...alive]);
    const [first] = entries.keys();
    if (chance < 12) {
      dead.push(...entries.keys());
      alive.delete(node);
    } else if (chance < 20) await dropEntriesOf(at.prefix, dead.pop() ?? "");
    else if (chance < 55) {
      const [id, user] = [`c${(made += 1)}`, `u${random.integer(6)}`];
      entries.set(id, user);
      await node.presence.put(ROOM, client(id, user));
    } else if (chance < 70 && first !== undefined) {
      entries.delete(first);
      await node.presence.remove(ROOM, first);
    } else if (chance < 85) await pass();
  }
  await pass();
  await expectCounts();

  async function pass(): Promise<void> {
    for (let ms = 0; ms < LEASE_MS; ms += HEARTBEAT_MS) {
      await at.pass(HEARTBEAT_MS);
      for (const node of alive.keys()) await beat(node);
    }
    // Looking mends: most of the time nobody does.
    if (random.chance(0.3)) await expectCounts();
  }

  async function expectCounts(): Promise<void> {
    const there = [...alive.values()].flatMap((entries) => [...entries]);
    expect(await idsIn(reader)).toEqual(there.map(([id]) => id).sort());
    const users = new Set(there.map(([, user]) => user)).size;
    expect(await reader.presence.stats(ROOM)).toEqual({ clients: there.length, users });
  }
});

test("many entries of a dead node are thrown away in parts", async () => {
  const at = cluster();
  await using living = await at.live();
  await using dead = await at.still();
  const ids = Array.from({ length: 2_500 }, (_, index) => `d${index}`);
  await Promise.all(ids.map((id) => dead.presence.put(ROOM, client(id, id))));
  await at.pass(LEASE_MS);
  expect(await living.presence.stats(ROOM)).toEqual({ clients: 0, users: 0 });
});

test("a node that was taken for dead puts its entries again at its next heartbeat", async () => {
  const at = cluster();
  await using living = await at.live();
  await using slow = await at.still();
  await slow.presence.put(ROOM, client("s1", "sue"));
  await at.pass(LEASE_MS);
  expect(await living.presence.stats(ROOM)).toEqual({ clients: 0, users: 0 });
  await beat(slow);
  expect(await idsIn(living)).toEqual(["s1"]);
  expect(await living.presence.stats(ROOM)).toEqual({ clients: 1, users: 1 });
  await slow.presence.remove(ROOM, "s1");
  expect(await idsIn(living)).toEqual([]);
});

test("entries that the server has lost come back at the next heartbeat", async () => {
  await using own = await startRedis();
  await using node = await startEngine(own.url);
  await node.presence.put(ROOM, client("c1", "ann"));
  await own.command("FLUSHALL");
  expect(await idsIn(node)).toEqual([]);
  await beat(node);
  expect(await idsIn(node)).toEqual(["c1"]);
});

test("entries come back with a server that was restarted empty", async () => {
  await using own = await startRedis();
  await using node = await startEngine(own.url);
  await node.presence.put(ROOM, client("c1", "ann"));
  const back = node.heard("is back");
  await own.restart({ empty: true });
  await back;
  expect(await idsIn(node)).toEqual(["c1"]);
});

test("what is removed while the server is away is removed when it is back", async () => {
  await using own = await startRedis({ appendOnly: true });
  await using node = await startEngine(own.url);
  await node.presence.put(ROOM, client("c1", "ann"));
  await node.presence.put(ROOM, client("c2", "bob"));
  const away = node.heard("is away");
  await own.kill();
  await away;
  await node.presence.remove(ROOM, "c1");
  const put = node.presence.put(ROOM, client("c3")).then(
    () => "put",
    () => "refused",
  );
  expect(await put).toBe("refused");
  const back = node.heard("is back");
  await own.restart();
  await back;
  await beat(node);
  expect(await idsIn(node)).toEqual(["c2"]);
  expect(await node.presence.stats(ROOM)).toEqual({ clients: 1, users: 1 });
});

test("every entry is put once more within the renewal time", async () => {
  await using node = await startEngine(server.url, { prefix: "renewal" });
  const ids = Array.from({ length: 40 }, (_, index) => `c${index}`);
  for (const id of ids) await node.presence.put(ROOM, client(id));
  const keys = (await server.command("KEYS", "renewal:{app:*")) as string[];
  await server.command("DEL", ...keys);
  for (let beats = 0; beats < 41; beats += 1) await beat(node);
  expect((await node.presence.stats(ROOM)).clients).toBe(40);
});

test("ask() gathers the answers of all nodes, each once", async () => {
  const at = cluster();
  await using a = await at.live();
  await using b = await at.live();
  await using c = await at.live();
  for (const [name, node] of Object.entries({ a, b, c })) {
    node.control.serve((request) => ({ from: name, request }));
  }
  for (const node of [a, b, c]) {
    const { answers, nodesAsked } = await node.control.ask("hello", 1_000);
    expect(nodesAsked).toBe(3);
    expect(answers).toBeArrayOfSize(3);
    for (const from of ["a", "b", "c"]) expect(answers).toContainEqual({ from, request: "hello" });
  }
  expect(new Set([a, b, c].map(({ control }) => control.nodeId)).size).toBe(3);
});

test("ask() of one node is heard by it alone, and one that is gone is not waited for", async () => {
  await using a = await startEngine(server.url, { prefix: "one node" });
  await using b = await startEngine(server.url, { prefix: "one node" });
  a.control.serve(() => "a");
  b.control.serve((request) => ({ b: request }));
  const { nodeId } = b.control;
  expect(await a.control.ask("you", 1_000, nodeId)).toEqual({
    answers: [{ b: "you" }],
    nodesAsked: 1,
  });
  expect(await b.control.ask("me", 1_000, nodeId)).toEqual({
    answers: [{ b: "me" }],
    nodesAsked: 1,
  });
  // Timers of this engine's runtime stand still: it does not end by its deadline.
  expect(await a.control.ask("you", 1_000, "gone")).toEqual({ answers: [], nodesAsked: 1 });
});

test("ask() counts a dead node until its lease ends, and waits for it no longer than the deadline", async () => {
  const at = cluster();
  await using a = await at.live();
  await using b = await at.live();
  const never = Promise.withResolvers<unknown>();
  a.control.serve(() => "a");
  b.control.serve(() => never.promise);
  const asked = a.control.ask("who", 1_000);
  await at.pass(1_000);
  expect(await asked).toEqual({ answers: ["a"], nodesAsked: 2 });
  never.resolve("too late");
});

test("ask() does not wait for nodes without the app, or whose handler throws", async () => {
  const at = cluster();
  await using a = await at.live();
  await using b = await at.live();
  const bug = new Error("handler's own");
  a.control.serve(() => "a");
  expect(await a.control.ask("who", 1_000)).toEqual({ answers: ["a"], nodesAsked: 2 });
  b.control.serve(() => {
    throw bug;
  });
  expect(await a.control.ask("who", 1_000)).toEqual({ answers: ["a"], nodesAsked: 2 });
  expect(b.bugs).toEqual([bug]);
});

test("a node that closes is gone at once, with its entries", async () => {
  const at = cluster();
  await using a = await at.live();
  {
    await using b = await at.live();
    await b.presence.put(ROOM, client("b1"));
    a.control.serve(() => "a");
    expect((await a.control.ask("who", 1_000)).nodesAsked).toBe(2);
  }
  expect(await idsIn(a)).toEqual([]);
  expect((await a.control.ask("who", 1_000)).nodesAsked).toBe(1);
});

test("a close leaves no timer behind", async () => {
  const node = await startEngine(server.url, { prefix: "timers" });
  await node.presence.put(ROOM, client("c"));
  expect(node.runtime.pendingTimers).toBeGreaterThan(0);
  await node.engine[Symbol.asyncDispose]();
  expect(node.runtime.pendingTimers).toBe(0);
});

/** One heartbeat of this node, with all that it sets off: the answers to later calls come behind those. */
async function beat(node: Awaited<ReturnType<typeof startEngine>>): Promise<void> {
  await node.runtime.advance(HEARTBEAT_MS);
  // The renewal, what its answer sets off, and what that does.
  for (let turn = 0; turn < 5; turn += 1) await node.records.get("nothing");
}
