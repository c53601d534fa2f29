/** Waves of clients that come, subscribe and go: after each nothing is left, and memory and the database come to rest. */
import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { spawnServer, type ChildServer } from "../support/child-server.ts";
import { startLoadClients } from "../support/load-clients.ts";

const SOAK = process.env["CARILLON_SOAK"] === "1";
/** Below the open-file limit of 20,000 per process. */
const [WAVES, CLIENTS] = SOAK ? [30, 5_000] : [3, 500];
const PUBLICATIONS = 10;
/**
 * Compared at the end of a soak: the least after ten waves of the beginning, once it is warm, and after the last ten. The least is what
 * the collector could not give back; between its runs a wave adds up to a half, at the beginning as at the end.
 */
const [WARM_UP_WAVES, WAVES_COMPARED] = [4, 10];
const RSS_GROWTH_MAX = 0.1;
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
    const early = Math.min(...rss.slice(WARM_UP_WAVES, WARM_UP_WAVES + WAVES_COMPARED));
    const late = Math.min(...rss.slice(-WAVES_COMPARED));
    console.log(`memory: at least ${mib(early)} MiB in the beginning, ${mib(late)} MiB at the end`);
    expect(late / early - 1).toBeLessThan(RSS_GROWTH_MAX);
  },
  SOAK ? 1_800_000 : 60_000,
);
