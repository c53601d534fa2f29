/** `serve --nodes 3`: three nodes and their Redis by one command, as somebody who tries them out has them (docs/redis.md). */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { carillon, write } from "../../src/cli/test-support.ts";
import { runServe, spawnServer, type ChildServer } from "../support/child-server.ts";
import { openClient, until } from "../support/hostile.ts";
import type { RawWebSocket } from "../support/raw-websocket.ts";
import { temporaryDir } from "../support/server.ts";

// Several processes have to start.
setDefaultTimeout(30_000);

interface Node {
  readonly clientsUrl: string;
  readonly apiUrl: string;
}

const open: RawWebSocket[] = [];
afterEach(() => {
  for (const client of open.splice(0)) client.destroy();
});

const startNodes = (): Promise<ChildServer> => spawnServer({ args: ["--nodes", "3"] });

/** What each node, and the one that started them, says. */
function ready({ logged }: ChildServer): {
  readonly nodes: readonly Node[];
  readonly redis: string;
} {
  const lines = logged.filter(({ msg }) => msg === "Ready");
  const nodes = lines
    .filter(({ node }) => node !== undefined)
    .toSorted((a, b) => Number(a["node"]) - Number(b["node"]));
  return {
    nodes: nodes.map(({ clients, api }) => ({ clientsUrl: String(clients), apiUrl: String(api) })),
    redis: String(lines.find(({ redis }) => redis !== undefined)?.["redis"]),
  };
}

async function subscribe({ clientsUrl }: Node, channel: string): Promise<RawWebSocket> {
  const websocketUrl = `${clientsUrl.replace(/^http/, "ws")}/connection/websocket`;
  const client = await openClient({ websocketUrl });
  open.push(client);
  client.send(`{"id":2,"subscribe":{"channel":"${channel}"}}`);
  expect((await client.next()).text).toContain('"subscribe":{');
  return client;
}

function pidOf({ logged }: ChildServer, node: number): number {
  return Number(
    logged.findLast((line) => line["node"] === node && line["msg"] === "Ready")?.["pid"],
  );
}

const folderOf = (server: ChildServer): string => dirname(new URL(ready(server).redis).pathname);

test("what is published on the third arrives on the first, the console lists three, and Ctrl-C ends all", async () => {
  await using server = await startNodes();
  const { nodes } = ready(server);
  const [first, second, third] = nodes;
  if (first === undefined || second === undefined || third === undefined) throw new Error("Few");
  expect(new Set(nodes.flatMap((node) => [node.clientsUrl, node.apiUrl])).size).toBe(6);
  const client = await subscribe(first, "public:all");
  const push = ["publish", "public:all", '"ding"', "--url", third.apiUrl];
  expect((await carillon(push)).out).toBe("1 matched (streaming 1), offset 1\n");
  expect((await client.next()).text).toContain('"ding"');

  const listed = await fetch(`${second.apiUrl}/admin/api/nodes`);
  const { data } = (await listed.json()) as { readonly data: readonly unknown[] };
  expect(data).toHaveLength(3);

  const folder = folderOf(server);
  expect(existsSync(folder)).toBe(true);
  server.kill("SIGINT");
  expect(await server.exited).toBe(0);
  expect(server.logged.at(-1)).toMatchObject({ msg: "All nodes stopped" });
  expect(existsSync(folder)).toBe(false);
});

test("a node that dies is told, and another one takes its place; Redis ends with whoever started it", async () => {
  await using server = await startNodes();
  const [, second] = ready(server).nodes;
  if (second === undefined) throw new Error("Few");
  const killed = pidOf(server, 2);
  process.kill(killed, "SIGKILL");
  await until(() => pidOf(server, 2) !== killed);
  expect(server.logged.find(({ msg }) => msg === "A node ended")).toMatchObject({
    ...{ node: 2, signal: "SIGKILL", level: 50 },
  });
  await subscribe(second, "public:again");

  const folder = folderOf(server);
  server.kill("SIGKILL");
  await server.exited;
  await until(() => !existsSync(folder));
});

test("nodes that have lost their Redis end, and say why", async () => {
  await using server = await startNodes();
  const { redis } = ready(server);
  const client = new Bun.RedisClient(redis, { autoReconnect: false });
  await client.connect();
  await client.send("SHUTDOWN", ["NOSAVE"]).catch(() => {});
  expect(await server.exited).toBe(1);
  const told = server.logged.find(({ level }) => level === 60);
  expect(told?.["reason"]).toMatch(/^redis-server ended: ./);
});

test("without redis-server, in another mode and beyond nine one line says what to do", async () => {
  const env = { CARILLON_CLIENTS_PORT: "0", CARILLON_API_PORT: "0" };
  const [missing, live, number] = await Promise.all([
    carillon(["serve", "--nodes", "3"], { ...env, PATH: "/nowhere" }),
    carillon(["serve", "--nodes", "3", "--config", write("live.toml", "")], env),
    runServe(["--nodes", "10"], temporaryDir()),
  ]);
  expect(missing.err).toStartWith(
    "carillon: --nodes needs redis-server, which is not here: install it",
  );
  expect(live.err).toStartWith("carillon: --nodes is for development mode");
  expect(number.err).toContain("Not a count up to 9.");
  expect([missing.code, live.code, number.code]).toEqual([1, 1, 1]);
});
