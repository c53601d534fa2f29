/**
 * Latency: `npx bun bench/latency.ts`, about three minutes.
 * 50 publishes a second to 1,000 subscribers; from the time a publish was due to the time a subscriber has it.
 */
import { besideWslimit, deliveries } from "./harness/beside-wslimit.ts";
import type { FanOut } from "./harness/fan-out.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, median, ratio, type BenchResult, type Measurement } from "./harness/report.ts";

const PUBLISHES_PER_SECOND = 50;
const OF_FLOOR_MAX = 1.5;

export async function benchLatency(options: BenchOptions): Promise<BenchResult> {
  const { carillon, floor, centrifugo, notes } = await besideWslimit(options, PUBLISHES_PER_SECOND);
  const measurements = (["p50", "p99"] as const).flatMap((part): Measurement[] => {
    const own = milliseconds(carillon, part);
    const bare = milliseconds(floor, part);
    const other = milliseconds(centrifugo, part);
    const unit = "ms";
    const ofFloor = ratio(own, bare);
    const judged = part === "p99" && bare.length > 0;
    const row = (name: string, runs: readonly number[], found: readonly FanOut[]) =>
      found.length === 0 ? [] : [{ what: `${name} ${part}`, unit, runs, ...deliveries(found) }];
    return [
      {
        ...{ what: `Carillon ${part}`, unit, runs: own, ...deliveries(carillon) },
        ...(bare.length === 0 ? {} : { ofFloor }),
        ...(other.length === 0 ? {} : { ofPeer: ratio(own, other) }),
        ...(judged ? { budget: atMost("1.5 × wslimit", ofFloor, OF_FLOOR_MAX) } : {}),
      },
      ...row("wslimit", bare, floor),
      ...row("Centrifugo", other, centrifugo),
    ];
  });
  const late = median(carillon.map(({ published }) => (published?.lateUs?.p99 ?? 0) / 1000));
  return {
    title: "Latency, 50 publishes/s × 1,000 subscribers",
    measurements,
    notes: [
      ...notes,
      `Times contain the publisher's own lateness (p99 ${late.toFixed(2)} ms) and the HTTP request; wslimit's begin at its first send.`,
    ],
  };
}

function milliseconds(results: readonly FanOut[], part: "p50" | "p99"): number[] {
  return results.map(({ received }) => (received.latencyUs?.[part] ?? Number.NaN) / 1000);
}

if (import.meta.main) await main(benchLatency);
