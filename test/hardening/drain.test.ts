/** Ends of the process: a stop that tells every client, a second signal, and a kill that loses nothing acknowledged. */
import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { spawnServer, type ChildServer } from "../support/child-server.ts";
import { exchange, openClient } from "../support/hostile.ts";
import { connectRaw, handshake } from "../support/raw-websocket.ts";
import { temporaryDir } from "../support/server.ts";

const CLIENTS = 200;
/** Told 1,000 a second: a drain that lasts long enough to be looked at. */
const SPREAD_CLIENTS = 1_000;

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

function keptDir(): string {
  const directory = temporaryDir();
  directories.push(directory);
  return directory;
}

async function openClients(server: ChildServer, count: number) {
  return Promise.all(Array.from({ length: count }, () => openClient(server)));
}

/** Whether something accepts connections there. */
function listens(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connectTcp({ host: hostname, port: Number(port) });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Resolves once the log says so. */
async function logs(server: ChildServer, message: string): Promise<void> {
  while (!server.logged.some(({ msg }) => msg === message)) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

test("SIGTERM tells every client to come back elsewhere, spread over time, and then frees everything", async () => {
  await using server = await spawnServer();
  const clients = await openClients(server, SPREAD_CLIENTS);
  const told: number[] = [];
  const closes = clients.map(async (client) => {
    const { opcode, code, text } = await client.next();
    told.push(performance.now());
    client.close(code);
    return { opcode, code, text };
  });
  server.kill("SIGTERM");
  await logs(server, "Draining");

  const refusals = Promise.all([handshake(server.websocketUrl), fetch(`${server.apiUrl}/ready`)]);
  const [upgrade, ready] = await refusals;
  expect({ status: upgrade.status, body: upgrade.body }).toEqual({
    status: 503,
    body: "shutting down",
  });
  expect(ready.status).toBe(503);
  // So that callers turn to another server while this one still answers.
  expect(ready.headers.get("connection")).toBe("close");
  expect(await ready.json()).toEqual({ ready: false, reason: "The server is shutting down" });
  const published = await server.api("publish", { channel: "public:late", data: 1 });
  expect(published.result).toMatchObject({ offset: 1 });

  for (const close of await Promise.all(closes)) {
    expect(close).toEqual({ opcode: 8, code: 3001, text: "shutdown" });
  }
  expect(await server.exited).toBe(0);
  const [draining] = server.logged.filter(({ msg }) => msg === "Draining");
  expect(draining).toMatchObject({ sockets: SPREAD_CLIENTS, spreadMs: 1_000 });
  const spread = Math.max(...told) - Math.min(...told);
  console.log(`drain: ${SPREAD_CLIENTS} clients were told within ${spread.toFixed(0)} ms`);
  expect(server.logged.at(-1)).toMatchObject({ msg: "Stopped" });
  expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  expect(await server.stderr).toBe("");
  expect(await Promise.all([listens(server.clientsUrl), listens(server.apiUrl)])).toEqual([
    false,
    false,
  ]);
  for (const client of clients) client.destroy();
}, 20_000);

test("publishes under way at a stop are answered, and only those answered are kept", async () => {
  const dataDir = keptDir();
  await using server = await spawnServer({ dataDir });
  const clients = await openClients(server, CLIENTS);
  const acknowledged: number[] = [];
  let failed = 0;
  const publishing = Promise.all(
    Array.from({ length: 8 }, async (_, worker) => {
      for (let number = worker; ; number += 8) {
        try {
          const { result } = await server.api("publish", { channel: "public:busy", data: number });
          if (result !== undefined) acknowledged.push(number);
          else failed += 1;
        } catch {
          // The port is gone: whatever was begun before had its answer.
          return;
        }
      }
    }),
  );
  while (acknowledged.length < 50) await server.api("info");
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  await publishing;
  for (const client of clients) client.destroy();
  console.log(`drain: ${acknowledged.length} publishes were answered, ${failed} with an error`);
  expect(failed).toBe(0);

  await using again = await spawnServer({ dataDir });
  const { result } = await again.api("history", { channel: "public:busy", limit: -1 });
  expect(result).toMatchObject({ offset: acknowledged.length });
}, 20_000);

test("a stop does not wait for clients that never answer their close", async () => {
  await using server = await spawnServer({
    config: { shutdown: { timeout: "1s" } },
  });
  const clients = await openClients(server, 20);
  for (const client of clients) client.pause();
  server.kill("SIGINT");
  expect(await server.exited).toBe(0);
  for (const client of clients) client.destroy();
}, 20_000);

test("a stop does not wait for a request whose body never arrives", async () => {
  await using server = await spawnServer({ config: { shutdown: { timeout: "1s" } } });
  const head = "POST /api/info HTTP/1.1\r\nhost: localhost\r\nx-api-key: dev-api-key\r\n";
  const answer = exchange(server.apiUrl, `${head}content-length: 500\r\n\r\n{`);
  // Behind it, so that it has arrived.
  await server.api("info");
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(await answer).toBe("");
  expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
}, 20_000);

test("a second signal ends the process at once with 1", async () => {
  await using server = await spawnServer({ config: { shutdown: { timeout: "30s" } } });
  const clients = await openClients(server, CLIENTS);
  server.kill("SIGTERM");
  await logs(server, "Draining");
  server.kill("SIGTERM");
  expect(await server.exited).toBe(1);
  for (const client of clients) client.destroy();
}, 20_000);

test("a client that connected but never said who it is is told as well", async () => {
  await using server = await spawnServer();
  const silent = await connectRaw(server.websocketUrl);
  const closing = silent.next();
  server.kill("SIGTERM");
  expect(await closing).toMatchObject({ opcode: 8, code: 3001, text: "shutdown" });
  silent.destroy();
  expect(await server.exited).toBe(0);
}, 20_000);

test("after a kill, what was acknowledged is in the history, under the same epoch", async () => {
  const dataDir = keptDir();
  const acknowledged: { offset: number; epoch: string; number: number }[] = [];
  const history = { history_size: 100_000, history_ttl: "300s" };
  const config = { channel: { namespaces: [{ name: "kept", ...history }] } };
  let number = 0;
  for (let round = 0; round < 3; round += 1) {
    await using server = await spawnServer({ dataDir, config });
    const target = acknowledged.length + 200;
    const publishing = Array.from({ length: 8 }, async () => {
      for (;;) {
        const mine = (number += 1);
        try {
          const { result } = await server.api("publish", { channel: "kept:a", data: mine });
          const { offset, epoch } = result as { offset: number; epoch: string };
          acknowledged.push({ offset, epoch, number: mine });
          // In the middle of everything that the other seven have under way.
          if (acknowledged.length === target) server.kill("SIGKILL");
        } catch {
          return;
        }
      }
    });
    await Promise.all(publishing);
    expect(await server.exited).toBe(137);
  }

  await using server = await spawnServer({ dataDir, config });
  const { result } = await server.api("history", { channel: "kept:a", limit: -1 });
  const kept = result as {
    epoch: string;
    offset: number;
    publications: { offset: number; data: number }[];
  };
  const byOffset = new Map(kept.publications.map(({ offset, data }) => [offset, data]));
  console.log(`kill: ${acknowledged.length} acknowledged, ${kept.offset} kept`);
  expect(new Set(acknowledged.map(({ epoch }) => epoch))).toEqual(new Set([kept.epoch]));
  for (const { offset, number: data } of acknowledged) expect(byOffset.get(offset)).toBe(data);
  expect(kept.publications.map(({ offset }) => offset)).toEqual(
    Array.from({ length: kept.offset }, (_, index) => index + 1),
  );
}, 30_000);

test("a client that lags when the stop begins reads the rest and its close code", async () => {
  await using server = await spawnServer();
  const client = await openClient(server);
  client.send('{"id":2,"subscribe":{"channel":"public:big"}}');
  await client.next();
  client.pause();
  // Until the kernel takes no more, and the server is left with some of it.
  const body = { channel: "public:big", data: "x".repeat(100_000), skip_history: true };
  while ((await server.metric("carillon_lagging_sockets")) === 0) await server.api("publish", body);
  server.kill("SIGTERM");
  await logs(server, "Draining");
  client.resume();
  let last = await client.next();
  while (last.opcode !== 8) last = await client.next();
  expect({ code: last.code, text: last.text }).toEqual({ code: 3001, text: "shutdown" });
});
