/** Waves of clients that come, subscribe and go: after each nothing is left, and memory and the database come to rest. */
import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { spawnServer, type ChildServer } from "../support/child-server.ts";
import { startLoadClients } from "../support/load-clients.ts";

const SOAK = process.env["CARILLON_SOAK"] === "1";
/** Below the open-file limit of 20,000 per process. */
const [WAVES, CLIENTS] = SOAK ? [20, 5_000] : [3, 500];
const PUBLICATIONS = 10;
/** Compared at the end of a soak: the median of the waves from the fifth to the tenth, and of the last five. */
const RSS_GROWTH_MAX = 0.05;
const DATABASE_BYTES_MAX = 64 * 1024 * 1024;

const GAUGES = [
  ...["carillon_connections", "carillon_users", "carillon_channels", "carillon_subscriptions"],
  ...["carillon_sockets", "carillon_deadlines", "carillon_lagging_sockets"],
];

/** Resolves when all are zero: the server hears of the last closes a moment after the clients do. */
async function empty(server: ChildServer): Promise<void> {
  for (;;) {
    const values = await Promise.all(GAUGES.map((name) => server.metric(name)));
    if (values.every((value) => value === 0)) return;
  }
}

function databaseBytes({ dataDir }: ChildServer): number {
  return ["carillon.db", "carillon.db-wal"]
    .map((name) => statSync(join(dataDir, name), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

test(
  `${WAVES} waves of ${CLIENTS} clients leave nothing behind`,
  async () => {
    await using server = await spawnServer();
    await using load = startLoadClients();
    const rss: number[] = [];
    for (let wave = 1; wave <= WAVES; wave += 1) {
      // One channel for all, with presence, joins and a history, and one that each has to itself.
      await load.open(server.websocketUrl, CLIENTS, [`public:wave-${wave}`, "public:client-%"]);
      expect(await server.metric("carillon_connections")).toBe(CLIENTS);
      expect(await server.metric("carillon_channels")).toBe(CLIENTS + 1);
      for (let number = 1; number <= PUBLICATIONS; number += 1) {
        await server.api("publish", { channel: `public:wave-${wave}`, data: { number } });
      }
      await load.received(PUBLICATIONS);
      const { received, outOfOrder, ended } = await load.report();
      expect({ received, outOfOrder, ended }).toEqual({
        received: wave * CLIENTS * PUBLICATIONS,
        outOfOrder: 0,
        ended: 0,
      });
      await load.close();
      await empty(server);
      rss.push(await server.rssBytes());
      console.log(
        `wave ${wave}: ${mib(rss.at(-1) ?? 0)} MiB, file ${mib(databaseBytes(server))} MiB`,
      );
    }
    expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
    expect(databaseBytes(server)).toBeLessThan(DATABASE_BYTES_MAX);
    if (!SOAK) return;
    const [early, late] = [median(rss.slice(4, 10)), median(rss.slice(-5))];
    console.log(`memory: ${mib(early)} MiB in waves 5 to 10, ${mib(late)} MiB in the last five`);
    expect(late / early - 1).toBeLessThan(RSS_GROWTH_MAX);
  },
  SOAK ? 1_800_000 : 60_000,
);
