/**
 * Fan-out: `npx bun bench/fanout.ts`, about two minutes.
 * 1,000 subscribers of one channel, 128-byte payloads over HTTP: 64 publishes in flight, then one, beside bare topics.
 */
import { CHANNEL, fanOut, inTurn, type FanOut } from "./harness/fan-out.ts";
import { findCentrifugo, startTopics } from "./harness/floors.ts";
import { startCarillon, startCarillonGusher } from "./harness/carillon.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atLeast, median, ratio, type BenchResult, type Measurement } from "./harness/report.ts";

const DELIVERIES_PER_SECOND_MIN = 2_000_000;
const IN_FLIGHT = [64, 1];

export async function benchFanOut({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const centrifugo = findCentrifugo();
  const targets = [
    { name: "Carillon", start: () => startCarillon() },
    { name: "bare Bun topics", start: startTopics },
    { name: "Carillon, gusher", start: () => startCarillonGusher({ channel: CHANNEL }) },
    ...(typeof centrifugo === "string" ? [] : [{ name: "Centrifugo", start: centrifugo }]),
  ];
  const measurements: Measurement[] = [];
  for (const lanes of IN_FLIGHT) {
    const options = {
      ...{ subscribers: 1000, payloadBytes: 128, warmUpSeconds: quick ? 1 : 2 },
      pace: { lanes, seconds: quick ? 3 : 8 },
    };
    const results = await inTurn(runs, targets, (target) => fanOut(target, options));
    const floor = rates(results[1]);
    for (const [index, { name }] of targets.entries()) {
      const found = results[index] ?? [];
      measurements.push({
        what: `${name}, ${lanes} in flight`,
        unit: "deliveries/s",
        runs: rates(found),
        missing: sum(found.map(({ missing }) => missing)),
        misordered: sum(found.map(({ misordered }) => misordered)),
        generatorCpu: found.map(({ generatorCpu }) => generatorCpu),
        ...(index === 1 ? {} : { ofFloor: ratio(rates(found), floor) }),
        ...(name.startsWith("Carillon") && lanes === 64
          ? { budget: atLeast("2,000,000", median(rates(found)), DELIVERIES_PER_SECOND_MIN) }
          : {}),
      });
    }
  }
  return {
    title: "Fan-out to 1,000 subscribers, 128 B",
    measurements,
    notes: typeof centrifugo === "string" ? [centrifugo] : [],
  };
}

function rates(results: readonly FanOut[] = []): number[] {
  return results.map(({ deliveriesPerSecond }) => deliveriesPerSecond);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

if (import.meta.main) await main(benchFanOut);
