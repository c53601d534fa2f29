/** `--workers N`: several processes on one port, on a real Redis; what a kill, a signal and a bad start do to them. */
import { developmentFile } from "../../src/dialects/configuration.ts";
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";

import { ownerOf } from "../../src/transports/peers.ts";
import { runServe, spawnServer, type ChildServer } from "../support/child-server.ts";
import { openClient, until } from "../support/hostile.ts";
import { connect as connectMessaging, connectSockJs, tokenOf } from "../support/messaging.ts";
import { send as sendForm } from "../support/messaging-auth.ts";
import { PollingClient } from "../support/messaging-polling.ts";
import { connectRaw, type RawWebSocket } from "../support/raw-websocket.ts";
import { startRedis, type RedisServer } from "../support/redis.ts";
import { temporaryDir } from "../support/server.ts";

// Several processes have to start.
setDefaultTimeout(30_000);

const WORKERS = 2;
/** Chance puts all of them on one worker once in 10^12 runs. */
const CLIENTS = 40;
/** Requests of a session, each of which lands on a worker by chance. */
const SENDS = 20;
const CHANNEL = "public:all";

let redis: RedisServer;
let directory: string;
let prefixes = 0;
const clients: RawWebSocket[] = [];

beforeAll(async () => {
  redis = await startRedis({ password: "secret" });
  directory = temporaryDir();
});

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
});

afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function configOf(url = redis.url) {
  prefixes += 1;
  return {
    engine: "redis",
    workers: WORKERS,
    master_key: "00".repeat(32),
    redis: { url, prefix: `workers-${prefixes}` },
  };
}

/** The id of a SockJS session that this worker has. */
function sessionOf(worker: number): string {
  const ids = Array.from({ length: 100 }, (_, at) => `session${at}`);
  const peers = { number: 1, count: WORKERS, directory: "" };
  return ids.find((id) => ownerOf(id, peers) === worker) ?? "";
}

/** Each connected and subscribed. */
async function openSubscribers(server: ChildServer, count: number): Promise<RawWebSocket[]> {
  const opened = await Promise.all(
    Array.from({ length: count }, async () => {
      const client = await openClient(server);
      client.send(`{"id":2,"subscribe":{"channel":"${CHANNEL}"}}`);
      expect((await client.next()).text).toContain('"subscribe":{');
      return client;
    }),
  );
  clients.push(...opened);
  return opened;
}

async function expectPublication(server: ChildServer, receivers: readonly RawWebSocket[]) {
  const { result } = await server.api("publish", { channel: CHANNEL, data: "ding" });
  expect(result).toMatchObject({ offset: expect.any(Number) });
  for (const receiver of receivers) expect((await receiver.next()).text).toContain('"ding"');
}

/** One metric by worker. */
async function byWorker(server: ChildServer, name: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${server.apiUrl}/metrics`)).text();
  const values = new Map<string, number>();
  for (const [, worker = "", value] of text.matchAll(
    new RegExp(`^${name}\\{.*\\bworker="(\\d+)".*\\} (\\S+)$`, "gm"),
  )) {
    values.set(worker, (values.get(worker) ?? 0) + Number(value));
  }
  return values;
}

/** What the processes said when they began to serve, the latest last. */
function readyLines(server: ChildServer) {
  return server.logged.filter(({ msg, worker }) => msg === "Ready" && worker !== undefined);
}

function pidOf(server: ChildServer, worker: number): number {
  return Number(readyLines(server).findLast((line) => line["worker"] === worker)?.["pid"]);
}

/** Ends a worker, waits for the one in its place, and publishes: who was on it, and who hears of it on the other. */
async function endWorker(server: ChildServer, worker: number, signal: NodeJS.Signals) {
  const all = await openSubscribers(server, CLIENTS);
  const there = (await byWorker(server, "carillon_sockets")).get(`${worker}`) ?? 0;
  expect(there).toBeGreaterThan(0);
  process.kill(pidOf(server, worker), signal);
  await until(() => readyLines(server).length > WORKERS);
  expect(readyLines(server).at(-1)).toMatchObject({ worker });
  await server.api("publish", { channel: CHANNEL, data: "still here" });
  const came = await Promise.all(
    all.map(async (client) => ({
      client,
      code: await client.next().then(
        ({ code, text }) => code ?? (text.includes('"still here"') ? "publication" : text),
        () => "cut",
      ),
    })),
  );
  const left = came.filter(({ code }) => code === "publication").map(({ client }) => client);
  expect(left).toHaveLength(CLIENTS - there);
  return { left, told: new Set(came.map(({ code }) => code)) };
}

/**
 * Connects to both listeners, each time anew, until `done` and then some more, so that whatever process takes connections by then
 * is met. What came of it: names of failures are among it.
 */
async function hammer(server: ChildServer, done: () => boolean): Promise<Set<unknown>> {
  const outcomes = new Set<unknown>();
  const failed = (error: unknown) => void outcomes.add(String(error));
  const headers = { Connection: "close", "X-API-Key": "dev-api-key" };
  for (let left = CLIENTS; left > 0; left -= done() ? 1 : 0) {
    const call = fetch(`${server.apiUrl}/api/info`, { method: "POST", headers, body: "{}" });
    const ready = fetch(`${server.apiUrl}/ready`, { headers });
    const page = fetch(server.clientsUrl, { headers });
    await Promise.all([
      ...[call, ready, page].map((asked) =>
        asked.then(({ status }) => outcomes.add(status), failed),
      ),
      connectRaw(server.websocketUrl).then((client) => {
        client.destroy();
        outcomes.add("open");
      }, failed),
    ]);
  }
  return outcomes;
}

describe("while all of them serve", () => {
  let server: ChildServer;
  beforeAll(async () => {
    server = await spawnServer({ config: configOf() });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test("clients and API calls are spread over the workers, and what one publishes reaches all", async () => {
    const subscribers = await openSubscribers(server, CLIENTS);
    for (let calls = 0; calls < CLIENTS; calls += 1) {
      const headers = { "X-API-Key": "dev-api-key", Connection: "close" };
      const init = { method: "POST", headers, body: JSON.stringify({ channel: "none" }) };
      expect((await fetch(`${server.apiUrl}/api/history`, init)).status).toBe(200);
    }
    await expectPublication(server, subscribers);

    for (const [name, total] of [
      ["carillon_sockets", CLIENTS],
      ["carillon_api_requests_total", CLIENTS + 1],
    ] as const) {
      const values = [...(await byWorker(server, name)).values()];
      expect(values).toHaveLength(WORKERS);
      expect(Math.min(...values)).toBeGreaterThan(0);
      expect(values.reduce((sum, value) => sum + value)).toBe(total);
    }
    expect(await server.metric("carillon_workers")).toBe(WORKERS);
    const families = (await (await fetch(`${server.apiUrl}/metrics`)).text()).match(
      /^# TYPE .*$/gm,
    );
    expect(families?.length).toBe(new Set(families).size);
    const { result } = await server.api("info");
    expect(result?.["nodes"]).toHaveLength(WORKERS);
  });

  test("a SockJS session is one, whichever worker its requests reach", async () => {
    using owner = await connectMessaging(server, "owner");
    const { "channel-id": id, "invite-token": token } = await owner.ask({
      type: "create-channel",
    });
    for (const worker of [1, 2]) {
      const client = new PollingClient(server, `polls-${worker}`, sessionOf(worker));
      expect(await client.poll()).toBe("o");
      await client.send({ type: "join-channel", "invite-token": token });
      expect(await client.receive(2)).toMatchObject([{ change: "joined" }, { status: true }]);
      const message = { type: "channel-message", "channel-id": id };
      for (let at = 0; at < SENDS; at += 1) {
        expect(await client.send({ ...message, id: `${at}`, content: `${at}` })).toBe(204);
        expect(await owner.nextOf("channel-message")).toMatchObject({ content: `${at}` });
      }
      const answers = await client.receive(2 * SENDS);
      expect(answers.map((answer) => answer["reply-to"])).toEqual(
        Array.from({ length: 2 * SENDS }, (_, at) => `${Math.floor(at / 2)}`),
      );
      for (let at = 0; at < SENDS; at += 1) await owner.ask({ ...message, content: `${at}` });
      const received = await client.receive(SENDS);
      expect(received.map(({ content }) => Number(content))).toEqual([...Array(SENDS).keys()]);
      // Somebody else's token, wherever it lands.
      for (let at = 0; at < SENDS / 4; at += 1) {
        expect(await client.sendAs(tokenOf("owner"), { ...message, content: "x" })).toBe(403);
      }
      await client.send({ type: "leave-channel", "channel-id": id });
    }
  });

  test.each(["xhr-polling", "xhr-streaming"])(
    "sockjs-client by %s speaks with clients of either worker, and ends with its token",
    async (transport) => {
      // Of either worker, by chance.
      const clients = await Promise.all(
        Array.from({ length: 8 }, (_, at) =>
          connectSockJs(server, `${transport}-${at}`, transport),
        ),
      );
      const [first, ...others] = clients;
      if (first === undefined) throw new Error("There is no client");
      const { "channel-id": id, "invite-token": token } = await first.ask({
        type: "create-channel",
      });
      for (const other of others) await other.ask({ type: "join-channel", "invite-token": token });
      const say = { type: "channel-message", "channel-id": id };
      for (let at = 0; at < SENDS; at += 1) {
        for (const client of clients) client.send({ ...say, content: `${at}` });
      }
      for (const client of clients) {
        const sequences: number[] = [];
        while (sequences.length < SENDS * others.length) {
          sequences.push(Number((await client.nextOf("channel-message"))["sequence"]));
        }
        expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
        expect(new Set(sequences).size).toBe(sequences.length);
      }
      for (const { subscriber, closed } of clients) {
        await sendForm(server, "revoke", { token: tokenOf(subscriber) });
        expect(await closed).toEqual({ code: 4401, reason: "Unauthorized" });
      }
    },
  );
});

test("kill -9 of a worker ends its own clients only, and another process takes its place", async () => {
  await using server = await spawnServer({ config: configOf() });
  const { left, told } = await endWorker(server, 1, "SIGKILL");
  expect(told).toEqual(new Set(["cut", "publication"]));

  const after = await openSubscribers(server, CLIENTS);
  await expectPublication(server, [...left, ...after]);
  const sockets = await byWorker(server, "carillon_sockets");
  expect(sockets.get("1")).toBeGreaterThan(0);
  expect(sockets.get("2")).toBeGreaterThan(left.length);
  expect(await byWorker(server, "carillon_worker_restarts_total")).toEqual(
    new Map([
      ["1", 1],
      ["2", 0],
    ]),
  );
  const died = server.logged.find(({ msg }) => msg === "A worker ended");
  expect(died).toMatchObject({ worker: 1, code: null, signal: "SIGKILL", restartMs: 100 });
  expect(died?.["level"]).toBe(50);
});

test("a process in a dead worker's place takes no connection before it can serve it", async () => {
  await using server = await spawnServer({ config: configOf() });
  process.kill(pidOf(server, 1), "SIGKILL");
  await until(() => server.logged.some(({ msg }) => msg === "A worker ended"));
  const outcomes = await hammer(server, () => readyLines(server).length > WORKERS);
  expect(outcomes).toEqual(new Set([200, "open"]));
});

test("when all workers are gone while Redis is away, one in their place says so", async () => {
  await using own = await startRedis();
  await using server = await spawnServer({ config: configOf(own.url) });
  await own.kill();
  for (const worker of [1, 2]) process.kill(pidOf(server, worker), "SIGKILL");
  await until(() => server.logged.filter(({ msg }) => msg === "A worker ended").length === WORKERS);
  const status = (path: string) => fetch(`${server.apiUrl}${path}`).then((answer) => answer.status);
  await until(() => status("/health").then(Boolean, () => false));
  expect(await Promise.all([status("/health"), status("/ready")])).toEqual([200, 503]);
  await own.restart();
  await until(() => readyLines(server).length === 2 * WORKERS);
  expect(await status("/ready")).toBe(200);
});

test("a worker that drains leaves what is new to the others, from the first moment until it is replaced", async () => {
  await using server = await spawnServer({ config: configOf() });
  // Told by each worker in 2 ms each.
  const all = await openSubscribers(server, 10 * CLIENTS);
  process.kill(pidOf(server, 2), "SIGTERM");
  await until(() => server.logged.some(({ msg }) => msg === "Draining"));
  const outcomes = await hammer(server, () => readyLines(server).length > WORKERS);
  expect(outcomes).toEqual(new Set([200, "open"]));
  const closed = all.filter(({ unread }) => unread > 0);
  expect(closed.length).toBeGreaterThan(0);
  for (const client of closed) expect((await client.next()).code).toBe(3001);
});

test("SIGTERM to one worker drains that one, and another process takes its place", async () => {
  await using server = await spawnServer({ config: configOf() });
  const { told } = await endWorker(server, 2, "SIGTERM");
  expect(told).toEqual(new Set([3001, "publication"]));
  const ended = server.logged.find(({ msg }) => msg === "A worker ended");
  expect(ended).toMatchObject({ worker: 2, code: 0, level: 30, restartMs: 100 });
  expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

test("SIGTERM drains all workers together: each client is told, the ports are freed, the exit code is 0", async () => {
  await using server = await spawnServer({ config: configOf() });
  const all = await openSubscribers(server, CLIENTS);
  server.kill("SIGTERM");
  for (const client of all) {
    const { opcode, code } = await client.next();
    expect({ opcode, code }).toEqual({ opcode: 8, code: 3001 });
    client.close(3001);
  }
  expect(await server.exited).toBe(0);
  expect(await server.stderr).toBe("");
  await expect(fetch(server.clientsUrl)).rejects.toThrow();
  await expect(fetch(server.apiUrl)).rejects.toThrow();
  const draining = server.logged.filter(({ msg }) => msg === "Draining");
  expect(new Set(draining.map(({ worker }) => worker))).toEqual(new Set([1, 2]));
  // A thousand a second by all workers together.
  for (const { sockets, spreadMs } of draining) expect(spreadMs).toBe(Number(sockets) * WORKERS);
  expect(server.logged.at(-1)).toMatchObject({ msg: "All workers stopped" });
});

test("a supervisor that is killed takes its workers along", async () => {
  await using server = await spawnServer({ config: configOf() });
  const pids = [1, 2].map((worker) => pidOf(server, worker));
  server.kill("SIGKILL");
  expect(await server.exited).toBe(137);
  await until(() => pids.every((pid) => !isAlive(pid)));
  await expect(fetch(server.apiUrl)).rejects.toThrow();
});

describe("a start that cannot be is told once, and leaves nothing running", () => {
  async function refusal(config: Readonly<Record<string, unknown>>, args: readonly string[] = []) {
    const path = join(directory, `refused-${(prefixes += 1)}.json`);
    const file = { ...developmentFile(), clients: { port: 0 }, api: { port: 0 }, ...config };
    writeFileSync(path, JSON.stringify(file));
    const { code, out, err } = await runServe(["--config", path, ...args], directory);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    const lines = err.split("\n").filter((line) => line !== "");
    expect(lines).toHaveLength(1);
    return lines[0];
  }

  test.each(["clients", "api"] as const)("the port of %s is taken", async (listener) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    try {
      expect(await refusal({ ...configOf(), [listener]: { port } })).toBe(
        `carillon: Port ${port} on 127.0.0.1 is already in use [port_in_use]`,
      );
    } finally {
      taken.close();
    }
  });

  test("another server's workers share the port", async () => {
    await using server = await spawnServer({ config: configOf() });
    const port = Number(new URL(server.clientsUrl).port);
    expect(await refusal({ ...configOf(), clients: { port } })).toBe(
      `carillon: Port ${port} on 127.0.0.1 is already in use [port_in_use]`,
    );
    await openSubscribers(server, 1);
  });

  test("the engine is one process's", async () => {
    expect(await refusal({}, ["--workers", "2"])).toBe(
      '--workers: needs engine = "redis": the embedded engine serves one process [config_conflict]',
    );
  });

  test("Redis refuses the password", async () => {
    const line = await refusal(configOf(redis.url.replace("secret", "guess")));
    expect(line).toBe(
      `carillon: Cannot use Redis at ${redis.host}:${redis.port}: wrong user name or password [redis_login_failed]`,
    );
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
