/** More commands than a connection may send: answered, then ended, while others are served and memory stays bounded. */
import { afterEach, describe, expect, test } from "bun:test";
import { ending, expectNoBugs, openClient, startNeighbour } from "../support/hostile.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import { spawnServer } from "../support/child-server.ts";

const FLOOD_COMMANDS = 100_000;
const FLOOD_FRAME_COMMANDS = 1_000;
/** Above what any design needs for a connection that is cut after 2,000 commands, and far below the flood itself. */
const FLOOD_RSS_GROWTH_BYTES_MAX = 64 * 1024 * 1024;

const servers: BootedServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

async function boot(commandsPerSecondMax: number): Promise<BootedServer> {
  const streaming = {
    allow_anonymous_connect_without_token: true,
    commands_per_second_max: commandsPerSecondMax,
    // Time is moved far, and nobody here answers pings.
    ping_interval: "0",
  };
  const server = await bootServer({ config: { streaming } });
  servers.push(server);
  return server;
}

/** Codes of the answers, in order; 0 where there is no error. */
function codesOf(texts: readonly string[]): number[] {
  return texts
    .flatMap((text) => text.split("\n"))
    .map((line) => (JSON.parse(line) as { error?: { code: number } }).error?.code ?? 0);
}

const unsubscribe = (id: number) => `{"id":${id},"unsubscribe":{"channel":"a"}}`;
const burst = (count: number) =>
  Array.from({ length: count }, (_, index) => unsubscribe(index + 2)).join("\n");

describe("commands_per_second_max", () => {
  test("exactly the limit is answered, one beyond is error 111, one beyond twice it is 3013", async () => {
    const server = await boot(10);
    const client = await openClient(server);
    // The connect was the first of ten.
    client.send(burst(9 + 10 + 1));
    const { texts, code, reason } = await ending(client);
    expect(codesOf(texts)).toEqual([...Array(9).fill(0), ...Array(10).fill(111)] as number[]);
    expect({ code, reason }).toEqual({ code: 3013, reason: "too many requests" });
  });

  test("exactly twice the limit keeps the connection", async () => {
    const server = await boot(10);
    const client = await openClient(server);
    client.send(burst(9 + 10));
    const codes: number[] = [];
    while (codes.length < 19) codes.push(...codesOf([(await client.next()).text]));
    expect(codes.filter((code) => code === 111)).toHaveLength(10);
    await server.advance(1_100);
    client.send(unsubscribe(99));
    expect(JSON.parse((await client.next()).text)).toEqual({ id: 99, unsubscribe: {} });
    client.destroy();
  });

  test("the limit comes back with time, and never more than one second's worth", async () => {
    const server = await boot(10);
    const client = await openClient(server);
    const answers = async (count: number) => {
      const codes: number[] = [];
      client.send(burst(count));
      while (codes.length < count) codes.push(...codesOf([(await client.next()).text]));
      return codes;
    };
    expect(await answers(9)).toEqual(Array(9).fill(0) as number[]);
    await server.advance(99);
    expect(await answers(1)).toEqual([111]);
    // The refused one counts as well.
    await server.advance(101 + 99);
    expect(await answers(2)).toEqual([0, 111]);
    await server.advance(3_600_000);
    expect(await answers(11)).toEqual([...Array(10).fill(0), 111] as number[]);
    client.destroy();
  }, 20_000);

  test("0 is no limit", async () => {
    const server = await boot(0);
    const client = await openClient(server);
    let answered = 0;
    for (let sent = 0; sent < 10; sent += 1) client.send(burst(1_000));
    while (answered < 10_000) {
      const codes = codesOf([(await client.next()).text]);
      expect(codes.every((code) => code === 0)).toBe(true);
      answered += codes.length;
    }
    client.destroy();
  });

  test("a limited connection does not concern another of the same user", async () => {
    const server = await boot(10);
    const [loud, quiet] = [await openClient(server), await openClient(server)];
    loud.send(burst(30));
    expect(await ending(loud)).toMatchObject({ code: 3013 });
    quiet.send(unsubscribe(2));
    expect(JSON.parse((await quiet.next()).text)).toEqual({ id: 2, unsubscribe: {} });
    quiet.destroy();
    expectNoBugs(server);
  });
});

test("a flood of 100,000 commands ends its connection; neighbours are served all the while", async () => {
  const server = await boot(1_000);
  const neighbour = await startNeighbour(server);
  const client = await openClient(server);
  const frame = burst(FLOOD_FRAME_COMMANDS);
  for (let sent = 0; sent < FLOOD_COMMANDS; sent += FLOOD_FRAME_COMMANDS) client.send(frame);
  const ended = ending(client);
  for (let round = 0; round < 20; round += 1) await neighbour.check();
  const { texts, code } = await ended;
  expect(code).toBe(3013);
  expect(codesOf(texts)).toHaveLength(1_999);
  expectNoBugs(server);
  neighbour.close();
});

test("without a limit a flood by a client that never reads leaves memory bounded", async () => {
  const streaming = { allow_anonymous_connect_without_token: true, commands_per_second_max: 0 };
  await using server = await spawnServer({ config: { streaming } });
  const client = await openClient(server);
  await server.api("info");
  const before = await server.rssBytes();
  client.pause();
  // 100,000 answers of 1 KB each: a hundred times what may wait for one client.
  const data = `"${"x".repeat(900)}"`;
  client.send('{"id":2,"subscribe":{"channel":"public:flood"}}');
  const frame = Array(50).fill(`{"id":3,"publish":{"channel":"public:flood","data":${data}}}`);
  for (let sent = 0; sent < FLOOD_COMMANDS; sent += frame.length) client.send(frame.join("\n"));
  // It is ended as too slow once it passed its bound; the rest of its flood is thrown away.
  while ((await server.metric("carillon_connections")) > 0) await server.api("info");
  const growth = (await server.rssBytes()) - before;
  console.log(`flood: resident memory grew by ${(growth / 2 ** 20).toFixed(1)} MiB`);
  expect(growth).toBeLessThan(FLOOD_RSS_GROWTH_BYTES_MAX);
  client.destroy();
}, 60_000);
