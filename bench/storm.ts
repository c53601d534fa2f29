/**
 * Clients that come back: `npx bun bench/storm.ts`.
 * 10,000 connects at once, and spread as the official clients' first back-off spreads them; each with a signed token and a subscribe.
 * The load process may have 20,000 files open, which are as many connections.
 */
import { startCarillon } from "./harness/carillon.ts";
import { CHANNEL } from "./harness/fan-out.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { Sample, Side } from "./harness/records.ts";
import { centrifugo, type Bench, type Contender, type Round } from "./harness/round.ts";
import type { Target } from "./harness/targets.ts";
import { WATCHED_SERVER, watched } from "./harness/watched.ts";
import type { Ready } from "../src/bench/load/subscribers.ts";

const CONNECTIONS = 10_000;
/** Before what is measured: a server that just started compiles its code meanwhile. */
const WARM_UP_CONNECTIONS = 2000;
/** centrifuge-js: the first attempt comes after 500 ms and by chance up to 500 more. */
const BACK_OFF_MS = 500;
const STORMS = [
  { how: "at once", spreadMs: 0 },
  { how: `within ${BACK_OFF_MS} ms`, spreadMs: BACK_OFF_MS },
];

export const benchStorm: Bench = {
  name: "storm",
  roundsMax: 3,
  async take(round) {
    const contenders: readonly Contender[] = [
      { name: "Carillon", side: "own", start: () => startCarillon() },
      ...centrifugo(),
    ];
    // Watching its turns keeps the event loop awake, so that is another server's.
    const watchedOne: Contender = {
      ...{ name: "Carillon, watched", side: "own" },
      start: () => startCarillon({ program: WATCHED_SERVER }),
    };
    for (const { how, spreadMs } of STORMS) {
      await round.each(contenders, async (target, { side }) => {
        await storm(target, WARM_UP_CONNECTIONS);
        const before = target.process.cpuSeconds();
        const { ready, seconds, cpu } = await storm(target, CONNECTIONS, spreadMs);
        const cpuUs = ((target.process.cpuSeconds() - before) * 1e6) / ready;
        add(round, side, how, seconds, { value: ready / seconds, cpuUs, generator: cpu });
      });
      await round.each([watchedOne], async (target, { side }) => {
        await storm(target, WARM_UP_CONNECTIONS);
        const { turns } = await watched(target.process, () => storm(target, CONNECTIONS, spreadMs));
        const name = `10,000 come back ${how}, p99 turn of the loop`;
        const row = { name, unit: "ms", budget: { value: 200 } };
        round.add(row, side, { value: turns.cpuMs.p99 });
      });
    }
  },
};

function add(round: Round, side: Side, how: string, seconds: number, sample: Sample): void {
  round.add({ name: `10,000 come back ${how}`, unit: "connects/s" }, side, sample);
  const row = { name: `10,000 come back ${how}, all are there`, unit: "s", budget: { value: 5 } };
  round.add(row, side, { value: seconds });
}

async function storm(target: Target, connections: number, spreadMs?: number): Promise<Ready> {
  await using subscribers = await SubscribersProcess.start(target, {
    ...{ channel: CHANNEL, connections, opening: spreadMs === undefined ? 100 : connections },
    ...(spreadMs === undefined || spreadMs === 0 ? {} : { spreadMs }),
  });
  return subscribers.ready;
}

if (import.meta.main) await main([benchStorm]);
