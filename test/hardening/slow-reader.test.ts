/** One reader stops reading among a thousand: it is ended and told why, it has no gap, and nobody else notices. */
import { expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { spawnServer, type ChildServer } from "../support/child-server.ts";
import { openClient } from "../support/hostile.ts";
import { startLoadClients } from "../support/load-clients.ts";
import type { RawFrame, RawWebSocket } from "../support/raw-websocket.ts";

const NEIGHBOURS = 1_000;
/** More than twice what the kernel and the server hold for one connection. */
const PUBLICATIONS_MAX = 1_000;
const LARGE_BYTES = 32_768;
/** What may wait for it: streaming's default. */
const QUEUE_BYTES_MAX = 1_048_576;
/** Publications between two looks at whether the slow reader is still there. */
const LOOK_EVERY = 5;
const MORE_PUBLICATIONS = 50;

const STREAMING = { allow_anonymous_connect_without_token: true };
const OPTIONS = { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true };
const CONFIG = { streaming: STREAMING, channel: { without_namespace: OPTIONS } };

async function openSlowReader(server: ChildServer): Promise<RawWebSocket> {
  const client = await openClient(server);
  client.send('{"id":2,"subscribe":{"channel":"all"}}\n{"id":3,"subscribe":{"channel":"large"}}');
  await client.next();
  await client.next();
  return client;
}

/**
 * Publishes numbers one behind the other, small ones to all and large ones to the slow reader, until the server has
 * ended that one. Answers the last small number; `onLook` is called on the way.
 */
async function publishUntilEnded(
  server: ChildServer,
  onLook: () => Promise<void> = async () => {},
): Promise<number> {
  const padding = "x".repeat(LARGE_BYTES);
  for (let number = 1; number <= PUBLICATIONS_MAX; number += 1) {
    await server.api("publish", { channel: "all", data: { number } });
    await server.api("publish", { channel: "large", data: { number, padding } });
    if (number % LOOK_EVERY !== 0) continue;
    if ((await server.metric("carillon_connections")) === NEIGHBOURS) return number;
    await onLook();
  }
  throw new Error("The slow reader was never ended");
}

/** As the admin API tells it, of the one in the channel. */
async function unsentTo(server: ChildServer, channel: string): Promise<number> {
  const response = await fetch(`${server.apiUrl}/admin/api/connections?channel=${channel}`);
  const { data } = (await response.json()) as { data: { unsent_bytes: number }[] };
  return data[0]?.unsent_bytes ?? 0;
}

/** To all, behind those. Answers the last number. */
async function publishMore(server: ChildServer, last: number): Promise<number> {
  const until = last + MORE_PUBLICATIONS;
  for (let number = last + 1; number <= until; number += 1) {
    await server.api("publish", { channel: "all", data: { number } });
  }
  return until;
}

/** Open sockets of the server's process. Its API is called on one connection throughout. */
function socketsOf({ pid }: ChildServer): number {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).filter((name) => {
    try {
      return readlinkSync(`${directory}/${name}`).startsWith("socket:");
    } catch {
      return false; // Closed in between.
    }
  }).length;
}

/** Numbers that a reader received of a channel. */
function numbersOf(frames: readonly RawFrame[], channel: string): number[] {
  return frames
    .filter(({ opcode }) => opcode === 1)
    .flatMap(({ text }) => text.split("\n"))
    .map((line) => JSON.parse(line) as { push?: Push })
    .flatMap(({ push }) => (push?.channel === channel ? [push.pub.data.number] : []));
}

interface Push {
  readonly channel: string;
  readonly pub: { readonly data: { readonly number: number } };
}

function contiguous(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

test("a reader that reads again in time finds 3008 behind all that it was sent, without a gap", async () => {
  await using server = await spawnServer({ config: CONFIG });
  await using neighbours = startLoadClients();
  await neighbours.open(server.websocketUrl, NEIGHBOURS, ["all"]);
  const slow = await openSlowReader(server);
  slow.pause();

  let unsentBytes = 0;
  const last = await publishUntilEnded(server, async () => {
    unsentBytes = Math.max(unsentBytes, await unsentTo(server, "large"));
  });
  slow.resume();
  const frames = await slow.rest();
  slow.destroy();
  const total = await publishMore(server, last);
  await neighbours.received(total);

  expect(unsentBytes).toBeWithin(LARGE_BYTES, QUEUE_BYTES_MAX + 1);
  expect(frames.at(-1)).toMatchObject({ opcode: 8, code: 3008, text: "slow" });
  for (const channel of ["all", "large"]) {
    const numbers = numbersOf(frames, channel);
    console.log(`slow reader: ${numbers.length} of "${channel}" before its end`);
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers).toEqual(contiguous(numbers.length));
  }
  expect(numbersOf(frames, "large").length).toBeLessThan(last);
  expect(await neighbours.report()).toMatchObject({
    open: NEIGHBOURS,
    received: NEIGHBOURS * total,
    outOfOrder: 0,
    ended: 0,
  });
  expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
}, 60_000);

test("a reader that never reads again is cut, and what it held is free", async () => {
  await using server = await spawnServer({ config: CONFIG });
  await using neighbours = startLoadClients();
  await neighbours.open(server.websocketUrl, NEIGHBOURS, ["all"]);
  await server.api("info");
  const before = socketsOf(server);
  const slow = await openSlowReader(server);
  slow.pause();
  expect(socketsOf(server)).toBe(before + 1);

  const total = await publishMore(server, await publishUntilEnded(server));
  await neighbours.received(total);
  const startMs = performance.now();
  // Its peer answers nothing, so only the server's own patience ends it.
  while (socketsOf(server) > before) await server.api("info");
  console.log(`slow reader: cut ${((performance.now() - startMs) / 1000).toFixed(1)} s later`);
  expect(await server.metric("carillon_sockets")).toBe(NEIGHBOURS);
  expect(await server.metric("carillon_lagging_sockets")).toBe(0);
  expect(await server.metric("carillon_connections")).toBe(NEIGHBOURS);
  slow.resume();
  const frames = await slow.rest();
  slow.destroy();
  // What the kernel had taken still arrives, in one piece up to where it was cut.
  const whole = numbersOf(frames, "large");
  expect(whole).toEqual(contiguous(whole.length));
  expect(await neighbours.report()).toMatchObject({
    received: NEIGHBOURS * total,
    outOfOrder: 0,
    ended: 0,
  });
}, 60_000);
