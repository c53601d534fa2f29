/**
 * Below saturation: `npx bun bench/latency.ts`.
 * 50 publishes a second to 1,000 subscribers: processor time for a delivery, and from the time a publish was due to the time a subscriber
 * has it. At 100 a second the load's reads would take more than their core.
 */
import { startCarillon } from "./harness/carillon.ts";
import { FanOutLoad, sampleOf } from "./harness/fan-out.ts";
import { findWslimit } from "./harness/floors.ts";
import { main } from "./harness/main.ts";
import { centrifugo, type Bench, type Contender } from "./harness/round.ts";

const PER_SECOND = 50;
const BYTES = 128;
/** Publishes that a slow answer may leave in flight before the schedule is kept up by a queue. */
const LANES = 8;
/** A server that just started compiles its code meanwhile. */
const WARM_UP_SECONDS = 3;
const HOW = `${PER_SECOND}/s × 1,000`;

export const benchLatency: Bench = {
  name: "latency",
  floor: "`wslimit.c`, a bare sender in C, whose times begin at its own first send",
  async take(round) {
    const wslimit = findWslimit();
    const floor: readonly Contender[] =
      typeof wslimit === "string"
        ? []
        : [
            {
              ...{ name: "wslimit", side: "floor" },
              start: () => wslimit({ perSecond: PER_SECOND, bytes: BYTES }),
            },
          ];
    const carillon: Contender = { name: "Carillon", side: "own", start: () => startCarillon() };
    await round.each([carillon, ...floor, ...centrifugo()], async (target, { side }) => {
      const subscribers = { subscribers: 1000, payloadBytes: BYTES };
      await using load = await FanOutLoad.open(subscribers, target);
      const pace = { lanes: LANES, perSecond: PER_SECOND, seconds: round.seconds(3) };
      const found = await load.run(pace, round.seconds(WARM_UP_SECONDS));
      const cpu = { name: `delivery, ${HOW}`, unit: "deliveries/s", budget: { ofFloor: 1.25 } };
      round.add(cpu, side, sampleOf(found));
      const { latencyUs, generatorCpu: generator } = found;
      for (const [part, budget] of [
        ["p50", {}],
        ["p99", { ofFloor: 1.5 }],
      ] as const) {
        const value = (latencyUs?.[part] ?? Number.NaN) / 1000;
        const row = { name: `publish to receive, ${HOW}, ${part}`, unit: "ms", budget };
        round.add(row, side, { value, generator });
      }
    });
  },
};

if (import.meta.main) await main([benchLatency]);
