/**
 * Connects: `npx bun bench/connects.ts`.
 * 5,000 connections, 2,000 a second: TCP, upgrade, connect with a signed token, subscribe to one channel; and the same with
 * presence, where each joins a channel of its own and is told that it did.
 */
import { startCarillon } from "./harness/carillon.ts";
import { startTopics } from "./harness/floors.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { Sample } from "./harness/records.ts";
import { centrifugo, type Bench, type Contender } from "./harness/round.ts";
import type { Target } from "./harness/targets.ts";

const OF_CENTRIFUGO_MAX = 0.8;
const CONNECTIONS = 5000;
/** As fast as it goes, the load would take as much of its core as what it measures. */
const PER_SECOND = 2000;
/** Before what is measured: a server that just started compiles its code meanwhile, which takes about 10,000 connections. */
const WARM_UP_CONNECTIONS = 6000;
const WARM_UP_WAVES = 2;

const PRESENT = { name: "present", presence: true, join_leave: true, force_push_join_leave: true };
const CHANNELS = [
  { channel: "bench", what: "" },
  { channel: "present:c%d", what: ", presence and joins, a channel each" },
];

export const benchConnects: Bench = {
  name: "connects",
  floor: "a bare upgrade and subscribe of `Bun.serve`",
  async take(round) {
    const options = { namespaces: [PRESENT] };
    const contenders: readonly Contender[] = [
      { name: "Carillon", side: "own", start: () => startCarillon(options) },
      ...centrifugo(options),
      { name: "topics", side: "floor", start: startTopics },
    ];
    await round.each(contenders, async (target, { side }) => {
      for (const { channel, what } of CHANNELS) {
        for (let wave = 0; wave < WARM_UP_WAVES; wave += 1) {
          await connect(target, channel, WARM_UP_CONNECTIONS);
        }
        const row = {
          ...{ name: `connect with a token and a subscribe${what}`, unit: "connects/s" },
          budget: { ofPeer: OF_CENTRIFUGO_MAX },
        };
        round.add(row, side, await connect(target, channel, CONNECTIONS));
      }
    });
  },
};

async function connect(target: Target, channel: string, connections: number): Promise<Sample> {
  const before = target.process.cpuSeconds();
  const spreadMs = (connections / PER_SECOND) * 1000;
  const options = { channel, connections, spreadMs };
  await using subscribers = await SubscribersProcess.start(target, options);
  const { ready, seconds, cpu } = subscribers.ready;
  return {
    cpuUs: ((target.process.cpuSeconds() - before) * 1e6) / ready,
    value: ready / seconds,
    generator: cpu,
  };
}

if (import.meta.main) await main([benchConnects]);
