/**
 * Fan-out: `npx bun bench/fanout.ts`, about ten minutes.
 * 1,000 subscribers of one channel, 128-byte payloads over HTTP: 64, 8 and 1 publishes in flight, without and with history, and with
 * presence and announced joins, beside bare topics.
 */
import { startCarillon, startCarillonGusher, startCarillonSora } from "./harness/carillon.ts";
import { compare, peer, type Contender, type Taken } from "./harness/compare.ts";
import { CHANNEL, fanOut, inTurn, type FanOutOptions } from "./harness/fan-out.ts";
import { startTopics } from "./harness/floors.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atLeast, median, type BenchResult, type Measurement } from "./harness/report.ts";
import type { Target } from "./harness/targets.ts";

const HISTORY = { history_size: 100, history_ttl: "300s" };
const PRESENCE = { presence: true, join_leave: true, force_push_join_leave: true };
const CASES = [
  { what: "64 in flight", lanes: 64, channel: {} },
  { what: "8 in flight", lanes: 8, channel: {} },
  { what: "1 in flight", lanes: 1, channel: {} },
  { what: "64 in flight, history", lanes: 64, channel: HISTORY },
  { what: "8 in flight, history", lanes: 8, channel: HISTORY },
  { what: "1 in flight, history", lanes: 1, channel: HISTORY },
  { what: "64 in flight, presence, joins", lanes: 64, channel: PRESENCE },
];
/** With 64 in flight: rates, since each delivery's share of a publish is what they say. */
const OF_TOPICS_MIN = 0.6;
const OF_CENTRIFUGO_MIN = 5;

export async function benchFanOut({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const measurements: Measurement[] = [];
  const { notes } = peer();
  for (const { what, lanes, channel } of CASES) {
    const contenders: Contender[] = [
      { name: "Carillon", start: () => startCarillon({ channel }) },
      { name: "bare Bun topics", start: startTopics, part: "floor" },
      ...(channel === PRESENCE
        ? []
        : [
            {
              name: "Carillon, gusher",
              start: () => startCarillonGusher({ channel: CHANNEL, options: { channel } }),
            },
            { name: "Carillon, sora", start: () => startCarillonSora({ channel }) },
          ]),
      ...peer({ channel }).peers,
    ];
    const options = {
      ...{ subscribers: 1000, payloadBytes: 128, warmUpSeconds: quick ? 1 : 2 },
      pace: { lanes, seconds: quick ? 3 : 8 },
    };
    const results = await inTurn(runs, contenders, (target) => deliver(target, options));
    const rate = (part: Contender["part"]) => {
      const index = contenders.findIndex((each) => each.part === part);
      return median((results[index] ?? []).map(({ perSecond }) => perSecond));
    };
    measurements.push(
      ...compare(what, "deliveries/s", contenders, results, ({ runs: own }) => {
        if (lanes !== 64 || channel !== CASES[0]?.channel) return undefined;
        const floor = median(own) / rate("floor");
        const ofPeer = median(own) / rate("peer");
        const text = `${OF_TOPICS_MIN} × topics (is ${floor.toFixed(2)}), ${OF_CENTRIFUGO_MIN} × Centrifugo (is ${ofPeer.toFixed(1)})`;
        return {
          ...atLeast(text, floor, OF_TOPICS_MIN),
          met: floor >= OF_TOPICS_MIN && !(ofPeer < OF_CENTRIFUGO_MIN),
        };
      }),
    );
  }
  return { title: "Fan-out to 1,000 subscribers, 128 B", measurements, notes };
}

async function deliver(target: Target, options: FanOutOptions): Promise<Taken> {
  const {
    cpuPerDeliveryUs: cpuUs,
    deliveriesPerSecond: perSecond,
    ...rest
  } = await fanOut(target, options);
  return { cpuUs, perSecond, ...rest };
}

if (import.meta.main) await main(benchFanOut);
